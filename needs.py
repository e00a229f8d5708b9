"""What later steps need, looked at before the first one works: the network's weights, and room for what step 3 writes.

To learn after an hour of step 1 that a download fails, or after a night of step 3 that the disk is full, is too late.
"""

import os
import shutil
from pathlib import Path

import torch

from fastRCNN.backbones import BACKBONES
from helpers.errors import UserError
from helpers.sources import IMAGE_SETS, list_images
from helpers.weights import get_weights

GB = 1e9


def check_needs(params):
    """Get the weights, downloaded if need be, and raise `UserError` where they or the disk's room are missing."""
    get_weights(params)
    counts = {image_set: len(list_images(params, parts)) for image_set, parts in IMAGE_SETS.items()}
    rois = {image_set: count * params.cntk_nrRois for image_set, count in counts.items()}
    what = f"{sum(counts.values())} images with up to {params.cntk_nrRois} ROIs each"
    require_room(params, output_bytes(params, rois["train"], rois["test"]), what)


def nr_features(params):
    """Numbers that describe a ROI."""
    backbone = BACKBONES[params.network]
    with torch.device("meta"):  # shapes without values
        model = backbone.build()
        channels = backbone.trunk(model)(torch.empty(1, 3, 64, 64)).shape[1]
        pooled = torch.empty(1, channels, backbone.pool_size, backbone.pool_size)
        length = backbone.head(model).eval()(pooled).flatten(1).shape[1]
    return length * (2 if params.network_contextFactor > 1 else 1)


def output_bytes(params, train_rois, test_rois):
    """Bytes of the files of step 3 for so many ROIs of all training images and of all test images."""
    if params.classifier == "nn":
        return (train_rois + test_rois) * (5 * len(params.classes) + 1) * 4
    views = 2 if params.train_mirrored else 1
    return (train_rois * views + test_rois) * nr_features(params) * 2


def require_room(params, wanted, what):
    """Raise `UserError` unless the disk has room for so many bytes, those of the files that they replace included.

    what: what they are for, in words.
    """
    folder = Path(params.procRootDir)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free + _replaced_bytes(params)
    if wanted > free:
        raise UserError(
            f"{folder}: step 3 will write {wanted / GB:.1f} GB, the network's numbers for {what}, and this disk has "
            f"room for {free / GB:.1f} GB; set procRootDir to another disk, or take fewer: a smaller cntk_nrRois, "
            "train_mirrored=False, network_contextFactor=1"
        )


def _replaced_bytes(params):
    folders = [params.cntk_files_dir / f"{image_set}_{params.classifier}_parsed" for image_set in IMAGE_SETS]
    return sum(os.path.getsize(path) for folder in folders for path in folder.glob("*.dat.npz"))
