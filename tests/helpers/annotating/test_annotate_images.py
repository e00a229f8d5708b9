"""Protects A1_annotateImages.py without its window: what the mouse and the keys do to boxes and their files."""

import pytest
from annotating import SIZE, at, boxes_of, drag, labels_of, press, start, three_photos
from PIL import Image

from helpers.annotating.boxes import BoxSession
from helpers.annotating.files import read_folder
from helpers.dataset.annotations import read_annotation


@pytest.fixture
def folder(tmp_path):
    return three_photos(tmp_path)


# --- drawing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "first, second", [((20, 10), (60, 50)), ((60, 50), (20, 10)), ((20, 50), (60, 10)), ((60, 10), (20, 50))]
)
def test_a_box_is_drawn_in_any_direction_and_written_at_once(folder, first, second):
    session = start(folder)
    drag(session, first, second)
    assert boxes_of(folder) == "20\t10\t60\t50\n"
    assert not (folder / "1.bboxes.labels.tsv").exists()
    assert sorted(path.suffix for path in folder.iterdir()) == [".jpg"] * 3 + [".tsv"] * 3  # nothing half-written


def test_boxes_are_clamped_at_the_border(folder):
    drag(start(folder), (50, 40), (150, -30))
    assert boxes_of(folder) == "50\t0\t100\t40\n"


def test_boxes_on_a_large_image_are_written_in_its_pixels(tmp_path):
    Image.new("RGB", (4000, 3000)).save(tmp_path / "large.jpg")
    session = BoxSession(read_folder(tmp_path))
    session.resize(820, 654)  # 800 x 600 of them for the image
    for kind, point in (("down", (110, 110)), ("move", (300, 300)), ("up", (210, 260))):
        session.mouse(kind, *point)
    assert boxes_of(tmp_path, "large") == "500\t500\t1000\t1250\n"


def test_a_new_size_of_the_window_while_a_box_is_drawn_does_no_harm(folder):
    session = start(folder)
    session.mouse("down", *at((20, 10)))
    session.resize(520, 474)  # 500 x 420: factor 5, 10 above
    session.mouse("up", 10 + 5 * 60, 20 + 5 * 50)
    assert boxes_of(folder) == "20\t10\t60\t50\n"


@pytest.mark.parametrize("second", [(20, 10), (60, 10.4), (20.4, 50), (20.3, 10.3)])
def test_too_small_boxes_are_ignored(folder, second):
    session = start(folder)
    session.mouse("down", *at((20, 10)))
    session.mouse("up", *(round(value) for value in at(second)))
    assert not (folder / "1.bboxes.tsv").exists()
    assert session.view().status.endswith("not saved yet")


def test_escape_gives_up_the_box_and_keys_wait_while_it_is_drawn(folder):
    session = start(folder)
    session.mouse("down", *at((20, 10)))
    session.mouse("move", *at((60, 50)))
    press(session, "nd")
    assert session.image.path.name == "1.jpg" and session.view().draft == (20, 10, 60, 50)
    session.key("\x1b")
    session.mouse("up", *at((60, 50)))
    assert session.view().draft is None and not (folder / "1.bboxes.tsv").exists()


def test_undo_and_redo_over_several_actions(folder):
    session = start(folder)
    drag(session, (10, 10), (20, 20))
    drag(session, (30, 30), (50, 50))
    drag(session, (50, 40), (60, 40))  # the right edge of the second
    session.mouse("move", *at((15, 15)))
    session.key("d")
    assert boxes_of(folder) == "30\t30\t60\t50\n"
    states = ["10\t10\t20\t20\n30\t30\t60\t50\n", "10\t10\t20\t20\n30\t30\t50\t50\n", "10\t10\t20\t20\n"]
    for state in states:
        session.key("u")
        assert boxes_of(folder) == state
    session.key("u")
    assert not (folder / "1.bboxes.tsv").exists()  # as it was before the first box
    session.key("u")
    assert session.message == "nothing to undo in this image"
    for state in [*states[::-1], "30\t30\t60\t50\n"]:
        session.key("r")
        assert boxes_of(folder) == state
    session.key("r")
    assert session.message == "nothing to redo in this image"
    session.key("u")
    drag(session, (70, 70), (80, 78))  # after this there is nothing to redo
    session.key("r")
    assert boxes_of(folder) == "10\t10\t20\t20\n30\t30\t60\t50\n70\t70\t80\t78\n"


def test_a_corner_is_dragged_and_shift_draws_a_new_box_there(folder):
    session = start(folder)
    drag(session, (10, 10), (30, 30))
    drag(session, (30, 30), (40, 25))
    assert boxes_of(folder) == "10\t10\t40\t25\n"
    drag(session, (10, 20), (39.8, 20))  # an edge onto the opposite one
    assert boxes_of(folder) == "10\t10\t40\t25\n" and "too small" in session.message
    drag(session, (40, 25), (60, 60), shift=True)
    assert boxes_of(folder) == "10\t10\t40\t25\n40\t25\t60\t60\n"


def test_a_click_on_an_edge_changes_nothing(folder):
    (folder / "1.bboxes.tsv").write_text("10.5\t10\t30\t30\n")
    session = start(folder)
    session.key("b")
    session.key("b")
    assert session.image.path.name == "1.jpg"
    drag(session, (10, 20), (10, 20))
    assert boxes_of(folder) == "10.5\t10\t30\t30\n"
    drag(session, (30, 20), (35, 20))
    assert boxes_of(folder) == "10.5\t10\t35\t30\n"  # what was not touched stays as it was


# --- images -----------------------------------------------------------------------------------------------------------


def test_starts_at_the_first_image_without_boxes(folder):
    assert start(folder).image.path.name == "1.jpg"
    (folder / "1.bboxes.tsv").write_text("")
    assert start(folder).image.path.name == "10.jpg"
    (folder / "10.bboxes.txt").write_text("1 2 30 40\n")  # the other suffix, and blanks
    session = start(folder)
    assert session.image.path.name == "1.jpg" and "all 3 images are done" in session.message


def test_existing_boxes_and_their_labels_are_shown(folder):
    session = start(folder)
    session.key("s")
    view = session.view()
    assert view.boxes == ((10, 10, 50, 50), (20, 20, 30, 30)) and view.captions == ("apple", "pear")
    assert view.status == "image 2 of 3    2.jpg    2 boxes"


def test_next_back_and_skip(folder):
    session = start(folder)
    session.key("b")
    assert session.message == "this is the first image"
    session.key("s")
    assert session.image.path.name == "2.jpg" and not (folder / "1.bboxes.tsv").exists()
    press(session, "bn")
    assert session.image.path.name == "2.jpg" and boxes_of(folder) == ""
    before = boxes_of(folder, "2"), (folder / "2.bboxes.tsv").stat().st_mtime_ns
    session.key("n")
    assert (boxes_of(folder, "2"), (folder / "2.bboxes.tsv").stat().st_mtime_ns) == before  # not written again
    session.key("n")
    assert session.image.path.name == "10.jpg" and "this was the last image" in session.message
    session.key("s")
    assert "this is the last image" in session.message
    assert not session.finished
    session.key("q")
    assert session.finished


def test_an_image_without_objects_is_saved_as_such(folder):
    session = start(folder)
    session.key("n")
    assert boxes_of(folder, "1") == "" and labels_of(folder, "1") == ""
    annotation, problems = read_annotation(folder / "1.jpg", SIZE, ("apple", "pear"))
    assert annotation.boxes.shape == (0, 4) and [problem.level for problem in problems] == ["warning"]
    press(session, "bu")
    assert not (folder / "1.bboxes.tsv").exists() and not (folder / "1.bboxes.labels.tsv").exists()


def test_the_last_box_deleted_leaves_an_image_without_objects(folder):
    session = start(folder)
    drag(session, (10, 10), (30, 30))
    session.mouse("move", *at((20, 20)))
    session.key("d")
    assert boxes_of(folder) == labels_of(folder, "1") == ""
    session.key("d")
    assert session.message == "no box under the mouse"


def test_undo_keeps_to_the_image_that_is_shown(folder):
    session = start(folder)
    drag(session, (10, 10), (30, 30))
    press(session, "nu")
    assert session.message == "nothing to undo in this image"
    press(session, "bu")
    assert not (folder / "1.bboxes.tsv").exists()
