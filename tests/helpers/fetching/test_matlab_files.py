"""Protects the reader of MATLAB's cell arrays. Its oracle is scipy.io.loadmat, on files that MATLAB 5.3 to 7.4 wrote on
little- and big-endian machines and that scipy's package brings along. Hostile files: test_published_rois.py.
"""

from pathlib import Path

import numpy as np
import pytest
import scipy.io

from helpers.fetching.matlab_files import Unreadable, cell_array

FILES = sorted(Path(scipy.io.__file__).parent.glob("matlab/tests/data/*cell*.mat"))
MADE_BY_MATLAB = [(path, name) for path in FILES for name, _, kind in scipy.io.whosmat(path) if kind == "cell"]

pytestmark = pytest.mark.skipif(not FILES, reason="this scipy comes without its test data")


@pytest.mark.parametrize(
    ("path", "name"), [pytest.param(*row, id=row[0].stem) for row in MADE_BY_MATLAB if "nest" not in row[0].stem]
)
def test_same_as_scipy(path, name):
    with cell_array(path, name) as (count, cells):
        mine = list(cells)
    wanted = scipy.io.loadmat(path)[name].ravel(order="F")  # a text is an array with one entry, or none
    assert len(mine) == len(wanted) == count > 0
    for one, other in zip(mine, wanted, strict=True):
        if isinstance(one, str):
            assert [one] == (other.tolist() or [""])
        else:
            assert one.shape == other.shape and np.array_equal(one, other)


@pytest.mark.parametrize("path", [path for path in FILES if "nest" in path.stem], ids=lambda path: path.stem)
def test_cells_in_cells_are_refused(path):
    with (
        pytest.raises(Unreadable, match="neither real numbers nor a text"),
        cell_array(path, "testcellnest") as (_, cells),
    ):
        list(cells)
