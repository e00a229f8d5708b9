"""Protects step 0 and the same checks in steps 1 and 2: every mistake in a data set that we know of is named with its
file, row, value and remedy, a clean one is not accused, and no step ever goes on with bad data.

Each test spoils a copy of the tiny data set in one way. Its rows are known: positive/1.jpg has a circle in row 1 and a
square in row 2, the images are 160 x 120 pixels.
"""

import importlib
import re
import runpy
import shutil
import sys
from pathlib import Path

import pytest
from PIL import Image
from tiny import forged_png, run_steps, tiny_params

from helpers.base.errors import UserError

check = importlib.import_module("0_checkDataset").main
SCRIPT = Path(__file__).resolve().parents[3] / "0_checkDataset.py"


def problems_of(folder, capsys, **overrides):
    """The report's lines "LEVEL: path, row n: message; remedy" as printed, after a look at the exit code."""
    report = check(tiny_params(folder, **overrides))
    printed = capsys.readouterr().out.splitlines()
    lines = [line for line in printed if line.startswith(("ERROR: ", "WARNING: "))]
    assert len(lines) == len(report.problems)
    assert report.exit_code == (1 if any(line.startswith("ERROR") for line in lines) else 0)
    return lines


def write(name, text):
    """A spoiler: write text (or bytes) to a file of the data set."""
    return lambda root: (root / name).write_bytes(text if isinstance(text, bytes) else text.encode())


def copy(source, target, change=lambda image: image, **options):
    """A spoiler: save a changed copy of an image under another name."""

    def spoil(root):
        with Image.open(root / source) as image:
            change(image).save(root / target, **options)

    return spoil


def both(*spoilers):
    return lambda root: [spoil(root) for spoil in spoilers]


def remove(*names):
    return lambda root: [shutil.rmtree(root / n) if (root / n).is_dir() else (root / n).unlink() for n in names]


def truncate(name):
    def spoil(root):
        data = (root / name).read_bytes()
        (root / name).write_bytes(data[: len(data) * 2 // 3])

    return spoil


def boxes(first_row):
    """A spoiler: another first box for positive/1.jpg; its second one stays in order."""
    return write("positive/1.bboxes.tsv", f"{first_row}\n60\t20\t100\t60\n")


BOXES, LABELS = "positive/1.bboxes.tsv", "positive/1.bboxes.labels.tsv"
TAB_REMEDY = "write x1 TAB y1 TAB x2 TAB y2"
UNREADABLE = ("not a readable image", "export it again as JPEG or PNG")
BAD_IMAGES = {  # each stops step 1
    "truncated jpg": (truncate("positive/1.jpg"), "positive/1.jpg: ", *UNREADABLE),
    "truncated png": (truncate("positive/3.png"), "positive/3.png: ", *UNREADABLE),
    "no image": (write("testImages/1.jpg", "<html>"), "testImages/1.jpg: ", *UNREADABLE),
    "empty image": (write("negative/1.jpg", ""), "negative/1.jpg: ", *UNREADABLE),
    "large": (write("negative/2.png", forged_png(15_000, 10_000)), "negative/2.png: ", "15000 x 10000", "scale it"),
    "gigantic": (write("negative/2.png", forged_png(50_000, 40_000)), "negative/2.png: ", "50000 x 40000", "scale it"),
    "same stem": (
        copy("positive/3.png", "positive/3.jpg"), "positive/3.png: ", "same name as positive/3.jpg", "rename one",
    ),
    "no positive": (remove("positive"), "positive: no such folder", "put at least one"),
    "empty test folder": (
        remove(*(f"testImages/{name}" for name in ("1.jpg", "2.png"))), "testImages: no image", ".jpg, .jpeg, .png",
    ),
}  # fmt: skip
BAD_ANNOTATIONS = {  # each stops step 2
    "no boxes file": (remove(BOXES), f"{BOXES}: no such file", "A1_annotateImages.py"),
    "no labels file": (remove(LABELS), f"{LABELS}: no such file", "A2_annotateLabels.py"),
    "no boxes for test": (remove("testImages/2.bboxes.tsv"), "testImages/2.bboxes.tsv: no such file", "draw its boxes"),
    "three values": (boxes("10\t20\t30"), f"{BOXES}, row 1: ", '"10\t20\t30" has 3 values', TAB_REMEDY),
    "text": (boxes("10\ttwenty\t30\t40"), f"{BOXES}, row 1: ", "twenty", "is not four numbers", TAB_REMEDY),
    "commas": (boxes("10,20,30,40"), f"{BOXES}, row 1: ", '"10,20,30,40"', TAB_REMEDY),
    "not finite": (boxes("nan\t20\t30\t40"), f"{BOXES}, row 1: ", "(nan, 20, 30, 40)", "draw it again"),
    "below a pixel": (boxes("0.1\t0.2\t0.5\t0.6"), f"{BOXES}, row 1: ", "smaller than a pixel", "write it in pixels"),
    "of a negative": (write("negative/1.bboxes.tsv", "1\t2\t9\t9\n"), "negative/1.bboxes.tsv: ", "background", "move"),
    "negative": (boxes("-5\t20\t30\t40"), f"{BOXES}, row 1: ", "(-5, 20, 30, 40) has a negative", "0 <= x1 < x2"),
    "reversed x": (boxes("30\t20\t10\t40"), f"{BOXES}, row 1: ", "(30, 20, 10, 40) is reversed", "x1 < x2"),
    "reversed y": (boxes("10\t40\t30\t20"), f"{BOXES}, row 1: ", "(10, 40, 30, 20) is reversed", "y1 < y2"),
    "no area": (boxes("10\t20\t10\t40"), f"{BOXES}, row 1: ", "(10, 20, 10, 40) is reversed or empty", "x1 < x2"),
    "right of image": (boxes("10\t20\t162\t40"), f"{BOXES}, row 1: ", "(10, 20, 162, 40)", "160 x 120", "draw it"),
    "below image": (boxes("10\t20\t30\t121.5"), f"{BOXES}, row 1: ", "(10, 20, 30, 121.5)", "160 x 120", "draw it"),
    "counts": (write(LABELS, "circle\n"), f"{LABELS}: ", "1 label for 2 boxes of 1.bboxes.tsv", "one label per box"),
    "unknown class": (
        write(LABELS, "circle\nsqare\n"), f"{LABELS}, row 2: ", 'unknown class "sqare"', 'did you mean "square"?',
    ),
    "wrong case": (write(LABELS, "Circle\nsquare\n"), f"{LABELS}, row 1: ", '"Circle"', 'did you mean "circle"?'),
    "blank between": (write(LABELS, "circle\n\nsquare\n"), f"{LABELS}, row 2: blank line between others", "delete it"),
    "blank box": (write(BOXES, "10\t20\t30\t40\n\n60\t20\t100\t60\n"), f"{BOXES}, row 2: blank line", "delete it"),
    "not text": (write(LABELS, b"\xff\xfe\x00"), f"{LABELS}: ", "not UTF-8 text (byte 0)", "UTF-8"),
    "txt is checked too": (
        both(remove(LABELS), write("positive/1.bboxes.labels.txt", "circle\ncube\n")),
        "positive/1.bboxes.labels.txt, row 2: ", 'unknown class "cube"', "known: circle, square, EXCLUDE, UNDECIDED",
    ),
}  # fmt: skip
LEFT_OUT = {  # errors, because the steps would never look at these files
    **{
        f"format {suffix}": (write(f"positive/9{suffix}", "x"), f"positive/9{suffix}: ", "not read", "as JPEG or PNG")
        for suffix in (".bmp", ".TIF", ".webp", ".heic", ".gif")
    },
    "annotation without image": (
        write("testImages/7.bboxes.labels.tsv", "circle\n"), "testImages/7.bboxes.labels.tsv: ",
        'without an image "7"', "put the image back",
    ),
    "beside the folders": (copy("positive/1.jpg", "1.jpg"), "ERROR: 1.jpg: lies beside the folders", "move it into"),
    "train is test": (
        copy("testImages/2.png", "positive/copy.png"), "testImages/2.png: the same picture as positive/copy.png",
        "delete one: what was trained on proves nothing",
    ),
    "train is test, scaled and recompressed": (
        copy("testImages/2.png", "negative/copy.jpg", lambda image: image.resize((120, 90)), quality=70),
        "testImages/2.png: the same picture as negative/copy.jpg", "delete one",
    ),
    "negative is positive": (
        copy("positive/3.png", "negative/3.png"), "negative/3.png: the same picture as positive/3.png", "background",
    ),
}  # fmt: skip


def with_one_change(image):
    """As a camera on a tripod takes it: the same picture, but for one small thing."""
    image = image.copy()
    image.paste((255, 250, 20), (100, 90, 112, 102))
    return image


def turned(root):
    """positive/3.png becomes a JPEG that a viewer turns by 90 degrees; its boxes keep to the turned image."""
    with Image.open(root / "positive/3.png") as image:
        exif = Image.Exif()
        exif[0x0112] = 6
        image.transpose(Image.Transpose.ROTATE_90).save(root / "positive/3.jpg", exif=exif)
    (root / "positive/3.png").unlink()


WARNINGS = {  # all steps run on these
    "empty": (both(write(BOXES, ""), write(LABELS, "")), f"{BOXES}: has no box", "draw some"),
    "blank only": (both(write(BOXES, "\n"), write(LABELS, "")), f"{BOXES}: has no box", "draw some"),
    "blank at the end": (write(LABELS, "circle\nsquare\n\n"), f"{LABELS}, row 3: blank line at the end", "delete it"),
    "a pixel outside": (boxes("-0.5\t20\t30\t40"), f"{BOXES}, row 1: ", "(-0.5, 20, 30, 40) sticks out", "no need"),
    "EXIF": (turned, "positive/3.jpg: EXIF orientation 6", "160 x 120", "refer to the image as displayed"),
    "annotated negative": (write("negative/1.bboxes.tsv", ""), "negative/1.bboxes.tsv: ", "ignored", "move the image"),
    "no negatives": (remove("negative"), "negative: no such folder", "save false detections"),
    "tsv and txt": (
        lambda root: shutil.copy(root / LABELS, root / "positive/1.bboxes.labels.txt"),
        "positive/1.bboxes.labels.txt: not read", "1.bboxes.labels.tsv with the same rows", "delete one",
    ),
    "twice in train": (
        copy("negative/1.jpg", "negative/2.png"), "negative/2.png: the same picture as negative/1.jpg", "twice",
    ),
    "tiny image": (copy("positive/1.jpg", "negative/2.png", lambda image: image.crop((0, 0, 32, 24))), "only 32 x 24"),
    "same scene": (
        copy("testImages/2.png", "negative/2.png", with_one_change),
        "testImages/2.png: nearly the same picture as negative/2.png", "different scenes",
    ),
    "other file": (write("positive/notes.csv", "x"), "positive/notes.csv: neither an image nor", "move it out"),
    "other folder": (lambda root: (root / "testimages").mkdir(), "testimages: unknown folder", "testImages", "rename"),
    "folder in folder": (lambda root: (root / "positive/more").mkdir(), "positive/more: a folder in a folder", "move"),
}  # fmt: skip


@pytest.mark.parametrize(("spoil", "words"), [(s, w) for s, *w in BAD_IMAGES.values()], ids=BAD_IMAGES)
def test_bad_images_are_errors_and_stop_step_1(tiny, capsys, spoil, words):
    spoil(tiny / "data" / "tiny")
    expect("ERROR", words, problems_of(tiny, capsys))
    with pytest.raises(UserError, match=re.escape(words[0].split(": ")[0])) as error:
        run_steps(tiny_params(tiny, roi_engine="grid"), 1)
    assert words[1].split(" as ")[0] in str(error.value) and "\n" not in str(error.value)


@pytest.mark.slow
@pytest.mark.parametrize(("spoil", "words"), [(s, w) for s, *w in BAD_ANNOTATIONS.values()], ids=BAD_ANNOTATIONS)
def test_bad_annotations_are_errors_and_stop_step_2(tiny, capsys, spoil, words):
    spoil(tiny / "data" / "tiny")
    expect("ERROR", words, problems_of(tiny, capsys))
    params = tiny_params(tiny, roi_engine="grid")
    with pytest.raises(UserError) as error:
        run_steps(params, 1, 2)
    assert all(word in str(error.value) for word in words)
    with pytest.raises(UserError, match="2_computeCntkInputs.py has not finished"):
        run_steps(params, 3)


@pytest.mark.parametrize(("spoil", "words"), [(s, w) for s, *w in LEFT_OUT.values()], ids=LEFT_OUT)
def test_files_that_would_be_left_out_and_leaks_are_errors(tiny, capsys, spoil, words):
    spoil(tiny / "data" / "tiny")
    expect("ERROR", words, problems_of(tiny, capsys))


@pytest.mark.parametrize(("spoil", "words"), [(s, w) for s, *w in WARNINGS.values()], ids=WARNINGS)
def test_warnings_do_not_stop_anything(tiny, capsys, spoil, words):
    spoil(tiny / "data" / "tiny")
    lines = problems_of(tiny, capsys)
    expect("WARNING", words, lines)
    assert not any(line.startswith("ERROR") for line in lines)
    run_steps(tiny_params(tiny, roi_engine="grid"), 1, 2)


def expect(level, words, lines):
    """Exactly one of the lines has this level and all of the words."""
    found = [line for line in lines if line.startswith(f"{level}: ") and all(word in line for word in words)]
    assert len(found) == 1, "\n".join(lines)
    assert "; " in found[0], "every problem has a remedy"


def test_classes_without_boxes(tiny, capsys):
    lines = problems_of(tiny, capsys, classes="circle,square,star")
    expect("WARNING", ('positive: no training box of class "star"', "PARAMETERS.py"), lines)
    expect("WARNING", ('testImages: no test box of class "star"', "has no AP"), lines)


def test_clean_data_has_no_problem_and_every_suffix_counts(tiny, capsys):
    for name in ("positive/.DS_Store", "negative/Thumbs.db", "positive/._1.jpg"):  # what file managers leave behind
        (tiny / "data/tiny" / name).write_bytes(b"x")
    for suffix in ("bboxes", "bboxes.labels"):  # the original tutorial's other suffix
        (tiny / f"data/tiny/positive/1.{suffix}.tsv").rename(tiny / f"data/tiny/positive/1.{suffix}.txt")
    assert problems_of(tiny, capsys) == []


def test_all_problems_are_listed_errors_first_in_natural_order(tiny, capsys):
    root = tiny / "data" / "tiny"
    (root / "positive/10.bboxes.tsv").write_text("1\t2\t3\nx\n")
    (root / "positive/2.bboxes.labels.tsv").write_text("cube\ncircle\n\n")
    (root / "testImages/1.bboxes.tsv").unlink()
    starts = [line[: line.index(": ", 9)] for line in problems_of(tiny, capsys)]
    assert starts == [
        "ERROR: positive/2.bboxes.labels.tsv, row 1",
        "ERROR: positive/10.bboxes.tsv, row 1",
        "ERROR: positive/10.bboxes.tsv, row 2",
        "ERROR: testImages/1.bboxes.tsv",
        "WARNING: positive/2.bboxes.labels.tsv, row 3",
    ]


def test_annotations_of_a_broken_image_are_checked_as_well(tiny, capsys):
    both(truncate("positive/1.jpg"), boxes("30\t20\t10\t40"))(tiny / "data/tiny")
    assert sum("positive/1" in line for line in problems_of(tiny, capsys)) == 2


def test_missing_data_set_folder(tiny):
    with pytest.raises(UserError, match="data.other: no such folder; a data set is a folder with positive"):
        check(tiny_params(tiny, datasetName="other"))


def test_summary_counts_boxes_and_what_limits_lose(tiny, capsys):
    root = tiny / "data" / "tiny"
    for key in ("positive/1", "positive/2", "positive/3", "positive/10"):
        (root / f"{key}.bboxes.tsv").write_text("0\t0\t40\t32\n50\t0\t66\t80\n")
        (root / f"{key}.bboxes.labels.tsv").write_text("circle\nsquare\n")
    with open(root / "positive/1.bboxes.tsv", "a") as rows, open(root / "positive/1.bboxes.labels.tsv", "a") as labels:
        rows.write("0\t0\t1\t119\n")
        labels.write("EXCLUDE\n")
    check(tiny_params(tiny, roi_maxDimRel=0.4))
    rows = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["positive", "4"] in rows and ["negative", "1"] in rows and ["testImages", "2"] in rows
    assert ["circle", "4", "2"] in rows and ["square", "4", "2"] in rows and ["EXCLUDE", "1", "0"] in rows
    # relative to 160: 40 x 32 is 0.25 x 0.2, 16 x 80 is 0.1 x 0.5; areas both 0.05; ratios 1.25 and 5; no EXCLUDE box
    assert ["shorter", "side", "0.1", "0.15", "0.2"] in rows and ["longer", "side", "0.25", "0.375", "0.5"] in rows
    assert ["area", "0.05", "0.05", "0.05"] in rows and ["sides'", "ratio", "1.25", "3.12", "5"] in rows
    # 0.5 > 0.4 four times; 5 > 4 four times; fitting: 0.1 / 1.2 = 0.083, 0.5 * 1.2 = 0.6, 0.05 * 1.44 = 0.072
    limits = {row[0]: row[1:] for row in rows if row and row[0].startswith("roi_") and len(row) > 2}
    assert limits["roi_minDimRel"][:4] == ["0.1", "0", "of", "8"] and limits["roi_minDimRel"][-1] == "0.083"
    assert limits["roi_maxDimRel"][:4] == ["0.4", "4", "of", "8"] and limits["roi_maxDimRel"][-1] == "0.6"
    assert limits["roi_maxNrPixelsRel"][-1] == "0.072"
    assert limits["roi_maxAspectRatio"][:4] == ["4", "4", "of", "8"] and limits["roi_maxAspectRatio"][-1] == "6"
    assert ["roi_maxDimRel=0.6,"] in rows


@pytest.mark.parametrize(("spoil", "code"), [(None, 0), (WARNINGS["empty"][0], 0), (BAD_ANNOTATIONS["text"][0], 1)])
def test_exit_codes_of_the_script(tiny, capsys, monkeypatch, spoil, code):
    if spoil:
        spoil(tiny / "data" / "tiny")
    folders = [f"dataRootDir={tiny / 'data'}", f"procRootDir={tiny / 'proc'}", f"resultsRootDir={tiny / 'results'}"]
    monkeypatch.setattr(sys, "argv", [str(SCRIPT), "--set", "datasetName=tiny", "classes=circle,square", *folders])
    with pytest.raises(SystemExit) as end:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert end.value.code == code
    assert f"{code} error" in capsys.readouterr().out
    assert not (tiny / "proc").exists() and not (tiny / "results").exists(), "step 0 writes nothing"
