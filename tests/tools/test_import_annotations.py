"""Protects tools/importAnnotations.py: every image ends up where lists, fractions and the rules say, with its own
boxes; what is left out is named with its reason; nothing is overwritten; no input, however hostile, does more than cost
a line.
"""

import subprocess
import sys

import importAnnotations
import numpy as np
import pytest
from PIL import Image
from project import ROOT

from helpers.base.errors import UserError
from helpers.base.images import read_image
from helpers.importing.balanced_split import balanced_test_set
from pipeline.parameters import load_parameters


def params_in(folder):
    return load_parameters([f"dataRootDir={folder / 'data'}", "seed=3"])


def run(folder, form="voc", source="source", dataset="new", **options):
    return importAnnotations.main(params_in(folder), form, folder / source, dataset, **options)


def picture(path, size=(100, 80), seed=0, **save):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.new("RGB", size, (seed * 37 % 256, seed * 91 % 256, 90)).save(path, **save)
    return path


def voc(path, *objects, size=(100, 80), name=None):
    """Write a VOC file; objects are (class, xmin, ymin, xmax, ymax[, difficult])."""
    text = "".join(
        f"<object><name>{label}</name><difficult>{rest[0] if rest else 0}</difficult><bndbox><xmin>{a}</xmin>"
        f"<ymin>{b}</ymin><xmax>{c}</xmax><ymax>{d}</ymax></bndbox></object>"
        for label, a, b, c, d, *rest in objects
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f"<annotation><filename>{name or path.stem + '.png'}</filename><size><width>{size[0]}</width>"
        f"<height>{size[1]}</height></size>{text}</annotation>"
    )
    return path


def many(folder, count=8):
    for number in range(count):
        picture(folder / "source" / f"{number}.png", seed=number)
        voc(folder / "source" / f"{number}.xml", ("cup" if number % 2 else "pan", 11, 21, 60, 70))


def files(folder):
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())


def notes_of(folder):
    return (folder / "data/new/importReport.txt").read_text()


def rows(path):
    return path.read_text().splitlines()


# --- boxes -----------------------------------------------------------------------------------------------------------


def test_corners_of_voc_lose_their_one_and_difficult_objects_are_excluded(tmp_path):
    picture(tmp_path / "source/a.png")
    voc(tmp_path / "source/a.xml", ("cup", 1, 1, 100, 80), ("pan", 11, 21, 60, 70, 1))  # the first is the whole image
    run(tmp_path, testFraction=0)
    assert rows(tmp_path / "data/new/positive/a.bboxes.tsv") == ["0\t0\t100\t80", "10\t20\t60\t70"]
    assert rows(tmp_path / "data/new/positive/a.bboxes.labels.tsv") == ["cup", "EXCLUDE"]


def test_boxes_at_the_border_are_clipped_and_senseless_ones_cost_the_image(tmp_path):
    boxes = {
        "a": [(51, 41, 120, 70), (60, 70, 11, 21)],  # 50 of 70 columns are inside; corners in the other order
        "b": [(95, 41, 130, 70), (1, 1, 50, 50)],  # 6 of 36 columns
        "c": [(1, 1, 50, 50), (500, 500, 600, 600)],
    }
    for number, (name, corners) in enumerate(boxes.items()):
        picture(tmp_path / f"source/{name}.png", seed=number)
        voc(tmp_path / f"source/{name}.xml", *(("cup", *box) for box in corners))
    run(tmp_path, testFraction=0)
    assert rows(tmp_path / "data/new/positive/a.bboxes.tsv") == ["50\t40\t100\t70", "10\t20\t60\t70"]
    text = notes_of(tmp_path)
    assert "object 1: box (50, 40, 120, 70) clipped at the border of 100 x 80 pixels" in text
    assert "b.xml: left out: object 1: box (94, 40, 130, 70) lies mostly outside" in text
    assert "c.xml: left out: object 2: box (499, 499, 600, 600) lies mostly outside" in text


@pytest.mark.parametrize("orientation", [5, 6, 7, 8])
def test_boxes_on_the_stored_pixels_turn_with_the_exif_orientation(tmp_path, orientation):
    stored = np.zeros((80, 100, 3), np.uint8)
    stored[10:30, 20:60] = 255  # box (20, 10, 60, 30)
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "source").mkdir()
    Image.fromarray(stored).save(tmp_path / "source/a.png", exif=exif)
    voc(tmp_path / "source/a.xml", ("cup", 21, 11, 60, 30))  # says 100 x 80, a viewer shows 80 x 100
    run(tmp_path, testFraction=0)
    white = np.argwhere(read_image(tmp_path / "data/new/positive/a.png")[..., 0] == 255)
    (y1, x1), (y2, x2) = white.min(axis=0), white.max(axis=0) + 1
    assert rows(tmp_path / "data/new/positive/a.bboxes.tsv") == [f"{x1}\t{y1}\t{x2}\t{y2}"]


def test_boxes_for_another_size_are_scaled_or_refused(tmp_path):
    for number, size in enumerate([(200, 160), (0, 0), (80, 100), (300, 80)]):
        picture(tmp_path / f"source/{number}.png", seed=number)
        voc(tmp_path / f"source/{number}.xml", ("cup", 21, 31, 60, 70), size=size)
    run(tmp_path, testFraction=0)
    folder = tmp_path / "data/new/positive"
    assert rows(folder / "0.bboxes.tsv") == ["10\t15\t30\t35"]  # drawn at twice the size
    assert rows(folder / "1.bboxes.tsv") == rows(folder / "2.bboxes.tsv") == ["20\t30\t60\t70"]
    assert not (folder / "3.png").exists()
    assert "3.xml: left out: annotated on 300 x 80 pixels, but the image has 100 x 80" in notes_of(tmp_path)


def test_an_image_whose_boxes_are_of_no_use_does_not_become_negative(tmp_path):
    many(tmp_path, 2)
    voc(tmp_path / "source/0.xml", ("cup", 500, 500, 600, 600), ("cup", 1, 1, 2, 2), ("cup", 600, 600, 650, 650))
    placed, _ = run(tmp_path, testFraction=0)
    assert [(name, subdir, len(item.boxes)) for item, subdir, name in placed] == [("1.png", "positive", 1)]
    assert "0.xml: left out: object 1: box (499, 499, 600, 600) lies mostly outside" in notes_of(tmp_path)
    assert "(and 1 more)" in notes_of(tmp_path)


def test_classes_are_chosen_and_renamed(tmp_path):
    picture(tmp_path / "source/a.png")
    objects = [("tea, cup", 1, 1, 9, 9), ("pan", 1, 1, 9, 9), ("pot", 1, 1, 9, 9), ("", 1, 1, 8, 8)]
    voc(tmp_path / "source/a.xml", *objects)
    with pytest.raises(UserError, match="nothing to import.*must have no comma.*--rename"):
        run(tmp_path)
    run(tmp_path, testFraction=0, rename=["tea, cup=cup"], classes=("cup", "pan"))
    assert rows(tmp_path / "data/new/positive/a.bboxes.labels.tsv") == ["cup", "pan", "UNDECIDED"]
    assert '1 box of class "pot" left out: not wanted' in notes_of(tmp_path)


# --- parts -----------------------------------------------------------------------------------------------------------


def test_lists_decide_and_images_in_none_are_named(tmp_path):
    many(tmp_path, 6)
    picture(tmp_path / "source/street.png", seed=9)
    lists = {"train": "0\r\n1.png\n5  1\n", "test": "source/2.png\nno such\n", "negative": "\ufeffstreet\n4\n"}
    for name, text in lists.items():
        (tmp_path / f"{name}.txt").write_text(text)
    placed, _ = run(tmp_path, **{name: [tmp_path / f"{name}.txt"] for name in lists})
    parts = {name: subdir for _, subdir, name in placed}
    assert parts == {
        "0.png": "positive", "1.png": "positive", "5.png": "positive", "2.png": "testImages", "street.png": "negative",
    }  # fmt: skip
    assert not list((tmp_path / "data/new/negative").glob("*.tsv"))
    text = notes_of(tmp_path)
    assert "3.png: left out: in none of the lists" in text
    assert "4.png: left out: is listed as negative, but has 1 box" in text
    assert 'test.txt, row 2: no image "no such"' in text


def test_one_list_leaves_the_rest_to_the_other_side_and_a_folder_is_a_list(tmp_path):
    for folder in ("train", "valid"):
        for number in range(2):
            picture(tmp_path / f"source/{folder}/{number}.png", seed=2 * number + (folder == "valid"))
            voc(tmp_path / f"source/{folder}/{number}.xml", ("cup", 1, 1, 50 + number, 50))
    placed, _ = run(tmp_path, test=[tmp_path / "source/valid"])
    assert [(item.image.parts, subdir) for item, subdir, _ in placed] == [
        (("train", "0.png"), "positive"), (("train", "1.png"), "positive"),
        (("valid", "0.png"), "testImages"), (("valid", "1.png"), "testImages"),
    ]  # fmt: skip


def test_an_image_in_two_lists_is_refused(tmp_path):
    many(tmp_path, 2)
    (tmp_path / "a.txt").write_text("0\n")
    with pytest.raises(UserError, match="0.png is in .*a.txt already"):
        run(tmp_path, train=[tmp_path / "a.txt"], negative=[tmp_path / "a.txt"])
    with pytest.raises(UserError, match="lists .* or a fraction, not both"):
        run(tmp_path, train=[tmp_path / "a.txt"], testFraction=0.5)
    assert not (tmp_path / "data/new").exists()


def test_the_fraction_is_the_same_for_every_class_and_drawn_by_the_seed():
    random = np.random.default_rng(1)
    counts = [{"common"} for _ in range(60)] + [{"middle"} for _ in range(20)] + [{"rare", "common"} for _ in range(4)]
    random.shuffle(counts)
    test = balanced_test_set(counts, 0.25, seed=3)
    for name, wanted in (("common", 16), ("middle", 5), ("rare", 1)):
        assert sum(name in counts[index] for index in test) == wanted
    assert test == balanced_test_set(counts, 0.25, seed=3) != balanced_test_set(counts, 0.25, seed=4)
    assert balanced_test_set(counts, 0, 3) == set() and balanced_test_set(counts, 1, 3) == set(range(84))
    assert balanced_test_set([], 0.5, 3) == set() and len(balanced_test_set([{"a"}, {"a"}], 0.1, 3)) == 1
    assert len(balanced_test_set([{}, {}, {}, {}], 0.25, 3)) == 1


def test_images_without_objects_become_negative_or_stay_out(tmp_path):
    many(tmp_path, 2)
    picture(tmp_path / "source/empty.png", seed=7)
    voc(tmp_path / "source/empty.xml")
    picture(tmp_path / "source/unknown.png", seed=8)  # no XML: nobody said that there is nothing on it
    placed, _ = run(tmp_path)
    assert [name for _, subdir, name in placed if subdir == "negative"] == ["empty.png"]
    assert "unknown.png: left out: has no annotation" in notes_of(tmp_path)
    placed, notes = run(tmp_path, dataset="other", skipEmpty=True)
    assert not [name for _, subdir, name in placed if subdir == "negative"]
    assert any("empty.png: left out: has no object" in str(note) for note in notes)


# --- files -----------------------------------------------------------------------------------------------------------


def test_images_of_one_name_from_different_folders_all_stay(tmp_path):
    for number, folder in enumerate(("monday", "tuesday")):
        picture(tmp_path / f"source/{folder}/1.png", seed=number)
        voc(tmp_path / f"source/{folder}/1.xml", ("cup", 1, 1, 50 + number, 50))
    picture(tmp_path / "source/2.png", seed=4)
    voc(tmp_path / "source/2.xml", ("cup", 1, 1, 50, 50))
    run(tmp_path, testFraction=0)
    folder = tmp_path / "data/new/positive"
    assert [path.name for path in sorted(folder.glob("*.png"))] == ["2.png", "monday_1.png", "tuesday_1.png"]
    assert rows(folder / "tuesday_1.bboxes.tsv") == ["0\t0\t51\t50"]
    assert (folder / "tuesday_1.png").read_bytes() == (tmp_path / "source/tuesday/1.png").read_bytes()


def test_names_are_made_safe_and_other_image_formats_become_png(tmp_path):
    for name in ("a:b?.png", "con.png", "photo.bmp"):
        path = picture(tmp_path / "source" / name)
        voc(path.with_suffix(".xml"), ("cup", 1, 1, 50, 50), name=name)
    placed, _ = run(tmp_path, testFraction=0)
    assert sorted(name for *_, name in placed) == ["a:b?.png", "con.png", "photo.png"]
    assert Image.open(tmp_path / "data/new/positive/photo.png").size == (100, 80)


def test_nothing_is_overwritten_without_force(tmp_path):
    many(tmp_path)
    run(tmp_path)
    before = {name: (tmp_path / "data/new" / name).read_bytes() for name in files(tmp_path / "data/new")}
    with pytest.raises(UserError, match="holds files already.*--force"):
        run(tmp_path)
    assert files(tmp_path / "data/new") == sorted(before)
    run(tmp_path, force=True, testFraction=0)
    assert files(tmp_path / "data/new.old") == sorted(before)
    assert not (tmp_path / "data/new/testImages/0.png").exists()
    assert sorted(path.name for path in (tmp_path / "data").iterdir()) == ["new", "new.old"]


def test_adding_leaves_out_what_is_there_and_renames_what_collides(tmp_path):
    many(tmp_path, 2)
    run(tmp_path, testFraction=0)
    picture(tmp_path / "more/1.png", seed=99)
    voc(tmp_path / "more/1.xml", ("cup", 1, 1, 99, 50))
    picture(tmp_path / "more/copy.png", seed=0)
    voc(tmp_path / "more/copy.xml", ("cup", 1, 1, 99, 50))
    placed, notes = run(tmp_path, source="more", testFraction=0, add=True)
    assert [name for *_, name in placed] == ["1_2.png"]
    assert rows(tmp_path / "data/new/positive/1_2.bboxes.tsv") == ["0\t0\t99\t50"]
    assert rows(tmp_path / "data/new/positive/1.bboxes.tsv") == ["10\t20\t60\t70"]
    assert any("copy.png: left out: is in the data set already, as positive/0.png" in str(note) for note in notes)


def test_the_source_must_not_be_the_data_set_itself(tmp_path):
    many(tmp_path, 2)
    run(tmp_path)
    for source in ("data/new", "data/new/positive", "data"):
        with pytest.raises(UserError, match="lie in one another"):
            run(tmp_path, "vott1", source=source, force=True)


@pytest.mark.skipif(sys.platform == "win32", reason="links need rights there")
def test_links_lead_to_the_source(tmp_path):
    many(tmp_path, 2)
    run(tmp_path, link=True, testFraction=0)
    path = tmp_path / "data/new/positive/1.png"
    assert path.is_symlink() and path.resolve() == (tmp_path / "source/1.png").resolve()


def test_a_break_leaves_nothing_behind(tmp_path, monkeypatch):
    many(tmp_path)

    def fail(*_):
        raise OSError(28, "No space left on device", "x")

    monkeypatch.setattr("helpers.importing.placing.shutil.copyfile", fail)
    with pytest.raises(UserError, match="No space left"):
        run(tmp_path)
    assert list((tmp_path / "data").iterdir()) == []


@pytest.mark.slow
def test_the_command_line_says_errors_in_one_line(tmp_path):
    many(tmp_path, 4)
    command = [sys.executable, ROOT / "tools/importAnnotations.py", "voc", tmp_path / "source", "new", "--set"]
    setting = f"dataRootDir={tmp_path / 'data'}"
    first, second = (subprocess.run([*command, setting], capture_output=True, text=True, cwd=ROOT) for _ in range(2))
    assert first.returncode == 0 and "positive: 3 images" in first.stdout, first.stderr
    assert f'Next: python3 run.py --set datasetName=new "{setting}"' in first.stdout
    assert second.returncode == 1 and second.stderr.startswith("ERROR: ") and second.stderr.count("\n") == 1
