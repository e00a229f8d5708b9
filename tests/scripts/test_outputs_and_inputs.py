"""Protects the user's files from what scripts write: nothing that is read is replaced, under whatever path, link or
spelling, and neither is a photo that only has the name of a picture; and what a command line names is what is meant.
"""

import importlib
import os
import shutil

import pytest
from tiny import nn_params, tiny_params

from helpers.artifacts.model_files import model_path
from helpers.base.errors import UserError
from helpers.base.files import refuse_to_replace
from helpers.base.images import is_drawn
from helpers.config.types import Number, option
from helpers.dataset.photos import find_images

step6, step7 = importlib.import_module("6_scoreImage"), importlib.import_module("7_exportModel")
exporting = importlib.import_module("exportAnnotations")


@pytest.fixture
def photos(tiny_data, tmp_path):
    """A folder with one photo, 1.jpg."""
    (tmp_path / "photos").mkdir()
    shutil.copy(tiny_data / "data" / "tiny" / "testImages" / "1.jpg", tmp_path / "photos")
    return tmp_path / "photos"


def contents(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}


def refused(photos, params, message, *patterns, **options):
    before = contents(photos)
    with pytest.raises(UserError, match=message):
        step6.main(params, [str(pattern) for pattern in patterns or [photos]], **options)
    assert contents(photos) == before


def link(kind, source, target):
    os.link(source, target) if kind == "hard" else os.symlink(source, target)


def test_pictures_beside_the_photos_would_replace_them(tiny_finished, photos, tmp_path, monkeypatch):
    params = tiny_params(tiny_finished)
    monkeypatch.chdir(photos)
    os.symlink(photos, tmp_path / "linked")
    (tmp_path / "empty").mkdir()
    for out in (".", photos, tmp_path / "linked", tmp_path / "empty" / ".." / "photos"):
        refused(photos, params, "1.jpg: would replace .*1.jpg", "1.jpg", out=out)
        refused(photos, params, "1.jpg: would replace", tmp_path / "linked" / "*.jpg", out=out)


@pytest.mark.skipif(os.name == "nt", reason="links")
@pytest.mark.parametrize("kind", ["hard", "symbolic"])
def test_links_to_a_photo_are_that_photo(tiny_finished, photos, tmp_path, kind):
    (tmp_path / "out").mkdir()
    link(kind, photos / "1.jpg", tmp_path / "out" / "1.jpg")
    link(kind, photos / "1.jpg", tmp_path / "table.tsv")
    params = tiny_params(tiny_finished)
    refused(photos, params, "1.jpg: would replace", out=tmp_path / "out")
    refused(photos, params, "table.tsv: would replace", out=tmp_path, detections_tsv=tmp_path / "table.tsv")


def test_other_files_than_those_of_this_script_stay(tiny_finished, photos, tmp_path):
    params = tiny_params(tiny_finished)
    (tmp_path / "out").mkdir()
    shutil.copy(photos / "1.jpg", tmp_path / "out")  # another photo of this name
    refused(photos, params, "1.jpg: is there already, and no picture of this script", out=tmp_path / "out")
    (tmp_path / "notes.tsv").write_text("mine")
    refused(photos, params, "notes.tsv: is there already and holds", detections_tsv=tmp_path / "notes.tsv")
    refused(photos, params, "name another place", detections_tsv=tmp_path / "out")
    assert (tmp_path / "notes.tsv").read_text() == "mine"


def test_what_the_script_wrote_it_may_replace(tiny_finished, photos, tmp_path, capsys):
    params, table = tiny_params(tiny_finished), tmp_path / "tables" / "found.tsv"
    for _ in range(2):
        assert step6.main(params, [str(photos)], out=tmp_path / "out", detections_tsv=table) == 0
    assert is_drawn(tmp_path / "out" / "1.jpg") and not is_drawn(photos / "1.jpg") and table.exists()
    refused(tmp_path / "out", params, "would replace", tmp_path / "out", out=tmp_path / "out")


def test_two_files_of_one_name(tmp_path):
    with pytest.raises(UserError, match="a: would replace .*which is written as well"):
        refuse_to_replace([tmp_path / "a", tmp_path / "b" / ".." / "a"], [])
    (tmp_path / "a").write_text("")
    with pytest.raises(UserError, match="a: would replace .*which is written as well"):
        refuse_to_replace([tmp_path / "a", tmp_path / "a"], [])
    refuse_to_replace([tmp_path / "b"], [tmp_path / "a", tmp_path / "gone"])


def test_an_export_replaces_neither_the_model_nor_the_data_set(trained, tiny, tmp_path):
    model = tmp_path / "model.safetensors"
    shutil.copy(model_path(nn_params(trained)), model)
    os.link(model, tmp_path / "model.onnx")
    with pytest.raises(UserError, match="model.onnx: would replace .*model.safetensors"):
        step7.main(nn_params(trained), model, tmp_path / "model.onnx")
    params = tiny_params(tiny)
    for target in (params.image_dir, params.image_dir / "positive", params.image_dir / "new", tmp_path / "data"):
        with pytest.raises(UserError, match="lie in one another"):
            exporting.main(params, "coco", "tiny", target, force=True)


# --- what is meant ---


def test_the_part_of_a_pattern_that_exists_is_no_pattern(photos, monkeypatch):
    folder = photos / "photos [2024]" / "{a} !x"
    folder.mkdir(parents=True)
    shutil.copy(photos / "1.jpg", folder / "2.jpg")
    shutil.copy(photos / "1.jpg", folder / "[3].jpg")
    monkeypatch.chdir(photos)

    def names(*patterns):
        return [path.name for path in find_images(list(patterns))]

    for start in ("photos [2024]", str(photos / "photos [2024]"), "./photos [2024]"):
        assert names(f"{start}/{{a}} !x/*.jpg") == ["2.jpg", "[3].jpg"]
        assert names(f"{start}/**/2.*") == ["2.jpg"]
        assert names(f"{start}/{{a}} !x/[3].jpg") == ["[3].jpg"]
    assert names("*/*/2.jpg") == ["2.jpg"] and names("*.jpg") == ["1.jpg"]
    with pytest.raises(UserError, match="no image there"):
        names("photos [2024]/*.png")
    with pytest.raises(UserError, match="~nobody-of-this-name/x.jpg: no image there"):
        names("~nobody-of-this-name/x.jpg")


@pytest.mark.skipif(os.name == "nt", reason="file names that Windows does not allow")
@pytest.mark.parametrize("name", ["a\tb.jpg", "a\nb.jpg", "caf\udce9.jpg"])
def test_names_that_no_table_can_hold_are_refused_before_anything_is_scored(tiny_finished, photos, name, capsys):
    os.rename(photos / "1.jpg", photos / name)
    with pytest.raises(UserError, match="rename it"):
        step6.main(tiny_params(tiny_finished), [str(photos)])
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize("text", ["nan", "inf", "-1e400", "1e10", "x", "", "{[]:1}"])
def test_numbers_of_the_command_line_follow_the_same_rules(text):
    with pytest.raises(UserError, match="--threshold = .*must be a number from -1 to 1"):
        option("--threshold", Number[-1, 1])(text)
    assert option("--threshold", Number[-1, 1])("0.5") == 0.5
