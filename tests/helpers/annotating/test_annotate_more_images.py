"""Protects A1_annotateImages.py without its window: labels, files that are not in order, the picture."""

import numpy as np
import pytest
from annotating import SIZE, at, boxes_of, drag, labels_of, press, start, three_photos
from PIL import Image

from helpers.annotating.boxes import HELP
from helpers.annotating.files import NO_OBJECTS, Marks, read_folder, save_marks
from helpers.annotating.view import BoxPainter
from helpers.base.errors import UserError
from helpers.dataset.annotations import read_annotation


@pytest.fixture
def folder(tmp_path):
    return three_photos(tmp_path)


# --- labels -----------------------------------------------------------------------------------------------------------


def test_the_label_goes_with_its_box(folder):
    session = start(folder)
    session.key("s")
    session.mouse("move", *at((40, 40)))
    session.key("d")  # the apple, around the pear
    assert (boxes_of(folder, "2"), labels_of(folder)) == ("20\t20\t30\t30\n", "pear\n")
    drag(session, (30, 25), (35, 25))
    assert (boxes_of(folder, "2"), labels_of(folder)) == ("20\t20\t35\t30\n", "pear\n")
    drag(session, (60, 60), (90, 75))  # a new box has no label yet
    assert (boxes_of(folder, "2"), labels_of(folder)) == ("20\t20\t35\t30\n60\t60\t90\t75\n", "pear\n")
    press(session, "uuu")
    assert (boxes_of(folder, "2"), labels_of(folder)) == ("10\t10\t50\t50\n20\t20\t30\t30\n", "apple\npear\n")


def test_of_overlapping_boxes_the_smallest_is_deleted(folder):
    session = start(folder)
    session.key("s")
    session.mouse("move", *at((25, 25)))
    session.key("d")
    assert (boxes_of(folder, "2"), labels_of(folder)) == ("10\t10\t50\t50\n", "apple\n")


STATES = [
    Marks(),
    NO_OBJECTS,
    Marks(((1, 1, 9, 9),), None),
    Marks(((1, 1, 9, 9), (2, 2, 8, 8), (3, 3, 7, 7)), ("a", "b", "c")),
    Marks(((2, 2, 8, 8), (3, 3, 7, 7)), ("b", "c")),
    Marks(((1, 1, 9, 9), (2, 2, 8, 8)), ("a", "b")),
    Marks(((1, 1, 9, 9), (2, 2, 8, 8), (3, 3, 7, 7)), ("a",)),
    Marks(((1, 1, 9, 9), (2, 2, 8, 8), (3, 3, 7, 7)), ("a", "x", "c")),
]


@pytest.mark.parametrize("before", STATES)
@pytest.mark.parametrize("after", STATES)
def test_a_killed_write_never_leaves_a_label_at_another_box(tmp_path, monkeypatch, before, after):
    """Every write is made to fail in turn; what is on disk then must be readable, each label at a box of its own."""
    Image.new("RGB", SIZE).save(tmp_path / "1.jpg")
    path, names = tmp_path / "1.jpg", {(1, 1, 9, 9): "a", (2, 2, 8, 8): "bx", (3, 3, 7, 7): "c"}
    import helpers.base.files

    replace = helpers.base.files.os.replace
    for allowed in range(4):
        for old in tmp_path.glob("*.tsv"):
            old.unlink()
        save_marks(path, Marks(), before)
        left = iter(range(allowed))

        def limited(source, target, left=left):
            if next(left, None) is None:
                raise OSError(28, "No space left on device", str(target))
            replace(source, target)

        monkeypatch.setattr(helpers.base.files.os, "replace", limited)
        try:
            save_marks(path, before, after)
        except UserError as error:
            assert "cannot be written (No space left on device)" in str(error)
            complete = False
        else:
            complete = True
        monkeypatch.setattr(helpers.base.files.os, "replace", replace)
        marks = read_folder(tmp_path)[0].marks
        for row, label in enumerate(marks.labels or ()):
            assert label in names[marks.boxes[row]]
        if complete:
            assert marks == after
    assert not list(tmp_path.glob(".*"))


# --- files that are not in order --------------------------------------------------------------------------------------


def test_boxes_that_stick_out_can_be_mended(folder):
    (folder / "2.bboxes.tsv").write_text("50\t50\t10\t10\n-20\t20\t300\t30\n")
    session = start(folder)
    session.key("s")
    assert session.message == "put in order: 2 boxes reversed or out of the image; check"
    assert session.view().boxes == ((10, 10, 50, 50), (0, 20, 100, 30))
    assert boxes_of(folder, "2").startswith("50")  # written only when something is changed
    drag(session, (60, 60), (90, 75))
    assert boxes_of(folder, "2") == "10\t10\t50\t50\n0\t20\t100\t30\n60\t60\t90\t75\n"


@pytest.mark.parametrize(
    "name, text, part",
    [
        ("2.bboxes.tsv", "1\t2\t3\t4\n1\t2\t3\n", '2.bboxes.tsv, row 2: "1 2 3" is not four numbers'),
        ("2.bboxes.tsv", "1\t2\tx\t4\n", 'row 1: "1 2 x 4" is not four numbers'),
        ("2.bboxes.tsv", "1\t2\tnan\t4\n", "is not four numbers"),
        ("2.bboxes.tsv", "1\t2\t3\t4\n", "2.bboxes.labels.tsv: 2 labels for 1 box in 2.bboxes.tsv"),
        ("1.bboxes.labels.tsv", "apple\n", "1.bboxes.labels.tsv: 1 label for 0 boxes"),
        ("10.jpg", "no picture", "10.jpg: not a readable image"),
        ("1.png", "", "1.png: has the same name as"),
    ],
)
def test_broken_files_are_named_in_one_line_and_left_alone(folder, name, text, part):
    (folder / name).write_text(text)
    with pytest.raises(UserError) as error:
        read_folder(folder)
    assert part in str(error.value).replace("\t", " ") and "\n" not in str(error.value)
    assert (folder / name).read_text() == text


def test_folders_without_images_are_refused(tmp_path, monkeypatch):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        read_folder(tmp_path / "nowhere")
    with pytest.raises(UserError, match=r"no image in this folder; put some in it \(.jpg"):
        read_folder(tmp_path)
    (tmp_path / "positive").mkdir()
    with pytest.raises(UserError, match="did you mean .*positive"):
        read_folder(tmp_path)
    Image.new("RGB", SIZE).save(tmp_path / "positive" / "1.jpg")
    monkeypatch.chdir(tmp_path / "positive")
    assert [image.path.name for image in read_folder(".")] == ["1.jpg"]


# --- the picture ------------------------------------------------------------------------------------------------------


def test_help_is_shown_and_any_key_closes_it(folder):
    session = start(folder)
    session.key("h")
    assert session.view().help
    session.key("n")
    assert not session.view().help and session.image.path.name == "1.jpg"
    press(session, "hq")
    assert session.finished


def test_the_box_under_the_mouse_and_its_edge_stand_out(folder):
    session = start(folder)
    session.key("s")
    session.mouse("move", *at((25, 25)))
    assert (session.view().hovered, session.view().edges) == (1, ())
    session.mouse("move", *at((50, 40)))
    assert (session.view().hovered, session.view().edges) == (0, (2,))


def test_the_picture_has_the_size_of_the_window_and_shows_crosshair_boxes_and_status(folder):
    session = start(folder)
    session.key("s")
    paint = BoxPainter(lambda path: np.full((80, 100, 3), (90, 120, 150), np.uint8), HELP)
    plain = paint(session.view())
    assert plain.shape == (894, 1020, 3) and plain.dtype == np.uint8
    assert tuple(plain[600, 800]) == (90, 120, 150)
    assert tuple(plain[400, 110]) != (90, 120, 150)  # the left edge of the first box: x = 10 + 10 * 10
    assert (plain[-34:] == 255).any()  # letters
    session.mouse("move", 800, 600)
    crossed = paint(session.view())
    assert tuple(crossed[600, 700]) == tuple(crossed[500, 800]) == (255, 255, 255)
    session.mouse("move", -5, 5000)  # outside of the window
    assert np.array_equal(paint(session.view()), plain)
    session.key("h")
    assert paint(session.view()).mean() < plain.mean()
    session.resize(1, 1)
    assert paint(session.view()).shape == (320, 480, 3)


def test_files_with_the_other_suffix_go_when_their_boxes_are_written_anew(tmp_path):
    image = tmp_path / "1.jpg"
    Image.new("RGB", (100, 80)).save(image)
    (tmp_path / "1.bboxes.txt").write_text("10 10 30 30\n")
    (tmp_path / "1.bboxes.labels.txt").write_text("apple\n")
    before = Marks(((10, 10, 30, 30),), ("apple",))
    more = Marks(((10, 10, 30, 30), (40, 40, 60, 60)), ("apple",))
    save_marks(image, before, more)  # labels are as they were
    assert {path.name for path in tmp_path.iterdir()} == {"1.jpg", "1.bboxes.tsv", "1.bboxes.labels.txt"}
    save_marks(image, more, Marks(more.boxes, ("apple", "pear")))
    assert {path.name for path in tmp_path.iterdir()} == {"1.jpg", "1.bboxes.tsv", "1.bboxes.labels.tsv"}
    assert read_annotation(image, (100, 80), ("apple", "pear"))[0].labels == ("apple", "pear")
