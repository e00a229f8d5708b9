"""Protects step 0 from what real and hostile folders hold: names that the steps' text files cannot carry are refused at
once and by every step, all others work; every row is checked, and a report of a thousand faults can still be read.
"""

import importlib
import os
import shutil
import unicodedata

import numpy as np
import pytest
from PIL import Image
from tiny import draw_image, run_steps, tiny_params

from helpers.base.errors import UserError, printable
from helpers.base.files import read_lines, write_text
from helpers.dataset.image_files import MAX_NAME_BYTES
from pipeline.parameters import load_parameters

check = importlib.import_module("0_checkDataset").main
PICTURE, _ = draw_image(("circle", "square", "triangle"), seed=9)


def lines_of(folder, capsys, **overrides):
    report = check(tiny_params(folder, **overrides))
    return report, [line for line in capsys.readouterr().out.splitlines() if line.startswith(("ERROR", "WARNING"))]


def rename(folder, name, old="3"):
    """Call an image of positive/ by another name, its annotations as well."""
    for path in (folder / "data/tiny/positive").glob(f"{old}.*"):
        new = os.fsencode(path.parent) + b"/" + name + os.fsencode(path.name[len(old) :])
        os.rename(path, new)


REFUSED = {
    "tab": (b"a\tb", r"a\tb.png", "a tab, a line break or another control character"),
    "line break": (b"a\nb", r"a\nb.png", "a tab, a line break"),
    "carriage return": (b"ab\r", r"ab\r.png", "a tab, a line break"),
    "Latin-1": (b"caf\xe9", r"caf\xe9.png", "not UTF-8 text"),
    "next line": ("a\x85b".encode(), r"a\x85b.png", "control character"),
    "line separator": ("a\u2028b".encode(), r"a\u2028b.png", "control character"),
    "file separator": (b"a\x1cb", r"a\x1cb.png", "control character"),
    "too long": (b"a" * 212, "a" * 212, f"more than {MAX_NAME_BYTES} bytes"),
    "too long in bytes": ("木".encode() * 71, "木" * 71, f"more than {MAX_NAME_BYTES} bytes"),
}


@pytest.mark.parametrize(("name", "shown", "words"), REFUSED.values(), ids=REFUSED)
def test_names_that_text_files_cannot_carry_are_refused(tiny, capsys, name, shown, words):
    rename(tiny, name)
    _, lines = lines_of(tiny, capsys)
    (line,) = [line for line in lines if line.startswith("ERROR")]
    assert line.startswith(f"ERROR: positive/{shown}") and words in line and "; " in line
    with pytest.raises(UserError) as error:
        run_steps(tiny_params(tiny, roi_engine="grid"), 1)
    assert shown in str(error.value) and words in str(error.value) and "\n" not in str(error.value)


@pytest.mark.parametrize(
    "name", ["a|b", "a b ", " a", "'a' \"b\"", "ünï", "日本語", "🍎", "a\u3000b", "-a", "a;b", "%s{0}"]
)
def test_all_other_names_work(tiny, capsys, name):
    rename(tiny, name.encode())
    assert lines_of(tiny, capsys)[1] == []
    params = tiny_params(tiny, roi_engine="grid")
    run_steps(params, 1, 2)
    with open(params.cntk_files_dir / "train.txt", encoding="utf-8") as rows:
        assert f"positive/{name}.png" in [row.split("\t")[1] for row in rows]


@pytest.mark.parametrize(
    ("first", "second"),
    [("Milk", "milk"), (unicodedata.normalize("NFC", "café"), unicodedata.normalize("NFD", "café")), ("ß", "SS")],
)
def test_names_that_are_one_under_other_systems_are_noted(tiny, capsys, first, second):
    rename(tiny, first.encode())
    rename(tiny, second.encode(), "2")
    if len(list((tiny / "data/tiny/positive").glob("*.bboxes.tsv"))) < 4:
        pytest.skip("this file system takes them for one")
    report, lines = lines_of(tiny, capsys)
    assert report.exit_code == 0 and len(lines) == 1
    assert "under Windows and macOS" in lines[0] and "rename one" in lines[0]


def test_an_annotation_with_other_accents_than_its_image_is_recognised(tiny, capsys):
    rename(tiny, unicodedata.normalize("NFC", "café").encode())
    folder = tiny / "data/tiny/positive"
    old = folder / (unicodedata.normalize("NFC", "café") + ".bboxes.tsv")
    old.rename(folder / (unicodedata.normalize("NFD", "café") + ".bboxes.tsv"))
    _, lines = lines_of(tiny, capsys)
    if not lines:
        pytest.skip("this file system takes them for one")
    assert sum("other case or other accents: 'caf\\xe9'" in line for line in lines) == 1


def test_printable():
    assert printable("a\tb\n\udce9\u2028é木") == r"a\tb\n\xe9\u2028é木"
    assert printable("a\tb", keep="\t") == "a\tb"


def test_only_line_feeds_end_lines(tmp_path):
    for text, lines in (
        ("", []), ("a", ["a"]), ("a\n", ["a"]), ("a\r\nb\r\n", ["a", "b"]), ("a\n\n", ["a", ""]), ("\n", [""]),
        ("a\u2028b\x0bc\x85d\n", ["a\u2028b\x0bc\x85d"]),
    ):  # fmt: skip
        (tmp_path / "1.txt").write_bytes(text.encode())
        assert read_lines(tmp_path / "1.txt") == lines


def test_a_thousand_faults_are_counted_and_not_all_shown(tiny, capsys):
    root = tiny / "data/tiny"
    write_text(root / "positive/1.bboxes.tsv", "1\t2\n" * 1000)
    write_text(root / "positive/1.bboxes.labels.tsv", "circle\n" * 1000)
    report, lines = lines_of(tiny, capsys)
    assert report.count("error") == 1000 and len(lines) == 21
    assert lines[19].startswith("ERROR: positive/1.bboxes.tsv, row 20: ")
    assert lines[20] == ("ERROR: 980 more in positive/1.bboxes.tsv; see to those above, then run this again")
    for number in range(600):
        write_text(root / f"negative/{number:03}.bmp", "")
    report, lines = lines_of(tiny, capsys)
    assert report.count("error") == 1600 and len(lines) == 501
    assert lines[500].startswith("ERROR: 1100 more in 101 files")


def test_a_row_as_long_as_a_file_is_cut_in_messages(tiny, capsys):
    root = tiny / "data/tiny"
    write_text(root / "positive/1.bboxes.tsv", "7" * 300_000 + "\n60\t20\t100\t60\n")
    write_text(root / "positive/2.bboxes.labels.tsv", "x" * 300_000 + "\ncircle\n")
    _, lines = lines_of(tiny, capsys)
    assert len(lines) == 2 and all(len(line) < 1200 and "…" in line for line in lines)


def test_links_to_nowhere_and_devices_are_no_images_and_are_not_passed_over(tiny, capsys):
    folder = tiny / "data/tiny/positive"
    os.symlink(folder / "gone.jpg", folder / "7.jpg")
    os.mkfifo(folder / "8.png")
    _, lines = lines_of(tiny, capsys)
    assert [line.split(":")[1] for line in lines if "link to nowhere or a device" in line] == [
        " positive/7.jpg", " positive/8.png",
    ]  # fmt: skip


@pytest.mark.parametrize("shift", [4, 6])
def test_12_bits_in_a_file_of_16_are_noted(tiny, capsys, shift):
    grey = PICTURE[..., 0].astype(np.uint16) << shift
    Image.fromarray(grey).save(tiny / "data/tiny/negative/2.png")
    _, (line,) = lines_of(tiny, capsys)
    assert line.startswith(f"WARNING: negative/2.png: 16-bit file with values up to {grey.max()} only")
    assert f"read as {8 + shift}-bit data; if it looks wrong, export it again" in line


@pytest.mark.parametrize(
    ("pixels", "words"), [(PICTURE // 16, "no value above 15"), (PICTURE // 32 + 248, "no value below 248")]
)
def test_black_and_white_images_are_noted(tiny, capsys, pixels, words):
    pixels[0, 0], pixels[0, 1] = pixels.min() // 8 * 8, 15 if pixels.max() < 16 else 255
    Image.fromarray(pixels).save(tiny / "data/tiny/negative/2.png")
    _, lines = lines_of(tiny, capsys)
    (line,) = [line for line in lines if "all black or all white" in line]
    assert line.startswith("WARNING: negative/2.png: ") and words in line


def test_a_data_set_without_a_block_is_reported_whole_as_well(tiny, capsys):
    # classes and limits are read from files before step 0 begins, which must not stop at the first bad image
    shutil.copytree(tiny / "data/tiny", tiny / "data/other")
    (tiny / "data/other/positive/3.png").write_bytes(b"no image")
    (tiny / "data/other/positive/1.bboxes.tsv").write_text("x\n")
    report = check(load_parameters(["datasetName=other", f"dataRootDir={tiny / 'data'}"]))
    assert {problem.path for problem in report.problems if problem.level == "error"} >= {
        "positive/1.bboxes.labels.tsv", "positive/1.bboxes.tsv", "positive/3.png",
    }  # fmt: skip
