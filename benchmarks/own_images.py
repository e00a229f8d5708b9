"""How to get good results on images of your own: what three choices change, measured on any data set.

    python3 benchmarks/own_images.py --set datasetName=grocery
    python3 benchmarks/own_images.py --only images limits --set datasetName=grocery

    images   how many training images with objects are used, against mAP. Each draw puts them in a random order and
             uses the first so many, always together with all negative images
    rois     the number of ROIs, `cntk_nrRois`, against mAP and the seconds of a full scoring of one image (step 6);
             the numbers take turns on the same images
    limits   limits of ROI sizes against the recall of the ROIs and mAP

Prints Markdown tables. mAP is at IoU 0.5, of step 4's SVMs. "test mAP" is that on the data set's own test images, with
several draws the mean and the range; "k-fold mAP" is that over all annotated images, training and test ones together,
each scored by a detector that never saw it, mean and range of several divisions into folds.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

from dataclasses import dataclass

import numpy as np

from benchmarks.cross_validation import (
    cross_validate,
    describe,
    measure_on,
    train,
    train_and_test,
    with_and_without_boxes,
)
from benchmarks.timing import announce, interleaved, spread
from fastRCNN.evaluation import recall_at
from fastRCNN.network import RoiNetwork
from fastRCNN.proposals import filter_mask
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import markdown_table, number
from helpers.config.command_line import argument_parser
from helpers.config.file import read_parameters_file
from helpers.dataset.derived import derive_block
from helpers.dataset.sources import list_images
from helpers.dataset.summary import LIMITS, relative_sizes
from helpers.formats.own_layout import TEST_SUBDIRS
from pipeline.detection import Classifier
from pipeline.parameters import load_parameters
from pipeline.regions import roi_settings
from pipeline.scoring import score_image
from pipeline.stages import build_network, describe_rois

TABLES = ("images", "rois", "limits")
TIMED_IMAGES = 5  # at most, evenly spread over the test images


@dataclass(frozen=True)
class Detector:
    """What `score_image` scores with, without the files of steps 1 to 4."""

    network: RoiNetwork
    classifier: Classifier
    params: object

    def score(self, prepared, rois):
        """See `stages.Detector`."""
        return self.classifier(describe_rois(self.network, prepared, rois, self.params))


def mean_and_range(values):
    """The text "0.953 (0.948 to 0.961)"; the mean alone where there is one value."""
    mean = number(np.mean(values))
    return mean if len(values) == 1 else f"{mean} ({number(min(values))} to {number(max(values))})"


def folded_map(described, params, arguments):
    """mAP of the cross-validation as a text."""
    shuffles = range(arguments.shuffles)
    return mean_and_range([cross_validate(described, params, arguments.folds, seed)[0] for seed in shuffles])


# --- number of training images ---


def draw(training, count, nr_draws, seed):
    """Yield lists of training images: `count` of those with boxes, chosen at random, and all without.

    A draw is the beginning of one random order, so a draw of more images contains that of fewer. Where `count` is all
    of them there is one draw.
    """
    annotated, others = with_and_without_boxes(training)
    for number_of_draw in range(nr_draws if count < len(annotated) else 1):
        order = np.random.default_rng((seed, number_of_draw)).permutation(len(annotated))
        yield [annotated[i] for i in sorted(order[:count])] + others


def lacks_a_class(images, params):
    """Whether no box of some class is in these images."""
    known = {class_id for image in images for class_id in image.truth.counted.class_ids.tolist()}
    return len(known) < len(params.classes)


def images_table(described, params, arguments):
    """mAP by number of training images with boxes."""
    training, tested = train_and_test(described, params)
    available = len(with_and_without_boxes(training)[0])
    table = [["training images with objects", "test mAP", "draws", "draws that lack a class"]]
    for count in sorted({min(count, available) for count in arguments.images}):
        draws = list(draw(training, count, arguments.draws, params.seed))
        maps = [measure_on(tested, train(images, params), params)[0] for images in draws]
        lacking = sum(lacks_a_class(images, params) for images in draws)
        table.append([str(count), mean_and_range(maps), str(len(draws)), str(lacking)])
    return table


# --- number of ROIs ---


def rois_table(described, params, arguments):
    """mAP and seconds by number of ROIs. described: with as many as the greatest number."""
    training, tested = train_and_test(described, params)
    table = [["ROIs", f"{arguments.folds}-fold mAP", "test mAP", "seconds per image (fastest to slowest)"]]
    network, detectors = build_network(params), {}
    for count in arguments.rois:
        varied = params.replace(cntk_nrRois=count)
        detectors[count] = Detector(network, train(training, varied), varied)
        test_map = measure_on(tested, detectors[count].classifier, varied)[0]
        table.append([str(count), folded_map(described, varied, arguments), number(test_map)])
        print(*table[-1], sep="\t", file=sys.stderr)
    for row, times in zip(table[1:], time_scoring(detectors, params, arguments.repeats), strict=True):
        row.append(times.text(digits=2))
    return table


def time_scoring(detectors, params, repeats):
    """One `Measured` a detector: reading and scoring test images, as step 6 does."""
    paths = [image.path for image in spread(list_images(params, TEST_SUBDIRS), TIMED_IMAGES)]
    contenders = {
        count: lambda path, detector=detector: score_image(read_image(path), detector, detector.params)
        for count, detector in detectors.items()
    }
    return interleaved(contenders, paths * repeats).values()


# --- limits of ROIs ---


def limit_variants(described, params):
    """Name -> values of the limits; each variant once.

    The limits that are too tight are the derived ones, but for the least side: half of the training boxes are smaller.
    """
    names = [limit.parameter for limit in LIMITS]
    derived = derive_block(params)
    derived = {name: derived[name] for name in names}
    boxes = [(image.truth.counted.boxes, image.size) for image in train_and_test(described, params)[0]]
    shorter = np.concatenate([relative_sizes(*pair)[:, 0] for pair in boxes])
    variants = {
        "general defaults": {name: getattr(read_parameters_file(), name) for name in names},
        "derived from the training boxes": derived,
        "as set": params.subset(names),
        "too tight on purpose": {**derived, "roi_minDimRel": round(float(np.median(shorter)), 3)},
    }
    return {
        name: values
        for position, (name, values) in enumerate(variants.items())
        if values not in list(variants.values())[:position]
    }


def found_and_outside(described, params):
    """The share of the ground truth that a ROI frames with an IoU of 0.5 or more, and that breaks the limits."""
    images = with_and_without_boxes(described)[0]
    first = [image.proposed().rois.boxes for image in images]
    recall = recall_at(first, [image.truth for image in images], 0.5, params.cntk_nrRois)
    limits = roi_settings(params).limits
    inside = [filter_mask(image.truth.counted.boxes, *image.size, limits) for image in images]
    return recall, 1 - float(np.mean(np.concatenate(inside)))


def limits_table(described, params, arguments):
    """Recall and mAP by limits of ROIs. described: with any limits, for the ground truth."""
    head = ["limits", "sides", "areas", "aspect ratio", "ground truth outside", f"recall of {params.cntk_nrRois} ROIs"]
    table = [[*head, f"{arguments.folds}-fold mAP", "test mAP"]]
    for name, values in limit_variants(described, params).items():
        varied = params.replace(**values)
        images = describe(varied)
        training, tested = train_and_test(images, varied)
        least_side, greatest_side, least_area, greatest_area, ratio = (f"{value:g}" for value in values.values())
        recall, outside = found_and_outside(images, varied)
        test_map = measure_on(tested, train(training, varied), varied)[0]
        table.append([
            name, f"{least_side} to {greatest_side}", f"{least_area} to {greatest_area}", ratio,
            f"{outside:.0%}", number(recall), folded_map(images, varied, arguments), number(test_map),
        ])  # fmt: skip
        print(*table[-1], sep="\t", file=sys.stderr)
    return table


NOTES = {
    "images": "range: of the draws. A class that a draw lacks has an AP of 0 in it",
    "rois": "range: of the divisions into folds. Seconds: all stages of step 6, median of the test images",
    "limits": "range: of the divisions into folds. Sides in units of the image's longer side, areas of its square",
}


def main(arguments):
    params = load_parameters(arguments.settings)
    announce()
    most = max(arguments.rois) if "rois" in arguments.only else 0
    described = describe(params.replace(cntk_nrRois=max(most, params.cntk_nrRois)))
    training, tested = (len(with_and_without_boxes(part)[0]) for part in train_and_test(described, params))
    negative = len(described) - training - tested
    print(f"{params.datasetName}: {training} training, {tested} test, {negative} negative images;", end=" ")
    print(f"{params.network}, weights {Path(params.networkWeights).name}, {params.cntk_nrRois} ROIs unless said")
    for name, make_table in zip(TABLES, (images_table, rois_table, limits_table), strict=True):
        if name in arguments.only:
            print(f"\n{markdown_table(make_table(described, params, arguments))}\n\n{NOTES[name]}", flush=True)


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--only", nargs="+", choices=TABLES, default=TABLES, help="tables to print (default: all)")
    parser.add_argument("--images", nargs="+", type=int, default=[5, 10, 15, 20], help="numbers of training images")
    parser.add_argument("--draws", type=int, default=5, help="random choices of so many images (default 5)")
    parser.add_argument("--rois", nargs="+", type=int, default=[50, 100, 200, 500, 1000, 2000], help="numbers of ROIs")
    parser.add_argument("--folds", type=int, default=5, help="folds of the cross-validation (default 5)")
    parser.add_argument("--shuffles", type=int, default=3, help="random divisions into folds (default 3)")
    parser.add_argument("--repeats", type=int, default=3, help="times that each test image is scored (default 3)")
    options = parser.parse_args()
    run_script(lambda: main(options))
