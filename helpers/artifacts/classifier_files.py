"""The trained classifier on disk: text files for the SVMs, as in the original tutorial, and an npz for the regression.

svmweights_<experiment>.txt         K rows of D weights; a comment names the class
svmbias_<experiment>.txt            K rows
svmfeature_scale_<experiment>.txt   one number: features are multiplied by it first
boxregression_<experiment>.npz      weights (K, D, 4), biases (K, 4); absent where box regression is off
"""

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from helpers.base.errors import UserError
from helpers.base.files import read_arrays, write_arrays, write_text
from helpers.base.tables import counted


class Regression(NamedTuple):
    """Box regression: weights (K, D, 4), biases (K, 4), float32."""

    weights: np.ndarray
    biases: np.ndarray


class Svms(NamedTuple):
    """SVMs: weights (K, D), biases (K,), float32, and what features are multiplied by first."""

    weights: np.ndarray
    biases: np.ndarray
    scale: float


def classifier_paths(folder: Path, experiment: str) -> tuple[Path, Path, Path, Path]:
    """The four files of a classifier; the last one may be absent."""
    weights, bias, scale = (folder / f"svm{kind}_{experiment}.txt" for kind in ("weights", "bias", "feature_scale"))
    return weights, bias, scale, folder / f"boxregression_{experiment}.npz"


def write_classifier(
    folder: Path, experiment: str, svms: Svms, regression: Regression | None, classes: Sequence[str]
) -> None:
    """Write the numbers of a classifier, exact to the last bit.

    Raises:
        UserError: and writes nothing, where a number is not finite, but for a bias of minus infinity: that of a class
            of which nothing was learned, which is never found.
    """
    weights, bias, scale, boxes = classifier_paths(folder, experiment)
    learned = svms.biases[~np.isneginf(svms.biases)]
    numbers: list[tuple[Path, ArrayLike]] = [(weights, svms.weights), (bias, learned), (scale, svms.scale)]
    if regression is not None:
        numbers += [(boxes, regression.weights), (boxes, regression.biases)]
    for path, values in numbers:
        if not np.isfinite(values).all():
            raise UserError(
                f"{path}: not written, training gave numbers that are not finite; set svm_C, svm_B, svm_posWeight, "
                "svm_targetNorm and boxRegression_ridge to what PARAMETERS.py says, and run 4_trainSvm.py again"
            )
    heads = [f"# {name}\n" for name in classes]
    rows = [" ".join(map(_exact, row)) + "\n" for row in svms.weights]
    write_text(weights, "".join(head + row for head, row in zip(heads, rows, strict=True)))
    write_text(bias, "".join(f"{_exact(value)} # {name}\n" for value, name in zip(svms.biases, classes, strict=True)))
    write_text(scale, f"{float(svms.scale)!r}\n")
    if regression is None:
        boxes.unlink(missing_ok=True)
    else:
        write_arrays(boxes, weights=regression.weights, biases=regression.biases)


def _exact(value: float) -> str:
    """The shortest text that reads back as the same float32."""
    return np.format_float_scientific(np.float32(value), unique=True, trim="-")


def read_classifier(folder: Path, experiment: str, nr_classes: int, with_boxes: bool) -> tuple[Svms, Regression | None]:
    """What `write_classifier` wrote.

    Raises:
        UserError: for a file that is missing, broken, not finite or made for another number of classes.
    """
    weights, bias, scale, boxes = classifier_paths(folder, experiment)
    rows, biases, factor = _numbers(weights, 2), _numbers(bias, 1, never=True), _numbers(scale, 1)
    for path, array in ((weights, rows), (bias, biases)):
        if len(array) != nr_classes:
            raise UserError(
                f"{path}: has {counted(len(array), 'class')}, PARAMETERS has {nr_classes}; run 4_trainSvm.py again"
            )
    if factor.shape != (1,) or factor[0] <= 0:
        raise UserError(f"{scale}: holds {factor.tolist()[:3]}, not one number above 0; run 4_trainSvm.py again")
    svms = Svms(rows.astype(np.float32), biases.astype(np.float32), float(factor[0]))
    return svms, _read_regression(boxes, rows.shape, weights) if with_boxes else None


def _read_regression(path: Path, shape: tuple[int, ...], weights: Path) -> Regression:
    """The box regression. shape: (K, D); weights: the SVMs' file."""
    try:
        arrays = read_arrays(path)
    except UserError as error:
        raise UserError(f"{error}; run 4_trainSvm.py again") from error
    wanted = {"weights": (*shape, 4), "biases": (shape[0], 4)}
    if {name: array.shape for name, array in arrays.items()} != wanted:
        raise UserError(f"{path}: does not fit to {weights.name}; run 4_trainSvm.py again")
    for name, array in arrays.items():
        if array.dtype.kind != "f" or not np.isfinite(array).all():
            raise UserError(f"{path}: {name} holds numbers that are not finite; run 4_trainSvm.py again")
    return Regression(arrays["weights"], arrays["biases"])


def _numbers(path: Path, dimensions: Literal[1, 2], never: bool = False) -> np.ndarray:
    """Numbers that are finite, also as float32; never: or minus infinity, the bias of a class that is never found."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")  # loadtxt only warns of a file without numbers
            numbers = np.loadtxt(path, ndmin=dimensions)
    except (OSError, ValueError, UserWarning) as error:
        reason = " ".join(str(error).split())[:200]
        raise UserError(f"{path}: not a readable file of numbers ({reason}); run 4_trainSvm.py again") from error
    bounded = np.abs(numbers) <= np.finfo(np.float32).max  # not where one is no number
    if not (bounded | (never & np.isneginf(numbers))).all():
        raise UserError(f"{path}: holds a number that is not finite; run 4_trainSvm.py again")
    return numbers
