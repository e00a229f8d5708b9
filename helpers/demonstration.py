"""Detections beside the true boxes, on test images drawn by lot: 6_scoreImage.py --demo."""

import numpy as np

from helpers.dataset import TEST_SUBDIRS
from helpers.drawing import GREY, DrawnBox, class_color, detection_boxes, draw_boxes, side_by_side
from helpers.errors import UserError
from helpers.fonts import drawable_names
from helpers.images import image_size, scale_to_fit
from helpers.sources import list_images, load_truth

PANEL_SIDE = 1200  # pixels of the longer side of each of the two images


def draw_lots(params, count):
    """`count` test images, or all if there are fewer, that show an object of a class: `ImageFile` -> truth, in order.

    `seed` decides which. Raises `UserError` where no test image shows one.
    """
    shows = {}
    images = list_images(params, TEST_SUBDIRS)
    for index in np.random.default_rng(params.seed).permutation(len(images)):
        truth = load_truth(images[index], image_size(images[index].path)[0], params)
        if len(shows) < count and not truth[2].all():
            shows[index] = truth
        if len(shows) == count:
            break
    if not shows:
        raise UserError(f"{params.image_dir}: no test image shows an object of {', '.join(params.classes)}")
    return {images[index]: shows[index] for index in sorted(shows)}


def draw_beside_truth(image, truth, shown, heading, params):
    """A picture uint8 RGB: the true boxes on the left, the detections on the right.

    image: uint8 RGB (H, W, 3); truth: as from `load_truth`; shown: detections, best first.
    """
    names, true_boxes = drawable_names(params.all_classes), []
    for box, class_id, excluded in zip(*truth, strict=True):
        look = (GREY, "", 0.7, True) if excluded else (class_color(class_id), names[class_id])
        true_boxes.append(DrawnBox(tuple(box), *look))
    detections = detection_boxes(shown.boxes, shown.scores, shown.class_ids, names)
    panel, factors = scale_to_fit(image, PANEL_SIDE, PANEL_SIDE)
    panels = [draw_boxes(panel, [item.scaled(factors) for item in items]) for items in (true_boxes, detections)]
    titles = [f"true objects: {int((~truth[2]).sum())}", f"detections: {len(shown)}"]
    return side_by_side(panels, titles, heading)
