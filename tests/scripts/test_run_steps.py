"""Protects the sequence that run.py runs: which steps in which order with which arguments, from any folder, in a folder
with spaces in its name, and that every failure ends it with one line that says what failed.

run.py is copied into a folder of scripts that only write down how they were called, with an environment of its own that
has no packages.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import venv

import pytest
from project import ROOT
from set_up import count_as_set_up

STEP = """import json, sys
from pathlib import Path
with open(Path(__file__).parent / "calls", "a") as file:
    file.write(json.dumps([Path(__file__).name, sys.argv[1:]]) + "\\n")
trouble = Path(__file__).parent / "trouble"
if trouble.exists() and trouble.read_text() == Path(__file__).name:
    sys.exit(3)
"""
PARAMETERS = """import sys
from pathlib import Path
from types import SimpleNamespace
from helpers.base.errors import UserError
def load_parameters(settings):
    values = {"classifier": "svm", **dict(setting.split("=") for setting in settings)}
    if "bad" in values:
        raise UserError("bad: unknown parameter")
    root = Path(values.get("dataRootDir", Path(__file__).resolve().parents[1])).resolve()
    return SimpleNamespace(
        imageSet="test", classifier=values["classifier"], image_dir=root / "photos", results_dir=root / "results"
    )
"""
NEEDS = """import sys
from helpers.base.errors import UserError
from helpers.base.script import run_script
def main():
    if "classifier=big" in sys.argv:
        print("downloading")
        raise UserError("no room for step 3")
run_script(main)
"""
SOURCES = """from types import SimpleNamespace
from helpers.base.errors import UserError
def list_images(params, parts):
    (folder,) = (params.image_dir / part for part in parts)
    if not folder.is_dir():
        raise UserError("no such folder")
    names = sorted(file for file in folder.iterdir() if file.suffix.lower() in (".jpg", ".png"))
    return [SimpleNamespace(path=name) for name in names]
"""


@pytest.fixture(scope="module")
def environment(tmp_path_factory):
    """An environment without packages, made once."""
    path = tmp_path_factory.mktemp("environment") / ".venv"
    venv.create(path, with_pip=False, symlinks=os.name != "nt")
    return path


@pytest.fixture
def project(tmp_path, environment):
    """A copy of run.py, set up, among steps that write down their arguments; data with two test images."""
    home = tmp_path / "my photos & co"
    for folder in ("helpers/base", "helpers/config", "helpers/dataset", "pipeline", "photos/testImages", "results"):
        (home / folder).mkdir(parents=True)
    for package in ("helpers", "helpers/base", "helpers/config", "helpers/dataset", "pipeline"):
        (home / package / "__init__.py").touch()
    shutil.copy(ROOT / "run.py", home)
    shutil.copytree(environment, home / ".venv", symlinks=True)
    (home / "requirements.txt").write_text("")
    (home / "pyproject.toml").write_text("[project]\n")
    for name in ("errors", "memory", "script", "start", "streams"):
        shutil.copy(ROOT / "helpers/base" / f"{name}.py", home / "helpers/base")
    (home / "pipeline/needs.py").write_text(NEEDS)
    (home / "pipeline/parameters.py").write_text(PARAMETERS)
    (home / "helpers/dataset/sources.py").write_text(SOURCES)
    run = count_as_set_up(home, "requirements.txt")
    for script in (*(script for script, _ in run.STEPS.values()), "5_visualize.py"):
        (home / script).write_text(STEP)
    for name in ("notes.txt", "b.JPG", "a.png"):
        (home / "photos" / "testImages" / name).touch()
    (home / "results" / "evaluation_test_svm.tsv").write_text("class\tAP\norange\t0.5\n")
    return home


def execute(project, *arguments, cwd=None):
    """Run run.py as a user does; the finished process and the scripts called with their arguments."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    process = subprocess.run(
        [sys.executable, str(project / "run.py"), *arguments],
        cwd=cwd or project.parent, env=environment, capture_output=True, encoding="utf-8", check=False,
    )  # fmt: skip
    calls = project / "calls"
    rows = calls.read_text().splitlines() if calls.exists() else []
    return process, [json.loads(row) for row in rows]


def scripts(calls):
    return [script for script, _ in calls]


def test_all_steps_in_order(project):
    process, calls = execute(project, "--set", "a=1", "b=two words", "--set", "c=3")
    assert process.returncode == 0, process.stderr
    numbers = [script[0] for script in scripts(calls)]
    assert numbers == list("01234556") and scripts(calls)[5:7] == ["5_evaluate.py", "5_visualize.py"]
    settings = ["--set", "a=1", "b=two words", "c=3"]
    image = str(project / "photos" / "testImages" / "a.png")  # the first one, and no other file
    assert [arguments for _, arguments in calls] == [settings] * 7 + [[image, *settings]]
    lines = process.stdout.splitlines()
    assert [line[:13] for line in lines if line.startswith("[step")] == [f"[step {number} of 6]" for number in range(7)]
    assert any(line.startswith("step 0: ") and "together" in line for line in lines)
    assert [line.split() for line in lines if "orange" in line] == [["orange", "0.5"]]
    assert str(project / "results" / "visualizations" / "test_svm") in process.stdout


@pytest.mark.parametrize(
    "arguments, expected",
    [
        (["--from", "3", "--to", "4"], "34"),
        (["--from", "6"], "6"),
        (["--to", "0"], "0"),
        (["--from", "2", "--to", "2"], "2"),
        (["--set", "classifier=nn", "--from", "3", "--to", "5"], "355"),  # 4 is for SVMs only
    ],
)
def test_some_steps(project, arguments, expected):
    process, calls = execute(project, *arguments)
    assert process.returncode == 0, process.stderr
    assert "".join(script[0] for script in scripts(calls)) == expected
    assert ("orange" in process.stdout) == (expected == "34556")  # no table of an evaluation that was not run


def test_no_test_image(project):
    shutil.rmtree(project / "photos")
    assert execute(project, "--from", "6")[1] == [["6_scoreImage.py", []]]


def test_steps_in_the_wrong_order(project):
    process, calls = execute(project, "--from", "5", "--to", "3")
    assert calls == [] and process.returncode != 0 and "--to" in process.stderr


@pytest.mark.parametrize("script", ["2_computeCntkInputs.py", "5_visualize.py"])
def test_a_failing_step_stops_the_sequence(project, script):
    (project / "trouble").write_text(script)
    process, calls = execute(project)
    assert process.returncode != 0
    assert scripts(calls)[-1] == script
    message = process.stderr.strip()
    assert "\n" not in message and script in message
    assert "together" not in process.stdout


def test_a_failing_step_gives_its_exit_code(project):
    (project / "trouble").write_text("2_computeCntkInputs.py")
    assert execute(project)[0].returncode == 3


def test_a_wrong_parameter_runs_nothing(project):
    process, calls = execute(project, "--set", "bad=1")
    assert process.returncode == 1 and calls == []
    assert process.stderr == "ERROR: bad: unknown parameter\n"


def test_what_later_steps_need_is_looked_at_before_step_0(project):
    process, calls = execute(project, "--set", "classifier=big")
    assert (process.returncode, calls) == (1, [])
    assert process.stderr == "downloading\nERROR: no room for step 3\n"
    assert scripts(execute(project, "--to", "0", "--set", "classifier=big")[1]) == ["0_checkDataset.py"]


def test_relative_paths_mean_the_same_everywhere(project, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    (elsewhere / "data" / "photos" / "testImages").mkdir(parents=True)
    image = elsewhere / "data" / "photos" / "testImages" / "c.jpg"
    image.touch()
    calls = execute(project, "--from", "6", "--set", "dataRootDir=data", cwd=elsewhere)[1]
    assert calls == [["6_scoreImage.py", [str(image), "--set", "dataRootDir=data"]]]


SLOW = """import os, sys, time
sys.path.insert(0, {home!r})
from helpers.base.start import start
start(False)
from helpers.base.script import run_script
def main():
    try:
        print("ready", flush=True)
        time.sleep(30)
    finally:
        time.sleep(0.5)
        print("tidied up", flush=True)
run_script(main)
"""


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="signals")
@pytest.mark.parametrize("number, code", [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
@pytest.mark.parametrize("whole_group", [True, False])
def test_a_signal_lets_the_step_tidy_up_and_is_one_line(project, number, code, whole_group):
    (project / "0_checkDataset.py").write_text(SLOW.format(home=str(project)))
    command = [sys.executable, str(project / "run.py")]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    )
    while process.stdout.readline() != "ready\n":
        assert process.poll() is None
    (os.killpg if whole_group else os.kill)(process.pid, number)
    out, err = process.communicate(timeout=20)
    assert (process.returncode, out) == (code, "tidied up\n")
    assert err.count("\n") == 1 and err.startswith(("Interrupted.", "Terminated."))


def test_a_parameter_without_set_is_told_where_it_belongs(project):
    process, calls = execute(project, "datasetName=cups")
    assert process.returncode == 2 and calls == []
    assert "python3 run.py --set datasetName=cups" in process.stderr.splitlines()[-1]
