"""What it costs each step to see that no image has changed: python3 benchmarks/image_fingerprints.py [--files 2000]

Makes a data set of files with random bytes, and prints the seconds (clock, processor) that a step needs to look at all
of them: by reading each twice, as steps did before; by reading each once, as the first step does; and by the sizes and
times that are remembered, as the steps after it do. The files lie in a temporary folder, removed at the end; they are
in the memory of the system, so a slower disk makes the first two slower. The contenders take turns.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import argparse
import os
import statistics
import tempfile
import time

from benchmarks.timing import announce
from helpers.artifacts.steps import expected_records
from helpers.base.fingerprints import RESTED, fingerprint
from helpers.base.script import run_script
from helpers.base.tables import format_table
from helpers.config.groups import ROIS
from helpers.dataset.image_files import list_folder_images
from pipeline.parameters import load_parameters

TURNS = 5


def make_data_set(folder, nr_files, nr_bytes):
    """Files that are called images, half of them with a box."""
    for index in range(nr_files):
        path = folder / ("positive" if index % 2 else "testImages") / f"{index}.jpg"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(os.urandom(nr_bytes))
        rested = time.time_ns() - 2 * RESTED
        os.utime(path, ns=(rested, rested))


def read_twice(params):
    for _ in range(2):
        for image in list_folder_images(params.image_dir):
            fingerprint(image.path)


def read_once(params):
    params.fingerprints_file.unlink(missing_ok=True)
    expected_records(params, ROIS)


def remember(params):
    """A step's two looks: at what it is made from, and at what the steps before it were made from."""
    for _ in range(2):
        expected_records(params, ROIS)


def timed(action, params):
    clock, processor = time.perf_counter(), time.process_time()
    action(params)
    return time.perf_counter() - clock, time.process_time() - processor


def main(arguments):
    announce()
    with tempfile.TemporaryDirectory() as folder:
        make_data_set(Path(folder, "data", "many"), arguments.files, arguments.kb * 1000)
        time.sleep(RESTED / 1e9 + 0.5)  # until the files count as unchanged
        places = [f"dataRootDir={folder}/data", f"procRootDir={folder}/proc", f"resultsRootDir={folder}/results"]
        params = load_parameters(["datasetName=many", "classes=thing", *places])
        params.proc_dir.mkdir(parents=True)
        actions = {"reading each twice": read_twice, "reading each once": read_once, "remembered": remember}
        seconds = {name: [] for name in actions}
        for _ in range(TURNS):
            for name, action in actions.items():
                seconds[name].append(timed(action, params))
    print(f"{arguments.files} files of {arguments.kb} kB, medians of {TURNS} turns")
    rows = [
        [name, *(f"{statistics.median(column):.3f}" for column in zip(*turns, strict=True))]
        for name, turns in seconds.items()
    ]
    print(format_table([["", "seconds", "of the processor"], *rows]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=2000)
    parser.add_argument("--kb", type=int, default=500, help="kilobytes of a file")
    options = parser.parse_args()
    run_script(lambda: main(options))
