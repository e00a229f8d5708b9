"""Protects benchmarks/first_run.py and benchmarks/runtimes.py: that they run to their tables, on what they say, and
that a failing run is no fast one. No test looks at seconds."""

import re
import sys
from argparse import Namespace

import pytest
import torch
from tiny import tiny_params

from benchmarks import first_run, runtimes
from fastRCNN import network
from helpers.base.errors import UserError

PRINTS = """
import sys
assert "--set" in sys.argv
print("\\nstep 0: 1 s, step 1: 2 s; together 3 s")
"""


@pytest.fixture(autouse=True)
def threads_restored():
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


@pytest.mark.slow
def test_the_first_run_and_photos_after_it(tiny_finished, monkeypatch, capsys):
    params = tiny_params(tiny_finished)
    monkeypatch.setattr(first_run, "load_parameters", lambda settings: params)
    monkeypatch.setattr(first_run, "SIDE", 96)
    program = [sys.executable, "-c", PRINTS]
    first_run.main(Namespace(settings=["datasetName=tiny"], repeats=1), program)
    lines = capsys.readouterr().out.splitlines()
    assert sum("step 0: 1 s, step 1: 2 s; together 3 s" in line for line in lines) == 2
    assert any(re.match(r"one photo, \d+ ROIs, .*network \d\.\d{3}$", line) for line in lines), lines
    assert any(re.match(r"96 x 96 pixels, 2000 ROIs, 1 thread .*network \d\.\d{3}$", line) for line in lines), lines


def test_a_run_that_fails_is_named(tmp_path):
    with pytest.raises(UserError, match="run.py failed: no such thing"):
        first_run.timed_run([sys.executable, "-c", "raise SystemExit('no such thing')"], [], {})


def test_the_processor_time_of_a_run_is_counted():
    wall, cpu, steps = first_run.timed_run([sys.executable, "-c", "sum(range(10**7))"], [], {})
    assert cpu > 0.02 and wall > 0.02 and steps == ""


@pytest.mark.slow
def test_engines_functions_and_waiting_are_compared(tiny_data, monkeypatch, capsys):
    params, cost = tiny_params(tiny_data), network.POOLING_COST
    monkeypatch.setattr(runtimes, "load_parameters", lambda settings: params)
    monkeypatch.setattr(runtimes, "timed_process", lambda params, policy, threads, repeats: 12.4)
    runtimes.main(Namespace(settings=[], rois=[3, 200], repeats=1))
    lines = capsys.readouterr().out.splitlines()
    first = next(line for line in lines if line.startswith("torch, float32, 1 threads"))
    assert re.search(r" 1\.00x +0e\+00$", first)
    assert any(line.startswith("onnx, float32, 1 threads") for line in lines)
    for nr_outputs in runtimes.OUTPUTS:
        assert any(re.match(rf"{nr_outputs}, 200 .*\d\.\d\dx$", line) for line in lines)
    assert any(re.match(r"1, passive +12 +12$", line) for line in lines)
    assert cost == network.POOLING_COST


def test_other_programs_end_with_the_measurement():
    with runtimes.busy(2):
        pass
    with pytest.raises(KeyError), runtimes.busy(1):
        raise KeyError
