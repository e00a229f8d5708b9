"""The trained classifier on disk: text files for the SVMs, as in the original tutorial, and an npz for the regression.

svmweights_<experiment>.txt         K rows of D weights; a comment names the class
svmbias_<experiment>.txt            K rows
svmfeature_scale_<experiment>.txt   one number: features are multiplied by it first
boxregression_<experiment>.npz      weights (K, D, 4), biases (K, 4); absent where box regression is off
"""

import warnings

import numpy as np

from helpers.base.errors import UserError
from helpers.base.files import read_arrays, write_arrays, write_text
from helpers.base.tables import counted


def classifier_paths(folder, experiment):
    """The four files of a classifier; the last one may be absent."""
    texts = [folder / f"svm{part}_{experiment}.txt" for part in ("weights", "bias", "feature_scale")]
    return (*texts, folder / f"boxregression_{experiment}.npz")


def write_classifier(folder, experiment, svms, regressor, classes):
    """Write SVMs (weights (K, D), biases (K,), scale) and the regressor (or None), exact to the last bit.

    Raises `UserError`, and writes nothing, where a number is not finite, but for a bias of minus infinity: that of a
    class of which nothing was learned, which is never found.
    """
    weights, bias, scale, boxes = classifier_paths(folder, experiment)
    learned = svms.biases[~np.isneginf(svms.biases)]
    numbers = {weights: svms.weights, bias: learned, scale: svms.scale}
    if regressor is not None:
        numbers |= {boxes: (regressor.weights, regressor.biases)}
    for path, values in numbers.items():
        if not all(np.isfinite(value).all() for value in (values if isinstance(values, tuple) else (values,))):
            raise UserError(
                f"{path}: not written, training gave numbers that are not finite; set svm_C, svm_B, svm_posWeight, "
                "svm_targetNorm and boxRegression_ridge to what PARAMETERS.py says, and run 4_trainSvm.py again"
            )
    heads = [f"# {name}\n" for name in classes]
    rows = [" ".join(map(_exact, row)) + "\n" for row in svms.weights]
    write_text(weights, "".join(head + row for head, row in zip(heads, rows, strict=True)))
    write_text(bias, "".join(f"{_exact(value)} # {name}\n" for value, name in zip(svms.biases, classes, strict=True)))
    write_text(scale, f"{float(svms.scale)!r}\n")
    if regressor is None:
        boxes.unlink(missing_ok=True)
    else:
        write_arrays(boxes, weights=regressor.weights, biases=regressor.biases)


def _exact(value):
    """The shortest text that reads back as the same float32."""
    return np.format_float_scientific(np.float32(value), unique=True, trim="-")


def read_classifier(folder, experiment, nr_classes, with_boxes):
    """What `write_classifier` wrote: (weights, biases, scale), and (weights, biases) of the regression or None.

    Raises `UserError` for a file that is missing, broken, not finite or made for another number of classes.
    """
    weights, bias, scale, boxes = classifier_paths(folder, experiment)
    svms = _numbers(weights, 2), _numbers(bias, 1, never=True), _numbers(scale, 1)
    for path, array in zip((weights, bias), svms[:2], strict=True):
        if len(array) != nr_classes:
            raise UserError(
                f"{path}: has {counted(len(array), 'class')}, PARAMETERS has {nr_classes}; run 4_trainSvm.py again"
            )
    if svms[2].shape != (1,) or svms[2][0] <= 0:
        raise UserError(f"{scale}: holds {svms[2].tolist()[:3]}, not one number above 0; run 4_trainSvm.py again")
    svms = svms[0].astype(np.float32), svms[1].astype(np.float32), float(svms[2][0])
    return svms, _read_regression(boxes, svms[0].shape, weights) if with_boxes else None


def _read_regression(path, shape, weights):
    """Weights (K, D, 4) and biases (K, 4) of the box regression. shape: (K, D); weights: the SVMs' file."""
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
    return arrays["weights"], arrays["biases"]


def _numbers(path, dimensions, never=False):
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
