"""Protects names on their way through other tools' formats: whatever letters the names of photos and classes have, what
is exported and imported again has the same photos under the same names, in the same folders, with the same boxes.
"""

import os
import sys
import unicodedata

import exportAnnotations
import importAnnotations
import numpy as np
import pytest
from PIL import Image

from helpers.base.errors import UserError
from helpers.dataset.annotations import write_annotation
from helpers.formats.registry import FORMATS
from pipeline.parameters import load_parameters

WRITTEN = [name for name, form in FORMATS.items() if form.write]
NFC, NFD = unicodedata.normalize("NFC", "Käse"), unicodedata.normalize("NFD", "Brötchen")
STEMS = [
    "a b", "a  b", "it's", "com,ma", "semi;colon", "%41", "100%", "a%20b", "a+b", "c&d", "#1", "x=1", "-dash", "--set",
    "@x", "~x", "$HOME", "(1)", "[1]", "{0}", "!x", "^x", "x.", "x.y.z", "photo.jpg", "1.5", "d=images", "classes",
    "train", "test", "labels", "data", "null", "0 0.5 0.5 0.1 0.1", "12 1", "IMG -1", NFC, NFD, "冰箱", "приве́т",
    "😀 photo", "x" * 190, "冰" * 60,
]  # fmt: skip
if sys.platform == "linux":
    STEMS[:0] = ["Case", "case"]  # both in positive/
if sys.platform != "win32":
    STEMS += [
        'say "hi"',
        "what?",
        "a:b",
        "<x>",
        "a|b",
        "st*r",
        "x ",
        "con",
        "?d=1&e=2",
        "http:x",
        "back\\slash",
        "C:\\x",
    ]
CLASSES = [
    "cup", 'tea "5%" & <co>', "it's", "a;b", "#hash", "- dash", "yes", "No", "010", "1.10", "12:30", "null", "~",
    "k: v", "{x}", "[y]", "back\\slash", "*star", "&amp;", "!tag", "@at", "`x`", "%d", "|", ">", "?", "=1+1", "+1", "'",
    "a'b'c", "1e5", "true", NFC, NFD, "冰箱", "😀", "train", "a/b", "x" * 100, "<!--", "]]>",
]  # fmt: skip


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    """Parameters with the data set "old": a photo for each of `STEMS`, in turns in its three folders."""
    folder = tmp_path_factory.mktemp("names")
    random = np.random.default_rng(1)
    for number, stem in enumerate(STEMS):
        subdir = ("positive", "positive", "testImages", "negative")[number % 4]
        path = folder / "data/old" / subdir / f"{stem}{('.jpg', '.JPG', '.png')[number % 3]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        pixels = Image.fromarray(random.integers(0, 256, (5, 7, 3), dtype=np.uint8))
        pixels.resize((101, 77), Image.Resampling.BICUBIC).save(path)
        if subdir != "negative":
            corners = random.uniform(0, 40, 2), random.uniform(50, 76, 2)
            box = np.float32(np.concatenate(corners))
            write_annotation(path, [box, box / 2], [CLASSES[(2 * number + k) % len(CLASSES)] for k in range(2)])
    return load_parameters([f"dataRootDir={folder / 'data'}"])


def content(folder):
    """{file name: bytes, or of boxes the numbers} of all files below a folder."""
    found = {}
    for path in folder.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            name = path.relative_to(folder).as_posix()
            found[name] = np.array(data.split(), np.float32).tolist() if name.endswith(".bboxes.tsv") else data
    found.pop("importReport.txt", None)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("lists", [False, True], ids=["its own split", "lists"])
@pytest.mark.parametrize("form", WRITTEN)
def test_names_and_boxes_survive(params, tmp_path, form, lists):
    target = tmp_path / "out"
    exportAnnotations.main(params, form, "old", target)
    options = {name: [target / f"{name}.txt"] for name in ("train", "test", "negative")} if lists else {}
    importAnnotations.main(params.replace(dataRootDir=str(tmp_path)), form, target, "new", **options)
    old, new = content(params.replace(datasetName="old").image_dir), content(tmp_path / "new")
    assert sorted(new) == sorted(old)
    assert new == old


@pytest.mark.skipif(sys.platform != "linux", reason="other systems do not have such names")
def test_names_that_lists_cannot_hold_are_refused(tmp_path):
    for name, words in (("a\nb", "control character"), (os.fsdecode(b"a\xffb"), "not UTF-8")):
        path = tmp_path / "data/old/positive" / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 20)).save(path)
        with pytest.raises(UserError, match=words):
            exportAnnotations.main(
                load_parameters([f"dataRootDir={tmp_path / 'data'}"]), "csv", "old", tmp_path / "out"
            )
        path.unlink()
    assert not (tmp_path / "out").exists()
