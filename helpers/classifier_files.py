"""The trained classifier on disk: text files for the SVMs, as in the original tutorial, and an npz for the regression.

svmweights_<experiment>.txt         K rows of D weights; a comment names the class
svmbias_<experiment>.txt            K rows
svmfeature_scale_<experiment>.txt   one number: features are multiplied by it first
boxregression_<experiment>.npz      weights (K, D, 4), biases (K, 4); absent where box regression is off
"""

import numpy as np

from helpers.errors import UserError
from helpers.files import read_arrays, write_arrays, write_text


def classifier_paths(folder, experiment):
    """The four files of a classifier; the last one may be absent."""
    texts = [folder / f"svm{part}_{experiment}.txt" for part in ("weights", "bias", "feature_scale")]
    return (*texts, folder / f"boxregression_{experiment}.npz")


def write_classifier(folder, experiment, svms, regressor, classes):
    """Write SVMs (weights (K, D), biases (K,), scale) and the regressor (or None), exact to the last bit."""
    weights, bias, scale, boxes = classifier_paths(folder, experiment)
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

    Raises `UserError` for a file that is missing, broken or made for another number of classes.
    """
    weights, bias, scale, boxes = classifier_paths(folder, experiment)
    svms = _numbers(weights, 2).astype(np.float32), _numbers(bias, 1).astype(np.float32), float(_numbers(scale, 1)[0])
    if svms[0].shape[0] != nr_classes or svms[1].shape != (nr_classes,):
        raise UserError(
            f"{weights}: has {svms[0].shape[0]} classes, PARAMETERS has {nr_classes}; run 4_trainSvm.py again"
        )
    if not with_boxes:
        return svms, None
    arrays = read_arrays(boxes)
    if arrays.get("weights", np.zeros(0)).shape != (*svms[0].shape, 4) or arrays.get("biases") is None:
        raise UserError(f"{boxes}: does not fit to {weights.name}; run 4_trainSvm.py again")
    return svms, (arrays["weights"], arrays["biases"])


def _numbers(path, dimensions):
    try:
        return np.loadtxt(path, ndmin=dimensions)
    except (OSError, ValueError) as error:
        raise UserError(f"{path}: not a readable file of numbers ({error}); run 4_trainSvm.py again") from error
