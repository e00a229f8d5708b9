"""Test images at random that show something: for 6_scoreImage.py --demo."""

import numpy as np

from fastRCNN.structures import GroundTruth
from helpers.base.errors import UserError
from helpers.base.images import image_size
from helpers.config.schema import Parameters
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import list_images, load_ground_truth
from helpers.formats.own_layout import TEST_SUBDIRS


def random_test_images(params: Parameters, count: int) -> dict[ImageFile, GroundTruth]:
    """`count` test images, or all if there are fewer, that show an object of a class, in the data set's order.

    `seed` decides which.

    Raises:
        UserError: where no test image shows one.
    """
    shows: dict[int, GroundTruth] = {}
    images = list_images(params, TEST_SUBDIRS)
    for index in np.random.default_rng(params.seed).permutation(len(images)):
        truth = load_ground_truth(images[index], image_size(images[index].path)[0], params)
        if len(truth.counted):
            shows[index] = truth
        if len(shows) == count:
            break
    if not shows:
        raise UserError(f"{params.image_dir}: no test image shows an object of {', '.join(params.classes)}")
    return {images[index]: shows[index] for index in sorted(shows)}
