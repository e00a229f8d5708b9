"""Protects features that are read from the system's own copy of a file: the same numbers, checked once."""

import numpy as np
import pytest

from helpers.artifacts.feature_files import MappedFeatures, read_features
from helpers.base.errors import UserError
from helpers.base.files import array_start, write_arrays


@pytest.fixture
def path(tmp_path):
    random = np.random.default_rng(0)
    arrays = {name: random.normal(size=(7, 30)).astype(np.float16) for name in ("arr_0", "mirrored")}
    write_arrays(tmp_path / "0.dat.npz", **arrays)
    return tmp_path / "0.dat.npz"


@pytest.mark.parametrize("name", ["arr_0", "mirrored"])
def test_every_reading_gives_the_same(path, name):
    files, wanted = MappedFeatures(), read_features(path, 7, name)
    for _ in range(3):
        assert np.array_equal(files.read(path, 7, name), wanted)
    start = array_start(path, name)
    assert path.read_bytes()[start : start + wanted.nbytes] == wanted.tobytes()


def test_the_first_reading_checks(path):
    with pytest.raises(UserError, match="wanted 8 rows"):
        MappedFeatures().read(path, 8)
    data = bytearray(path.read_bytes())
    data[array_start(path, "arr_0") + 5] ^= 1
    path.write_bytes(data)
    with pytest.raises(UserError, match="not a readable npz file"):
        MappedFeatures().read(path, 7)


def test_mapped_numbers_cannot_be_changed(path):
    files = MappedFeatures()
    files.read(path, 7)
    with pytest.raises(ValueError, match="read-only"):
        files.read(path, 7)[0, 0] = 1


def test_a_file_that_goes_meanwhile_is_named(path):
    files = MappedFeatures()
    files.read(path, 7)
    path.write_bytes(path.read_bytes()[:200])
    with pytest.raises(UserError, match="0.dat.npz: has changed while it was used"):
        files.read(path, 7)
