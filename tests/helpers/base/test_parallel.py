"""Protects the work on many images at once: whatever the backend, results are those of a single process, in order and
once each; they stream; and a worker that is killed costs nothing but its time.
"""

import importlib
import os
import signal
import sys
import time
from functools import partial

import pytest
from tiny import run_steps, tiny_params

from helpers.base import parallel
from helpers.base.errors import UserError
from helpers.base.parallel import in_parallel
from helpers.dataset.check import check_dataset
from helpers.dataset.image_files import ImageFile

NR_IMAGES = 40


@pytest.fixture
def two_workers(monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "2")


@pytest.fixture(scope="module")
def dask_address():
    """The address of a Dask cluster of two processes."""
    distributed = pytest.importorskip("distributed", reason="pip install dask distributed")
    with distributed.LocalCluster(n_workers=2, threads_per_worker=1, dashboard_address=":0") as cluster:
        yield cluster.scheduler_address


@pytest.fixture(params=["loky", "threading", "dask"])
def params(request, tmp_path, two_workers):
    address = request.getfixturevalue("dask_address") if request.param == "dask" else ""
    return tiny_params(tmp_path, parallel_backend=request.param, parallel_address=address)


def square(image, folder=None, slow=-1, deadly=(), always=False):
    """The square of an image's number. slow: a number that takes longer; deadly: numbers that kill the process that
    works on them, once, or always. Leaves a file in `folder` for each visit."""
    number = int(image.stem)
    if folder:
        visits = len(list(folder.glob(f"{number}.*")))
        (folder / f"{number}.{os.getpid()}.{time.monotonic_ns()}").touch()
        if number in deadly and (always or not visits):
            os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(0.3 if number == slow else 0)
    return number**2


def refuse(image):
    raise UserError(f"{image.key}: not readable")


def images(folder, count=NR_IMAGES):
    return [ImageFile(folder, f"positive/{index}.jpg") for index in range(count)]


def visits(folder):
    """How often each image was worked on."""
    names = [int(path.name.split(".")[0]) for path in folder.iterdir()]
    return [names.count(index) for index in range(NR_IMAGES)]


@pytest.mark.slow
def test_results_come_in_order(params, tmp_path):
    run = partial(square, slow=2)
    assert list(in_parallel(run, images(tmp_path), params, "test")) == [index**2 for index in range(NR_IMAGES)]
    assert list(in_parallel(run, [], params, "test")) == []
    assert list(in_parallel(run, images(tmp_path, 1), params, "test")) == [0]


@pytest.mark.slow
def test_results_stream(params, tmp_path):
    (tmp_path / "visits").mkdir()
    results = in_parallel(partial(square, folder=tmp_path / "visits"), images(tmp_path), params, "test")
    assert [next(results) for _ in range(3)] == [0, 1, 4]
    time.sleep(0.3)
    assert sum(visits(tmp_path / "visits")) <= 3 + parallel.IN_FLIGHT * 2, "no more are handed out than are taken back"
    results.close()
    # what was broken off disturbs nobody
    assert list(in_parallel(square, images(tmp_path, 5), params, "test")) == [0, 1, 4, 9, 16]


def test_errors_come_through(params, tmp_path):
    with pytest.raises(UserError, match="^positive/0.jpg: not readable$"):
        list(in_parallel(refuse, images(tmp_path), params, "test"))


def test_one_worker_is_this_process(tmp_path, monkeypatch):
    monkeypatch.setenv("LOKY_MAX_CPU_COUNT", "1")
    seen = []
    run = partial(lambda image, seen: seen.append(image.key), seen=seen)  # cannot be sent to another process
    list(in_parallel(run, images(tmp_path, 3), tiny_params(tmp_path), "test"))
    assert seen == ["positive/0.jpg", "positive/1.jpg", "positive/2.jpg"]


# --- workers that die ---


@pytest.mark.slow
@pytest.mark.parametrize("params", ["loky", "dask"], indirect=True)
def test_killed_workers_cost_only_time(params, tmp_path):
    (tmp_path / "visits").mkdir()
    run = partial(square, folder=tmp_path / "visits", deadly=(3, 4, 25))
    assert list(in_parallel(run, images(tmp_path), params, "test")) == [index**2 for index in range(NR_IMAGES)]
    counts = visits(tmp_path / "visits")
    assert min(counts) >= 1 and min(counts[index] for index in (3, 4, 25)) >= 2


@pytest.mark.slow
def test_an_image_that_kills_every_process_is_named(two_workers, tmp_path):
    (tmp_path / "visits").mkdir()
    run = partial(square, folder=tmp_path / "visits", deadly=(20,), always=True)
    results = in_parallel(run, images(tmp_path), tiny_params(tmp_path), "test")
    assert [next(results) for _ in range(20)] == [index**2 for index in range(20)]
    with pytest.raises(UserError, match="positive/20.jpg: one process after the other died"):
        next(results)
    assert visits(tmp_path / "visits")[20] == 1 + parallel.MAX_DEATHS
    assert list(in_parallel(square, images(tmp_path, 3), tiny_params(tmp_path), "test")) == [0, 1, 4]


@pytest.mark.slow
def test_an_image_that_kills_every_worker_of_a_cluster_is_named(two_workers, tmp_path):
    pytest.importorskip("distributed", reason="pip install dask distributed")
    (tmp_path / "visits").mkdir()
    run = partial(square, folder=tmp_path / "visits", deadly=(1,), always=True)
    params = tiny_params(tmp_path, parallel_backend="dask")  # without an address: a cluster on this machine
    results = in_parallel(run, images(tmp_path, 3), params, "test")
    assert next(results) == 0
    with pytest.raises(UserError, match="positive/1.jpg: one process after the other died"):
        next(results)


# --- the steps ---


@pytest.mark.slow
def test_step_1_on_a_cluster_writes_what_a_single_process_writes(tiny_finished, tiny, dask_address):
    run_steps(tiny_params(tiny, parallel_backend="dask", parallel_address=dask_address), 1)
    folders = [folder / "proc/tiny/rois" for folder in (tiny_finished, tiny)]
    expected, found = (
        {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*.txt")} for folder in folders
    )
    assert found == expected and len(found) == 7


def test_step_0_finds_the_same_in_processes_and_threads(tiny_data, two_workers, dask_address):
    alone = check_dataset(tiny_params(tiny_data, parallel_backend="threading"))
    spread = check_dataset(tiny_params(tiny_data, parallel_backend="dask", parallel_address=dask_address))
    assert [str(problem) for problem in spread.problems] == [str(problem) for problem in alone.problems]
    assert [image.image.key for image in spread.images] == [image.image.key for image in alone.images]


# --- what is not there ---


@pytest.mark.parametrize(("backend", "package"), [("dask", "distributed"), ("ray", "ray")])
def test_missing_packages_are_named(tmp_path, monkeypatch, backend, package):
    monkeypatch.setitem(sys.modules, package, None)
    message = f'parallel_backend = "{backend}" needs more packages: pip install {backend}'
    with pytest.raises(UserError, match=message):
        list(in_parallel(square, images(tmp_path), tiny_params(tmp_path, parallel_backend=backend), "test"))


@pytest.mark.slow
@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://x"])
def test_a_cluster_that_does_not_answer_is_named(tmp_path, monkeypatch, address):
    pytest.importorskip("distributed", reason="pip install dask distributed")
    monkeypatch.setattr(parallel, "CONNECT_SECONDS", 0.5)
    params = tiny_params(tmp_path, parallel_backend="dask", parallel_address=address)
    with pytest.raises(UserError, match=f'parallel_address = "{address}": no Dask cluster with workers there'):
        list(in_parallel(square, images(tmp_path), params, "test"))


@pytest.mark.slow
def test_ray(tmp_path):
    pytest.importorskip("ray", reason="pip install ray")
    (tmp_path / "visits").mkdir()
    run = partial(square, folder=tmp_path / "visits", deadly=(3,))
    params = tiny_params(tmp_path, parallel_backend="ray")
    assert list(in_parallel(run, images(tmp_path), params, "test")) == [index**2 for index in range(NR_IMAGES)]
    with pytest.raises(UserError, match="^positive/0.jpg: not readable$"):
        list(in_parallel(refuse, images(tmp_path), params, "test"))
    importlib.import_module("ray").shutdown()
