"""How long the first run takes, and one photo after it: python3 benchmarks/first_run.py

`python3 run.py` on data/groceryDemo as after installation, with nothing compiled yet, and again from an empty proc/;
the seconds of its steps are those that it prints. Then photos of its test images, each stage in memory, with the model
loaded: with the defaults, and scaled to 1000 x 1000 pixels with 2000 ROIs on one thread and on all. Everything is
written into a temporary folder, and removed.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import os
import re
import subprocess
import tempfile
import time

import cv2

from benchmarks.timing import Measured, announce
from helpers.base.errors import UserError
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import format_table, number
from helpers.config.command_line import argument_parser
from helpers.dataset.sources import list_images
from pipeline.parameters import load_parameters
from pipeline.scoring import score_image
from pipeline.stages import SvmDetector

ROOT = Path(__file__).resolve().parent.parent
SIDE, NR_ROIS = 1000, 2000  # of the larger photo
PROGRAM = [sys.executable, str(ROOT / "run.py")]


def children_seconds():
    """CPU seconds of all child processes that have ended."""
    times = os.times()
    return times.children_user + times.children_system


def timed_run(program, settings, environment):
    """Run the pipeline; returns its wall seconds, CPU seconds, and the line with the seconds of its steps."""
    cpu, start = children_seconds(), time.perf_counter()
    command = [*program, "--set", *settings]
    done = subprocess.run(command, env={**os.environ, **environment}, capture_output=True, text=True, check=False)
    wall = time.perf_counter() - start
    if done.returncode:
        raise UserError(f"run.py failed: {done.stderr.strip().splitlines()[-1]}")
    steps = re.search(r"^step 0: .*$", done.stdout, re.MULTILINE)
    return wall, children_seconds() - cpu, steps[0] if steps else ""


def timed_photos(photos, params, repeats):
    """Score photos again and again: `Measured` wall seconds, CPU seconds, and those of the network."""
    detector = SvmDetector(params)
    score_image(photos[0], detector, params)
    wall, cpu, network = Measured(), Measured(), Measured()
    for _ in range(repeats):
        for photo in photos:
            start, start_cpu = time.perf_counter(), time.process_time()
            scored = score_image(photo, detector, params)
            wall.seconds.append(time.perf_counter() - start)
            cpu.seconds.append(time.process_time() - start_cpu)
            network.seconds.append(scored.seconds["network"])
    return wall, cpu, network


def photo_rows(params, repeats):
    """The rows of single photos."""
    photos = [read_image(image.path) for image in list_images(params, ("testImages",))]
    large = [cv2.resize(photo, (SIDE, SIDE), interpolation=cv2.INTER_AREA) for photo in photos]
    many = params.replace(cntk_nrRois=NR_ROIS)
    jobs = {f"one photo, {params.cntk_nrRois} ROIs, {params.network_threads} threads": (photos, params)}
    for threads in sorted({1, params.network_threads}):
        name = f"{SIDE} x {SIDE} pixels, {NR_ROIS} ROIs, {threads} thread{'s' * (threads > 1)}"
        jobs[name] = large, many.replace(network_threads=threads)
    for name, job in jobs.items():
        wall, cpu, network = timed_photos(*job, repeats)
        yield [name, wall.text(), number(cpu.median, 3), f"network {network.median:.3f}"]


def main(arguments, program=PROGRAM):
    announce()
    table = [["what", "seconds (fastest-slowest)", "CPU seconds", "of which"]]
    with tempfile.TemporaryDirectory() as folder:
        for name in ("first run, nothing compiled", "from an empty proc/"):
            places = [f"{place}RootDir={folder}/{place} {name.split()[0]}" for place in ("proc", "results")]
            settings = [*arguments.settings, *places]
            wall, cpu, steps = timed_run(program, settings, {"NUMBA_CACHE_DIR": f"{folder}/compiled"})
            table.append([name, number(wall, 1), number(cpu, 1), steps])
        table += photo_rows(load_parameters(settings), arguments.repeats)
    print(format_table(table))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="turns on every photo (default 3)")
    options = parser.parse_args()
    run_script(lambda: main(options))
