"""What it costs to find exchanged and edited feature files: python3 benchmarks/fingerprints.py [--files 500] [--mb 10]

Writes files as step 3 does, and prints the seconds of the processor that it takes to write them, to read their bytes
alone, to read them with numpy alone, to read them as step 4 does in each round of mining, to take their fingerprints,
as each step does once, and, for comparison, to hash all bytes. The files lie in a temporary folder, removed at the end.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import argparse
import hashlib
import tempfile
import time

import numpy as np

from benchmarks.timing import announce
from helpers.artifacts.feature_files import read_features
from helpers.base.files import write_arrays
from helpers.base.fingerprints import arrays_fingerprint
from helpers.base.script import run_script
from helpers.base.tables import format_table


def seconds(actions, paths):
    """Seconds of the processor that each action takes for all paths: a dict as `actions`. They take turns."""
    taken = dict.fromkeys(actions, 0.0)
    for path in paths:
        for name, action in actions.items():
            start = time.process_time()
            action(path)
            taken[name] += time.process_time() - start
    return taken


def _numpy_alone(path):
    with np.load(path) as arrays:
        return arrays["arr_0"]


def main(arguments):
    announce()
    random = np.random.default_rng(0)
    features = random.normal(size=(arguments.mb * 10**6 // 27648, 13824)).astype(np.float16)  # (R, D) of SqueezeNet
    with tempfile.TemporaryDirectory() as folder:
        paths = [Path(folder, f"{index}.dat.npz") for index in range(arguments.files)]
        actions = {
            "writing": lambda path: write_arrays(path, arr_0=features),
            "reading the bytes": Path.read_bytes,
            "reading with numpy alone": _numpy_alone,
            "reading as step 4 does": lambda path: read_features(path, len(features)),
            "fingerprints": arrays_fingerprint,
            "hashing all bytes": lambda path: hashlib.blake2b(path.read_bytes()).digest(),
        }
        rows = seconds(actions, paths)
    print(f"{arguments.files} files of {features.nbytes / 1e6:.0f} MB")
    print(format_table([["", "seconds of the processor"], *([name, f"{value:.2f}"] for name, value in rows.items())]))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--files", type=int, default=500)
    parser.add_argument("--mb", type=int, default=10, help="megabytes of a file")
    options = parser.parse_args()
    run_script(lambda: main(options))
