"""Training the network against training SVMs on it: the tables of Fast R-CNN's section 4 and 5, on your own data set.

    python3 benchmarks/fine_tuning.py --set datasetName=grocery cntk_nrRois=200 --seeds 3 --folds 5

Every row is measured on the data set's own test images, once a seed, and by cross-validation over all annotated images,
in which each image is scored by a detector that never saw it. The variants:

    svm             step 4's SVMs and box regression on the pre-trained network
    nn              the network trained, with PARAMETERS' settings
    nn, ROIs as they are           the same without moving the boxes (box regression off when scoring)
    nn, classification only        trained without the box offsets' loss (Table 6)
    nn, frozen trunk               only the head and the outputs are trained (Table 5)
    svm on trained network         SVMs on the features of "nn" (Table 8)
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import tempfile
import time
from dataclasses import dataclass, replace

import numpy as np
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parent))

import cross_validation
from cross_validation import measure

from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.ranks import Ranks
from fastRCNN.training import Trainer, measure_offsets
from helpers.artifacts.cntk_files import RoiInput
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import format_table
from helpers.config.command_line import argument_parser
from helpers.formats.own_layout import TEST_SUBDIRS
from pipeline.detection import class_scores, detect
from pipeline.needs import first_layer
from pipeline.parameters import load_parameters
from pipeline.stages import build_network, describe_mirrored, describe_rois, predict, prepare_image
from pipeline.training import training_settings
from pipeline.training_images import TrainingImages


@dataclass(frozen=True)
class Variant:
    """A row: parameters that differ, whether offsets move the boxes, whether SVMs score the trained features."""

    name: str
    changes: tuple = ()
    with_offsets: bool = True
    with_svms: bool = False


VARIANTS = (
    Variant("nn"),
    Variant("nn, ROIs as they are", with_offsets=False),
    Variant("svm on trained network", with_svms=True),
    Variant("nn, classification only", (("boxRegression", False),), with_offsets=False),
    Variant("nn, frozen trunk", (("nn_trainFromLayer", "head"),)),
)


def as_entry(image, params):
    """A `Described` image as step 2 writes it for training."""
    rois = image.rois.take(slice(params.cntk_nrRois))
    return RoiInput(image.key, image.size, rois, np.zeros(len(rois), np.int64))


def train(images, params, map_dir):
    """Step 3's training in memory on `Described` images; returns the model."""
    model = FastRcnn(build_network(params), len(params.classes))
    trainer = Trainer(model, first_layer(params), training_settings(params))
    folder = map_dir / first_layer(params)
    views = TrainingImages([as_entry(i, params) for i in images], model.network, trainer.frozen, params, folder)
    measure_offsets(model, views.offsets())
    views.compute_maps(Ranks())
    for epoch in tqdm(range(trainer.settings.schedule.nr_epochs), desc="training", unit="epoch", leave=False):
        trainer.train_epoch(epoch, views)
    return model


def score(model, image, params, with_offsets):
    """Step 5 for one `Described` image: its kept detections."""
    rois = image.proposed().rois
    prepared = prepare_image(read_image(params.image_dir / image.key), params)
    scored = class_scores(*predict(model, prepared, rois, params), params)
    return detect(rois, scored if with_offsets else replace(scored, offsets=None), image.size, params).kept


def described_again(network, image, params):
    """A `Described` image with the features of another network."""
    prepared = prepare_image(read_image(params.image_dir / image.key), params)
    mirrored = None
    if params.train_mirrored:
        mirrored = describe_mirrored(network, prepared, image.rois, image.size[0], params)
    features = describe_rois(network, prepared, image.rois, params)
    return replace(image, features=features, mirrored=mirrored)


def detections_of(variants, trained_on, tested, params, map_dir):
    """Variant name -> (detections of each tested image, seconds of training, 0 where it was another's).

    Variants with the same parameters share one training.
    """
    models, result = {}, {}
    for variant in variants:
        varied, seconds = params.replace(**dict(variant.changes)), 0.0
        if variant.changes not in models:
            start = time.perf_counter()
            models[variant.changes] = train(trained_on, varied, map_dir)
            seconds = time.perf_counter() - start
        model = models[variant.changes]
        if variant.with_svms:
            svm = varied.replace(classifier="svm")
            again = [described_again(model.network, image, svm) for image in (*trained_on, *tested)]
            classifier = cross_validation.train(again[: len(trained_on)], svm)
            found = [cross_validation.score(classifier, image, svm) for image in again[len(trained_on) :]]
        else:
            found = [score(model, image, varied, variant.with_offsets) for image in tested]
        result[variant.name] = found, seconds
    return result


def on_own_test_images(described, variants, params, seeds, map_dir):
    """Variant name -> measures (seeds, 3), and variant name -> seconds of training, the median."""
    tested = [image for image in described if image.key.startswith(TEST_SUBDIRS)]
    trained_on = [image for image in described if image not in tested]
    values, seconds = {}, {}
    for seed in range(seeds):
        results = detections_of(variants, trained_on, tested, params.replace(seed=seed), map_dir)
        for name, (found, took) in results.items():
            values.setdefault(name, []).append(measure(found, tested, params))
            seconds.setdefault(name, []).append(took)
    return values, {name: float(np.median(took)) for name, took in seconds.items()}


def in_folds(described, variants, params, folds, map_dir):
    """Variant name -> measures (3,) over all annotated images, each scored by a detector that never saw it."""
    pooled, order = {}, []
    for trained_on, tested in cross_validation.divide(described, folds, seed=0):
        order += tested
        for name, (found, _) in detections_of(variants, trained_on, tested, params, map_dir).items():
            pooled.setdefault(name, []).extend(found)
    return {name: measure(found, order, params) for name, found in pooled.items()}


def table_rows(values, seconds, folded):
    """Rows of texts, one a variant."""
    for name, runs in values.items():
        runs = np.array(runs, dtype=float)
        spread = f"{runs[:, 0].min():.3f} to {runs[:, 0].max():.3f}" if len(runs) > 1 else ""
        shown = [f"{value:.3f}" for value in (*runs.mean(axis=0), *folded.get(name, ()))]
        shown += [""] * (6 - len(shown))
        yield [name, shown[0], spread, *shown[1:], f"{seconds[name]:.0f}" if seconds.get(name) else ""]


def main(arguments):
    params = load_parameters([*arguments.settings, "classifier=nn"])
    svm = params.replace(classifier="svm")
    described = cross_validation.describe(svm)
    variants = [variant for variant in VARIANTS if arguments.only is None or variant.name in arguments.only]
    values = {"svm": [cross_validation.own_split(described, svm)[:3]]}
    folded = {"svm": cross_validation.cross_validate(described, svm, arguments.folds, 0)[:3]} if arguments.folds else {}
    seconds = {}
    with tempfile.TemporaryDirectory() as folder:
        if arguments.seeds:
            own, seconds = on_own_test_images(described, variants, params, arguments.seeds, Path(folder))
            values |= own
        if arguments.folds:
            folded |= in_folds(described, variants, params, arguments.folds, Path(folder))
    head = ["test mAP", "spread", "mAP@0.7", "AP50:95", f"{arguments.folds}-fold mAP", "mAP@0.7", "AP50:95", "s"]
    empty = {variant.name: np.full((1, 3), np.nan) for variant in variants}
    print(f"{params.cntk_nrRois} ROIs, {arguments.seeds} seeds on the test images; s: seconds of training")
    print(format_table([["", *head], *table_rows({**empty, **values}, seconds, folded)]))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--seeds", type=int, default=3, help="trainings measured on the test images (default 3)")
    parser.add_argument("--folds", type=int, default=5, help="folds of the cross-validation (default 5; 0: none)")
    parser.add_argument("--only", nargs="+", help="names of the variants to measure (default: all)")
    options = parser.parse_args()
    run_script(lambda: main(options))
