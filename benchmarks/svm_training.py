"""Step 4's SVMs, trained with hard-negative mining, against scikit-learn's LinearSVC on all ROIs, class by class.

    python3 benchmarks/svm_training.py --rois 200 2000 --set networkWeights=auto

Both minimise the same objective to the same tolerance, read the features of one image after the other from disk, and
take turns; every turn has a process of its own, whose peak of memory is then its own as well. Seconds are those from
the files to the weights. LinearSVC holds all rows at once, and liblinear copies them to 16 bytes a number: with 2000
ROIs per image that takes several GB, and --plainRois N leaves it only the first N ROIs of each image.
mAP is that on the data set's test images, without box regression.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import statistics
import tempfile
import time
import warnings
from dataclasses import dataclass

import numpy as np
from sklearn.exceptions import ConvergenceWarning
from sklearn.svm import LinearSVC

from benchmarks.cross_validation import describe, measure_on, train_and_test
from benchmarks.timing import Measured, announce, in_fresh_process, interleaved, peak_memory
from fastRCNN.settings import settings_from
from fastRCNN.svm import TOLERANCE, LinearSvms, SvmSettings, TrainingImage, feature_scale, scaled, train_svms
from fastRCNN.targets import svm_targets
from helpers.base.files import read_arrays, write_arrays
from helpers.base.script import run_script
from helpers.base.tables import format_table, number
from helpers.config.command_line import argument_parser
from pipeline.detection import Classifier
from pipeline.parameters import load_parameters

MAX_ITERATIONS = 100_000  # of LinearSVC: enough to converge; the output says so where it is not
PLAIN, MINED = "LinearSVC on all ROIs", "hard-negative mining"


class StoredImages:
    """Training images in files, read whenever they are asked for: a sequence of `TrainingImage`.

    nr_rois: only the first so many ROIs of each image; None for all.
    """

    def __init__(self, folder, nr_rois=None):
        self.paths, self.nr_rois = sorted(Path(folder).glob("*.npz")), nr_rois

    def __len__(self):
        return len(self.paths)

    def __getitem__(self, index):
        arrays = read_arrays(self.paths[index])
        return TrainingImage(arrays["features"][: self.nr_rois], arrays["targets"][: self.nr_rois])

    def __iter__(self):
        return (self[index] for index in range(len(self)))


def store(images, folder, params):
    """Write features and targets of training images (`Described`), cut to `cntk_nrRois` as in step 2."""
    overlaps = params.train_posOverlapThres, params.train_negOverlapThres
    for index, image in enumerate(images):
        rows = slice(params.cntk_nrRois)
        targets = svm_targets(image.rois.boxes[rows], image.truth, len(params.classes), *overlaps)
        write_arrays(Path(folder) / f"{index:06d}.npz", features=image.features[rows], targets=targets)


def train_plain(images, settings, tolerance=TOLERANCE):
    """`LinearSVC` per class on all rows that the class uses. Returns (`LinearSvms`, whether all of them converged)."""
    scale = feature_scale(images, settings.target_norm)
    parts = zip(*((image.features, image.targets) for image in images), strict=True)
    features, targets = (np.concatenate(part) for part in parts)  # (N, D) float16, (N, K)
    weights = np.zeros((targets.shape[1], features.shape[1]), np.float32)
    biases = np.full(len(weights), -np.inf, np.float32)  # a class that cannot be trained is never found
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", ConvergenceWarning)
        for k, labels in enumerate(targets.T):
            if labels.max() < 1 or labels.min() > -1:
                continue
            model = LinearSVC(
                C=settings.C, intercept_scaling=settings.intercept_scaling, dual=True, tol=tolerance,
                loss="hinge" if settings.loss == "l1" else "squared_hinge", max_iter=MAX_ITERATIONS,
                class_weight="balanced" if settings.positive_weight == "balanced" else {1: settings.positive_weight},
                random_state=settings.seed,
            )  # fmt: skip
            model.fit(scaled(features[labels != 0], scale).astype(np.float64), labels[labels != 0])
            weights[k], biases[k] = model.coef_[0], model.intercept_[0]
    failed = any(issubclass(warning.category, ConvergenceWarning) for warning in caught)
    return LinearSvms(weights, biases, scale), not failed


@dataclass(frozen=True)
class Turn:
    """One training: the SVMs, whether they converged, seconds, GB of memory at first and at most (nan: unknown)."""

    svms: LinearSvms
    converged: bool
    seconds: float
    memory: tuple


def train_once(name, folder, settings, tolerance, nr_rois):
    """Train from the files in `folder`: the work of a process of its own."""
    images = StoredImages(folder, nr_rois)
    before, start = peak_memory(), time.perf_counter()
    if name == PLAIN:
        svms, converged = train_plain(images, settings, tolerance)
    else:
        svms, converged = train_svms(images, settings), True  # it raises where it does not
    return Turn(svms, converged, time.perf_counter() - start, (before, peak_memory()))


def train_in_turns(training, params, plain_rois, tolerance, repeats):
    """Train both ways on images (`Described`) cut to `cntk_nrRois`: returns name -> the `Turn`s of this contender."""

    def contender(name, nr_rois):
        settings = settings_from(SvmSettings, params)
        return lambda folder: in_fresh_process(train_once, name, folder, settings, tolerance, nr_rois)

    contenders = {MINED: contender(MINED, None), PLAIN: contender(PLAIN, plain_rois)}
    with tempfile.TemporaryDirectory() as folder:
        store(training, folder, params)
        measured = interleaved(contenders, [folder] * repeats, warm_up=False)
    return {name: times.results for name, times in measured.items()}


def mean_aps(svms, images, params):
    """mAP at IoU 0.5 and 0.7 of SVMs without box regression, on images (`Described`)."""
    return measure_on(images, Classifier(svms, None), params)[:2]


def greatest_difference(one, other, images, count):
    """The greatest difference of two `LinearSvms`' decision values in classes that both could be trained on."""
    trained = np.isfinite(one.biases) & np.isfinite(other.biases)
    scores = ([svms.scores(image.features[:count])[:, trained] for svms in (one, other)] for image in images)
    return max(float(np.abs(first - second).max(initial=0)) for first, second in scores)


def table_row(name, turns, tested, params):
    """One contender's row: time, memory, mAP."""
    seconds = Measured([turn.seconds for turn in turns])
    before, most = np.median([turn.memory for turn in turns], axis=0)
    label = name if all(turn.converged for turn in turns) else f"{name} (NOT converged)"
    aps = map(number, mean_aps(turns[0].svms, tested, params))
    memory = f"{most:.2f}", f"{most - before:.2f}"
    return [f"{params.cntk_nrRois} ROIs: {label}", seconds.text(digits=1), *memory, *aps]


def main(arguments):
    params = load_parameters(arguments.settings).replace(cntk_nrRois=max(arguments.rois))
    announce()
    images = describe(params)
    training, tested = train_and_test(images, params)
    table = [["", "seconds (fastest-slowest)", "peak GB", "of which training", "mAP@0.5", "mAP@0.7"]]
    notes = []
    for count in arguments.rois:
        varied = params.replace(cntk_nrRois=count)
        limit = None if arguments.plainRois is None or arguments.plainRois >= count else arguments.plainRois
        turns = train_in_turns(training, varied, limit, arguments.tolerance, arguments.repeats)
        table += [table_row(name, results, tested, varied) for name, results in turns.items()]
        table[-1][0] += f", {limit} of them" if limit else ""
        plain, mined = (statistics.median(turn.seconds for turn in turns[name]) for name in (PLAIN, MINED))
        difference = greatest_difference(turns[MINED][0].svms, turns[PLAIN][0].svms, images, count)
        notes.append(
            f"{count} ROIs: LinearSVC takes {plain / mined:.1f} times as long; "
            f"decision values differ by at most {difference:.3f} (the margin is 1)"
        )
        print(notes[-1], file=sys.stderr)
    print(f"{len(training)} training images, {len(tested)} test images, {len(params.classes)} classes;")
    print(f"{images[0].features.shape[1]} features a ROI; tolerance {arguments.tolerance:g}, in mining {TOLERANCE:g}")
    print(format_table(table), *notes, sep="\n")


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--rois", nargs="+", type=int, default=[200, 2000], help="ROIs per image (default 200 2000)")
    parser.add_argument("--plainRois", type=int, help="ROIs of an image that LinearSVC gets (default: all)")
    parser.add_argument("--tolerance", type=float, default=TOLERANCE, help=f"of LinearSVC (default {TOLERANCE})")
    parser.add_argument("--repeats", type=int, default=3, help="turns of each contender (default 3)")
    options = parser.parse_args()
    run_script(lambda: main(options))
