"""Protects how soon scripts start: packages that take seconds to import are imported by what computes with them."""

import subprocess
import sys

import pytest
from project import ROOT

HEAVY = ("torch", "torchvision", "sklearn", "numba", "tensorboard", "onnx", "onnxruntime", "skimage")
WITHOUT = (  # scripts that need none of them until they compute
    "0_checkDataset", "1_computeRois", "2_computeCntkInputs", "4_trainSvm", "5_evaluate", "5_visualize",
    "B1_evaluateRois", "B2_visualizeInputs", "B3_analyzeInputs", "A1_annotateImages", "A2_annotateLabels", "run",
    "importAnnotations", "exportAnnotations", "findDuplicates", "newDataset", "listCocoCategories", "getData",
)  # fmt: skip
WITH_COMPILER = ("4_trainSvm", "5_evaluate")  # numba, whose functions they run
CODE = """
import importlib, sys, time
sys.path[:0] = [{root!r}, {root!r} + "/tools"]
importlib.import_module({name!r})
print(*(name for name in {heavy!r} if name in sys.modules), sep=",")
print(time.process_time())
"""


def started(name):
    """(heavy packages that are there once a script is imported, CPU seconds)."""
    code = CODE.format(root=str(ROOT), name=name, heavy=HEAVY)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=ROOT)
    packages, seconds = done.stdout.splitlines()[-2:]
    return set(filter(None, packages.split(","))), float(seconds)


@pytest.mark.slow
@pytest.mark.parametrize("name", WITHOUT)
def test_nothing_heavy_is_imported(name):
    packages, seconds = started(name)
    assert packages <= ({"numba"} if name in WITH_COMPILER else set())
    assert seconds < 3, "CPU seconds; about half a second on an idle machine"


@pytest.mark.slow
def test_steps_1_and_2_run_without_torch(tiny):
    code = f"""
import sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from pathlib import Path
from tiny import run_steps, tiny_params
run_steps(tiny_params(Path({str(tiny)!r})), 1, 2)
print({{"torch", "torchvision", "sklearn"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["3_runNetwork", "6_scoreImage", "7_exportModel"])
def test_the_default_network_needs_no_torchvision(name):
    packages, _ = started(name)
    assert packages <= {"torch", "numba"}


@pytest.mark.slow
def test_steps_3_and_6_run_without_torchvision(tiny):
    code = f"""
import importlib, sys
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from pathlib import Path
from tiny import run_steps, tiny_params
params = tiny_params(Path({str(tiny)!r}), network="efficientnet_lite0")
run_steps(params, 1, 2, 3, 4)
importlib.import_module("6_scoreImage").main(params, [str(params.image_dir / "testImages")])
print({{"torchvision", "torch._dynamo", "sklearn"}} & set(sys.modules))
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "set()"
