"""Protects what a newcomer meets in the annotation windows: typing the first class, zooming to small objects, the hint
on the picture, and the command that comes next."""

import numpy as np
import pytest
from annotating import SIZE, at, boxes_of, drag, labels_of, press, start, three_photos
from PIL import Image

from helpers.annotating.boxes import HELP, LARGEST_PIXEL, BoxSession
from helpers.annotating.files import read_folder
from helpers.annotating.keys import BACKSPACE, ENTER, ESCAPE, LEFT, Typing, key_name
from helpers.annotating.labels import HELP as LABEL_HELP
from helpers.annotating.labels import NEW_CLASS, LabelSession
from helpers.annotating.next_command import next_command
from helpers.annotating.view import BoxPainter, LabelPainter


@pytest.fixture
def folder(tmp_path):
    return three_photos(tmp_path)


def labelling(folder, classes=()):
    (folder / "2.bboxes.labels.tsv").unlink()
    return LabelSession([image for image in read_folder(folder) if image.marks.boxes], classes)


def type_in(session, text):
    press(session, [*text, ENTER])


# --- typing a class ---------------------------------------------------------------------------------------------------


def test_the_first_class_is_asked_for_and_typed(folder):
    session = labelling(folder)
    assert session.view().entry == ""
    press(session, ["m", "u", "x", BACKSPACE, "g"])  # "x", "u" are letters here, not EXCLUDE and undo
    assert session.view().entry == "mug" and not (folder / "2.bboxes.labels.tsv").exists()
    session.key(ENTER)
    assert labels_of(folder) == "mug\n" and session.classes == ("mug",) and session.view().entry is None
    session.key("1")
    assert labels_of(folder) == "mug\nmug\n"


def test_a_new_class_is_asked_for_by_its_key_and_by_its_button(folder):
    session = labelling(folder, ("apple",))
    session.key("c")
    type_in(session, "  Red  mug ")
    assert labels_of(folder) == "Red mug\n" and session.classes == ("apple", "Red mug")
    button = session.view().buttons[-1]
    assert (button.label, button.key) == (NEW_CLASS, "c")
    session.mouse("down", button.place[0] + 3, button.place[1] + 3)
    assert session.view().entry == ""
    type_in(session, "Äpfel 梨")
    assert labels_of(folder) == "Red mug\nÄpfel 梨\n"
    session.key("u")
    assert labels_of(folder) == "Red mug\n"


@pytest.mark.parametrize("text, label", [("APPLE", "apple"), ("apple", "apple"), ("exclude", "EXCLUDE")])
def test_a_name_that_is_there_in_another_case_is_that_one(folder, text, label):
    session = labelling(folder, ("apple",))
    session.key("c")
    type_in(session, text)
    assert labels_of(folder) == f"{label}\n" and session.classes == ("apple",)


def test_names_that_no_class_can_have_are_not_taken(folder):
    session = labelling(folder)
    for text in ("", "   ", "__background__"):
        type_in(session, text)
        assert "type a name first" in session.message and session.view().entry == text
        press(session, [BACKSPACE] * 20)
    press(session, "a,b")
    assert session.view().entry == "ab"
    session.key(",")
    assert session.message == "the name of a class has no comma"
    press(session, [ESCAPE, "q"])
    assert session.finished and not (folder / "2.bboxes.labels.tsv").exists()


def test_excluded_labels_keep_their_keys_when_classes_are_added(folder):
    session = labelling(folder, ("apple",))
    keys = {button.label: button.key for button in session.view().buttons}
    session.key("c")
    type_in(session, "pear")
    more = {button.label: button.key for button in session.view().buttons}
    assert keys == {"apple": "1", "EXCLUDE": "x", "UNDECIDED": "0", NEW_CLASS: "c"}
    assert more == {**keys, "pear": "2"}


def test_the_picture_shows_what_is_typed(folder):
    session = labelling(folder, ("apple",))
    paint = LabelPainter(lambda path: np.full((80, 100, 3), (90, 120, 150), np.uint8), LABEL_HELP)
    plain = paint(session.view())
    session.key("c")
    empty = paint(session.view())
    press(session, "mug")
    typed = paint(session.view())
    assert not np.array_equal(plain, empty) and not np.array_equal(empty, typed)
    press(session, "g" * 200)  # longer than the field
    session.resize(480, 320)
    assert paint(session.view()).shape == (320, 480, 3)


@pytest.mark.parametrize(
    "code, name",
    [
        (97, "a"), (-1, ""), (-55, "é"), (0x6D1, "я"), (0x1004E2D, "中"), (13, ENTER),
        (8, BACKSPACE), (127, BACKSPACE), (27, ESCAPE), (0xFF51, LEFT), (0x250000, LEFT), (0xF702, LEFT), (0xFF55, ""),
        (9, ""), (0x1B1, "ą"), (0x7E1, "α"), (0x10FFFFFF, ""),
    ],
)  # fmt: skip
def test_keys_have_one_name_on_every_system(monkeypatch, code, name):
    monkeypatch.setattr("helpers.annotating.keys.IS_X11", True)
    assert key_name(code) == name


def test_shift_makes_a_capital_of_the_next_letter_alone():
    typing = Typing()
    codes = [0xFFE1, 114, 101, 100, -1, 0xFFE2, -1, 99]
    assert "".join(typing.key(code) for code in codes) == "RedC"


# --- zooming ----------------------------------------------------------------------------------------------------------


def test_the_wheel_zooms_around_the_mouse(folder):
    session = start(folder)
    session.mouse("move", *at((70, 20)))
    before = session.fit
    for _ in range(8):
        session.mouse("wheel in", *at((70, 20)))
    assert session.fit.factors[0] == pytest.approx(before.factors[0] * 1.1**8)
    assert session.fit.to_screen((70, 20, 70, 20))[:2] == pytest.approx(at((70, 20)), abs=4)
    for _ in range(20):
        session.mouse("wheel out", *at((70, 20)))
    assert session.fit == before


def test_a_small_object_of_a_large_photo_is_framed_to_the_pixel(tmp_path):
    Image.new("RGB", (4000, 3000)).save(tmp_path / "large.jpg")
    session = BoxSession(read_folder(tmp_path))
    session.resize(820, 654)  # factor 0.2: 19 pixels of the image are 4 of the window, less than a box may have
    session.mouse("move", 500, 300)
    press(session, "++++++++++")
    corner, end = session.fit.to_screen((2450, 1450, 2469, 1469))[:2], session.fit.to_screen((0, 0, 2469, 1469))[2:]
    for kind, point in (("down", corner), ("move", end), ("up", end)):
        session.mouse(kind, *(round(value) for value in point))
    assert boxes_of(tmp_path, "large") == "2450\t1450\t2469\t1469\n"
    press(session, "+" * 30)
    assert session.fit.factors[0] == pytest.approx(LARGEST_PIXEL)
    session.key("0")
    assert session.fit.shown == (800, 600)


def test_a_zoomed_image_moves_with_arrow_keys_and_the_right_button_and_stops_at_its_border(folder):
    session = start(folder)
    session.mouse("move", *at((50, 40)))
    press(session, "++")
    left = session.fit.left
    session.key("right")
    assert session.fit.left < left
    for _ in range(20):
        session.key("left")
    assert session.fit.left == 10
    session.mouse("grab", 500, 400)
    session.mouse("move", 460, 430)  # the border above is reached already: the image goes left alone, then down
    assert session.fit.left == -30
    session.mouse("release", 460, 430)
    session.mouse("move", 300, 300)
    assert session.fit.left == -30
    session.key("s")
    assert session.fit.factors[0] == pytest.approx(10)  # the next image is shown whole


def test_zooming_while_a_box_is_drawn_keeps_its_first_corner(folder):
    session = start(folder)
    session.mouse("down", *at((20, 10)))
    session.mouse("move", *at((60, 50)))
    session.key("+")
    assert session.view().draft[:2] == (20, 10)


def test_the_picture_shows_the_part_that_is_zoomed_in(folder):
    image = np.zeros((80, 100, 3), np.uint8)
    image[20:22, 60:62] = (200, 0, 0)
    session = start(folder)
    paint = BoxPainter(lambda path: image, HELP)
    session.mouse("move", *at((61, 21)))

    def red():
        picture = paint(session.view())
        rows, columns = np.nonzero((picture == (200, 0, 0)).all(axis=2))
        return len(rows), rows.min(), rows.max(), columns.min(), columns.max()

    assert red()[0] > 250
    press(session, "+++")
    assert red()[0] > 250 * 10
    x1, y1, x2, y2 = session.fit.to_screen((60, 20, 62, 22))
    assert np.allclose(red()[1:], (y1, y2 - 1, x1, x2 - 1), atol=2)
    drag(session, (40, 10), (45, 15))
    for size in ((480, 320), (1500, 900)):
        session.resize(*size)
        assert paint(session.view()).shape == (size[1], size[0], 3)


def test_a_line_on_the_picture_says_what_to_do_until_the_first_box_is_drawn(folder):
    session = start(folder)
    paint = BoxPainter(lambda path: np.full((80, 100, 3), (90, 120, 150), np.uint8), HELP)
    assert session.view().hint.startswith("drag to draw a box")
    told = paint(session.view())
    drag(session, (20, 20), (60, 60))
    press(session, "n")
    press(session, "n")
    assert session.view().hint == "" and not session.image.marks.boxes
    assert not np.array_equal(told[:60], paint(session.view())[:60])


# --- the next command -------------------------------------------------------------------------------------------------


def test_the_next_command_leads_from_the_first_photo_to_the_first_run(tmp_path):
    data = tmp_path / "my data"
    positive, test = (data / "apples" / name for name in ("positive", "testImages"))
    positive.mkdir(parents=True)
    quoted = f"'{positive}'", f"'{test}'"
    assert next_command(positive) == f"put photos into {positive}, then  python3 A1_annotateImages.py {quoted[0]}"
    Image.new("RGB", SIZE).save(positive / "1.jpg")
    assert next_command(positive) == f"python3 A1_annotateImages.py {quoted[0]}"
    (positive / "1.bboxes.tsv").write_text("10\t10\t50\t50\n")
    assert next_command(positive) == f"python3 A2_annotateLabels.py {quoted[0]}"
    (positive / "1.bboxes.labels.tsv").write_text("apple\n")
    assert next_command(positive) == f"put photos into {test}, then  python3 A1_annotateImages.py {quoted[1]}"
    test.mkdir()
    Image.new("RGB", SIZE).save(test / "2.jpg")
    assert next_command(positive) == f"python3 A1_annotateImages.py {quoted[1]}"
    (test / "2.bboxes.tsv").write_text("")
    (test / "2.bboxes.labels.tsv").write_text("")
    ready = f"python3 run.py --set datasetName=apples 'dataRootDir={data}'"
    assert next_command(positive) == next_command(test) == ready


def test_of_a_folder_outside_of_any_data_set_its_own_work_is_next(tmp_path):
    Image.new("RGB", SIZE).save(tmp_path / "1.jpg")
    assert next_command(tmp_path) == f"python3 A1_annotateImages.py {tmp_path}"
    (tmp_path / "1.bboxes.tsv").write_text("")
    assert "tools/newDataset.py NAME" in next_command(tmp_path)
