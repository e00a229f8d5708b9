"""Fixtures that several test files share: copies of the tiny data set of tiny.py, before and after the steps.

`tiny_data` is drawn once and must not be written to; `tiny` gives a test its own copy, in `tmp_path/data/tiny`.
"""

import os
import shutil
import signal
from pathlib import Path

import pytest
from loopback_server import serve
from tiny import draw_data_set, nn_params, run_steps, tiny_params

import helpers.base.start
from helpers.fetching import download

# One process and one thread, before torch is imported: tiny images gain nothing from more, and on a machine that is
# busy with something else threads that wait for each other take a hundred times as long.
os.environ.setdefault("LOKY_MAX_CPU_COUNT", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

# Started in the background by a shell, this process ignores Ctrl-C, and so would those that the tests interrupt
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A script that a test runs in this process must not take over its streams and signals.
helpers.base.start.start = lambda environment=True: None


@pytest.fixture(scope="session")
def tiny_data(tmp_path_factory):
    """A folder with `data/tiny`, drawn once. Read only."""
    folder = tmp_path_factory.mktemp("tiny")
    draw_data_set(folder / "data" / "tiny")
    return folder


@pytest.fixture(scope="session")
def tiny_finished(tiny_data):
    """A folder with `data/tiny` and what steps 1 to 5 made of it. Read only."""
    run_steps(tiny_params(tiny_data), 1, 2, 3, 4, 5)
    return tiny_data


@pytest.fixture
def server(monkeypatch):
    """A server on the loopback address, see loopback_server.py, and downloads that do not pause before another try."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(download, "PAUSE", 0)
    with serve() as running:
        yield running


def _copy(source, target):
    shutil.copytree(source, target, dirs_exist_ok=True)
    return Path(target)


@pytest.fixture
def tiny(tiny_data, tmp_path):
    """This test's own folder with `data/tiny`, free to be written to."""
    _copy(tiny_data / "data", tmp_path / "data")
    return tmp_path


@pytest.fixture
def finished(tiny_finished, tmp_path):
    """This test's own folder with `data/tiny` and what steps 1 to 5 made of it, free to be written to."""
    return _copy(tiny_finished, tmp_path)


@pytest.fixture(scope="session")
def trained(tiny_data, tmp_path_factory):
    """A folder with the tiny data set, a network trained on it, and its evaluation. Read only."""
    folder = tmp_path_factory.mktemp("trained")
    shutil.copytree(tiny_data / "data", folder / "data")
    run_steps(nn_params(folder), 1, 2, 3, 5)
    return folder


@pytest.fixture
def prepared(trained, tmp_path):
    """This test's own folder with the files of steps 1 and 2."""
    shutil.copytree(trained / "data", tmp_path / "data")
    for name in ("rois", "cntkFiles"):
        shutil.copytree(
            trained / "proc" / "tiny" / name, tmp_path / "proc" / "tiny" / name,
            ignore=shutil.ignore_patterns("*parsed*"),
        )  # fmt: skip
    return tmp_path
