"""Look into step 2: does every class have positives to learn from? Counts what the network's input files hold.

    cntkFiles/{train,test}*.txt, annotations  ->  results/<dataset>/inputs_{train,test}.tsv

Of each class: images that show it, ground-truth boxes, how many of them some region of interest (ROI) frames well
enough (`train_posOverlapThres`), and positive ROIs - without the ground truth that step 2 adds for training.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

from dataclasses import dataclass

import numpy as np

from fastRCNN.boxes import iou
from helpers.artifacts.cntk_files import RoiInput, read_inputs
from helpers.artifacts.steps import INPUTS, require
from helpers.base.tables import format_table, write_table
from helpers.config.schema import Parameters
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import load_ground_truth
from pipeline.parameters import run_step

HEAD = ["class", "images", "ground truth", "framed", "positive ROIs", "mean per image", "min", "max"]


@dataclass(frozen=True)
class InputCounts:
    """Counts of N images and K classes: ground_truth, framed, positives (N, K) int; rois (N,) int, and how many of them
    are background (N,) int; `positives` and `backgrounds` do not count the ground truth that step 2 adds."""

    ground_truth: np.ndarray
    framed: np.ndarray
    positives: np.ndarray
    backgrounds: np.ndarray
    rois: np.ndarray


Counts = tuple[np.ndarray, np.ndarray, np.ndarray, int, int]


def count_image(entry: RoiInput, params: Parameters) -> Counts:
    """One row of `InputCounts`."""
    rois, nr_classes = entry.rois.boxes[entry.rois.found], len(params.classes)
    objects = load_ground_truth(ImageFile(params.image_dir, entry.key), entry.size, params).counted
    framed = objects.take(iou(objects.boxes, rois).max(axis=1, initial=0) >= params.train_posOverlapThres)

    def by_class(ids: np.ndarray) -> np.ndarray:
        return np.bincount(ids, minlength=nr_classes + 1)[1:]

    positives = by_class(entry.class_ids[entry.rois.found])
    return (
        by_class(objects.class_ids), by_class(framed.class_ids), positives, len(rois) - int(positives.sum()),
        len(entry.rois),
    )  # fmt: skip


def count_all(image_set: str, params: Parameters) -> InputCounts:
    """`InputCounts` of an image set."""
    counts = [count_image(entry, params) for entry in read_inputs(params, image_set)]
    return InputCounts(*(np.array(column) for column in zip(*counts, strict=True)))


def input_table(counts: InputCounts, params: Parameters) -> list[list[str]]:
    """The rows of the table; mean, min and max of the positive ROIs are those of images that show the class."""
    table = [[*HEAD]]

    def add(name: str, *columns: np.ndarray) -> None:
        shows = columns[0] > 0
        table.append(
            [name, *map(str, (shows.sum(), *(column.sum() for column in columns))), *spread(columns[2][shows])]
        )

    columns = counts.ground_truth, counts.framed, counts.positives
    for index, name in enumerate(params.classes):
        add(name, *(column[:, index] for column in columns))
    add("all classes", *(column.sum(axis=1) for column in columns))
    nr_images = str(len(counts.rois))
    table.append(["background", nr_images, "-", "-", "-", *spread(counts.backgrounds)])
    table.append([f"ROIs used of {params.cntk_nrRois}", nr_images, "-", "-", "-", *spread(counts.rois)])
    return table


def spread(values: np.ndarray) -> list[str]:
    """Mean, least and greatest of some counts as text, "-" where there are none."""
    if len(values) == 0:
        return ["-", "-", "-"]
    return [f"{values.mean():.1f}", str(values.min()), str(values.max())]


def find_warnings(counts: InputCounts, image_set: str, params: Parameters) -> list[str]:
    """What is likely to go wrong with a class: list of texts."""
    found = []
    for column, name in enumerate(params.classes):
        boxes, framed, positives = (
            int(values[:, column].sum()) for values in (counts.ground_truth, counts.framed, counts.positives)
        )
        if boxes == 0:
            consequence = "it cannot be learned" if image_set == "train" else "its AP cannot be measured"
            found.append(f"{name}: no ground-truth box in the {image_set} images, {consequence}")
        elif positives == 0:
            consequence = "only ground truth is positive for it" if image_set == "train" else "it can hardly be found"
            found.append(
                f"{name}: no ROI of the {image_set} images has IoU >= {params.train_posOverlapThres:g} with one of "
                f"its {boxes} ground-truth boxes, {consequence}; raise cntk_nrRois, or see B1_evaluateRois.py"
            )
        elif framed < boxes / 2:
            found.append(
                f"{name}: ROIs frame only {framed} of its {boxes} ground-truth boxes in the {image_set} images"
            )
    return found


def main(params: Parameters) -> dict[str, InputCounts]:
    """Count training and test images; returns image set -> `InputCounts`."""
    require(params, INPUTS)
    result = {}
    for image_set in ("train", "test"):
        counts = result[image_set] = count_all(image_set, params)
        table = input_table(counts, params)
        path = params.results_dir / f"inputs_{image_set}.tsv"
        write_table(path, table)
        print(f"{len(counts.rois)} {image_set} images: {path}")
        print(format_table(table))
        for warning in find_warnings(counts, image_set, params):
            print(f"WARNING: {warning}")
        print()
    print(f"framed: some ROI has IoU >= {params.train_posOverlapThres:g} (train_posOverlapThres) with the box")
    return result


if __name__ == "__main__":
    run_step(main, __doc__)
