"""Protects the files that go to PASCAL VOC's development kit: its format, its pixel convention, every digit, one file a
class even where nothing was found, all files or none; and that foreign or broken files are read or refused in words.
"""

import numpy as np
import pytest

from fastRCNN.boxes import as_boxes
from fastRCNN.structures import Detections
from helpers.artifacts.voc_results import read_results, result_path, voc_results
from helpers.base.errors import UserError

CLASSES = ("cat", "potted plant", "dog")


def found(boxes, scores, class_ids):
    return Detections(as_boxes(boxes), np.array(scores, np.float32), np.array(class_ids, np.int64))


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_files_by_hand(tmp_path):
    with voc_results(tmp_path, CLASSES) as add:
        # all of an image of 500 x 375 pixels is 1, 1, 500, 375 in VOC
        add("testImages/000001.jpg", found([[0, 0, 500, 375], [10, 20, 30.5, 40]], [0.9, -1.5], [1, 3]))
        add("000002.png", found([], [], []))
        add("testImages/2008_000003.jpg", found([[1.25, 0, 2, 3]], [0.1], [1]))
    assert names(tmp_path) == [f"comp4_det_test_{name}.txt" for name in ("cat", "dog", "potted plant")]
    cat, plant, dog = ((tmp_path / f"comp4_det_test_{name}.txt").read_bytes() for name in CLASSES)
    assert cat == b"000001 0.9 1 1 500 375\n2008_000003 0.1 2.25 1 2 3\n"
    assert (plant, dog) == (b"", b"000001 -1.5 11 21 30.5 40\n")
    rows = read_results(tmp_path, CLASSES)
    assert list(rows) == list(CLASSES)
    assert rows["cat"].images == ("000001", "2008_000003")
    assert rows["cat"].boxes.tolist() == [[0, 0, 500, 375], [1.25, 0, 2, 3]]
    assert (rows["potted plant"].images, rows["potted plant"].boxes.shape) == ((), (0, 4))


def test_numbers_come_back_exactly(tmp_path):
    random = np.random.default_rng(5)
    boxes = (random.random((2000, 4)) * 10.0 ** random.integers(-6, 5, (2000, 1))).astype(np.float32)
    scores = (random.normal(size=2000) * 10.0 ** random.integers(-30, 30, 2000)).astype(np.float32)
    scores[:3] = 0.1, np.nextafter(np.float32(0.1), np.float32(1)), 0.1
    with voc_results(tmp_path, ("cat",), "train") as add:
        add("1.jpg", found(boxes, scores, [1] * 2000))
    rows = read_results(tmp_path, ("cat",), "train")["cat"]
    assert np.array_equal(rows.scores.astype(np.float32), scores)
    assert np.array_equal(np.argsort(rows.scores, kind="stable"), np.argsort(scores, kind="stable"))
    assert np.array_equal(rows.boxes, boxes)


def test_all_files_or_none(tmp_path):
    with voc_results(tmp_path, CLASSES) as add:
        add("old.jpg", found([[0, 0, 1, 1]], [1], [1]))
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    with pytest.raises(KeyboardInterrupt), voc_results(tmp_path, CLASSES) as add:
        add("new.jpg", found([[0, 0, 1, 1]] * 3, [1] * 3, [1, 2, 3]))
        assert {path: path.read_bytes() for path in before} == before
        raise KeyboardInterrupt
    assert {path: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_images_that_voc_could_not_tell_apart(tmp_path):
    nothing = found([], [], [])
    for keys, words in (
        (("a/1.jpg", "b/1.png"), r'b/1\.png: VOC knows it as "1", and a/1\.jpg as well'),
        (("my photo.jpg",), r"my photo\.jpg: .*blanks; rename the image"),
    ):
        with pytest.raises(UserError, match=words), voc_results(tmp_path, CLASSES) as add:
            for key in keys:
                add(key, nothing)
    assert names(tmp_path) == []


@pytest.mark.parametrize(
    ("classes", "words"), [(("a/b",), "'a/b' cannot be part"), (("..\\x",), "cannot"), (("Cat", "cat"), "case only")]
)
def test_class_names_that_make_no_file(tmp_path, classes, words):
    with pytest.raises(UserError, match=words), voc_results(tmp_path, classes):
        pass
    assert names(tmp_path) == []


def test_files_of_other_programs(tmp_path):
    """Windows line ends, tabs, exponents, an empty row, and scores that differ beyond float32."""
    path = result_path(tmp_path, "cat")
    path.write_bytes(b"\xef\xbb\xbf1 9e-1\t1 1 2 2\r\n\r\n  2 0.90000000000000013 1.0 1.0 20.5 30.0\r\n1 -1 5 5 4 4")
    rows = read_results(tmp_path, ("cat",))["cat"]
    assert rows.images == ("1", "2", "1")
    assert rows.scores.tolist() == [0.9, 0.90000000000000013, -1] and rows.scores[1] > rows.scores[0]
    assert rows.boxes.tolist() == [[0, 0, 2, 2], [0, 0, 20.5, 30], [4, 4, 4, 4]]


@pytest.mark.parametrize(
    "row",
    [
        b"1 0.5 1 1 2", b"1 0.5 1 1 2 2 2", b"1 high 1 1 2 2", b"1 nan 1 1 2 2", b"1 0.5 1 1 inf 2",
        b"1 0.5 1 1 1e39 2", b"1", b"\x1b[2J 0.5 1 1 2 x",
    ],
)  # fmt: skip
def test_rows_that_are_none(tmp_path, row):
    path = result_path(tmp_path, "cat")
    path.write_bytes(b"1 0.5 1 1 2 2\n" + row + b"\n")
    with pytest.raises(UserError, match="row 2: ") as caught:
        read_results(tmp_path, ("cat",))
    assert str(caught.value).startswith(str(path)) and str(caught.value).isprintable()


def test_missing_files(tmp_path):
    with pytest.raises(UserError, match="comp4_det_test_cat.txt: cannot be read"):
        read_results(tmp_path, ("cat",))
