"""Protects tools/importAnnotations.py from files that nobody vouches for: each costs one clear line, or is read as it
was meant; none hangs, fills the memory, opens a file that it names, or writes outside of the new data set.
"""

import json
import os
import sys
import time
from pathlib import Path

import importAnnotations
import pytest
from PIL import Image
from tiny import forged_png

from helpers.base.errors import UserError
from pipeline.parameters import load_parameters

SIZE = "<size><width>100</width><height>80</height></size>"


def put(folder, name, content):
    path = folder / "source" / name
    path.parent.mkdir(parents=True, exist_ok=True)
    if name.endswith((".jpg", ".png")) and content is None:
        Image.new("RGB", (100, 80), (60, 90, 30)).save(path)
    else:
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def run(folder, form="voc", source="source", dataset="new", **options):
    params = load_parameters([f"dataRootDir={folder / 'data'}"])
    return importAnnotations.main(params, form, folder / source, dataset, **{"testFraction": 0, **options})


def voc(inner, name="a.jpg", head=""):
    box = f"<object><name>cup</name><bndbox>{inner}</bndbox></object>"
    return f"{head}<annotation><filename>{name}</filename>{SIZE}{box}</annotation>"


def corners(*values):
    names = ("xmin", "ymin", "xmax", "ymax")
    return "".join(f"<{name}>{value}</{name}>" for name, value in zip(names, values, strict=True))


GOOD = voc(corners(11, 21, 40, 60))
BOMB = "<!DOCTYPE a [<!ENTITY a '" + "x" * 99 + "'>" + "".join(
    f"<!ENTITY {name} '{f'&{previous};' * 99}'>" for previous, name in zip("abcdefgh", "bcdefghi", strict=True)
) + "]>"  # fmt: skip
FILE_ENTITY = '<!DOCTYPE a [<!ENTITY secret SYSTEM "file:///etc/passwd">]>'


@pytest.mark.slow
@pytest.mark.parametrize(
    "content, reason",
    [
        (voc("&i;", head=BOMB), "declares entities of its own"),
        (voc("&secret;", head=FILE_ENTITY), "declares entities of its own"),
        ("", "empty file"), (" \r\n", "empty file"), ("\ufeff", "not readable XML"),
        (GOOD[:-20], "not readable XML"), ("no xml", "not readable XML"), (b"\x00\xff" * 50, "not readable XML"),
        ('<?xml version="1.0" encoding="no-such"?>' + GOOD, "not readable XML"),
        ('<?xml version="1.0" encoding="gb2312"?>' + GOOD, "not readable XML"),
        (GOOD.replace("cup", "M\xfcsli").encode("latin-1"), "not readable XML"),
        ("<a>" * 200_000, "not readable XML"), ("<other/>", "its outermost element is <other>"),
        (voc(""), 'object 1: xmin = "None" is not a number'), (voc(corners("nan", 1, 9, 9)), 'xmin = "nan" is not'),
        (voc(corners(1, "", 9, 9)), 'ymin = "" is not'), (voc(corners(1, 1, "1_0", 9)), 'xmax = "1_0" is not'),
        (voc(corners(1, 1, "9" * 5000, 9)), "is not a number of at most"), (voc(corners(1, 1, 9, "1e9999")), "ymax"),
        (voc(corners(1, 1, 10**8, 9)), "lies mostly outside of the image of 100 x 80 pixels"),
        (GOOD.replace(">100<", ">-5e300<"), None), (GOOD.replace(">100<", ">1e308<"), None),
        (GOOD.replace(">100<", ">100000000<"), "annotated on 1e+08 x 80 pixels"),
    ],
    ids=range(23),
)  # fmt: skip
def test_xml_that_is_broken_or_a_trap_costs_one_line(tmp_path, content, reason):
    for name in ("a.jpg", "b.jpg"):
        put(tmp_path, name, None)
    put(tmp_path, "a.xml", content)
    put(tmp_path, "b.xml", voc(corners(11, 21, 40, 60), "b.jpg"))
    start = time.process_time()
    placed, notes = run(tmp_path)
    assert time.process_time() - start < 5
    assert [item.boxes for item, _, name in placed if name == "b.jpg"] == [[[10, 20, 40, 60]]]
    of_file = [str(note) for note in notes if note.path.name == "a.xml"]
    if reason is None:
        assert not of_file
    else:
        assert len(of_file) == 1 and reason in of_file[0] and len(of_file[0]) < 600 and "\n" not in of_file[0]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_encodings_and_line_ends_are_read(tmp_path, encoding, line_end):
    put(tmp_path, "Käse.jpg", None)
    csv = "filename,xmin,ymin,xmax,ymax,class\nKäse.jpg,10,20,40,60,Müsli 😀\n".replace("\n", line_end)
    labelme = {"shapes": [{"label": "Müsli 😀", "points": [[10, 20], [40, 60]]}], "imagePath": "Käse.jpg"}
    xml = f'<?xml version="1.0" encoding="{encoding[:6].rstrip("-")}"?>\n' + GOOD.replace("cup", "Müsli 😀")
    for form, name, text in (
        ("csv", "x.csv", csv), ("labelme", "Käse.json", json.dumps(labelme, ensure_ascii=False, indent=1)),
        ("voc", "Käse.xml", xml),
    ):  # fmt: skip
        path = put(tmp_path, name, text.replace("\r\n", "\n").replace("\n", line_end).encode(encoding))
        (placed, _), _ = run(tmp_path, form, force=True), path.unlink()
        labels = tmp_path / "data/new/positive/Käse.bboxes.labels.tsv"
        assert labels.read_bytes() == "Müsli 😀\n".encode() and placed[0][0].boxes == [[10, 20, 40, 60]]


@pytest.mark.parametrize(
    "content, reason",
    [
        (b"", "empty file"), (b"[" * 100_000, "not readable JSON"), (b"{", "not readable JSON"), (b"[]", "is not COCO"),
        (b"7" * 6000, "not readable JSON"), (b'"\xff"', "not UTF-8 text"), (b'{"images": 3}', "is not COCO"),
        (b'{"images": [null, 3], "annotations": [null], "categories": [{}]}', "annotations[0]: left out"),
        (b'{"images": [], "annotations": [{"image_id": {}}], "categories": []}', "is neither a number nor a text"),
    ],
    ids=range(9),
)  # fmt: skip
def test_json_that_is_broken_costs_one_line(tmp_path, content, reason):
    put(tmp_path, "a.jpg", None)
    put(tmp_path, "a.json", content)
    for form in ("coco", "labelme", "labelstudio", "vott"):
        with pytest.raises(UserError, match="nothing to import|repair it or move it away") as error:
            run(tmp_path, form)
        assert "\n" not in str(error.value) and (form != "coco" or reason in str(error.value))


@pytest.mark.parametrize("value", ["NaN", "Infinity", "-Infinity", "1e999", "1" * 4000, "null", "true", "[]", '"x"'])
def test_json_numbers_that_are_none_are_named(tmp_path, value):
    for name in ("a.jpg", "b.jpg"):
        put(tmp_path, name, None)
    text = '{"shapes": [{"label": "cup", "points": [[1, 2], [VALUE, 9]]}]}'
    put(tmp_path, "a.json", text.replace("VALUE", value))
    put(tmp_path, "b.json", text.replace("VALUE", "5"))
    placed, notes = run(tmp_path, "labelme")
    assert [name for *_, name in placed] == ["b.jpg"]
    assert "shapes[0]: x = " in str(notes[0]) and len(str(notes[0])) < 400


@pytest.mark.parametrize(
    "name",
    ["../../secret.jpg", "/etc/passwd", "C:\\Windows\\secret.jpg", "..\\..\\secret.jpg", "source/../../secret.jpg",
     "file:///etc/passwd", "\x00.jpg", "a" * 5000, "..", "/", "CON"],
)  # fmt: skip
def test_names_that_lead_elsewhere_find_nothing(tmp_path, name):
    Image.new("RGB", (100, 80)).save(tmp_path / "secret.jpg")
    put(tmp_path, "a.jpg", None)
    content = {
        "images": [{"id": 1, "file_name": name}, {"id": 2, "file_name": "../somewhere/a.jpg"}],
        "annotations": [{"image_id": 1, "category_id": 1, "bbox": [1, 1, 5, 5]}],
        "categories": [{"id": 1, "name": "a"}],
    }  # fmt: skip
    put(tmp_path, "x.json", json.dumps(content))
    placed, notes = run(tmp_path, "coco")
    assert [name for *_, name in placed] == ["a.jpg"]
    assert "images[0]: left out: no image" in str(notes[0]) and "\x00" not in str(notes[0]) and len(str(notes[0])) < 900
    assert sorted(path.name for path in tmp_path.iterdir()) == ["data", "secret.jpg", "source"]


@pytest.mark.slow
@pytest.mark.parametrize("form", ["voc", "csv", "yolo", "labelme"])
def test_ten_thousand_boxes_are_read_in_seconds(tmp_path, form):
    put(tmp_path, "a.jpg", None)
    boxes = [(n % 90, n // 130, n % 90 + 5 + (n % 130 >= 90), n // 130 + 3) for n in range(10_000)]
    if form == "voc":
        inner = "".join(
            f"<object><name>cup</name><bndbox>{corners(x1 + 1, y1 + 1, x2, y2)}</bndbox></object>"
            for x1, y1, x2, y2 in boxes
        )
        put(tmp_path, "a.xml", f"<annotation>{inner}</annotation>")
    elif form == "csv":
        rows = "".join(f"a.jpg,{x1},{y1},{x2},{y2},cup\n" for x1, y1, x2, y2 in boxes)
        put(tmp_path, "a.csv", "filename,xmin,ymin,xmax,ymax,class\n" + rows)
    elif form == "yolo":
        rows = [f"0 {(a + c) / 200} {(b + d) / 160} {(c - a) / 100} {(d - b) / 80}\n" for a, b, c, d in boxes]
        put(tmp_path, "a.txt", "".join(rows))
        put(tmp_path, "classes.txt", "cup")
    else:
        shapes = [{"label": "cup", "points": [box[:2], box[2:]]} for box in boxes]
        put(tmp_path, "a.json", json.dumps({"shapes": shapes}))
    start = time.process_time()
    placed, _ = run(tmp_path, form)
    assert time.process_time() - start < 10
    assert placed[0][0].boxes == [list(map(float, box)) for box in boxes]


@pytest.mark.parametrize(
    "text", ["names: &a [*a]", "names: !!python/object/apply:os.system [ls]", "names: {", "- a", ""]
)
def test_yaml_that_is_broken_or_a_trap_is_refused(tmp_path, text):
    put(tmp_path, "a.jpg", None)
    put(tmp_path, "data.yaml", text)
    with pytest.raises(UserError, match="data.yaml: ") as error:
        run(tmp_path, "yolo")
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("label", ["\ud800", "a\x00b", "\x1b[31m"])
def test_class_names_that_are_no_text_are_named(tmp_path, label):
    put(tmp_path, "a.jpg", None)
    put(tmp_path, "a.json", json.dumps({"shapes": [{"label": label, "points": [[1, 2], [3, 4]]}]}))
    with pytest.raises(UserError, match="has letters that are no text") as error:
        run(tmp_path, "labelme")
    assert str(error.value).isprintable()


@pytest.mark.skipif(sys.platform != "linux", reason="names are text elsewhere")
def test_file_names_that_are_no_text_are_read_and_renamed(tmp_path):
    for name in (b"a\xff.jpg", b"b\nc.jpg"):
        Image.new("RGB", (100, 80)).save(put(tmp_path, "x.jpg", None))
        os.rename(os.fsencode(tmp_path / "source/x.jpg"), os.path.join(os.fsencode(tmp_path / "source"), name))
        path = os.path.join(os.fsencode(tmp_path / "source"), name[:-3] + b"xml")
        Path(os.fsdecode(path)).write_text(voc(corners(11, 21, "x", 60)))
        Path(os.fsdecode(path)).with_name(f"{len(name)}.xml").write_text("")
    Path(os.fsdecode(path)).write_text(voc(corners(11, 21, 120, 60)))
    placed, notes = run(tmp_path)
    assert [name for *_, name in placed] == ["b_c.jpg"] and all(str(note).isprintable() for note in notes)


def test_unreadable_images_are_named(tmp_path):
    for name, content in {"huge": forged_png(60_000, 60_000), "text": b"no image", "none": b"", "fine": None}.items():
        put(tmp_path, f"{name}.png", content)
        put(tmp_path, f"{name}.xml", voc(corners(1, 1, 50, 50), f"{name}.png"))
    placed, notes = run(tmp_path)
    assert [name for *_, name in placed] == ["fine.png"]
    text = "\n".join(map(str, notes))
    assert "at most 100,000,000 are read" in text and text.count("not a readable image") == 2


@pytest.mark.parametrize(
    "form, source, options, message",
    [
        ("voc", "nowhere", {}, "no such file or folder"),
        ("voc", "source", {"testFraction": 1.5}, "--testFraction 1.5: must be from 0 to 1"),
        ("voc", "source", {"testFraction": float("nan")}, "must be from 0 to 1"),
        ("voc", "source", {"images": ["nowhere"]}, "nowhere: no such folder of images"),
        ("voc", "source", {"rename": ["cup"]}, "write it as"),
        ("voc", "source", {"add": True, "force": True}, "one of the two"),
        ("voc", "source", {"dataset": "../evil"}, "datasetName"),
        ("coco", "source", {}, "nothing to import as coco"),
        ("yolo", "source", {}, "no file of class names"),
    ],
)
def test_wrong_options_are_named(tmp_path, form, source, options, message):
    put(tmp_path, "a.jpg", None)
    put(tmp_path, "a.xml", GOOD)
    with pytest.raises(UserError, match=message):
        run(tmp_path, form, source, **options)
    assert not (tmp_path / "data").exists()
