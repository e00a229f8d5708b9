"""Protects "the same machine writes the same bytes": steps 3, 4 and 5 do not depend on the number of threads that the
environment allows, on the cores that the process may use, or on what else the machine is doing.

Each of the children below starts with another environment, all at the same time, and runs the steps of both
classifiers on the tiny data set; every file they write must be equal.
"""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from project import ROOT
from tiny import run_steps, tiny_params

from fastRCNN import linear_algebra
from helpers.base.errors import UserError
from helpers.base.threads import physical_cores, require_threads

VARIABLES = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
ENVIRONMENTS = {"1": "1", "2": "2", "3": "3", "one core": None}

CHILD = """
import os, sys
from pathlib import Path
if sys.argv[2] == "one core" and hasattr(os, "sched_setaffinity"):
    os.sched_setaffinity(0, [min(os.sched_getaffinity(0))])
from tiny import nn_params, run_steps, tiny_params
many = {"network_threads": 2, "cntk_nrRois": 90}
run_steps(tiny_params(Path(sys.argv[1]), **many), 3, 4, 5)
run_steps(nn_params(Path(sys.argv[1]), **many), 3, 5)
"""


def start_child(folder, name):
    environment = {key: value for key, value in os.environ.items() if key not in VARIABLES}
    if ENVIRONMENTS[name]:
        environment |= dict.fromkeys(VARIABLES, ENVIRONMENTS[name])
    else:
        environment |= {"OMP_NUM_THREADS": "2"}  # the variables of these tests say 1
    environment["PYTHONPATH"] = os.pathsep.join(map(str, (ROOT, ROOT / "tests")))
    return subprocess.Popen(
        [sys.executable, "-c", CHILD, str(folder), name], env=environment, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT, text=True,
    )  # fmt: skip


def files_of(folder):
    """Relative path -> bytes of what the steps wrote, but for TensorBoard's diary and the memory of fingerprints, which
    hold times."""
    proc = folder / "proc/tiny"
    written = (path for path in proc.rglob("*") if path.is_file() and path.name != ".fingerprints.json")
    paths = [path for path in written if "tensorboard" not in path.parts]
    return {path.relative_to(proc).as_posix(): path.read_bytes() for path in paths}


@pytest.mark.slow
def test_steps_write_the_same_bytes_whatever_the_threads(tiny_data, tmp_path):
    first = tmp_path / "prepared"
    shutil.copytree(tiny_data / "data", first / "data")
    run_steps(tiny_params(first, cntk_nrRois=90), 1, 2)
    for name in ENVIRONMENTS:
        shutil.copytree(first, tmp_path / name)
    children = {name: start_child(tmp_path / name, name) for name in ENVIRONMENTS}
    for name, child in children.items():
        output, _ = child.communicate(timeout=600)
        assert child.returncode == 0, f"{name}: {output}"
    written = {name: files_of(tmp_path / name) for name in ENVIRONMENTS}
    wanted = written.pop("1")
    kinds = ("train_svm_parsed/0.dat.npz", "svmweights_exp1.txt", "boxregression_exp1.npz", "test_svm.tsv")
    kinds += ("models/exp1.safetensors", "test_nn_parsed/0.dat.npz", "test_nn.tsv")
    assert all(any(path.endswith(kind) for path in wanted) for kind in kinds)
    for name, files in written.items():
        assert files.keys() == wanted.keys()
        assert [path for path in wanted if files[path] != wanted[path]] == [], name


@pytest.mark.slow
@pytest.mark.parametrize("rows", [0, 1, 255, 256, 257, 900])
def test_products_in_blocks_are_products(rows):
    random = np.random.default_rng(rows)
    a, b = random.standard_normal((rows, 300), np.float32), random.standard_normal((300, 70), np.float32)
    assert linear_algebra.product(a, b) == pytest.approx(a.astype(float) @ b.astype(float), abs=1e-3)
    assert linear_algebra.product(a, b).dtype == np.float32
    pairs = linear_algebra.gram(a)
    assert pairs == pytest.approx(a.astype(float) @ a.T.astype(float), abs=1e-3)
    assert np.array_equal(pairs, pairs.T)
    system = pairs + np.eye(rows, dtype=np.float32) * 300
    right = random.standard_normal(rows)
    assert system @ linear_algebra.solve_positive(system.copy(), right) == pytest.approx(right, abs=1e-3)


def test_blas_gets_its_threads_back():
    before = [library.num_threads for library in linear_algebra._blas().lib_controllers]
    linear_algebra.product(np.ones((2, 2)), np.ones((2, 2)))
    with pytest.raises(ValueError, match="mismatch"):
        linear_algebra.product(np.ones((2, 2)), np.ones((3, 2)))
    assert [library.num_threads for library in linear_algebra._blas().lib_controllers] == before


def test_threads_are_the_machine_s_cores_and_not_the_process_s(monkeypatch):
    for variable in VARIABLES:
        monkeypatch.setenv(variable, "77")
    assert tiny_params(Path(), network_threads="auto").network_threads == physical_cores()
    assert 1 <= physical_cores() <= os.cpu_count()


@pytest.mark.parametrize(
    ("variable", "value", "count"), [("OMP_THREAD_LIMIT", "1", 2), ("OMP_DYNAMIC", "TRUE", 2), ("OMP_DYNAMIC", "1", 3)]
)
def test_an_environment_that_overrules_the_number_of_threads_is_refused(monkeypatch, variable, value, count):
    require_threads(count)
    monkeypatch.setenv(variable, value)
    require_threads(1)
    with pytest.raises(UserError, match=rf"^{variable}.* unset .* network_threads=1$"):
        require_threads(count)
