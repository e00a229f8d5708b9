"""Steps 1 and 2 for one image: which regions are proposed, used and learned from, and how large the network sees them.

Needs no network, so that the steps that do not either start at once.
"""

import math

import numpy as np

from fastRCNN.proposals import RoiSettings, TooManyRois, compute_rois
from fastRCNN.settings import settings_from
from fastRCNN.structures import GroundTruth, Origin, Rois
from helpers.artifacts.cntk_files import RoiInput
from helpers.base.errors import UserError
from helpers.base.images import Size, fitted_size
from helpers.config.schema import Parameters
from helpers.dataset.caps import max_ground_truth
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import load_training_ground_truth


def roi_settings(params: Parameters) -> RoiSettings:
    """Step 1: how ROIs are computed."""
    return settings_from(RoiSettings, params)


def propose_rois(image: np.ndarray, params: Parameters) -> Rois:
    """Step 1 for one image, uint8 RGB (H, W, 3): all its ROIs, most promising first."""
    try:
        return compute_rois(image, roi_settings(params))
    except TooManyRois as error:
        raise UserError(f"{error}; lower grid_nrScales, or raise grid_stepRel") from error
    except ImportError as error:
        raise UserError(f'roi_engine = "{params.roi_engine}": {error}') from error


def select_rois(proposals: Rois, params: Parameters, truth: GroundTruth | None = None) -> Rois:
    """Step 2 for one image: the ROIs that are used, at most `cntk_nrRois`.

    For training, the ground truth comes first, up to three quarters of them (`truth`): what is evaluated must have been
    proposed.
    """
    added = GroundTruth() if truth is None else truth.counted.take(slice(max_ground_truth(params.cntk_nrRois)))
    return Rois.of(added.boxes, Origin.GROUND_TRUTH).then(proposals).take(slice(params.cntk_nrRois))


def input_bounds(params: Parameters) -> tuple[int, int, float]:
    """The greatest width, height and shorter side of the network's input, in pixels."""
    return params.cntk_padWidth, params.cntk_padHeight, params.network_maxShorterSide or math.inf


def input_size(size: Size, params: Parameters) -> Size:
    """The (width, height) that `prepare_image` scales an image of size (width, height) to."""
    return fitted_size(size, *input_bounds(params))[0]


def input_factors(size: Size, params: Parameters) -> tuple[float, float]:
    """The factors (x, y) of `prepare_image` for an image of size (width, height)."""
    return fitted_size(size, *input_bounds(params))[1]


def training_rois(entry: RoiInput, params: Parameters, mirrored: bool = False) -> tuple[Rois, GroundTruth]:
    """Step 3 and 4: what is learned from an image's entry, on the image or on its mirror image."""
    truth = load_training_ground_truth(ImageFile(params.image_dir, entry.key), entry.size, params)
    if mirrored:
        width = entry.size[0]
        return entry.rois.mirrored(width), truth.mirrored(width)
    return entry.rois, truth
