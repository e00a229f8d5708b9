"""k-fold cross-validation of the SVM detector over all annotated images, training and test ones together.

    python3 benchmarks/cross_validation.py --folds 5 --set datasetName=grocery cntk_nrRois=2000

Every annotated image is scored by a detector that never saw it; negative images are always trained on. Everything that
was chosen by hand was chosen by this number, never by the test images. ROIs and features are computed once, in memory,
by the same functions as steps 1 and 3. Also prints the result of the data set's own split.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import time
from dataclasses import dataclass, replace

import numpy as np
from joblib import Parallel, delayed
from tqdm import tqdm

from fastRCNN.box_regression import FramedRois, train_box_regressor
from fastRCNN.evaluation import coco_ap, mean_ap, precision_recall
from fastRCNN.settings import settings_from
from fastRCNN.structures import GroundTruth, Origin, Rois
from fastRCNN.svm import SvmSettings, TrainingImage, scaled, train_svms
from fastRCNN.targets import regression_targets, svm_targets
from helpers.base.errors import UserError
from helpers.base.images import image_size, read_image
from helpers.base.script import run_script
from helpers.base.tables import format_table, number
from helpers.config.command_line import argument_parser
from helpers.dataset.sources import list_images, load_ground_truth
from helpers.formats.own_layout import TEST_SUBDIRS
from pipeline.detection import Classifier, detect
from pipeline.parameters import load_parameters
from pipeline.regions import propose_rois, select_rois
from pipeline.stages import build_network, describe_mirrored, describe_rois, prepare_image


@dataclass(frozen=True)
class Described:
    """One image: ROIs (R, 4), its ground truth first, features (R, D) of it and of its mirror image (None unless
    `train_mirrored`), its ground truth, and whether it is one of the data set's test images."""

    key: str
    size: tuple
    rois: Rois
    features: np.ndarray
    mirrored: np.ndarray | None
    truth: GroundTruth
    is_test: bool = False

    def proposed(self):
        """The image with the ROIs that were proposed alone."""
        return replace(self, rois=self.rois.take(self.rois.found), features=self.features[self.rois.found])

    def for_training(self, params):
        """The image, and its mirror image, with the ROIs that step 2 selects."""
        rows = slice(params.cntk_nrRois)
        cut = replace(self, rois=self.rois.take(rows), features=self.features[rows])
        if not params.train_mirrored:
            return [cut]
        width = self.size[0]
        mirrored = dict(rois=cut.rois.mirrored(width), features=self.mirrored[rows], truth=self.truth.mirrored(width))
        return [cut, replace(cut, **mirrored)]


def propose(image, params):
    return propose_rois(read_image(image.path), params)


def describe(params):
    """All images of the data set with their features: `cntk_nrRois` proposals each, after all of its ground truth."""
    images = list_images(params)
    proposals = Parallel(n_jobs=-1)(delayed(propose)(image, params) for image in images)
    network = build_network(params)
    described = []
    for image, proposed in zip(tqdm(images, desc="features"), proposals, strict=True):
        size, _ = image_size(image.path)
        truth = load_ground_truth(image, size, params)
        rois = Rois.of(truth.counted.boxes, Origin.GROUND_TRUTH).then(select_rois(proposed, params))
        prepared = prepare_image(read_image(image.path), params)
        features, mirrored = describe_rois(network, prepared, rois, params), None
        if params.train_mirrored:
            mirrored = describe_mirrored(network, prepared, rois, size[0], params)
        is_test = image.subdir in TEST_SUBDIRS
        described.append(Described(image.key, size, rois, features, mirrored, truth, is_test))
    return described


def train(images, params):
    """Step 4 in memory."""
    images = [view for image in images for view in image.for_training(params)]
    overlaps = params.train_posOverlapThres, params.train_negOverlapThres
    targets = [svm_targets(image.rois.boxes, image.truth, len(params.classes), *overlaps) for image in images]
    svms = train_svms(
        [TrainingImage(image.features, target) for image, target in zip(images, targets, strict=True)],
        settings_from(SvmSettings, params),
    )
    if not params.boxRegression:
        return Classifier(svms, None)
    framed = []
    for image in images:
        rows, objects = regression_targets(image.rois.boxes, image.truth, params.boxRegression_minOverlap)
        framed.append(FramedRois(scaled(image.features[rows], svms.scale), image.rois.boxes[rows], objects))
    class_ids = np.concatenate([rois.objects.class_ids for rois in framed])
    counts = np.bincount(class_ids, minlength=len(params.all_classes))[1:]
    nr_features = svms.weights.shape[1]
    regressor = train_box_regressor(lambda class_ids: framed, counts, nr_features, params.boxRegression_ridge)
    return Classifier(svms, regressor)


def score(classifier, image, params):
    """Step 5 for one image in memory: its detections among the first `cntk_nrRois` proposals."""
    image = image.proposed()
    rois = select_rois(image.rois, params)
    return detect(rois, classifier(image.features[: len(rois)]), image.size, params).kept


def measure(detections, images, params):
    """mAP at IoU 0.5 and 0.7 (area under the curve), and COCO's AP."""
    truths = [image.truth for image in images]
    ids = range(1, len(params.classes) + 1)
    maps = [mean_ap([precision_recall(detections, truths, k, t).ap() for k in ids]) for t in (0.5, 0.7)]
    return [*maps, mean_ap([coco_ap(detections, truths, k) for k in ids])]


def measure_on(images, classifier, params):
    """`measure` of a classifier on images that it was not trained on."""
    return measure([score(classifier, image, params) for image in images], images, params)


def with_and_without_boxes(described):
    """The images with ground truth, and those without, which are negative images."""
    annotated = [image for image in described if len(image.truth)]
    return annotated, [image for image in described if not len(image.truth)]


def train_and_test(described, params):
    """The data set's own training images and test images; `UserError` where no box is in one of the two."""
    splits = [[image for image in described if image.is_test == is_test] for is_test in (False, True)]
    if not all(any(len(image.truth) for image in split) for split in splits):
        raise UserError(f"{params.image_dir}: needs annotated training images and annotated test images")
    return splits


def divide(described, folds, seed):
    """Yield (images to train on, images to test on) of each fold; negative images are always trained on."""
    annotated, others = with_and_without_boxes(described)
    order = np.random.default_rng(seed).permutation(len(annotated))
    for fold in range(folds):
        held_out = set(order[fold::folds].tolist())
        yield (
            [image for i, image in enumerate(annotated) if i not in held_out] + others,
            [annotated[i] for i in sorted(held_out)],
        )


def cross_validate(described, params, folds, seed):
    """Returns the measures over all images pooled, and the mean of the folds' own mAP."""
    detections, images, fold_maps = [], [], []
    for trained_on, tested in divide(described, folds, seed):
        classifier = train(trained_on, params)
        found = [score(classifier, image, params) for image in tested]
        fold_maps.append(measure(found, tested, params)[0])
        detections += found
        images += tested
    return [*measure(detections, images, params), float(np.mean(fold_maps))]


def own_split(described, params):
    """The measures on the test images of a detector trained on the training images."""
    training, tested = train_and_test(described, params)
    return [*measure_on(tested, train(training, params), params), None]


def main(arguments):
    params = load_parameters(arguments.settings)
    start = time.perf_counter()
    described = describe(params)
    print(f"ROIs and features of {len(described)} images: {time.perf_counter() - start:.0f} s")
    table = [["", "mAP@0.5", "mAP@0.7", "AP@0.5:0.95", "mean of folds", "seconds"]]
    variants = [[]] + [[setting] for setting in arguments.vary]
    for extra in variants:
        varied = load_parameters([*arguments.settings, *extra])
        for seed in range(arguments.repeats):
            start = time.perf_counter()
            values = cross_validate(described, varied, arguments.folds, seed)
            name = f"{arguments.folds}-fold, shuffle {seed} {' '.join(extra)}"
            table.append([name, *map(number, values), f"{time.perf_counter() - start:.0f}"])
            print("\t".join(table[-1]), file=sys.stderr)
        if arguments.test:
            table.append([f"own test images {' '.join(extra)}", *map(number, own_split(described, varied)), ""])
    print(format_table(table))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--folds", type=int, default=5, help="number of folds (default 5)")
    parser.add_argument("--repeats", type=int, default=1, help="number of random divisions into folds (default 1)")
    parser.add_argument("--vary", nargs="+", default=[], help="NAME=VALUE of steps 4 and 5 to try one by one")
    parser.add_argument("--test", action="store_true", help="measure on the data set's own test images as well")
    options = parser.parse_args()
    run_script(lambda: main(options))
