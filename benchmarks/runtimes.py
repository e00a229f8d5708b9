"""What runs the trunk fastest on this machine, and what is worth doing after it.

    python3 benchmarks/runtimes.py [--set network=NAME]

The first table has the milliseconds of the trunk on a photo of the data set in torch, ONNX Runtime and OpenVINO, on one
thread and on all, in float32 and, where the processor has it, in bfloat16. The second has linear functions of ROIs'
features, on what was pooled and on the map before pooling (`RoiNetwork.linear`). The third has torch's trunk in
processes of their own whose threads wait for each other asleep or spinning (OMP_WAIT_POLICY), while other programs keep
no core busy, or all of them.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import contextlib
import os
import subprocess
import time

import numpy as np
import torch
from tqdm import tqdm

from benchmarks.timing import announce, interleaved, spread
from fastRCNN import network as network_module
from helpers.base.errors import UserError
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import format_table
from helpers.base.threads import physical_cores
from helpers.config.command_line import argument_parser
from helpers.dataset.sources import list_images
from pipeline.engines import ENGINES
from pipeline.parameters import load_parameters
from pipeline.stages import build_network, prepare_image

ROOT = Path(__file__).resolve().parent.parent
OUTPUTS = (5, 40, 100)  # linear functions: scores and offsets of 1, 8 and 20 classes
SPIN = "while True: pass"


def engines(params):
    """Name -> a network whose trunk runs in that engine, of all engines that are installed here."""
    networks = {}
    for threads in sorted({1, physical_cores()}):
        for runtime in ENGINES:
            for precision in ("float32", "bfloat16"):
                chosen = params.replace(
                    network_runtime=runtime, network_precision=precision, network_threads=threads, network_device="cpu"
                )
                with contextlib.suppress(UserError):  # not installed, no bfloat16
                    networks[f"{runtime}, {precision}, {threads} threads"] = build_network(chosen), threads
    return networks


def compare_engines(params, image, repeats):
    """The table of engines, on an image uint8 RGB (H, W, 3)."""
    networks = engines(params)

    def run(name):
        network, threads = networks[name]

        @torch.inference_mode()
        def turn(prepared):
            torch.set_num_threads(threads)
            feature_map = (network.engine or network.trunk)(prepared)
            return feature_map.clone()

        return turn

    prepared = next(iter(networks.values()))[0].prepare(image)
    turns = tqdm([prepared] * repeats, desc="engines", unit="turn")
    measured = interleaved({name: run(name) for name in networks}, turns)
    first = next(iter(measured.values()))
    table = [["trunk in", "ms (fastest-slowest)", "speed", "greatest difference, relative"]]
    for name, times in measured.items():
        expected = first.results[-1]
        apart = float((times.results[-1] - expected).abs().max() / expected.abs().max())
        table.append([name, times.text(1000, 0), f"{first.median / times.median:.2f}x", f"{apart:.0e}"])
    return table


def compare_linear(params, image, nr_rois, repeats):
    """The table of linear functions: milliseconds, without the trunk."""
    network = build_network(params.replace(network_device="cpu"))
    random = np.random.default_rng(0)
    with torch.inference_mode():
        feature_map = network.map(image)
    network.engine = lambda prepared: feature_map
    table = [["functions, ROIs", "ms after pooling (fastest-slowest)", "ms before", "ratio"]]
    for nr_outputs in OUTPUTS:
        weights = torch.randn(nr_outputs, nr_features(network))
        for count in nr_rois:
            corners = random.uniform(0, 0.7, (count, 2))
            sides = np.array(image.shape[1::-1])
            rois = np.hstack([corners * sides, (corners + random.uniform(0.05, 0.3, (count, 2))) * sides])

            def run(cost, rois=rois, weights=weights):
                def turn(pixels):
                    network_module.POOLING_COST = cost
                    return network.linear(pixels, rois, weights, torch.zeros(len(weights)), params.network_roiBatchSize)

                return turn

            known = network_module.POOLING_COST
            turns = [image] * repeats
            measured = interleaved({"after": run(0), "before": run(10**9)}, turns)
            network_module.POOLING_COST = known
            after, before = measured["after"], measured["before"]
            ratio = f"{after.median / before.median:.2f}x"
            table.append([f"{nr_outputs}, {count}", after.text(1000, 0), before.text(1000, 0), ratio])
    return table


def nr_features(network):
    """The number of features of a ROI."""
    return network.backbone.nr_features * (1 if network.context_factor == 1 else 2)


def timed_process(params, policy, threads, repeats):
    """Milliseconds of the trunk in a process of its own: the median of `repeats`."""
    code = f"from benchmarks.runtimes import time_trunk; time_trunk({threads}, {repeats}, {params.network!r})"
    environment = {**os.environ, "OMP_WAIT_POLICY": policy, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    return float(done.stdout.split()[-1])


def time_trunk(threads, repeats, name):
    """Print the median milliseconds of a trunk with random weights on a photo of 1000 x 750 pixels."""
    announce()
    torch.set_num_threads(threads)
    network = network_module.RoiNetwork(name)
    seconds = []
    with torch.inference_mode():
        prepared = network.prepare(np.zeros((1000, 750, 3), np.uint8))
        network.trunk(prepared)
        for _ in range(repeats):
            start = time.perf_counter()
            network.trunk(prepared)
            seconds.append(time.perf_counter() - start)
    print(1000 * np.median(seconds))


@contextlib.contextmanager
def busy(count):
    """So many other programs keep a core busy each."""
    others = [subprocess.Popen([sys.executable, "-c", SPIN]) for _ in range(count)]
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.wait()


def compare_waiting(params, repeats):
    """The table of threads that wait asleep or spinning, on a machine that does nothing else, or is busy."""
    cores = physical_cores()
    table = [["threads, waiting", "ms, quiet", f"ms, {cores} other programs"]]
    for threads in sorted({1, cores}):
        for policy in ("PASSIVE", "ACTIVE"):
            row = [f"{threads}, {policy.lower()}"]
            for others in (0, cores):
                with busy(others):
                    row.append(f"{timed_process(params, policy, threads, repeats):.0f}")
            table.append(row)
    return table


def main(arguments):
    params = load_parameters(arguments.settings)
    announce()
    paths = [image.path for image in list_images(params, ("positive",))]
    image = prepare_image(read_image(spread(paths, 1)[0]), params).pixels
    print(f"{params.network} on a photo of {image.shape[1]} x {image.shape[0]} pixels; medians\n")
    print(format_table(compare_engines(params, image, arguments.repeats)) + "\n")
    print(format_table(compare_linear(params, image, arguments.rois, arguments.repeats)) + "\n")
    print(format_table(compare_waiting(params, arguments.repeats)))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--rois", nargs="+", type=int, default=[200, 1000, 2000], help="(default 200 1000 2000)")
    parser.add_argument("--repeats", type=int, default=11, help="turns of each contender (default 11)")
    options = parser.parse_args()
    run_script(lambda: main(options))
