"""How data sets lie on disk: the tutorial's own folders, or PASCAL VOC's and COCO's layouts, read in place.

Each module answers the same questions of one layout, for helpers/dataset/sources.py:

    list_images(params, subdirs)           the `ImageFile`s of these subdirs, in a fixed order
    left_out(params)                       a `Problem` for each image that is left out of that list
    read_annotation(image, size, params)   (`Annotation`, list of `Problem`) of one of them
    annotation_paths(params)               the files that the annotations come from
    derive_classes(params)                 the classes, where PARAMETERS.py names none
"""
