"""A trained network in torch against the same network in ONNX Runtime, on photos of a data set.

    python3 benchmarks/onnx_speed.py --rois 200 2000 --set datasetName=grocery [--model FILE.safetensors]

The model that step 3 trained is exported to a temporary file. Both get the same scaled photos and ROIs, take turns on
every photo, and use the same number of threads. The time is what 6_scoreImage.py calls "network". The last columns say
how far probabilities and offsets are apart at most.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import importlib
import tempfile
from dataclasses import dataclass

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.shared_convolutions import load_photos
from benchmarks.timing import announce, interleaved
from fastRCNN.structures import Rois
from helpers.artifacts.model_files import model_path, read_description, stored_settings
from helpers.artifacts.onnx_files import import_onnxruntime
from helpers.base.script import run_script
from helpers.base.tables import format_table
from helpers.config.command_line import argument_parser
from pipeline.onnx_detector import OnnxDetector
from pipeline.parameters import load_parameters
from pipeline.stages import NnDetector, predict, prepare_image


@dataclass(frozen=True)
class Prepared:
    """What `prepare_image` made of a photo, and ROIs in the photo's own pixels."""

    image: tuple
    rois: Rois


def compare(model, exported, photos, params, nr_rois, repeats):
    """The table: seconds per image of an `NnDetector` and an `OnnxDetector`, and their greatest differences.

    photos: list of `shared_convolutions.Photo`; nr_rois: the numbers of ROIs to score; repeats: turns on every photo.
    """
    contenders = {
        "torch": lambda photo: predict(model.model, photo.image, photo.rois, params),
        "ONNX Runtime": lambda photo: exported.predict(photo.image, photo.rois),
    }
    images = [prepare_image(photo.pixels, params) for photo in photos]
    table = [["ROIs, program", "s/image (fastest-slowest)", "speed", "scores differ by", "offsets differ by"]]
    for count in nr_rois:
        rounds = [Prepared(image, photo.rois.take(slice(count))) for image, photo in zip(images, photos, strict=True)]
        measured = interleaved(contenders, tqdm(rounds * repeats, desc=f"{count} ROIs", unit="turn"))
        expected, found = (measured[name].results for name in contenders)
        differences = [
            max(float(np.abs(one[part] - other[part]).max()) for one, other in zip(expected, found, strict=True))
            for part in (0, 1)
        ]
        for name, times in measured.items():
            speed = f"{measured['torch'].median / times.median:.2f}x"
            apart = ["-", "-"] if name == "torch" else [f"{value:.0e}" for value in differences]
            table.append([f"{count}, {name}", times.text(), speed, *apart])
    return table


def main(arguments):
    path = Path(arguments.model or model_path(load_parameters(arguments.settings)))
    stored = stored_settings(read_description(path), path)
    params = load_parameters([*arguments.settings, "network_device=cpu"], stored=stored)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    announce()
    print(f"ONNX Runtime {import_onnxruntime().__version__}")
    with tempfile.TemporaryDirectory() as folder:
        out = importlib.import_module("7_exportModel").main(params, path, Path(folder) / "model.onnx")
        model, exported = NnDetector(path, params), OnnxDetector(out, params)
    photos = load_photos(params, arguments.images, max(arguments.rois))
    table = compare(model, exported, photos, params, arguments.rois, arguments.repeats)
    print(f"\n{params.network}, {len(photos)} photos, {arguments.repeats} turns each; medians")
    print(format_table(table))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--model", metavar="FILE", help="a model that step 3 trained (default: that of the parameters)")
    parser.add_argument("--rois", nargs="+", type=int, default=[200, 2000], help="ROIs per image (default 200 2000)")
    parser.add_argument("--images", type=int, default=5, help="photos, evenly spread (default 5)")
    parser.add_argument("--repeats", type=int, default=5, help="turns on every photo (default 5)")
    parser.add_argument("--threads", type=int, help="threads of both (default: all)")
    options = parser.parse_args()
    run_script(lambda: main(options))
