"""Speed and recall of the engines that step 1 can use, at several image sizes, on the annotated images of a data set.

    python3 benchmarks/roi_engines.py --engines opencv-fast opencv-quality --sizes 200 400 --set datasetName=grocery

Recall is the part of all objects that some ROI overlaps by an IoU of 0.5 or 0.7; average recall (AR) is its mean over
IoU 0.5, 0.55, ... 0.95. All engines are compared at equal numbers of ROIs, in the order that step 1 writes them:
proposals by votes, then the grid. Seconds are those of a whole image on one core, search and ranking; engines and sizes
take turns on every image. A second table compares the ranking by votes with other orders of the same proposals.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import statistics
from dataclasses import dataclass
from unittest import mock

import cv2
import numpy as np
from tqdm import tqdm

from benchmarks.timing import announce, interleaved, one_thread, spread
from fastRCNN import boxes as box_ops
from fastRCNN import proposals
from fastRCNN.evaluation import COCO_THRESHOLDS, recall_at
from fastRCNN.nms import nms
from fastRCNN.selective_search import ENGINES
from fastRCNN.structures import GroundTruth, Rois
from helpers.base.errors import UserError
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import format_table, number
from helpers.config.command_line import argument_parser
from helpers.dataset.sources import list_images, load_ground_truth
from helpers.formats.own_layout import ANNOTATED_SUBDIRS
from pipeline.parameters import load_parameters
from pipeline.regions import propose_rois

SHUFFLES = 5  # random orders, of which the mean is shown


@dataclass(frozen=True)
class AnnotatedImage:
    """Pixels uint8 RGB (H, W, 3), and its ground truth."""

    pixels: np.ndarray
    truth: GroundTruth


def load_images(params, count=None):
    """The annotated images of the data set, or `count` of them, evenly spread."""
    files = list_images(params, ANNOTATED_SUBDIRS)
    images = []
    for file in files if count is None else spread(files, count):
        pixels = read_image(file.path)
        images.append(AnnotatedImage(pixels, load_ground_truth(file, pixels.shape[1::-1], params)))
    return images


def variants(params, engines, sizes):
    """(engine, size) -> parameters without the grid, for every engine that is installed; the grid has no size."""
    found = {}
    for engine in engines:
        try:
            propose_rois(np.zeros((20, 20, 3), np.uint8), params.replace(roi_engine=engine))
        except UserError as error:
            print(f"not measured: {error}")
            continue
        for size in sizes if engine != "grid" else sizes[:1]:
            scales = params.grid_nrScales if engine == "grid" else 0
            found[engine, size] = params.replace(roi_engine=engine, roi_maxImgDim=size, grid_nrScales=scales)
    return found


def joined(first, second):
    """All ROIs of both, in this order, without duplicates."""
    both = first.then(second)
    return both.take(np.sort(np.unique(both.boxes, axis=0, return_index=True)[1]))


def recalls(rois, truths, count):
    """Recall at IoU 0.5 and 0.7, and average recall, of the first `count` ROIs of every image with objects."""
    boxes = [found.boxes for found in rois]
    values = [recall_at(boxes, truths, threshold, count) for threshold in (0.5, 0.7, *COCO_THRESHOLDS)]
    return np.array([*values[:2], np.mean(values[2:])])


def heads(counts):
    return [f"{count} ROIs" for count in counts]


def cells(values):
    """Recalls (counts, 3) -> one text per count: "0.93 0.71 0.55"."""
    return [" ".join(number(value, 2) for value in row) for row in values]


def compare_engines(images, params, engines, sizes, counts):
    """The table of engines: median seconds and number of proposals of an image, recalls by count, AR per second."""
    contenders = {
        name: lambda image, varied=varied: propose_rois(image.pixels, varied)
        for name, varied in variants(params, engines, sizes).items()
    }
    grids = [propose_rois(image.pixels, params.replace(roi_engine="grid")) for image in images]
    measured = interleaved(contenders, tqdm(images, desc="engines", unit="image"), warm_up=False)
    truths = [image.truth for image in images]
    table = [["engine, pixels", "seconds (fastest-slowest)", "found", *heads(counts), "AR per second"]]
    for (engine, size), times in measured.items():
        rois = [joined(found, grid) for found, grid in zip(times.results, grids, strict=True)]
        table.append([
            engine if engine == "grid" else f"{engine}, {size}", times.text(),
            f"{statistics.median(map(len, times.results)):.0f}",
            *cells([recalls(rois, truths, count) for count in counts]),
            number(recalls(rois, truths, params.cntk_nrRois)[2] / times.median, 2),
        ])  # fmt: skip
    return table


def raw_proposals(image, params):
    """The engine's boxes (N, 4) within the limits in its own order, duplicates and all: what step 1 has to rank."""
    with mock.patch.object(proposals, "rank_by_votes", wraps=proposals.rank_by_votes) as ranking:
        propose_rois(image, params)
    return ranking.call_args.args[0]


def compare_rankings(images, params, counts):
    """The table of orders: recalls at each count when duplicates are dropped in this order instead of that by votes."""
    threshold = params.ss_nmsThreshold
    random = np.random.default_rng(params.seed)
    orders = {
        "by votes": lambda boxes: proposals.rank_by_votes(boxes, threshold),
        "the engine's own": lambda boxes: nms(boxes, -np.arange(len(boxes)), threshold),
        "greatest first": lambda boxes: nms(boxes, box_ops.areas(boxes), threshold),
        f"random, mean of {SHUFFLES}": lambda boxes: nms(boxes, random.random(len(boxes)), threshold),
    }
    cv2.setRNGSeed(params.seed)  # OpenCV's own order is partly random
    raw = [raw_proposals(image.pixels, params) for image in tqdm(images, desc="rankings", unit="image")]
    grids = [propose_rois(image.pixels, params.replace(roi_engine="grid")) for image in images]
    truths = [image.truth for image in images]
    table = [["order", *heads(counts)]]
    for name, order in orders.items():
        repeats = []
        for _ in range(SHUFFLES if name.startswith("random") else 1):
            rois = [joined(Rois.of(boxes[order(boxes)]), grid) for boxes, grid in zip(raw, grids, strict=True)]
            repeats.append([recalls(rois, truths, count) for count in counts])
        table.append([name, *cells(np.mean(repeats, axis=0))])
    return table


def main(arguments):
    params = load_parameters(arguments.settings)
    announce()
    one_thread()
    images = load_images(params, arguments.images)
    nr_objects = sum(len(image.truth.counted) for image in images)
    if nr_objects == 0:
        raise UserError(f"{params.image_dir}: no image with a box among those looked at; nothing to find")
    print(f"{len(images)} images of {params.datasetName}, {nr_objects} objects; one core\n")
    table = compare_engines(images, params, arguments.engines, arguments.sizes, arguments.counts)
    print("Recall at IoU 0.5, at 0.7 and average recall (AR) of the engine's proposals with the grid behind them;")
    print(f"found: proposals without the grid; AR per second: AR of {params.cntk_nrRois} ROIs by median seconds")
    print(format_table(table), end="\n\n")
    if params.roi_engine != "grid":
        print(f"Order of the proposals of {params.roi_engine} at {params.roi_maxImgDim} pixels")
        print(format_table(compare_rankings(images, params, arguments.rankCounts)))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=ENGINES, help="(default: all)")
    parser.add_argument("--sizes", nargs="+", type=int, default=[200, 300, 400, 600], help="of the longer side, pixels")
    parser.add_argument("--counts", nargs="+", type=int, default=[100, 200, 500, 2000], help="numbers of ROIs")
    parser.add_argument("--rankCounts", nargs="+", type=int, default=[100, 200], help="the same for the second table")
    parser.add_argument("--images", type=int, help="only so many images, evenly spread (default: all)")
    options = parser.parse_args()
    run_script(lambda: main(options))
