"""Protects negative images at import: a copy of a photo whose objects could not be read is none."""

import importAnnotations
import pytest
from imported_photos import BOX, photo, run, save
from PIL import ImageOps

from pipeline.parameters import load_parameters


@pytest.mark.parametrize("change", [lambda picture: picture, ImageOps.mirror], ids=("equal", "mirrored"))
def test_a_copy_of_a_photo_that_was_left_out_is_no_negative_image(tmp_path, change):
    picture = photo(1)
    save(tmp_path / "source/a.jpg", picture, "0 .5 .5 0 0\n")  # an object without area
    save(tmp_path / "source/b.jpg", change(picture), "")
    save(tmp_path / "source/other.jpg", photo(2), "")
    (tmp_path / "source/no.jpg").write_bytes(b"no image")  # has nothing to compare
    (tmp_path / "source/no.txt").write_text("7 .5 .5 .1 .1\n")
    for number in range(3):
        save(tmp_path / f"source/{number}.jpg", photo(10 + number), BOX)
    (tmp_path / "source/classes.txt").write_text("cup\n")
    found, notes, errors = run(tmp_path)
    assert [name for name, subdir in found.items() if subdir == "negative"] == ["other.jpg"] and not errors
    assert "b.jpg: left out: shows the same as" in notes and "a.jpg, which was left out with its objects" in notes


def test_a_photo_with_objects_in_a_list_of_negatives_is_left_out(tmp_path):
    for number, text in enumerate((BOX, BOX, BOX, "", None)):
        save(tmp_path / f"source/{number}.jpg", photo(number), text)
    (tmp_path / "source/classes.txt").write_text("cup\n")
    (tmp_path / "list.txt").write_text("2\n3\n4\n")
    found, notes, errors = run(tmp_path, negative=[tmp_path / "list.txt"])
    assert {name for name, subdir in found.items() if subdir == "negative"} == {"3.jpg", "4.jpg"} and not errors
    assert "2.jpg" not in found and "2.jpg: left out: is listed as negative, but has 1 box" in notes


def test_equal_files_get_the_boxes_of_all_their_names(tmp_path):
    left, right = "0 .3 .5 .2 .5\n", "0 .7 .5 .2 .5\n"
    save(tmp_path / "source/a/1.jpg", photo(1), left)
    save(tmp_path / "source/b/1.jpg", photo(1), right + "0 .301 .5 .2 .5\n")  # the first box once more
    save(tmp_path / "source/b/2.jpg", photo(2), left)
    save(tmp_path / "source/b/3.jpg", photo(3), left)
    (tmp_path / "source/classes.txt").write_text("cup\n")
    params = load_parameters([f"dataRootDir={tmp_path / 'data'}"])
    placed, notes = importAnnotations.main(params, "yolo", tmp_path / "source", "new")
    boxes = {item.image.parts: sorted(box[0] for box in item.boxes) for item, _, _ in placed}
    assert boxes[("a", "1.jpg")] == [20, 60] and len(boxes[("b", "1.jpg")]) == 2
    assert len(boxes[("b", "2.jpg")]) == len(boxes[("b", "3.jpg")]) == 1
    assert "a/1.jpg: is the same file as" in "\n".join(map(str, notes))
