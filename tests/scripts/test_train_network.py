"""Protects step 3 with classifier "nn" and what reads its files: the model is one file that scores by itself exactly
what step 5 evaluates, and a broken-off training ends like an undisturbed one. The same of several processes is in
test_train_in_processes.py, broken model files are in test_model_files.py.
"""

import importlib
import json
import shutil
import subprocess
import sys

import numpy as np
import pytest
import torch
from project import ROOT
from safetensors.torch import load_file
from tiny import nn_params, run_steps

from fastRCNN.training import Trainer
from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.feature_files import feature_path, read_predictions
from helpers.artifacts.model_files import model_path, read_description, stored_settings
from helpers.base.errors import UserError
from pipeline import training as training_stage
from pipeline.parameters import load_parameters

step6 = importlib.import_module("6_scoreImage")


def test_what_the_step_leaves(trained):
    params = nn_params(trained)
    left = {path.name for path in params.model_dir.iterdir()}
    assert left == {"exp1.safetensors", "record_exp1.json"}  # no checkpoint, no maps
    for image_set in ("train", "test"):
        for index, entry in enumerate(read_inputs(params, image_set)):
            path = feature_path(params.cntk_files_dir, image_set, "nn", index)
            probabilities, offsets = read_predictions(path, len(entry.rois), 2)
            assert probabilities.sum(axis=1) == pytest.approx(np.ones(len(entry.rois)), abs=1e-5)
            assert offsets.shape == (len(entry.rois), 2, 4) and np.isfinite(offsets).all()
    rows = (params.results_dir / "training_exp1.tsv").read_text().splitlines()
    assert rows[0].split("\t") == [
        "epoch",
        "loss",
        "classification loss",
        "box-regression loss",
        "accuracy",
        "foreground recall",
    ]
    losses = [float(row.split("\t")[1]) for row in rows[1:]]
    assert len(losses) == 4 and all(0 < loss < 10 for loss in losses)  # that they fall: test_training.py
    assert (params.results_dir / "training_exp1.png").stat().st_size > 5000
    assert list((params.proc_dir / "tensorboard" / "exp1").glob("events*"))
    assert 0 <= json.loads((params.results_dir / "evaluation_test_nn.json").read_text())["mAP"] <= 1


def score(params, capsys, tmp_path, **options):
    folder, table = params.image_dir / "testImages", tmp_path / "found.tsv"
    assert step6.main(params, [str(folder)], out=tmp_path, detections_tsv=table, **options) == 0
    capsys.readouterr()
    return table.read_text().replace(f"{folder}/", "testImages/")


def test_step_6_finds_what_step_5_found(trained, tmp_path, capsys):
    params = nn_params(trained)
    evaluated = (params.detections_dir / "test_nn.tsv").read_text()
    assert len(evaluated.splitlines()) > 2
    assert score(params, capsys, tmp_path) == evaluated


def test_the_model_alone_scores_the_same(trained, tmp_path, capsys):
    model = shutil.copy(model_path(nn_params(trained)), tmp_path / "model.safetensors")
    stored = stored_settings(read_description(model), model)
    folders = [f"{name}={trained / 'data'}" for name in ("dataRootDir",)]
    folders += [f"procRootDir={tmp_path}", f"resultsRootDir={tmp_path}", "network_threads=1"]
    params = load_parameters(folders, stored=stored)
    assert params.classes == ("circle", "square") and params.classifier == "nn" and params.cntk_padWidth == 160
    evaluated = (nn_params(trained).detections_dir / "test_nn.tsv").read_text()
    assert score(params, capsys, tmp_path, model_file=model) == evaluated


@pytest.mark.slow
def test_the_model_alone_from_the_command_line(trained, tmp_path):
    image = trained / "data" / "tiny" / "testImages" / "1.jpg"
    command = [sys.executable, ROOT / "6_scoreImage.py", "--model", model_path(nn_params(trained)), "--out", tmp_path]
    done = subprocess.run([*command, image], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["image"] == str(image)
    other = subprocess.run(
        [*command, image, "--set", "classes=cat,dog"], capture_output=True, text=True, check=False
    )  # fmt: skip
    assert other.returncode == 1
    assert "trained for circle, square; the classes here are cat, dog" in other.stderr


def test_the_header_says_what_the_model_is(trained):
    path = model_path(nn_params(trained))
    description = read_description(path)
    assert description["network"] == "squeezenet1_1" and description["epochs"] == 4
    assert description["versions"]["torch"] == torch.__version__
    assert str(trained) not in json.dumps(description)  # no path of the machine that it was made on


class Interrupted(Exception):
    pass


def break_off(monkeypatch, epoch):
    train_epoch = Trainer.train_epoch

    def one_more(self, number, *arguments):
        if number == epoch:
            raise Interrupted
        return train_epoch(self, number, *arguments)

    monkeypatch.setattr(Trainer, "train_epoch", one_more)
    monkeypatch.setattr(training_stage, "CHECKPOINT_SECONDS", 0)


@pytest.mark.slow
def test_a_broken_off_training_ends_like_an_undisturbed_one(trained, prepared, monkeypatch, capsys):
    params = nn_params(prepared)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        break_off(patch, 2)
        run_steps(params, 3)
    assert (params.model_dir / "exp1.checkpoint.pt").exists() and not model_path(params).exists()
    run_steps(params, 3)
    assert "going on after epoch 2" in capsys.readouterr().err
    assert model_path(params).read_bytes() == model_path(nn_params(trained)).read_bytes()
    old, new = (p.results_dir / "training_exp1.tsv" for p in (nn_params(trained), params))
    assert old.read_text() == new.read_text()


@pytest.mark.slow
def test_a_checkpoint_of_other_parameters_is_not_used(prepared, monkeypatch, capsys):
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        break_off(patch, 2)
        run_steps(nn_params(prepared), 3)
    run_steps(nn_params(prepared, nn_learningRates="((2, 0.002),)"), 3)
    assert "going on" not in capsys.readouterr().err


def test_a_damaged_checkpoint_is_named(prepared, monkeypatch):
    params = nn_params(prepared)
    with monkeypatch.context() as patch, pytest.raises(Interrupted):
        break_off(patch, 1)
        run_steps(params, 3)
    path = params.model_dir / "exp1.checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(UserError, match=r"exp1\.checkpoint\.pt: not a readable checkpoint .* delete it"):
        run_steps(params, 3)


@pytest.mark.slow
def test_without_cached_maps_it_trains_as_well(trained, prepared):
    params = nn_params(prepared, nn_cacheTrunk=False)
    run_steps(params, 3)
    old, new = load_file(model_path(nn_params(trained))), load_file(model_path(params))
    assert list(old) == list(new)  # the file may be longer: its header holds the seconds
    assert all(torch.allclose(old[name], new[name], atol=1e-5) for name in old)


@pytest.mark.slow
def test_held_out_images_are_measured_and_training_stops_early(prepared, capsys):
    params = nn_params(
        prepared, nn_validationFraction=0.5, nn_validationEvery=1, nn_patience=1, nn_learningRates="((30, 0.00001),)"
    )
    run_steps(params, 3)
    header, *rows = (params.results_dir / "training_exp1.tsv").read_text().splitlines()
    assert header.endswith("mAP") and all(row.split("\t")[-1] for row in rows)
    assert 2 <= len(rows) < 30  # a rate this small learns nothing: the second or third measurement is no better
    assert "on 2 validation images" in capsys.readouterr().out
    assert (params.model_dir / "exp1.last.safetensors").exists()


def test_a_loss_that_is_not_finite_names_the_images(prepared):
    params = nn_params(prepared, nn_learningRates="((20, 100),)", nn_warmupIterations=0, nn_weightDecay=1)
    with pytest.raises(UserError, match=r"the loss is (nan|inf) at images (positive|negative)/\S+, \S+: try lower"):
        run_steps(params, 3)


def test_an_unknown_layer_is_named(prepared):
    with pytest.raises(UserError, match=r'nn_trainFromLayer = "features.12": squeezenet1_1 can learn from "head" or'):
        run_steps(nn_params(prepared, nn_trainFromLayer="features.12"), 3)


def test_a_changed_schedule_is_noticed(trained):
    with pytest.raises(UserError, match="nn_learningRates is .* now but was .* when 3_runNetwork.py"):
        run_steps(nn_params(trained, nn_learningRates="((1, 0.5),)"), 5)


def test_ranks_without_fully_connected_layers(prepared):
    with pytest.raises(UserError, match=r"svd_rank = \(16,\): 1 ranks, but the head has 0"):
        run_steps(nn_params(prepared, svd_rank="(16,)", nn_learningRates="((1, 0.001),)"), 3)
