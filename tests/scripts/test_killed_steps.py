"""Protects what a killed step leaves behind: no half-written file that a later step accepts, and a rerun that continues
with what is missing and ends with the same bytes as an undisturbed run.

A second interpreter loads the steps once and forks a child for each moment. The child kills itself with SIGKILL, which
nothing can catch, at an exact moment: just before or after it renames its n-th finished file, or with half of that file
written. A last test kills the parallel search of step 1 from outside, with all its processes.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time

import pytest
from project import ROOT
from tiny import run_steps, tiny_params

from helpers.artifacts.steps import DETECTIONS, FEATURES, INPUTS, ROIS, SVMS, require
from helpers.base.errors import UserError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(os, "fork"), reason="needs os.fork and SIGKILL: Linux, macOS"),
]
SCRIPTS = ("1_computeRois", "2_computeCntkInputs", "3_runNetwork", "4_trainSvm", "5_evaluate")

KILLER = """
import importlib, json, os, signal, sys

from tiny import tiny_params
from pathlib import Path

rename = os.replace


def kill_self_at(number, when, suffix):
    seen = 0

    def replace(source, target):
        nonlocal seen
        seen += str(target).endswith(suffix)
        now = seen == number and str(target).endswith(suffix)
        if now and when == "half":
            os.truncate(source, os.path.getsize(source) // 2)
        if now and when != "after":
            os.kill(os.getpid(), 9)
        rename(source, target)
        if now:
            os.kill(os.getpid(), 9)

    os.replace = replace


scripts = {name: importlib.import_module(name) for name in sys.argv[1:]}
for line in sys.stdin:
    folder, script, number, when, suffix = json.loads(line)
    child = os.fork()
    if child == 0:
        kill_self_at(number, when, suffix)
        scripts[script].main(tiny_params(Path(folder)))
        os._exit(0)
    print("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def kill_at():
    """A function that runs a step of 1 to 5 in a folder and kills it at a moment; checks that it died of that."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, (ROOT, ROOT / "tests")))}
    command = [sys.executable, "-c", KILLER, *SCRIPTS]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as process:

        def kill(folder, step, number, when, suffix):
            process.stdin.write(json.dumps([str(folder), SCRIPTS[step - 1], number, when, suffix]) + "\n")
            process.stdin.flush()
            answer = next((line for line in process.stdout if line.startswith("status ")), "no answer")
            assert answer == f"status {-signal.SIGKILL}\n", "the step must die at this moment and not before or never"

        yield kill
        process.stdin.close()


def tree(folder):
    """Relative path -> (time of the last change, bytes), without the temporary files of whoever was killed."""
    return {
        path.relative_to(folder).as_posix(): (path.stat().st_mtime_ns, path.read_bytes())
        for path in folder.rglob("*")
        if path.is_file() and not path.name.startswith(".")
    }


def until(finished, folder, step):
    """Copy data and what the steps before `step` wrote."""
    parts = {1: [], 2: ["rois"], 3: ["rois"], 4: ["rois", "cntkFiles"], 5: ["rois", "cntkFiles", "trainedSVMs"]}[step]
    shutil.copytree(finished / "data", folder / "data")
    for part in parts:
        shutil.copytree(finished / "proc/tiny" / part, folder / "proc/tiny" / part)
    if step == 3:
        shutil.copytree(
            finished / "proc/tiny/cntkFiles", folder / "proc/tiny/cntkFiles", ignore=lambda _, names: [
                name for name in names if "parsed" in name
            ]
        )  # fmt: skip


MOMENTS = [
    (1, 1, "before", ".roi.txt"), (1, 1, "after", ".roi.txt"), (1, 4, "half", ".roi.txt"), (1, 7, "after", ".roi.txt"),
    (1, 1, "after", "record.json"), (1, 2, "before", "record.json"),
    (2, 1, "half", "train.txt"), (2, 1, "before", "train.nrRois.txt"), (2, 1, "after", "train.rois.txt"),
    (2, 1, "half", "test.rois.txt"), (2, 2, "before", "record.json"),
    (3, 1, "half", ".dat.npz"), (3, 3, "after", ".dat.npz"), (3, 6, "before", ".dat.npz"), (3, 7, "after", ".dat.npz"),
    (3, 1, "before", "parsed.json"), (3, 2, "before", "parsed.json"),
    (4, 1, "after", "svmweights_exp1.txt"), (4, 1, "half", "boxregression_exp1.npz"), (4, 2, "before", "exp1.json"),
    (5, 1, "half", "test_svm.tsv"), (5, 1, "after", "test_svm.tsv"), (5, 1, "before", "confusion.png"),
]  # fmt: skip


@pytest.mark.parametrize(("step", "number", "when", "suffix"), MOMENTS)
def test_a_killed_step_is_not_accepted_and_continues(tiny_finished, tmp_path, kill_at, step, number, when, suffix):
    until(tiny_finished, tmp_path, step)
    whole, proc, params = tree(tiny_finished / "proc"), tmp_path / "proc", tiny_params(tmp_path)
    kill_at(tmp_path, step, number, when, suffix)

    left = tree(proc)
    assert left.keys() <= whole.keys()
    assert [path for path in left if "record" not in path and left[path][1] != whole[path][1]] == [], "half a file"
    if step < 5:
        with pytest.raises(
            UserError, match=rf"{SCRIPTS[step - 1]}.py (has not finished: run it again|first)|has no fi"
        ):
            run_steps(params, step + 1)

    run_steps(params, step)
    after = tree(proc)
    done = [path for path in left if path.endswith((".roi.txt", ".dat.npz"))]
    again = [path for path in done if after[path] != left[path]]
    assert len(again) <= 1, "what was done is not done again, but for a file whose name was not noted yet"
    assert {path: data for path, (_, data) in after.items()} == {path: whole[path][1] for path in after}
    hidden = {path.name for folder in (proc, tmp_path / "results") for path in folder.rglob(".*")}
    assert hidden <= {".fingerprints.json"}, "no temporary file"
    require(params, (ROIS, INPUTS, FEATURES, SVMS, DETECTIONS)[step - 1])


@pytest.mark.parametrize("when", ["before", "after"])
def test_a_step_killed_while_it_replaces_stale_files(tiny_finished, tmp_path, kill_at, when):
    # the second run has other parameters: nothing of the first may survive, whenever the second one dies
    until(tiny_finished, tmp_path, 1)
    run_steps(tiny_params(tmp_path, roi_maxImgDim=100), 1)
    kill_at(tmp_path, 1, 2, when, "record.json")
    run_steps(tiny_params(tmp_path), 1)
    whole = tree(tiny_finished / "proc/tiny/rois")
    assert {path: data for path, (_, data) in tree(tmp_path / "proc/tiny/rois").items()} == {
        path: data for path, (_, data) in whole.items()
    }


def test_killed_with_all_its_processes(tiny_finished, tmp_path):
    until(tiny_finished, tmp_path, 1)
    params = tiny_params(tmp_path)
    code = "import importlib, sys; from tiny import tiny_params; from pathlib import Path; "
    code += "importlib.import_module('1_computeRois').main(tiny_params(Path(sys.argv[1])))"
    paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    environment = {**os.environ, "PYTHONPATH": paths, "LOKY_MAX_CPU_COUNT": "2"}
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(tmp_path)], env=environment, start_new_session=True,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    deadline = time.monotonic() + 120
    while not (left := list(params.roi_dir.glob("*/[!.]*.roi.txt"))) and time.monotonic() < deadline:
        assert process.poll() is None
        time.sleep(0.002)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    assert left
    before = tree(params.roi_dir)
    run_steps(params, 1)
    after, whole = tree(params.roi_dir), tree(tiny_finished / "proc/tiny/rois")
    again = [path for path in before if path.endswith(".roi.txt") and after[path] != before[path]]
    assert len(again) <= 1, "what was done is not done again, but for a file whose name was not noted yet"
    assert {path: data for path, (_, data) in after.items()} == {path: data for path, (_, data) in whole.items()}
