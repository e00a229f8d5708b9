"""Protects data sets that do not fit into memory: what steps read of their files, they read when they need it, an image
at a time, and get the same as if they had read everything.
"""

import importlib
import tracemalloc
from argparse import Namespace

import numpy as np
import pytest
from tiny import nn_params, run_steps, tiny_params

from benchmarks import size
from fastRCNN.structures import Origin, Rois
from helpers.artifacts.cntk_files import InputFiles, RoiInput, write_inputs
from helpers.base.errors import UserError
from helpers.base.files import write_text
from pipeline.training_images import split_validation

NR_IMAGES, NR_ROIS, SIZE = 40, 200, (100, 100)


def entry(index):
    """An image with some of 200 ROIs, at most 3 of them ground truth."""
    random = np.random.default_rng(index)
    count = int(random.integers(0, NR_ROIS + 1)) if index else 0
    corners = random.integers(0, 50, (count, 2))
    boxes = np.hstack([corners, corners + random.integers(1, 50, (count, 2))])
    added = min(count, index % 4)
    rois = Rois.of(boxes[:added], Origin.GROUND_TRUTH).then(Rois.of(boxes[added:]))
    return RoiInput(f"positive/{index} ü.jpg", SIZE, rois, random.integers(0, 3, count))


def read(folder):
    return InputFiles(folder, "train", SIZE, folder)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    path = tmp_path_factory.mktemp("inputs")
    write_inputs(path, "train", map(entry, range(NR_IMAGES)), SIZE, NR_ROIS, nr_classes=3)
    return path


def assert_same(found, expected):
    assert (found.key, found.size) == (expected.key, expected.size)
    assert np.array_equal(found.rois.origins, expected.rois.origins)
    assert np.allclose(found.rois.boxes, expected.rois.boxes, atol=1e-4)
    assert np.array_equal(found.class_ids, expected.class_ids)


def test_entries_in_any_order(folder):
    entries = read(folder)
    assert len(entries) == NR_IMAGES
    for index in (7, 0, NR_IMAGES - 1, 7, 8):
        assert_same(entries[index], entry(index))
    assert_same(entries[-1], entry(NR_IMAGES - 1))
    assert_same(entries[np.int64(3)], entry(3))
    for index, found in enumerate(entries):
        assert_same(found, entry(index))
    assert entries.keys == [entry(index).key for index in range(NR_IMAGES)]
    assert entries.nr_rois.tolist() == [len(entry(index).rois) for index in range(NR_IMAGES)]
    assert entries.nr_ground_truth.tolist() == [entry(index).rois.nr_ground_truth for index in range(NR_IMAGES)]
    for index in (NR_IMAGES, -NR_IMAGES - 1):
        with pytest.raises(IndexError):
            entries[index]


def test_some_of_the_entries(folder):
    entries = read(folder)
    assert_same(entries[5], entry(5))
    some = entries.take(np.array([9, 2, 30]))
    assert len(some) == 3 and some.keys == [entry(index).key for index in (9, 2, 30)]
    for found, index in zip(some, (9, 2, 30), strict=True):
        assert_same(found, entry(index))
    assert_same(some.take([2])[0], entry(30))
    assert_same(entries[0], entry(0))
    assert len(entries.take(np.zeros(0, int))) == len(list(entries.take(np.zeros(0, int)))) == 0


def test_no_image(tmp_path):
    write_inputs(tmp_path, "train", [], SIZE, NR_ROIS, nr_classes=3)
    assert len(read(tmp_path)) == 0 and list(read(tmp_path)) == []


def test_memory_holds_one_entry(folder):
    tracemalloc.start()
    entries = read(folder)
    size = sum(len(found.rois) * 40 for found in entries)  # bytes of all ROIs and class ids
    held, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert size > 150_000
    assert held < 60_000 and peak < held + 8 * NR_ROIS * 40 + 100_000


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("train.roilabels.txt", lambda text: text.rsplit("\n", 3)[0] + "\n", r"train.roilabels.txt, row 39: missing"),
        (
            "train.txt",
            lambda text: text.rsplit("\n", 2)[0] + "\n",
            "train.txt, row 40: missing, train.rois.txt",
        ),
        ("train.nrRois.txt", lambda text: text.replace("\n7\t", "\n8\t", 1), "train.txt, row 8: image indices"),
        ("train.rois.txt", lambda text: text.replace("\n7 |", "\n8 |", 1), "train.txt, row 8: image indices"),
        ("train.roilabels.txt", lambda text: text.replace("\n7 |roiLabels 1", "\n7 |roiLabels 2", 1), "row 8: the lab"),
        ("train.roilabels.txt", lambda text: text.replace("\n7 |roiLabels", "\n7 |roiLabels 0", 1), "row 8: cannot"),
    ],
)
def test_rows_that_do_not_fit_together_are_named(folder, tmp_path, name, change, message):
    for path in folder.iterdir():
        write_text(tmp_path / path.name, path.read_text("utf-8"))
    text = (tmp_path / name).read_text("utf-8")
    if "the lab" in message:  # whatever its first class is
        text = text.replace("\n7 |roiLabels 0", "\n7 |roiLabels 1", 1)
    write_text(tmp_path / name, change(text))
    with pytest.raises(UserError, match=f"{message}.*run 2_computeCntkInputs.py again"):
        list(read(tmp_path))


def test_validation_images(folder, tmp_path):
    entries = read(folder)
    params = nn_params(tmp_path, nn_validationFraction=0.2)
    kept, chosen = split_validation(entries, params)
    annotated = [index for index in range(NR_IMAGES) if entry(index).rois.nr_ground_truth]
    order = np.random.default_rng(params.seed).permutation(annotated)[: round(0.2 * len(annotated))]
    assert chosen.keys == [entry(index).key for index in sorted(order)] and len(chosen) == 6
    assert kept.keys == [entry(index).key for index in range(NR_IMAGES) if index not in order]
    assert [len(split) for split in split_validation(entries, params.replace(nn_validationFraction=0.0))] == [40, 0]


# --- benchmarks/size.py ---


@pytest.mark.slow
def test_all_steps_run_at_any_size(monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(size, "in_fresh_process", lambda function, *arguments, method: function(*arguments))
    monkeypatch.setattr(size, "one_thread", lambda: None)
    monkeypatch.setattr(size.tempfile, "tempdir", str(tmp_path))
    evaluate = importlib.import_module("5_evaluate")
    monkeypatch.setattr(evaluate, "detect_all", evaluate.detect_all)  # the benchmark replaces it
    settings = ["cntk_padWidth=64", "cntk_padHeight=64", "roi_maxImgDim=64"]
    size.main(Namespace(settings=settings, images=[6, 8], rois=30, photos=None))
    lines = capsys.readouterr().out.splitlines()
    for title in ("6 images, 30 ROIs", "8 images, 30 ROIs"):
        first = next(number for number, line in enumerate(lines) if line.startswith(title))
        rows = lines[first + 2 : first + 2 + len(size.STAGES)]
        assert [name for name in size.STAGES if not any(row.startswith(name) for row in rows)] == []
    hours = [line.split()[-2:] for line in lines[-6:]]
    assert all(float(value) >= 0 for row in hours for value in row)
    assert list(tmp_path.iterdir()) == [], "its folder is removed"


def test_hours_and_disk_by_hand():
    measured = {
        "(making images and ROIs)": (9, 9, 0, 0.1),  # seconds, seconds of the processor, peak GB, GB
        "2_computeCntkInputs.py": (9, 10, 0, 0.2),
        "5_evaluate.py": (9, 5, 0, 0),
    }
    seconds = {"rois": 3.6, "features": 1.8, "predictions": 0.9, "pass": 0.36, "detections": 0.62}
    rows = {row[0]: row[1:] for row in size.voc_table(measured, seconds, 50e6, 2e6, nr_images=100)}
    assert rows["1 ROIs"] == ["9.96", "10.0"]  # 9963 images of 3.6 s and 1 MB
    assert rows["2 inputs"] == ["0.28", "19.9"]  # of 0.1 s and 2 MB
    assert rows['3 features, classifier "svm"'] == ["7.49", "748.7"]  # 14974 views of 1.8 s and 50 MB
    assert rows['3 predictions, classifier "nn"'] == ["2.49", "19.9"]
    assert rows["4 SVMs, 12 passes"] == ["12.03", "0.0"]  # 12 * 10022 * 0.36 s
    assert rows["5 detections and measures"][0] == "0.99"  # 4952 of 0.62 + 5 / 50 s


def test_step_3_holds_a_few_images_however_many_there_are(tiny, monkeypatch):
    step3 = importlib.import_module("3_runNetwork")
    params, events = tiny_params(tiny), []
    run_steps(params, 1, 2)
    read, write = InputFiles._read, step3.write_arrays
    monkeypatch.setattr(InputFiles, "_read", lambda self, *row: events.append(1) or read(self, *row))
    monkeypatch.setattr(step3, "write_arrays", lambda path, **arrays: write(path, **arrays) or events.append(-1))
    step3.main(params)
    assert events.count(1) == events.count(-1) == 7
    # one is written, one described, one decoded, and one more is about to be
    assert np.cumsum(events).max() <= 4
