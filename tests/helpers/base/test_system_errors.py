"""Protects how scripts end when the operating system refuses something: one line with the path and what to do, whatever
the refusal and whoever meets it, and no half-written file; while a bug keeps its traceback."""

import os

import pytest
from child_scripts import posix, run, script
from project import ROOT

from helpers.base.errors import UserError, ending
from helpers.base.files import write_text


def refused(attempt):
    """The one line for what an attempt raises."""
    with pytest.raises((OSError, MemoryError, RuntimeError)) as caught:
        attempt()
    line, code = ending(caught.value)
    assert code == 1 and line.startswith("ERROR: ") and "\n" not in line
    return line


def test_each_refusal_names_the_path_and_what_to_do(tmp_path):
    file = tmp_path / "line\nbreak"
    file.write_text("")
    assert "line\\nbreak" in refused(lambda: (file / "x").write_text("")) and "\n" not in refused(file.mkdir)
    assert "choose a shorter name" in refused(lambda: (tmp_path / ("x" * 300)).write_text(""))
    assert "a folder is in the way" in refused(lambda: tmp_path.write_text(""))
    assert "a file is in the way of a folder" in refused(lambda: os.mkdir(file))
    assert f"{tmp_path}/a -> {tmp_path}/b: No such file" in refused(lambda: os.rename(tmp_path / "a", tmp_path / "b"))
    assert "not enough memory" in refused(lambda: bytearray(1 << 60))


def test_what_libraries_say_of_memory_is_understood():
    import torch

    assert "not enough memory" in refused(lambda: torch.empty(1 << 50))


def test_bugs_keep_their_traceback(tmp_path):
    assert ending(ValueError("x")) is None and ending(OSError("cannot identify image file")) is None
    assert ending(UserError("two\nlines \udce9")) == ("ERROR: two\\nlines \\xe9", 1)
    done = run(script(tmp_path, "from helpers.base.script import run_script\nrun_script(lambda: 1 / 0)\n"))
    assert done.returncode == 1 and "Traceback" in done.stderr and "ZeroDivisionError" in done.stderr


@posix
def test_a_full_disk_and_too_many_open_files(tmp_path):
    limited = """
import resource
from helpers.base.script import run_script
from helpers.base.files import write_arrays, write_text
def main():
    if sys.argv[1] == "files":
        resource.setrlimit(resource.RLIMIT_NOFILE, (8, 8))
        kept = [open("/dev/null") for _ in range(9)]
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
    import numpy as np
    if sys.argv[1] == "arrays":
        write_arrays("result.npz", arr_0=np.zeros(5000))
    write_text("result.txt", "x" * 5000)
run_script(main)
"""
    path = script(tmp_path, limited)
    for what, name in (("arrays", "result.npz: "), ("text", "result.txt: File too large; make room"),
                       ("files", "/dev/null: Too many open files; allow more")):  # fmt: skip
        done = run(path, what, cwd=tmp_path)
        assert done.returncode == 1 and done.stderr.startswith(f"ERROR: {name}") and done.stderr.count("\n") == 1, done
        assert os.listdir(tmp_path) == ["script.py"]


@posix
def test_a_pipe_or_a_device_is_not_replaced_by_a_file(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UserError, match="pipe: cannot be written, it is a device; name a file"):
        write_text(tmp_path / "pipe", "text")
    assert (tmp_path / "pipe").is_fifo()


@pytest.mark.slow
def test_a_step_without_a_place_for_its_files(tiny_data):
    settings = f"datasetName=tiny networkWeights=random dataRootDir={tiny_data / 'data'} procRootDir={os.devnull}"
    done = run(ROOT / "1_computeRois.py", "--set", *settings.split())
    assert done.returncode == 1 and done.stderr.count("\n") == 1
    assert done.stderr.startswith(f"ERROR: {os.devnull}") and "a file is in the way of a folder" in done.stderr


@pytest.mark.slow
@posix
def test_a_full_disk_while_a_model_or_a_checkpoint_is_written(tmp_path):
    body = """
import resource, torch
from helpers.base.script import run_script
from helpers.artifacts.model_files import write_checkpoint, write_model
from pipeline.parameters import load_parameters
def main():
    state, params = {"a": torch.zeros(9000)}, load_parameters()
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))
    if sys.argv[1] == "model":
        write_model("result", state, params, {})
    write_checkpoint("result", torch.save, state)
run_script(main)
"""
    path = script(tmp_path, body)
    for what in ("model", "checkpoint"):
        done = run(path, what, cwd=tmp_path)
        assert done.returncode == 1 and done.stderr.startswith("ERROR: result: File too large; make room"), done
        assert done.stderr.count("\n") == 1 and os.listdir(tmp_path) == ["script.py"]
