"""Test images at random that show something: for 6_scoreImage.py --demo."""

import numpy as np

from helpers.base.errors import UserError
from helpers.base.images import image_size
from helpers.dataset.sources import list_images, load_truth
from helpers.formats.own_layout import TEST_SUBDIRS


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
