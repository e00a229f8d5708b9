"""Protects how every script starts and ends: that it finds its environment, that no Python is too old to be told so,
that signals, closed pipes, full disks and odd locales end in one line or in none, and that no temporary file is left.

Small scripts stand for the real ones where only the frame matters; a real one would import packages for seconds.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from importlib.metadata import distribution

import pytest
from child_scripts import posix, run, script
from project import ROOT

from helpers.base.start import PACKAGES

FRAME = ("__init__.py", "base/__init__.py", "base/errors.py", "base/start.py", "base/memory.py", "base/streams.py")


# --- which Python ---


@pytest.fixture
def bare(tmp_path):
    """A copy of one script and what it starts with, in a folder without .venv."""
    (tmp_path / "helpers/base").mkdir(parents=True)
    for name in FRAME:
        shutil.copy(ROOT / "helpers" / name, tmp_path / "helpers" / name)
    shutil.copy(ROOT / "0_checkDataset.py", tmp_path)
    return tmp_path


def run_without_packages(folder, *flags, before=""):
    code = (
        f"import runpy, sys; sys.path[:0] = [{str(folder)!r}]; sys.argv = ['0_checkDataset.py', '--help']; {before}\n"
    )
    code += f"runpy.run_path({str(folder / '0_checkDataset.py')!r}, run_name='__main__')"
    return subprocess.run([sys.executable, "-S", *flags, "-c", code], capture_output=True, text=True, check=False)


def test_without_packages_a_script_says_what_to_run_first(bare):
    done = run_without_packages(bare)
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("ERROR: ") and done.stderr.count("\n") == 1
    assert f"python3 {bare / 'run.py'}" in done.stderr and "lacks torch, torchvision, cv2 and" in done.stderr


def test_an_old_python_is_named(bare):
    done = run_without_packages(bare, before="sys.version_info = (3, 9, 2)")
    assert done.returncode == 1 and done.stdout == ""
    assert done.stderr.startswith("ERROR: Python 3.11 or newer is needed") and done.stderr.count("\n") == 1


@posix
@pytest.mark.parametrize("before", ["", "sys.version_info = (3, 9, 2)"])
def test_another_python_hands_over_to_the_environment(bare, before):
    python = bare / ".venv" / "bin" / "python"
    python.parent.mkdir(parents=True)
    python.write_text('#!/bin/sh\necho "environment: $*"\nexit 7\n')
    python.chmod(0o755)
    done = run_without_packages(bare, before=before)
    assert (done.returncode, done.stdout, done.stderr) == (7, f"environment: {bare}/0_checkDataset.py --help\n", "")


def test_what_a_script_looks_for_is_what_is_installed():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    names = [line.split(">=")[0] for line in lines if ">=" in line.split("#")[0]]
    names.remove("setuptools")  # only the installation needs it
    for name in names:
        assert {file.parts[0].removesuffix(".py") for file in distribution(name).files} & set(PACKAGES), name
    assert len(PACKAGES) == len(names)


# --- streams ---


@posix
def test_a_closed_pipe_ends_nothing(tmp_path):
    body = "import os\nfor i in range(20000):\n    print('line', i)\nopen('done', 'w').close()\n"
    path = script(tmp_path, body + "sys.stderr.write('to the end')\n")
    command = f'"{sys.executable}" script.py | head -1; exit ${{PIPESTATUS[0]}}'
    done = subprocess.run(["bash", "-c", command], cwd=path.parent, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "line 0\n", "to the end")
    assert (tmp_path / "done").exists()


@posix
@pytest.mark.parametrize("unbuffered", ["", "1"])
def test_output_that_cannot_be_written_is_an_error(tmp_path, unbuffered):
    path = script(tmp_path, "from helpers.base.script import run_script\nrun_script(print, 'text')\n")
    with open("/dev/full", "w") as full:
        environment = {**os.environ, "PYTHONUNBUFFERED": unbuffered}
        done = run(path, capture_output=False, stdout=full, stderr=subprocess.PIPE, env=environment)
    assert done.returncode == 1
    assert done.stderr.startswith("ERROR: standard output: No space left") and done.stderr.count("\n") == 1


def test_an_error_begins_its_line_where_a_progress_bar_was(tmp_path):
    body = """
from tqdm import tqdm
from helpers.base.errors import UserError
from helpers.base.script import run_script
def rows():
    for number in tqdm(range(9), desc="rows"):
        yield number
def main():
    listed = rows()
    for number in listed:
        if number == 3:
            raise UserError("row 3")
run_script(main)
"""
    done = run(script(tmp_path, body))
    assert done.returncode == 1 and done.stderr.endswith("\nERROR: row 3\n") and "rows" in done.stderr


def test_any_text_can_be_printed_in_any_locale(tmp_path):
    path = script(tmp_path, "print('caf\\udce9 \\u732b')\nsys.stderr.write('\\u732b')\n")
    for encoding in ("ascii", "latin-1", "utf-8"):
        done = run(path, env={**os.environ, "PYTHONIOENCODING": encoding, "LC_ALL": "C"}, text=False)
        assert done.returncode == 0
        cat = "猫".encode("utf-8" if encoding == "utf-8" else "ascii", "backslashreplace")
        assert (done.stdout.split(), done.stderr) == ([b"caf\\udce9", cat], cat)


@posix
@posix
def test_a_current_folder_that_is_gone(tmp_path):
    path = script(tmp_path, "print('ready')")
    (tmp_path / "gone").mkdir()
    code = f"rmdir ../gone; exec {sys.executable} {path}"
    done = subprocess.run(["sh", "-c", code], cwd=tmp_path / "gone", capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr.count("\n")) == (1, "", 1)
    assert done.stderr.startswith("ERROR: the current folder: No such file") and "cd to another" in done.stderr


def test_closed_streams(tmp_path):
    path = script(tmp_path, "print('text')\nprint('text', file=sys.stderr)\n")
    assert subprocess.run(["bash", "-c", f'"{sys.executable}" "{path}" >&- 2>&-'], check=False).returncode == 0


# --- signals ---

ENDINGS = {signal.SIGINT: ("Interrupted", 130), signal.SIGTERM: ("Terminated", 143)}
PHASES = {
    "while packages are imported": "wait()\n",
    "while a file is written": """
from helpers.base.script import run_script
from helpers.base.files import atomic_path
def main():
    with atomic_path("result.txt") as temporary:
        temporary.write_text("half")
        wait()
run_script(main)
""",
    "in a destructor, where exceptions are dropped": """
from helpers.base.script import run_script
class Thing:
    def __del__(self):
        wait()
def main():
    Thing()
    time.sleep(30)
run_script(main)
""",
}
WAIT = """
import time
def wait():
    print("ready", flush=True)
    while True:  # Python's own code as well as a call that waits
        time.sleep(0.001)
"""


@posix
@pytest.mark.parametrize("number", ENDINGS, ids=lambda number: number.name)
@pytest.mark.parametrize("phase", PHASES)
def test_a_signal_ends_in_one_line(tmp_path, phase, number):
    path = script(tmp_path, WAIT + PHASES[phase])
    process = subprocess.Popen([sys.executable, path], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout.readline() == b"ready\n"
    process.send_signal(number)
    _, err = process.communicate(timeout=30)
    word, code = ENDINGS[number]
    assert process.returncode == code
    assert err.decode() == f"{word}. Finished files are kept; run the same command again to continue.\n"
    assert os.listdir(tmp_path) == ["script.py"]


@pytest.mark.slow
@posix
def test_a_second_signal_ends_a_script_that_does_not_come_to_its_end(tmp_path):
    body = (
        "from helpers.base import start\nstart.GRACE_SECONDS = 0.2\nfrom helpers.base.script import run_script\n" + WAIT
    )
    body += "def main():\n    try:\n        wait()\n    finally:\n        wait()\nrun_script(main)\n"
    process = subprocess.Popen([sys.executable, script(tmp_path, body)], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    for _ in range(2):
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        time.sleep(0.3)
    assert process.wait(timeout=30) == 130
    process.communicate()
