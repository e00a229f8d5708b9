"""Texts of annotation files of several tools, each with the same box."""

from annotation_files import coco

BOX = ("cup", 10, 20, 40, 60)


def labelme(*shapes, name="a.jpg", **more):
    good = {"label": "cup", "points": [[10, 20], [40, 60]], "shape_type": "rectangle"}
    return {"shapes": [good, *shapes], "imagePath": name, "imageWidth": 100, "imageHeight": 80, **more}


def studio(*results, name="a.jpg"):
    good = {"id": "0", "type": "rectanglelabels", "value": {
        "x": 10, "y": 25, "width": 30, "height": 50, "rectanglelabels": ["cup"]}}  # fmt: skip
    return {"data": {"image": name}, "annotations": [{"result": [good, *results]}]}


def cvat(shapes, name="a.jpg"):
    good = '<box label="cup" xtl="10" ytl="20" xbr="40" ybr="60"/>'
    return f'<image name="{name}" width="100" height="80">{good}{shapes}</image>'


def voc(inner, name="a.jpg"):
    good = (
        "<object><name>cup</name><bndbox><xmin>11</xmin><ymin>21</ymin><xmax>40</xmax><ymax>60</ymax></bndbox></object>"
    )
    return f"<annotation><filename>{name}</filename>{good}{inner}</annotation>"


def vott(*regions, name="a.jpg"):
    good = {"tags": ["cup"], "boundingBox": {"left": 10, "top": 20, "width": 30, "height": 40}}
    return {"asset": {"name": name, "state": 2}, "regions": [good, *regions]}


def coco_of(*annotations, **image):
    """Two images, the second in order, the first with a good box and others."""
    images = [{"id": 7, "file_name": "a.jpg", **image}, {"id": 8, "file_name": "b.jpg"}]
    good = [{"bbox": [10, 20, 30, 40]}, {"bbox": [10, 20, 30, 40], "image_id": 8}]
    return coco([*good, *annotations], images)
