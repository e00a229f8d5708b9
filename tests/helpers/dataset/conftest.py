"""Data sets that are read in place, for the tests of this folder."""

import pytest
from layout_files import make_coco, make_voc_years


@pytest.fixture
def voc(tmp_path):
    """Parameters of VOC2007 and VOC2012, four images between them; see layout_files.py."""
    return make_voc_years(tmp_path)


@pytest.fixture
def coco_root(tmp_path):
    """The folder of COCO, five images."""
    return make_coco(tmp_path)
