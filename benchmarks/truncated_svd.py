"""Truncated SVD of the fully connected layers: time, features and mAP before and after (Fast R-CNN, section 3.1, 4.4).

    python3 benchmarks/truncated_svd.py --set network=vgg16 datasetName=grocery svd_rank=1024,256
    python3 benchmarks/truncated_svd.py --model FILE     of a model that step 3 trained without svd_rank

The contenders take turns on the same photos. Without --model the network is the pre-trained one, and there is no mAP.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import copy

import numpy as np
import torch

from benchmarks.timing import announce, interleaved, spread
from fastRCNN.evaluation import mean_ap, precision_recall
from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.svd import compress, full_layers
from helpers.artifacts.model_files import read_description, stored_settings
from helpers.base.errors import UserError
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import format_table, number
from helpers.config.command_line import argument_parser
from helpers.dataset.sources import list_images, load_ground_truth
from helpers.formats.own_layout import TEST_SUBDIRS
from pipeline.detection import class_scores, detect
from pipeline.parameters import load_parameters
from pipeline.regions import propose_rois, select_rois
from pipeline.stages import build_network, load_model, predict, prepare_image


def thinned(model, ranks):
    """A copy of a `FastRcnn` with thin layers."""
    thin = copy.deepcopy(model)
    try:
        full_layers(thin.network.head, ranks)
    except ValueError as error:
        raise UserError(f"svd_rank = {ranks}: {error}; it suits alexnet and vgg16") from error
    compress(thin.network.head, ranks)
    return thin


@torch.inference_mode()
def relative_change(whole, thin, prepared, rois):
    """Norm of the difference of the features of ROIs, in units of their norm."""
    arguments = prepared.pixels, prepared.place(rois.boxes), len(rois)
    features = [torch.cat(list(model.network.describe(*arguments))) for model in (whole, thin)]
    return float((features[0] - features[1]).norm() / features[0].norm())


def test_map(model, images, rois, params):
    """mAP at IoU 0.5 on images with these ROIs."""
    detections, truths = [], []
    for image, found in zip(images, rois, strict=True):
        pixels = read_image(image.path)
        size = pixels.shape[1::-1]
        scored = class_scores(*predict(model, prepare_image(pixels, params), found, params), params)
        detections.append(detect(found, scored, size, params).kept)
        truths.append(load_ground_truth(image, size, params))
    ids = range(1, len(params.classes) + 1)
    return mean_ap([precision_recall(detections, truths, k, params.eval_overlapThreshold).ap() for k in ids])


def main(arguments):
    stored = stored_settings(read_description(arguments.model), arguments.model) if arguments.model else None
    params = load_parameters(arguments.settings, stored=stored)
    ranks = params.svd_rank or (1024, 256)
    announce()
    if arguments.model:
        whole = load_model(arguments.model, params.replace(svd_rank=()))
    else:
        whole = FastRcnn(build_network(params), len(params.classes))
    thin = thinned(whole, ranks)
    images = list_images(params, TEST_SUBDIRS)
    rois = [select_rois(propose_rois(read_image(image.path), params), params) for image in images]
    rows = [["network", "s per image (fastest-slowest)", "features change by", "test mAP"]]
    chosen = spread(list(zip(images, rois, strict=True)), arguments.images)
    prepared = [(prepare_image(read_image(image.path), params), boxes) for image, boxes in chosen]
    change = np.mean([relative_change(whole, thin, *pair) for pair in prepared])

    models = {"whole": whole, f"ranks {', '.join(map(str, ranks))}": thin}
    contenders = {name: lambda pair, model=model: predict(model, *pair, params) for name, model in models.items()}
    times = interleaved(contenders, prepared * arguments.repeats)
    for name, model in models.items():
        score = number(test_map(model, images, rois, params)) if arguments.model else ""
        rows.append([name, times[name].text(), f"{change:.1%}" if model is thin else "", score])
    print(f"{params.network}, {params.cntk_nrRois} ROIs")
    print(format_table(rows))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--model", metavar="FILE", help="a model that step 3 trained")
    parser.add_argument("--images", type=int, default=3, help="photos that are timed (default 3)")
    parser.add_argument("--repeats", type=int, default=5, help="turns of each contender (default 5)")
    options = parser.parse_args()
    run_script(lambda: main(options))
