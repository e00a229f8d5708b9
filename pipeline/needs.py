"""What later steps need, looked at before the first one works: the network's weights, a layer to train from that is
there, and room for what step 3 writes.

To learn after an hour of step 1 that a download fails, or after a night of step 3 that the disk is full, is too late.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

from fastRCNN.backbones import BACKBONES
from helpers.artifacts.model_files import model_path
from helpers.base.errors import UserError
from helpers.base.images import Size, image_size
from helpers.config.schema import Parameters
from helpers.dataset.sources import IMAGE_SETS, list_images
from helpers.fetching.weights import get_weights
from pipeline.regions import input_size

GB, MB = 1e9, 1e6


def check_needs(params: Parameters) -> None:
    """Get the weights, downloaded if need be, and raise `UserError` where they or the disk's room are missing.

    Weights come last: step 1 by itself can do without those that are out of reach for the moment.
    """
    images = {image_set: list_images(params, subdirs) for image_set, subdirs in IMAGE_SETS.items()}
    nr_rois = {image_set: len(found) * params.cntk_nrRois for image_set, found in images.items()}
    what = f"{sum(map(len, images.values()))} images with up to {params.cntk_nrRois} ROIs each"
    require_room(params, output_bytes(params, nr_rois["train"], nr_rois["test"]), what)
    if params.classifier == "nn" and not model_path(params).exists():
        require_room_for_maps(params, [image.path for image in images["train"]])
    get_weights(params)


def first_layer(params: Parameters) -> str:
    """The first layer that learns.

    Raises:
        UserError: for a name that the network does not have.
    """
    backbone = BACKBONES[params.network]
    name = backbone.train_from if params.nn_trainFromLayer == "auto" else params.nn_trainFromLayer
    if name not in (*backbone.layers, "head"):
        raise UserError(
            f'nn_trainFromLayer = "{name}": {params.network} can learn from "head" or one of '
            f"{backbone.layers[0]} ... {backbone.layers[-1]} on"
        )
    return name


def map_root(params: Parameters) -> Path:
    """Where the cached maps of an experiment lie, in a folder for each training."""
    return params.model_dir / f"maps_{params.experimentName}"


def nr_features(params: Parameters) -> int:
    """Numbers that describe a ROI."""
    return BACKBONES[params.network].nr_features * (2 if params.network_contextFactor > 1 else 1)


def output_bytes(params: Parameters, train_rois: int, test_rois: int) -> int:
    """Bytes of the files of step 3 for so many ROIs of all training images and of all test images."""
    if params.classifier == "nn":
        return (train_rois + test_rois) * (5 * len(params.classes) + 1) * 4
    views = 2 if params.train_mirrored else 1
    return (train_rois * views + test_rois) * nr_features(params) * 2


def map_bytes(params: Parameters, sizes: Iterable[Size]) -> int:
    """Bytes of the cached maps of training images of these sizes (width, height) in pixels, mirror images included."""
    import torch  # takes seconds: imported only for training

    from fastRCNN.trunks import cut_to_train

    backbone, layer = BACKBONES[params.network], first_layer(params)
    with torch.device("meta"):  # shapes without values
        frozen, _ = cut_to_train(backbone.trunk(backbone.build()), backbone.layers, layer)

    def numbers(width: int, height: int) -> int:
        width, height = map(backbone.input_side, (width, height))
        return frozen(torch.empty(1, 3, height, width, device="meta")).numel()

    counts = Counter(input_size(size, params) for size in sizes)
    views = 2 if params.train_mirrored else 1
    return sum(count * views * 2 * numbers(*size) for size, count in counts.items())


def require_room(params: Parameters, wanted: int, what: str) -> None:
    """Raise `UserError` unless the disk has room for so many bytes of features or predictions, those of the files that
    they replace included. what: what they are of, in words."""
    others = "" if params.classifier == "nn" else ", train_mirrored=False, network_contextFactor=1"
    written = params.cntk_files_dir.glob(f"*_{params.classifier}_parsed/*.dat.npz")
    _require_room(params, wanted, written, f"the network's numbers for {what}", f"a smaller cntk_nrRois{others}")


def require_room_for_maps(params: Parameters, paths: Sequence[Path]) -> None:
    """The same for the maps of the frozen layers that training keeps on disk while it runs, of images in files."""
    first_layer(params)
    if params.nn_cacheTrunk:
        sizes = []
        for path in paths:
            with contextlib.suppress(UserError):  # of an unreadable image, which step 0 reports with all others
                sizes.append(image_size(path)[0])
        wanted = map_bytes(params, sizes)
        what = f"the maps of {len(paths)} training images while it trains"
        _require_room(params, wanted, map_root(params).rglob("*.npz"), what, "nn_cacheTrunk=False")


def _require_room(params: Parameters, wanted: int, written: Iterable[Path], what: str, fewer: str) -> None:
    """written: paths of the files that are there already and are kept or replaced; fewer: how to write less."""
    folder = Path(params.procRootDir)
    while not folder.exists():
        folder = folder.parent
    free = shutil.disk_usage(folder).free + sum(map(os.path.getsize, written))
    if wanted > free:
        raise UserError(
            f"{folder}: step 3 will write {_amount(wanted)}, {what}, and this disk has room for {_amount(free)}; "
            f"set procRootDir to another disk, or write less: {fewer}"
        )


def _amount(size: int) -> str:
    """A number of bytes as text."""
    return f"{size / GB:.1f} GB" if size >= GB else f"{size / MB:.1f} MB"


if __name__ == "__main__":
    from pipeline.parameters import run_step

    run_step(check_needs, __doc__)
