"""What PARAMETERS.py need not say of a data set, because its files do: the classes, and the limits of ROIs.

With it, any folder in the right layout runs by `--set datasetName=NAME` alone.
"""

import numpy as np

from helpers.annotations import LABEL_SUFFIXES, annotation_path, read_annotation
from helpers.dataset import ANNOTATED_SUBDIRS, list_images
from helpers.dataset_summary import LIMITS, relative_sizes
from helpers.errors import UserError
from helpers.files import read_lines
from helpers.images import image_size
from helpers.parameters import EXCLUDED_LABELS


def derive_block(image_dir):
    """Values by name for a data set without a block: classes, in alphabetical order, and limits that fit the boxes.

    The limits come from positive/ alone, never from the test images. Raises `UserError` where no label file names a
    class. What is wrong with single rows, step 0 says.
    """
    images = list_images(image_dir, ANNOTATED_SUBDIRS)
    classes = derive_classes(images)
    if not classes:
        raise UserError(
            f"{image_dir}: no label file names a class; annotate its images (A1_annotateImages.py, "
            "A2_annotateLabels.py), or import annotations (importAnnotations.py)"
        )
    sizes = [np.zeros((0, 4))]
    for image in images:
        if image.subdir == "positive":
            size, _ = image_size(image.path)
            annotation, _ = read_annotation(image.path, size, classes)
            sizes.append(relative_sizes(annotation.boxes[~annotation.excluded], size))
    sizes = np.concatenate(sizes)
    limits = {limit.parameter: limit.fitting(sizes) for limit in LIMITS} if len(sizes) else {}
    return {"classes": classes, **limits}


def derive_classes(images):
    """All class names in the label files of these images, in alphabetical order."""
    names = set()
    for image in images:
        path = annotation_path(image.path, LABEL_SUFFIXES)
        if path.exists():
            names.update(line.strip() for line in read_lines(path))
    return tuple(sorted(names - {"", *EXCLUDED_LABELS}))


def block_as_text(name, block):
    """The lines to paste into PARAMETERS.py."""
    lines = [f'    "{name}": dict(', *(f"        {key}={value!r}," for key, value in block.items()), "    ),"]
    return "\n".join(lines)
