"""Protects A2_annotateLabels.py without its window: labels follow their boxes, and a start goes on where it was.

`folder` is data/fruit/positive with 1.jpg (three boxes), 2.jpg (none drawn yet), 3.jpg (no objects), 10.jpg (one box).
"""

import importlib

import numpy as np
import pytest
from PIL import Image

from helpers.annotating.files import read_folder
from helpers.annotating.labels import HELP, KEYS, LabelSession
from helpers.annotating.view import LabelPainter
from helpers.base.errors import UserError
from helpers.dataset.annotations import read_annotation

A2 = importlib.import_module("A2_annotateLabels")
SIZE, CLASSES = (100, 80), ("apple", "pear")


@pytest.fixture
def folder(tmp_path):
    folder = tmp_path / "data" / "fruit" / "positive"
    folder.mkdir(parents=True)
    for name in ("1", "2", "3", "10"):
        Image.new("RGB", SIZE, (90, 120, 150)).save(folder / f"{name}.jpg")
    (folder / "1.bboxes.tsv").write_text("10\t10\t50\t50\n20\t20\t30\t30\n60\t60\t70\t70\n")
    (folder / "3.bboxes.tsv").write_text("")
    (folder / "10.bboxes.tsv").write_text("5\t5\t50\t50\n")
    return folder


def start(folder, classes=CLASSES):
    return LabelSession([image for image in read_folder(folder) if image.marks.boxes], classes)


def press(session, keys):
    for key in keys:
        session.key(key)


def labels_of(folder, name="1"):
    return (folder / f"{name}.bboxes.labels.tsv").read_text()


def where(session):
    return session.image.path.stem, session.row


def test_every_label_is_written_at_once_in_the_order_of_the_boxes(folder):
    session = start(folder)
    assert where(session) == ("1", 0) and not (folder / "1.bboxes.labels.tsv").exists()
    session.key("2")
    assert labels_of(folder) == "pear\n" and where(session) == ("1", 1)
    press(session, "10")
    assert labels_of(folder) == "pear\napple\nUNDECIDED\n" and where(session) == ("10", 0)
    assert read_annotation(folder / "1.jpg", SIZE, CLASSES)[1] == []
    session.key("x")
    assert labels_of(folder, "10") == "EXCLUDE\n"
    assert session.message == "this was the last box, all boxes have a name; q to quit"
    assert (folder / "1.bboxes.tsv").read_text().startswith("10\t10\t50\t50\n")
    session.key("q")
    assert session.finished


def test_goes_on_at_the_first_box_without_a_known_label(folder):
    (folder / "1.bboxes.labels.tsv").write_text("apple\n")
    assert where(start(folder)) == ("1", 1)
    (folder / "1.bboxes.labels.tsv").write_text("apple\npaer\npear\n")
    session = start(folder)
    assert where(session) == ("1", 1) and session.view().caption == '"paer" is no class'
    session.key("2")
    assert labels_of(folder) == "apple\npear\npear\n"
    (folder / "10.bboxes.labels.tsv").write_text("EXCLUDE\n")
    session = start(folder)
    assert where(session) == ("1", 0) and session.message.startswith("all boxes have a name")


def test_back_on_and_naming_again(folder):
    session = start(folder)
    session.key("b")
    assert session.message == "this is the first box"
    press(session, "111")
    press(session, "bb")
    assert where(session) == ("1", 1) and session.view().caption == "apple"
    session.key("2")
    assert labels_of(folder) == "apple\npear\napple\n" and where(session) == ("1", 2)
    press(session, "nn")
    assert where(session) == ("10", 0) and session.message.startswith("name this box first")


def test_undo_and_redo_go_to_the_box_they_change(folder):
    session = start(folder)
    press(session, "1212")  # three boxes of 1.jpg and the one of 10.jpg
    press(session, "uu")
    assert where(session) == ("1", 2)
    assert (labels_of(folder), (folder / "10.bboxes.labels.tsv").exists()) == ("apple\npear\n", False)
    press(session, "uuu")
    assert session.message == "nothing to undo" and not (folder / "1.bboxes.labels.tsv").exists()
    press(session, "rrrr")
    assert (labels_of(folder), labels_of(folder, "10")) == ("apple\npear\napple\n", "pear\n")
    session.key("r")
    assert session.message == "nothing to redo"


def test_a_skipped_image_keeps_its_labels_in_the_first_rows(folder):
    session = start(folder)
    press(session, "1s")
    assert where(session) == ("10", 0)
    session.key("2")
    assert session.message == "this was the last box, 2 skipped before have no name yet; q to quit"
    session.key("b")
    assert where(session) == ("1", 1)  # not 2: the box before it has no name
    session.key("s")
    session.key("s")
    assert session.message == "this is the last image; q to quit"


def test_a_box_drawn_later_is_asked_for(folder):
    press(start(folder), "1111")
    with open(folder / "1.bboxes.tsv", "a") as file:
        file.write("1\t1\t9\t9\n")
    session = start(folder)
    assert where(session) == ("1", 3)
    session.key("2")
    assert labels_of(folder) == "apple\napple\napple\npear\n"


def test_buttons_can_be_clicked_and_stand_out_under_the_mouse(folder):
    session = start(folder)
    x1, y1, x2, y2 = session.view().buttons[1].place
    session.mouse("move", x1 + 5, y2 - 5)
    assert [button.hovered for button in session.view().buttons] == [False, True, False, False, False]
    session.mouse("down", x1 + 5, y2 - 5)
    session.mouse("up", x1 + 5, y2 - 5)
    session.mouse("down", 100, 100)  # no button there
    assert labels_of(folder) == "pear\n" and where(session) == ("1", 1)
    session.key("b")
    assert [button.chosen for button in session.view().buttons] == [False, True, False, False, False]


def test_every_class_has_a_button_and_as_many_as_can_be_have_a_key(folder):
    many = [f"class{number}" for number in range(80)]
    session = start(folder, many)
    buttons = session.view().buttons
    assert [button.label for button in buttons[:80]] == many and len(buttons) == 83
    keys = [button.key for button in buttons if button.key]
    assert "".join(keys) == KEYS + "x0c" and keys[:9] == list("123456789") and not set(KEYS) & set("bhnqrsucx0")
    session.key("a")  # the tenth
    assert labels_of(folder) == "class9\n"
    assert all(first.place != second.place for first, second in zip(buttons, buttons[1:], strict=False))


def test_the_picture_shows_the_box_enlarged(folder):
    session = start(folder)
    image = np.zeros((80, 100, 3), np.uint8)
    image[10:50, 10:50] = (200, 0, 0)
    paint = LabelPainter(lambda path: image, HELP)
    session.resize(1200, 700)
    picture = paint(session.view())
    assert picture.shape == (700, 1200, 3)
    red = (picture == (200, 0, 0)).all(axis=2)[:, :900]
    assert red.sum() > 50 * 40 * 40  # the box of 40 x 40 pixels
    session.key("h")
    assert paint(session.view()).mean() < picture.mean()
    session.key("x")
    session.resize(480, 320)  # no room for the overview
    assert paint(session.view()).shape == (320, 480, 3) and session.view().overview is None


# --- the script -------------------------------------------------------------------------------------------------------


def test_classes_are_those_of_the_data_set_of_the_folder(folder):
    assert A2.find_classes([], folder) == ()  # the first one is typed
    assert A2.find_classes(["classes=apple,pear"], folder) == CLASSES
    (folder / "1.bboxes.labels.tsv").write_text("pear\nUNDECIDED\n")
    assert A2.find_classes([], folder) == ("pear",)
    assert A2.find_classes(["datasetName=grocery"], folder)[0] == "orange"
    with pytest.raises(UserError, match="unknown parameter"):
        A2.find_classes(["clases=apple"], folder)


def test_classes_of_the_other_folder_count_and_of_a_folder_outside_its_own(folder):
    (folder / "1.bboxes.labels.tsv").write_text("pear\nUNDECIDED\n")
    other = folder.parent / "testImages"
    other.mkdir()
    assert A2.find_classes([], other) == ("pear",)
    outside = folder.rename(folder.parent / "photos")
    assert A2.find_classes([], outside) == ("pear",)  # not those of the data set that PARAMETERS.py names


def test_a_data_set_with_a_block_has_its_classes(tmp_path):
    folder = tmp_path / "grocery" / "testImages"
    folder.mkdir(parents=True)
    assert A2.find_classes([], folder)[0] == "orange"


def test_images_without_objects_get_their_empty_labels_and_missing_boxes_are_told(folder, monkeypatch, capsys):
    monkeypatch.setattr(A2, "require_display", lambda: None)
    monkeypatch.setattr(A2, "run_window", lambda title, session, paint, size: press(session, "12q"))
    images = A2.main(CLASSES, folder)
    assert [image.marks.labels for image in images] == [("apple", "pear"), None]
    assert labels_of(folder, "3") == ""
    told = capsys.readouterr().out
    assert "without boxes so far: 1 of 4;" in told and "named 2 of 4 boxes" in told
    assert told.endswith(f"next: python3 A1_annotateImages.py {folder}\n")


def test_a_class_that_the_block_does_not_name_is_told(tmp_path, monkeypatch, capsys):
    folder = tmp_path / "grocery" / "positive"
    folder.mkdir(parents=True)
    Image.new("RGB", SIZE).save(folder / "1.jpg")
    (folder / "1.bboxes.tsv").write_text("10\t10\t50\t50\n")
    monkeypatch.setattr(A2, "require_display", lambda: None)
    monkeypatch.setattr(A2, "run_window", lambda title, session, paint, size: press(session, ["c", *"jam", "enter"]))
    A2.main(("orange",), folder)
    told = capsys.readouterr().out
    assert 'NOTE: add jam to the classes of "grocery" in PARAMETERS.py' in told
    assert f"next: put photos into {tmp_path / 'grocery' / 'testImages'}, then  python3 A1_annotateImages.py " in told


def test_a_folder_without_boxes_is_refused(folder):
    for path in folder.glob("*.tsv"):
        path.unlink()
    with pytest.raises(UserError, match="no box in this folder; draw some with  python3 A1_annotateImages.py"):
        A2.main(CLASSES, folder)
