"""How much a result depends on the machine: steps 3 to 5 as older processors compute them, and with other threads.

    python3 benchmarks/processors.py --set datasetName=groceryDemo

Libraries choose their instructions by the processor, and can be told to do without the newer ones. Each row runs the
steps in processes of their own, on the same ROIs, in a folder of their own. Printed are measures on the test images and
whether the features of step 3 are byte for byte those of the first row. Run steps 1 and 2 before.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import hashlib
import json
import os
import shutil
import subprocess
import tempfile

sys.path.insert(0, str(Path(__file__).resolve().parent))

from timing import announce

from helpers.artifacts.steps import INPUTS, require
from helpers.base.errors import UserError
from helpers.base.script import run_script
from helpers.base.tables import format_table, number
from helpers.config.command_line import argument_parser
from pipeline.parameters import load_parameters

ROOT = Path(__file__).resolve().parent.parent
STEPS = ("3_runNetwork.py", "4_trainSvm.py", "5_evaluate.py")
PROCESSORS = {  # what torch, oneDNN, MKL and OpenBLAS are told
    "as it is": {},
    "AVX2": {
        "ATEN_CPU_CAPABILITY": "avx2", "ONEDNN_MAX_CPU_ISA": "AVX2", "MKL_ENABLE_INSTRUCTIONS": "AVX2",
        "OPENBLAS_CORETYPE": "Haswell",
    },
    "SSE4": {
        "ATEN_CPU_CAPABILITY": "default", "ONEDNN_MAX_CPU_ISA": "SSE41", "MKL_ENABLE_INSTRUCTIONS": "SSE4_2",
        "OPENBLAS_CORETYPE": "Nehalem",
    },
}  # fmt: skip
CASES = (("as it is", 1), ("as it is", 2), ("AVX2", 1), ("AVX2", 2), ("SSE4", 1))


def run_steps(processor, threads, settings, source, folder):
    """Run the steps in `folder`, from the files of steps 1 and 2 in `source`: measures, and a hash of all features."""
    for name in ("rois", "cntkFiles"):
        shutil.copytree(source.proc_dir / name, folder / source.datasetName / name, ignore=lambda _, names: [
            name for name in names if "parsed" in name
        ])  # fmt: skip
    own = [f"procRootDir={folder}", f"resultsRootDir={folder / 'results'}", f"network_threads={threads}"]
    environment = {**os.environ, **PROCESSORS[processor]}
    for step in STEPS:
        command = [sys.executable, str(ROOT / step), "--set", *settings, *own]
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
        if done.returncode:
            raise UserError(f"{step} on {processor}: {done.stderr.strip().splitlines()[-1]}")
    digest = hashlib.blake2b(digest_size=8)
    for path in sorted((folder / source.datasetName / "cntkFiles").rglob("*.npz")):
        digest.update(path.read_bytes())
    measured = json.loads((folder / "results" / source.datasetName / "evaluation_test_svm.json").read_text())
    return [measured[name] for name in ("mAP", "mAP_0.7", "cocoAP50_95")], digest.hexdigest()


def main(settings):
    announce()
    params = load_parameters([*settings, "classifier=svm"])
    require(params, INPUTS)
    table, first = [["processor", "threads", "mAP@0.5", "mAP@0.7", "AP@0.5:0.95", "features"]], None
    for processor, threads in CASES:
        with tempfile.TemporaryDirectory() as folder:
            measures, digest = run_steps(processor, threads, settings, params, Path(folder))
        first = first or digest
        same = "the same bytes" if digest == first else "other bytes"
        table.append([processor, str(threads), *map(number, measures), same])
        print(f"{processor}, {threads} threads: done", file=sys.stderr)
    print(format_table(table))


if __name__ == "__main__":
    options = argument_parser(__doc__).parse_args()
    run_script(lambda: main(options.settings))
