"""Protects how ground truth is read: whatever editors and other tools do to the text files must be understood, and a
box may lose a pixel of rounding at the border and no more. test_check_dataset.py has every mistake that is refused.
"""

import numpy as np
import pytest

from helpers.base.errors import UserError
from helpers.dataset.annotations import load_annotation, read_annotation, write_annotation

BOXES, LABELS = ".bboxes.tsv", ".bboxes.labels.tsv"


@pytest.mark.parametrize(
    ("boxes", "labels"),
    [
        (b"10\t20\t30\t40\n50\t60\t70\t80\n", b"a\nb\n"),
        (b"10\t20\t30\t40\r\n50\t60\t70\t80\r\n", b"a\r\nb\r\n"),  # Windows
        (b"\xef\xbb\xbf10\t20\t30\t40\n50\t60\t70\t80", b"\xef\xbb\xbfa\nb"),  # byte order mark, no line end
        (b"10 20 30 40\n 50\t60\t70\t80\t\n", b"a \n\tb\n"),  # blanks
        (b"10.0\t2e1\t30\t40\n50\t60\t70.00\t80\n", b"a\nb\n"),
    ],
)
@pytest.mark.parametrize(
    "suffixes", [(BOXES, LABELS), (".bboxes.txt", ".bboxes.labels.txt"), (BOXES, ".bboxes.labels.txt")]
)
def test_annotations_as_editors_write_them(tmp_path, boxes, labels, suffixes):
    (tmp_path / f"1{suffixes[0]}").write_bytes(boxes)
    (tmp_path / f"1{suffixes[1]}").write_bytes(labels)
    annotation, problems = read_annotation(tmp_path / "1.jpg", (100, 90), ("a", "b"))
    assert annotation.boxes.tolist() == [[10, 20, 30, 40], [50, 60, 70, 80]] and annotation.boxes.dtype == np.float32
    assert annotation.labels == ("a", "b") and problems == []


def test_two_files_of_one_kind_that_differ_are_an_error(tmp_path):
    image = tmp_path / "1.jpg"
    write_annotation(image, [[10, 20, 30, 40], [50, 60, 70, 80]], ["a", "b"])
    (tmp_path / "1.bboxes.txt").write_text("10 20 30 40 \n50 60 70 80\n\n")
    assert read_annotation(image, (100, 90), ("a", "b"))[1] == []
    (tmp_path / "1.bboxes.txt").write_text("10 20 30 40\n")  # which of the two lacks a box?
    (tmp_path / "1.bboxes.labels.txt").write_text("b\na\n")
    problems = read_annotation(image, (100, 90), ("a", "b"))[1]
    assert [(problem.level, problem.path.name, problem.message) for problem in problems] == [
        ("error", f"1{other}.txt", f"differs from 1{other}.tsv beside it") for other in (".bboxes", ".bboxes.labels")
    ]
    with pytest.raises(UserError, match="1.bboxes.txt: differs from 1.bboxes.tsv"):
        load_annotation(image, (100, 90), ("a", "b"))


def test_boxes_are_clipped_by_a_pixel_and_no_more(tmp_path):
    image = tmp_path / "1.jpg"
    write_annotation(image, [[-1, -0.5, 101, 90.25], [0, 0, 100, 90]], ["a", "b"])
    annotation, problems = read_annotation(image, (100, 90), ("a", "b"))
    assert annotation.boxes.tolist() == [[0, 0, 100, 90]] * 2
    assert [(problem.level, problem.row) for problem in problems] == [("warning", 1)]
    # beyond a pixel on each side in turn, and a box that lies in the tolerated rim only
    for box in ([-1.01, 0, 9, 9], [0, -1.01, 9, 9], [0, 0, 101.01, 9], [0, 0, 9, 91.01], [100, 5, 101, 9]):
        write_annotation(image, [box], ["a"])
        annotation, problems = read_annotation(image, (100, 90), ("a", "b"))
        assert len(annotation.boxes) == 0 and [problem.level for problem in problems] == ["error"], box


def test_annotations_read_back_and_ignored_ones_have_no_class(tmp_path):
    boxes = [[1, 2.5, 3, 4.125], [10, 20, 30, 40], [5, 6, 7, 8]]
    write_annotation(tmp_path / "1.jpg", boxes, ["b", "EXCLUDE", "UNDECIDED"])
    assert (tmp_path / "1.bboxes.tsv").read_text().splitlines()[:2] == ["1\t2.5\t3\t4.125", "10\t20\t30\t40"]
    annotation = load_annotation(tmp_path / "1.jpg", (100, 90), ("a", "b"))
    assert annotation.boxes.tolist() == boxes
    assert annotation.class_ids(("__background__", "a", "b")).tolist() == [2, 0, 0]
    assert annotation.ignored().tolist() == [False, True, True]
    write_annotation(tmp_path / "1.jpg", [], [])
    assert load_annotation(tmp_path / "1.jpg", (100, 90), ("a",)).boxes.shape == (0, 4)
