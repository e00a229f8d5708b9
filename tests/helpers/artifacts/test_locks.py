"""Protects runs in one folder from each other: a step runs once at a time, a second run is told at once who is there,
files are not replaced under a step that reads them, different experiments do not wait for each other, and no killed
process blocks anybody or leaves anything for good.
"""

import os
import signal
import subprocess
import sys
import threading

import pytest
from project import ROOT
from tiny import run_steps, tiny_params

from helpers.artifacts.locks import alone, is_held
from helpers.artifacts.step_run import StepRun
from helpers.artifacts.steps import DETECTIONS, FEATURES, INPUTS, ROIS, SVMS, require
from helpers.base.errors import UserError

HOLDER = """
import sys
from pathlib import Path
from tiny import tiny_params
from helpers.artifacts.step_run import StepRun

with StepRun(tiny_params(Path(sys.argv[1])), sys.argv[2]) as run:
    print("running", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def other_process():
    """A function of a folder and a step: another process that is in the middle of that step."""
    started = []

    def start(folder, step):
        paths = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
        process = subprocess.Popen(
            [sys.executable, "-c", HOLDER, str(folder), step], env={**os.environ, "PYTHONPATH": paths},
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        started.append(process)
        assert process.stdout.readline() == "running\n"
        return process

    yield start
    for process in started:
        process.communicate("")


def hidden(folder):
    """Names of hidden files but for the memory of fingerprints, which stays."""
    return sorted(path.name for path in folder.rglob(".*") if path.name != ".fingerprints.json")


@pytest.mark.slow
def test_the_second_run_is_told_who_holds_the_step(finished, other_process):
    params = tiny_params(finished)
    process = other_process(finished, SVMS)
    owner = rf"process {process.pid} on \S+, since 20\d\d-\d\d-\d\d \d\d:\d\d:\d\d"
    with pytest.raises(UserError, match=f"^4_trainSvm.py is running here already, {owner}; wait until it has ended$"):
        run_steps(params, 4)
    run_steps(params.replace(experimentName="exp2"), 4)  # another experiment trains beside it
    for number in (1, 2, 3):
        run_steps(params, number)  # nothing is to be done there, so they touch nothing
    with pytest.raises(UserError, match=f"^4_trainSvm.py is running, {owner}, and reads files that 3_runNetwork.py wo"):
        run_steps(params.replace(train_mirrored=False), 3)
    with pytest.raises(UserError, match="reads files that 2_computeCntkInputs.py would replace now; wait until"):
        run_steps(params.replace(cntk_nrRois=20), 2)
    require(params, FEATURES)
    run_steps(params, 5)  # the other process has not begun to write
    process.communicate("")
    assert hidden(finished / "proc") == []
    run_steps(params, 4)


def test_a_reader_is_told_that_the_writer_is_running(finished):
    params = tiny_params(finished)
    with StepRun(params, SVMS) as run:
        run.start({"bias": params.svm_dir / "svmbias_exp1.txt"}, keep=False)
        with pytest.raises(UserError, match="4_trainSvm.py is running now, process .*: wait until it has finished"):
            run_steps(params, 5)
    with pytest.raises(UserError, match="4_trainSvm.py has not finished: run it again, it continues where it stopped"):
        run_steps(params, 5)


@pytest.mark.slow
def test_a_killed_process_blocks_nobody(finished, other_process):
    params = tiny_params(finished)
    process = other_process(finished, ROIS)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert len(hidden(finished / "proc")) == 2, "its lock and its name are left"
    run_steps(params, 1)
    assert hidden(finished / "proc") == []


@pytest.mark.parametrize("step", [ROIS, INPUTS, FEATURES, SVMS, DETECTIONS])
def test_a_step_that_fails_lets_go(finished, step):
    params = tiny_params(finished)
    with pytest.raises(ZeroDivisionError), StepRun(params, step):
        raise ZeroDivisionError
    with StepRun(params, step):
        pass
    assert hidden(finished / "proc") == []


def test_many_at_once_hold_a_lock_one_after_the_other(tmp_path):
    inside, seen, refused = [], [], []

    def hold():
        for _ in range(15):
            try:
                with alone(tmp_path / "locks", "a", "script"):
                    inside.append(1)
                    seen.append(len(inside))
                    inside.pop()
            except UserError:
                refused.append(1)

    threads = [threading.Thread(target=hold) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(seen) == {1} and len(seen) + len(refused) == 60
    assert not is_held(tmp_path / "locks", "a")
    assert list(tmp_path.iterdir()) == [], "the folder was made for the locks alone"


def test_owners_that_make_no_sense_are_no_reason_to_stop(finished):
    params = tiny_params(finished)
    for number, text in enumerate(("", "null", "[]", '{"reads": 3}', "[" * 100_000, '{"script": 1, "process": 2}')):
        (params.proc_dir / f".x{number}.owner").write_text(text)
    run_steps(params.replace(cntk_nrRois=20), 2)
