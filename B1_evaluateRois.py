"""Look into step 1: would the detector have a chance? It can only find what some region of interest (ROI) frames.

    rois/, annotations  ->  results/<dataset>/roiRecall_<imageSet>.png, .tsv

Recall is the share of all ground-truth boxes that some ROI overlaps by a given IoU, among the first 50, 100, ... ROIs
of each image; `cntk_nrRois` says how many of them are used. Also tells which boxes break the limits of ROI sizes.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

from collections.abc import Sequence
from dataclasses import replace

import matplotlib
import numpy as np
from matplotlib.figure import Figure

from fastRCNN.evaluation import COCO_THRESHOLDS, recall_at
from fastRCNN.proposals import RoiLimits, filter_mask
from fastRCNN.structures import GroundTruth, Rois
from helpers.artifacts.roi_files import read_rois, roi_path
from helpers.artifacts.steps import ROIS, require
from helpers.base.errors import UserError
from helpers.base.images import Size, image_size
from helpers.base.tables import format_table, number, write_table
from helpers.config.schema import Parameters
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import IMAGE_SETS, list_images, load_ground_truth
from helpers.drawing.plots import add_legend, new_figure, set_curves_off, write_figure
from pipeline.diagnosis import describe_framing, frame_images
from pipeline.parameters import run_step
from pipeline.regions import propose_rois, roi_settings

ROI_COUNTS = (50, 100, 200, 500, 1000, 2000)
UNLIMITED = RoiLimits(min_side=0, max_side=np.inf, min_area=0, max_area=np.inf, max_aspect_ratio=np.inf)
LIMITS = {  # parameter -> field of `RoiLimits`
    "roi_minDimRel": "min_side",
    "roi_maxDimRel": "max_side",
    "roi_minNrPixelsRel": "min_area",
    "roi_maxNrPixelsRel": "max_area",
    "roi_maxAspectRatio": "max_aspect_ratio",
}
NAMED_BOXES = 3  # of those that break a limit

Recalls = dict[int | None, list[float]]  # number of ROIs, None for all -> recall at each IoU of `COCO_THRESHOLDS`
Violations = dict[str, list[tuple[int, int]]]  # parameter -> (image index, box index)


def count_grid_rois(rois: Rois, size: Size, params: Parameters) -> int:
    """How many of an image's ROIs come from the grid: they follow the proposals. size: (width, height)."""
    blank = np.broadcast_to(np.uint8(0), (size[1], size[0], 3))
    grid = set(map(tuple, propose_rois(blank, params.replace(roi_engine="grid")).boxes.tolist()))
    is_grid = np.array([tuple(box) in grid for box in rois.boxes.tolist()], dtype=bool)
    return int(np.cumprod(is_grid[::-1]).sum())


def recalls(rois: Sequence[np.ndarray], truths: Sequence[GroundTruth], params: Parameters) -> Recalls:
    """Recall by number of ROIs. rois: boxes (R, 4) of each image, one of which at least has ground truth."""
    longest = max(map(len, rois))
    counts = [count for count in sorted({*ROI_COUNTS, params.cntk_nrRois}) if count < longest]
    return {
        count: [recall_at(rois, truths, threshold, count) or 0.0 for threshold in COCO_THRESHOLDS]
        for count in (*counts, None)
    }


def recall_table(by_count: Recalls) -> list[list[str]]:
    """The rows of the table: recall at each IoU threshold and its mean, the average recall."""
    table = [["ROIs per image", *(f"IoU {threshold:.2f}" for threshold in COCO_THRESHOLDS), "average"]]
    for count, values in by_count.items():
        table.append(["all" if count is None else str(count), *map(number, values), number(float(np.mean(values)))])
    return table


def plot_recall(by_count: Recalls, image_set: str) -> Figure:
    """Recall over IoU threshold, one line per number of ROIs, the more the darker."""
    figure, axes = new_figure(6.0, 5.0)
    colors = matplotlib.colormaps["viridis_r"](np.linspace(0.12, 1, len(by_count)))
    for (count, values), color in reversed(list(zip(by_count.items(), colors, strict=True))):
        label = f"{'all' if count is None else f'first {count}'}, average {np.mean(values):.2f}"
        axes.plot(COCO_THRESHOLDS, values, color=color, label=label)
    set_curves_off(axes.lines)
    axes.set(xlabel="least IoU of ROI and ground-truth box", ylabel="recall: share of the boxes", ylim=(0, 1.03))
    axes.set(xlim=(0.49, 0.96), title=f"Ground-truth boxes that some ROI frames ({image_set} images)")
    axes.grid(alpha=0.3)
    add_legend(figure, axes.lines, "ROIs per image")
    return figure


def find_violations(truths: Sequence[GroundTruth], sizes: Sequence[Size], params: Parameters) -> Violations:
    """Which ground-truth boxes break which limit of ROI sizes. sizes: (width, height) of each image."""
    limits, broken = roi_settings(params).limits, Violations()
    for parameter, field in LIMITS.items():
        only_this = replace(UNLIMITED, **{field: getattr(limits, field)})
        kept = [filter_mask(truth.boxes, *size, only_this) for truth, size in zip(truths, sizes, strict=True)]
        broken[parameter] = [
            (image, int(box))
            for image, (mask, truth) in enumerate(zip(kept, truths, strict=True))
            for box in np.flatnonzero(~mask & ~truth.ignored)
        ]
    return broken


def print_violations(
    broken: Violations, images: Sequence[ImageFile], truths: Sequence[GroundTruth], params: Parameters
) -> None:
    """How many ground-truth boxes break each limit, and a few of them."""
    nr_boxes = sum(len(truth.counted) for truth in truths)
    for parameter, places in broken.items():
        names = [
            f"{images[image].key} box {box + 1} ({params.all_classes[truths[image].class_ids[box]]})"
            for image, box in places
        ]
        some = f" - {'; '.join(names[:NAMED_BOXES])}{'; ...' if len(names) > NAMED_BOXES else ''}" if names else ""
        print(f"{parameter} = {getattr(params, parameter):g}: broken by {len(names)} of {nr_boxes} boxes{some}")


def main(params: Parameters) -> tuple[Recalls, Violations]:
    """Measure step 1 on `imageSet`; returns (recall by number of ROIs, violations by parameter)."""
    require(params, ROIS)
    images = list_images(params, IMAGE_SETS[params.imageSet])
    sizes = [image_size(image.path)[0] for image in images]
    truths = [load_ground_truth(image, size, params) for image, size in zip(images, sizes, strict=True)]
    rois = [read_rois(roi_path(params.roi_dir, image)) for image in images]
    if all(truth.ignored.all() for truth in truths):
        raise UserError(
            f"{params.image_dir}: no {params.imageSet} image has a ground-truth box; there is nothing to find"
        )
    by_count = recalls([found.boxes for found in rois], truths, params)
    broken = find_violations(truths, sizes, params)
    table = recall_table(by_count)
    path = params.results_dir / f"roiRecall_{params.imageSet}"
    write_table(path.with_suffix(".tsv"), table)
    write_figure(path.with_suffix(".png"), plot_recall(by_count, params.imageSet))
    print(format_table(table))
    nr_grid = np.array([count_grid_rois(*pair, params) for pair in zip(rois, sizes, strict=True)])
    nr_proposals = np.array(list(map(len, rois))) - nr_grid
    print(
        f"{len(images)} {params.imageSet} images, ROIs per image: {describe(nr_proposals)} proposals of "
        f"{params.roi_engine}, then {describe(nr_grid)} of the grid; cntk_nrRois = {params.cntk_nrRois} are used"
    )
    print_violations(broken, images, truths, params)
    for image_set in IMAGE_SETS:
        print("\n".join(describe_framing(frame_images(image_set, params), image_set, params)))
    print(f"plot and table: {path}.png, .tsv")
    return by_count, broken


def describe(counts: np.ndarray) -> str:
    """Mean and range of whole numbers in words."""
    return f"{np.mean(counts):.0f} ({np.min(counts)} to {np.max(counts)})"


if __name__ == "__main__":
    run_step(main, __doc__)
