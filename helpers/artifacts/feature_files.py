"""What step 3 writes of each image: features of its ROIs for the SVMs, or what a trained network made of them.

cntkFiles/{train,test}_svm_parsed/<imgIndex>.dat.npz    arr_0 (R, D) float16; of training images mirrored as well
cntkFiles/{train,test}_nn_parsed/<imgIndex>.dat.npz     arr_0 (R, K + 1) and offsets (R, 4 K), float32
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from helpers.base.errors import UserError
from helpers.base.files import array_start, read_arrays

AGAIN = "delete it, if it is there, and run 3_runNetwork.py again"
CACHED = 2**16  # numbers that stay in a processor's cache
TOLERANCE = 1e-5  # of probabilities, which a sum of float32 numbers was divided by


def feature_path(folder: Path, image_set: str, classifier: str, index: int) -> Path:
    """Where step 3 writes the features of an image."""
    return folder / f"{image_set}_{classifier}_parsed" / f"{index}.dat.npz"


def read_features(path: Path, nr_rois: int, name: str = "arr_0") -> np.ndarray:
    """Features (R, D) float16 of an image with `nr_rois` ROIs.

    Args:
        name: "arr_0", or "mirrored" for its mirror image.

    Raises:
        UserError: for another number of rows or kind of numbers, and for values that are not finite.
    """
    features = _read(path, (name,)).get(name)
    if features is None or features.ndim != 2 or len(features) != nr_rois or features.shape[1] == 0:
        shape = f"no {name}" if features is None else features.shape
        raise UserError(f"{path}: holds {shape}, wanted {nr_rois} rows of features; {AGAIN}")
    if features.dtype != np.float16:
        raise UserError(f"{path}: {name} is {features.dtype}, wanted float16; {AGAIN}")
    if not all_finite(features):
        raise UserError(f"{path}: {name} holds values that are not finite; {AGAIN}")
    return features


class MappedFeatures:
    """Features in files that are read often: whole and checked the first time, by `read_features`; from then on what is
    used of them comes from the system's own copy of the file."""

    def __init__(self) -> None:
        # (file, array) -> where its numbers begin, and their shape
        self._checked: dict[tuple[Path, str], tuple[int, tuple[int, ...]]] = {}

    def read(self, path: Path, nr_rois: int, name: str = "arr_0") -> np.ndarray:
        """See `read_features`; the array cannot be written to."""
        if (path, name) not in self._checked:
            features = read_features(path, nr_rois, name)
            self._checked[path, name] = array_start(path, name), features.shape
            return features
        start, shape = self._checked[path, name]
        try:
            return np.memmap(path, np.float16, "r", start, shape)
        except (OSError, ValueError) as error:  # gone or shorter meanwhile
            raise UserError(f"{path}: has changed while it was used ({error}); {AGAIN}") from error


def read_predictions(path: Path, nr_rois: int, nr_classes: int) -> tuple[np.ndarray, np.ndarray]:
    """Probabilities (R, K + 1) and offsets (R, K, 4) of an image, which a trained network gave its ROIs.

    Raises:
        UserError: where they are not there in these shapes, or are no probabilities and finite offsets.
    """
    arrays = _read(path)
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != {"arr_0": (nr_rois, nr_classes + 1), "offsets": (nr_rois, 4 * nr_classes)}:
        raise UserError(f"{path}: holds {shapes}, wanted {nr_rois} rows for {nr_classes} classes; {AGAIN}")
    for name, array in arrays.items():
        if array.dtype != np.float32 or not all_finite(array):
            raise UserError(f"{path}: {name} holds something else than finite float32 numbers; {AGAIN}")
    if not ((arrays["arr_0"] >= 0) & (arrays["arr_0"] <= 1 + TOLERANCE)).all():
        raise UserError(f"{path}: arr_0 holds something else than probabilities; {AGAIN}")
    return arrays["arr_0"], arrays["offsets"].reshape(nr_rois, nr_classes, 4)


def all_finite(array: np.ndarray) -> bool:
    """Whether an array has finite values alone; of float16, for which numpy computes in float32, by its bits."""
    if array.dtype != np.float16:
        return bool(np.isfinite(array).all())
    bits = array.view(np.uint16).reshape(-1)
    starts = range(0, len(bits), CACHED)
    return not any((bits[start : start + CACHED] & 0x7FFF).max() >= 0x7C00 for start in starts)


def _read(path: Path, names: Sequence[str] | None = None) -> dict[str, np.ndarray]:
    try:
        return read_arrays(path, names)
    except UserError as error:
        raise UserError(f"{error}; {AGAIN}") from error
