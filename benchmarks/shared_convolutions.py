"""One pass of shared convolutions (Fast R-CNN, step 3) against cropping every ROI (R-CNN), on photos of a data set.

    python3 benchmarks/shared_convolutions.py --rois 200 2000 --set network=squeezenet1_1

The R-CNN way cuts each ROI out of the photo, warps it to 224 x 224 pixels and sends it through the whole network, in
batches. It is timed on some of an image's ROIs and extrapolated to all of them, since every crop costs the same. Both
ways start with the decoded photo and its ROIs, end with the features, and take turns on every photo.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import statistics
from dataclasses import dataclass

import cv2
import numpy as np
import torch
from torch.nn import functional
from tqdm import tqdm

from benchmarks.timing import announce, interleaved, spread
from fastRCNN.network import to_input
from fastRCNN.structures import Rois
from helpers.base.errors import UserError
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import format_table, number
from helpers.config.command_line import argument_parser
from helpers.dataset.sources import list_images
from pipeline.parameters import load_parameters
from pipeline.regions import propose_rois
from pipeline.stages import build_network, describe_rois, prepare_image

CROP_SIDE = 224  # pixels: what ImageNet's networks were trained on


@dataclass(frozen=True)
class Photo:
    """Pixels uint8 RGB (H, W, 3), and ROIs (R, 4) in them, most promising first."""

    pixels: np.ndarray
    rois: Rois


def load_photos(params, count, nr_rois):
    """`count` photos of the data set, evenly spread, with at most `nr_rois` ROIs each."""
    files = spread(list_images(params), count)
    photos = []
    for file in tqdm(files, desc="ROIs", unit="image"):
        pixels = read_image(file.path)
        rois = propose_rois(pixels, params).take(slice(nr_rois))
        if len(rois):
            photos.append(Photo(pixels, rois))
    if not photos:
        raise UserError(f"{params.image_dir}: no image with a ROI; nothing to measure")
    return photos


@torch.inference_mode()
def describe_crops(network, image, rois, batch_size):
    """R-CNN's way: uint8 RGB (H, W, 3) and whole-pixel ROIs (R, 4) in it -> features (R, D) float16."""
    features = []
    for start in range(0, len(rois), batch_size):
        crops = [image[y1:y2, x1:x2] for x1, y1, x2, y2 in rois[start : start + batch_size].astype(int)]
        warped = [cv2.resize(crop, (CROP_SIDE, CROP_SIDE), interpolation=cv2.INTER_LINEAR) for crop in crops]
        batch = torch.cat([to_input(crop, network.backbone) for crop in warped])  # (B, 3, 224, 224)
        maps = network.trunk(batch.to(network.device, memory_format=torch.channels_last))  # (B, C, 14, 14) or so
        pool = functional.adaptive_max_pool2d if network.backbone.pooling == "max" else functional.adaptive_avg_pool2d
        features.append(network.head(pool(maps, network.backbone.pool_size)).to("cpu", torch.float16))
    return torch.cat(features).numpy()


def compare(network, photos, params, nr_rois, nr_crops, batch_size):
    """Time both ways. Returns (table, shortest description of what was extrapolated).

    photos: one per round; nr_rois: the numbers of ROIs to describe; nr_crops: ROIs that are really cropped.
    """

    def shared(count):
        return lambda photo: len(
            describe_rois(network, prepare_image(photo.pixels, params), photo.rois.take(slice(count)), params)
        )

    def cropped(photo):
        return len(describe_crops(network, photo.pixels, np.stack(spread(photo.rois.boxes, nr_crops)), batch_size))

    measured = interleaved({**{count: shared(count) for count in nr_rois}, "crops": cropped}, tqdm(photos, unit="turn"))
    crops = measured.pop("crops")
    per_crop = [seconds / done for seconds, done in zip(crops.seconds, crops.results, strict=True)]
    table = [["ROIs wanted, found", "shared, s/image", "of 1 crop, ms", "all crops, s/image", "ratio"]]
    for count, times in measured.items():
        found = statistics.median(times.results)
        all_crops = statistics.median(per_crop) * found
        table.append([
            f"{count}, {found:.0f}", times.text(), number(1000 * statistics.median(per_crop), 1),
            number(all_crops, 2), number(all_crops / times.median, 1),
        ])  # fmt: skip
    return (
        table,
        f"{statistics.median(crops.results):.0f} ROIs per image were cropped, and the time extrapolated to all",
    )


def main(arguments):
    params = load_parameters(arguments.settings).replace(network_contextFactor=1.0)  # a crop has no context region
    announce()
    network = build_network(params)
    photos = load_photos(params, arguments.images, max(arguments.rois))
    table, note = compare(
        network, photos * arguments.repeats, params, arguments.rois, arguments.crops, arguments.batchSize
    )
    print(f"\n{params.network} on {network.device}, {len(photos)} photos, {arguments.repeats} turns each; medians")
    print(note)
    print(format_table(table))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--rois", nargs="+", type=int, default=[200, 2000], help="ROIs per image (default 200 2000)")
    parser.add_argument("--crops", type=int, default=100, help="ROIs per image that are cropped (default 100)")
    parser.add_argument("--batchSize", type=int, default=50, help="crops that go through at once (default 50)")
    parser.add_argument("--images", type=int, default=5, help="photos, evenly spread (default 5)")
    parser.add_argument("--repeats", type=int, default=3, help="turns on every photo (default 3)")
    options = parser.parse_args()
    run_script(lambda: main(options))
