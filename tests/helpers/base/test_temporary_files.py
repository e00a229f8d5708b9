"""Protects disks from what killed runs leave: the next run of a step removes the temporary files of its own outputs,
3.3 GB a kill at VOC's size, and no file that another running step may be writing.
"""

import importlib

import pytest
from tiny import nn_params, run_steps, tiny_params

from helpers.artifacts.locks import alone
from helpers.base.files import remove_temporary_files
from pipeline.needs import map_root

DEAD = 4_000_000  # no process has this number: the greatest is 2^22


def plant(folder, *names):
    """Leave temporary files of a dead process for these final names."""
    for name in names:
        path = folder / name
        path = path.with_name(f".{DEAD}.tmp.{path.name}")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"half")


def left(*folders):
    return sorted(path.name.removeprefix(f".{DEAD}.tmp.") for folder in folders for path in folder.rglob(".*.tmp.*"))


INPUTS = [f"cntkFiles/{part}.{kind}" for part in ("train", "test") for kind in ("rois.txt", "roilabels.txt", "txt")]


@pytest.mark.parametrize(
    ("step", "names", "results"),
    [
        (1, ["rois/positive/1.roi.txt", "rois/negative/gone.roi.txt", "rois/record.json"], []),
        (2, [*INPUTS, "cntkFiles/test.nrRois.txt", "cntkFiles/record.json"], []),
        (3, ["cntkFiles/train_svm_parsed/0.dat.npz", "cntkFiles/test_svm_parsed/99.dat.npz"], []),
        (4, ["trainedSVMs/svmweights_exp1.txt", "trainedSVMs/boxregression_exp1.npz"], []),
        (5, ["detections/test_svm.tsv"], ["evaluation_test_svm.json", "evaluation_test_svm_confusion.png"]),
        (6, [], ["visualizations/test_svm/testImages/1.jpg", "thresholds_test_svm.tsv"]),
    ],
)
def test_a_rerun_removes_those_of_its_own_outputs(finished, step, names, results):
    params = tiny_params(finished)
    plant(params.proc_dir, *names)
    plant(params.results_dir, *results)
    others = ["trainedSVMs/svmweights_exp2.txt", "detections/train_svm.tsv", "cntkFiles/train_nn_parsed/0.dat.npz"]
    plant(params.proc_dir, *others)
    plant(params.results_dir, "evaluation_train_svm.json", "visualizations/train_svm/1.jpg")
    wanted = ["0.dat.npz", "1.jpg", "evaluation_train_svm.json", "svmweights_exp2.txt", "train_svm.tsv"]
    if step == 6:
        importlib.import_module("5_visualize").main(params)
    else:
        run_steps(params, step)
    assert left(params.proc_dir, params.results_dir) == wanted


def test_training_removes_those_of_its_experiment(prepared):
    params = nn_params(prepared, nn_learningRates="((1, 0.001),)")
    own = ["exp1.safetensors", "exp1.last.safetensors", "exp1.checkpoint.pt", "record_exp1.json"]
    other = nn_params(prepared, experimentName="exp1_b")
    plant(params.model_dir, *own, "exp1_b.checkpoint.pt")
    plant(map_root(params), "old/positive/1.jpg.npz")
    plant(map_root(other), "key/positive/1.jpg.npz")
    plant(params.results_dir, "training_exp1.tsv", "training_exp1.png", "training_exp1_b.png")
    run_steps(params, 3)
    assert left(params.proc_dir, params.results_dir) == ["1.jpg.npz", "exp1_b.checkpoint.pt", "training_exp1_b.png"]
    assert not map_root(params).exists() and map_root(other).exists(), "another experiment may be training"


def test_names_that_only_look_like_temporary_ones_stay(tmp_path):
    for name in (".1.tmp.a.txt", ".x.tmp.a.txt", ".1.tmp.b.txt", "1.tmp.a.txt", ".1.tmp."):
        (tmp_path / name).write_text("")
    remove_temporary_files(tmp_path, lambda path: path.name == "a.txt")
    left_there = sorted(path.name for path in tmp_path.iterdir())
    assert left_there == [".1.tmp.", ".1.tmp.b.txt", ".x.tmp.a.txt", "1.tmp.a.txt"]


def test_pictures_are_drawn_by_one_process_at_a_time(finished):
    params = tiny_params(finished)
    with (
        alone(params.proc_dir, "visualizations-test_svm", "5_visualize.py"),
        pytest.raises(Exception, match="5_visualize.py is running here already, process"),
    ):
        importlib.import_module("5_visualize").main(params)
