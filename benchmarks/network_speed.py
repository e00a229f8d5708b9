"""The network's speed against the machine's own, and where step 3 spends its time.

    python3 benchmarks/network_speed.py --set network=squeezenet1_1

A large matrix product shows what this machine can do. The operations of the network's trunk are counted on a photo of
the data set at its real size; their number by the measured seconds is the speed that the trunk reaches, in each memory
format. Contenders take turns. The second table has RoIAlign on that photo, by torchvision's kernel and by
fastRCNN/roi_align.py. The third divides the time of step 3 among its parts, each done after the other; step 3 itself
decodes and scales the next photo while it works on this one.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import copy
import tempfile
import time

import numpy as np
import torch
import torchvision
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from benchmarks.timing import Measured, announce, finish, interleaved, spread
from fastRCNN.network import FLOAT16_MAX, to_input
from fastRCNN.roi_align import roi_align
from helpers.base.errors import UserError
from helpers.base.files import write_arrays
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import format_table, number
from helpers.config.command_line import argument_parser
from helpers.dataset.sources import list_images
from pipeline.parameters import load_parameters
from pipeline.regions import propose_rois, select_rois
from pipeline.stages import build_network, prepare_image


@torch.inference_mode()
def count_operations(module, example):
    """Floating-point operations of a forward pass, a multiplication and an addition counted as two."""
    with FlopCounterMode(display=False) as counter:
        module(example)
    return counter.get_total_flops()


def trunk_contenders(network):
    """Name -> function of a contiguous float32 image (1, 3, H, W): the trunk in several formats, as it is in step 3
    ("channels_last") and otherwise; conversion of the image to the format is part of the time."""
    plain = copy.deepcopy(network.trunk).to(memory_format=torch.contiguous_format)

    def channels_last(image):
        return network.trunk(image.contiguous(memory_format=torch.channels_last))

    def bfloat16(image):
        with torch.autocast(network.device.type, dtype=torch.bfloat16):
            return channels_last(image)

    return {"plain eager": plain, "channels_last": channels_last, "channels_last, bf16": bfloat16}


def timed(run, device):
    """A contender that runs on the device, waits for it and returns nothing: results would take memory."""

    @torch.inference_mode()
    def turn(argument):
        run(argument)
        finish(device)

    return turn


def compare_trunk(network, image, side, repeats):
    """The table of speeds: matrix product of `side` x `side` and trunk on an image (1, 3, H, W), medians of turns."""
    device = network.device
    image = image.to(device).contiguous()
    left, right = torch.randn(2, side, side, device=device)
    operations = {"matrix product": 2 * side**3}
    contenders = {"matrix product": lambda _: left @ right, **trunk_contenders(network)}
    operations |= {name: count_operations(network.trunk, image) for name in contenders if name not in operations}

    turns = tqdm([image] * repeats, desc="trunk", unit="turn")
    measured = interleaved({name: timed(run, device) for name, run in contenders.items()}, turns)
    speeds = {name: operations[name] / 1e9 / times.median for name, times in measured.items()}
    table = [["", "GFLOP", "ms (fastest-slowest)", "GFLOP/s", "of the product", "of plain eager"]]
    for name, times in measured.items():
        against = speeds["plain eager"] if name != "matrix product" else None
        table.append([
            name, number(operations[name] / 1e9, 1), times.text(1000, 0), number(speeds[name], 0),
            f"{speeds[name] / speeds['matrix product']:.0%}",
            "-" if against is None else f"{speeds[name] / against:.2f}x",
        ])  # fmt: skip
    return table


@torch.inference_mode()
def compare_pooling(network, image, rois, repeats):
    """The table of RoIAlign in ms per image: on the trunk's map of an image (1, 3, H, W), rois (R, 4) in its pixels."""
    feature_map = network.trunk(image.to(network.device, memory_format=torch.channels_last))
    rois = torch.as_tensor(np.asarray(rois, dtype=np.float32)).to(network.device)
    size, scale = network.backbone.pool_size, 1 / network.backbone.stride
    contenders = {
        "torchvision": lambda x: torchvision.ops.roi_align(x, [rois], size, scale, sampling_ratio=2, aligned=True),
        "ours": lambda x: roi_align(x, rois, size, scale),
    }
    turns = tqdm([feature_map] * repeats, desc="RoIAlign", unit="turn")
    measured = interleaved({name: timed(run, network.device) for name, run in contenders.items()}, turns)
    expected, found = (run(feature_map) for run in contenders.values())
    difference = float((found - expected).abs().max() / expected.abs().max())
    table = [["RoIAlign", "ms per image (fastest-slowest)", "speed", "greatest difference, relative"]]
    for name, times in measured.items():
        speed = measured["torchvision"].median / times.median
        table.append([name, times.text(1000, 1), f"{speed:.2f}x", f"{difference:.0e}" if name == "ours" else "-"])
    return table


@torch.inference_mode()
def describe_in_parts(network, image_path, rois, params, output):
    """Step 3 for one image, part by part: returns (part -> seconds, features (R, D) float16 as in `describe_rois`)."""
    seconds, last = {}, time.perf_counter()

    def done(part):
        nonlocal last
        finish(network.device)
        now = time.perf_counter()
        seconds[part] = seconds.get(part, 0.0) + now - last
        last = now

    image = read_image(image_path)
    done("decode")
    prepared = prepare_image(image, params)
    done("scale")
    batch = to_input(prepared.pixels, network.backbone).to(network.device, memory_format=torch.channels_last)
    done("normalise")
    feature_map = network.trunk(batch)
    done("trunk")
    boxes = torch.as_tensor(prepared.place(rois.boxes).astype(np.float32)).to(network.device)
    blocks = []
    for block in boxes.split(params.network_roiBatchSize):
        parts = []
        for region in network.regions(feature_map, block):
            pooled = network.pool(*region)
            done("pooling")
            parts.append(network.head(pooled))
            done("head")
        blocks.append(torch.cat(parts, dim=1))
    features = torch.cat(blocks).clamp(max=FLOAT16_MAX).to("cpu", torch.float16).numpy()
    done("to float16")
    write_arrays(output, arr_0=features)
    done("file write")
    return seconds, features


def split_step(network, files, params, repeats):
    """The table of step 3's parts: medians over turns on all files, in ms per image."""
    rois = [select_rois(propose_rois(read_image(file.path), params), params) for file in tqdm(files, desc="ROIs")]
    parts = {}
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "features.npz"
        describe_in_parts(network, files[0].path, rois[0], params, output)
        for _ in range(repeats):
            for file, boxes in zip(files, rois, strict=True):
                seconds, _ = describe_in_parts(network, file.path, boxes, params, output)
                for part, value in {**seconds, "sum": sum(seconds.values())}.items():
                    parts.setdefault(part, Measured()).seconds.append(value)
    table = [["part of step 3", "ms per image (fastest-slowest)", "share"]]
    for part, times in parts.items():
        table.append([part, times.text(1000, 0), f"{times.median / parts['sum'].median:.0%}"])
    return table


def main(arguments):
    params = load_parameters(arguments.settings)
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    announce()
    network = build_network(params)
    files = spread(list_images(params), arguments.images)
    if not files:
        raise UserError(f"{params.image_dir}: no image; nothing to measure")
    photo = read_image(files[0].path)
    prepared = prepare_image(photo, params)
    rois = prepared.place(select_rois(propose_rois(photo, params), params).boxes)
    height, width = prepared.pixels.shape[:2]
    print(f"\n{params.network}, image of {width} x {height} pixels; float32 unless it says bf16")
    pixels = to_input(prepared.pixels, network.backbone)
    print(format_table(compare_trunk(network, pixels, arguments.matrix, arguments.repeats)), end="\n\n")
    print(f"{len(rois)} ROIs, {network.backbone.pool_size} x {network.backbone.pool_size} cells each")
    print(format_table(compare_pooling(network, pixels, rois, arguments.repeats)), end="\n\n")
    print(f"{len(files)} photos, {params.cntk_nrRois} ROIs per image at most")
    print(format_table(split_step(network, files, params, arguments.repeats)))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--matrix", type=int, default=3072, help="side of the square matrices (default 3072)")
    parser.add_argument("--images", type=int, default=5, help="photos, evenly spread (default 5)")
    parser.add_argument("--repeats", type=int, default=7, help="turns of every contender (default 7)")
    parser.add_argument("--threads", type=int, help="threads of torch, for product and network alike (default: all)")
    options = parser.parse_args()
    run_script(lambda: main(options))
