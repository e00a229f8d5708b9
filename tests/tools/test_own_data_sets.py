"""Protects data sets without a block in PARAMETERS.py, tools/newDataset.py, and tools/findDuplicates.py: classes and
limits come from the files, training ones only, and of equal images the largest stays where it is."""

import importlib

import numpy as np
import pytest
from PIL import Image
from tiny import draw_image, run_steps

from helpers.base.errors import UserError
from helpers.dataset.annotations import write_annotation
from pipeline.parameters import load_parameters

find_duplicates = importlib.import_module("findDuplicates")
new_dataset = importlib.import_module("newDataset")


def folders(tiny):
    return [f"{name}RootDir={tiny / name}" for name in ("data", "proc", "results")]


@pytest.mark.slow
def test_a_folder_in_the_right_layout_runs_by_its_name_alone(tiny):
    settings = [*folders(tiny), "datasetName=tiny", "networkWeights=random", "cntk_nrRois=40", "cntk_padWidth=160"]
    params = load_parameters(settings)
    assert params.classes == ("circle", "square")
    result = run_steps(params, 1, 2, 3, 4, 5)
    assert set(result["AP"]) == {"circle", "square"}


def test_limits_fit_the_training_boxes_and_leave_the_test_boxes_alone(tiny):
    # 160 x 120 pixels; one training image with a box of 16 x 32: sides 0.1 and 0.2, area 0.02, ratio 2
    for path in (tiny / "data" / "tiny" / "positive").iterdir():
        path.unlink()
    image = tiny / "data" / "tiny" / "positive" / "1.png"
    Image.new("RGB", (160, 120)).save(image)
    write_annotation(image, [[10, 10, 26, 42], [0, 0, 150, 110]], ["square", "EXCLUDE"])
    block = load_parameters([*folders(tiny), "datasetName=tiny"])
    # a fifth of room on sides and ratio, both sides' fifths on the area, rounded outwards to two digits
    assert (block.roi_minDimRel, block.roi_maxDimRel, block.roi_maxAspectRatio) == (0.083, 0.24, 2.4)
    assert (block.roi_minNrPixelsRel, block.roi_maxNrPixelsRel) == (0.013, 0.029)


def test_values_on_the_command_line_count_more(tiny):
    params = load_parameters([*folders(tiny), "datasetName=tiny", "roi_maxDimRel=0.9"])
    assert params.roi_maxDimRel == 0.9 and params.roi_minDimRel > 0.1


def test_a_folder_without_labels_is_named(tiny):
    for path in (tiny / "data" / "tiny").rglob("*.labels.tsv"):
        path.unlink()
    with pytest.raises(UserError, match=r"tiny: no label file names a class; annotate"):
        load_parameters([*folders(tiny), "datasetName=tiny"])


@pytest.mark.parametrize("name", ["../tiny", "a/b", ""])
def test_a_name_cannot_lead_elsewhere(tiny, name):
    with pytest.raises(UserError, match="datasetName = .* must be"):
        load_parameters([*folders(tiny), f"datasetName={name}"])
    with pytest.raises(UserError, match="must be letters"):
        new_dataset.main(folders(tiny), name)


def test_a_new_data_set_and_an_annotated_one(tiny, capsys):
    assert new_dataset.main(folders(tiny), "fresh") is None
    made = {path.name for path in (tiny / "data" / "fresh").iterdir()}
    assert made == {"positive", "testImages", "negative"}
    assert "A1_annotateImages.py" in capsys.readouterr().out
    block = new_dataset.main(folders(tiny), "tiny")
    printed = capsys.readouterr().out
    assert "4 in positive, 1 in negative, 2 in testImages" in printed
    pasted = eval("dict(" + printed.split("dict(")[1].split("\n    ),")[0] + ")")
    assert (
        pasted == block == {key: getattr(load_parameters([*folders(tiny), "datasetName=tiny"]), key) for key in block}
    )


def make_copies(folder):
    """Two different pictures, and of the first a half-size copy and one of low quality."""
    (folder / "a").mkdir(parents=True)
    for seed, name in enumerate(("1.png", "2.png")):
        pixels, _ = draw_image(("circle", "square", "triangle"), 50 + seed)
        Image.fromarray(pixels).save(folder / name)
    first = Image.open(folder / "1.png")
    first.resize((80, 60)).save(folder / "a" / "small.png")
    first.save(folder / "a" / "0.jpg", quality=40)
    write_annotation(folder / "a" / "0.jpg", np.array([[1, 2, 30, 40]]), ["circle"])


def test_copies_are_listed_and_moved_with_their_annotations(tmp_path, capsys):
    folder, aside = tmp_path / "photos", tmp_path / "aside"
    make_copies(folder)
    (folder / "broken.jpg").write_bytes(b"no image")
    (group,) = find_duplicates.main(folder)
    assert [path.name for path in group] == ["1.png", "0.jpg", "small.png"]
    assert "5 images, 2 of them copies" in capsys.readouterr().out
    assert not aside.exists() and len(list(folder.rglob("*.*"))) == 7
    find_duplicates.main(folder, aside)
    moved = {path.relative_to(aside).as_posix() for path in aside.rglob("*.*")}
    assert moved == {"a/0.jpg", "a/0.bboxes.tsv", "a/0.bboxes.labels.tsv", "a/small.png"}
    assert find_duplicates.main(folder) == []


def test_nothing_is_moved_over_a_file(tmp_path):
    folder, aside = tmp_path / "photos", tmp_path / "aside"
    make_copies(folder)
    (aside / "a").mkdir(parents=True)
    (aside / "a" / "0.bboxes.tsv").write_text("mine")
    with pytest.raises(UserError, match=r"0\.bboxes\.tsv: is there already"):
        find_duplicates.main(folder, aside)
    assert (aside / "a" / "0.bboxes.tsv").read_text() == "mine" and (folder / "a" / "0.jpg").exists()


def test_a_missing_folder_is_named(tmp_path):
    with pytest.raises(UserError, match="none: no such folder"):
        find_duplicates.main(tmp_path / "none")


def test_a_data_set_without_a_block_is_suggested(tmp_path):
    (tmp_path / "cups" / "positive").mkdir(parents=True)
    with pytest.raises(UserError, match='did you mean "cups"\\?; known: .*, cups$'):
        load_parameters([f"dataRootDir={tmp_path}", "datasetName=cup"])
