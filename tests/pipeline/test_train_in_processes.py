"""Protects step 3 under torchrun: two processes train the same network as one, share the images among them, and a batch
that cannot be shared is refused."""

import os
import subprocess
import sys

import numpy as np
import pytest
from project import ROOT
from safetensors.torch import load_file
from tiny import nn_params, tiny_params

from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.feature_files import feature_path, read_features, read_predictions
from helpers.artifacts.model_files import model_path

pytestmark = pytest.mark.slow


def torchrun(params, count):
    """Run step 3 in several processes on this machine."""
    names = ("datasetName", "dataRootDir", "procRootDir", "resultsRootDir", "classifier", "network", "networkWeights",
             "network_device", "cntk_nrRois", "cntk_padWidth", "cntk_padHeight", "roi_maxImgDim", "roi_minDimRel",
             "roi_maxDimRel", "nn_learningRates")  # fmt: skip
    settings = [f"{name}={getattr(params, name)}" for name in names] + ["classes=circle,square"]
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run(
        [*command, ROOT / "3_runNetwork.py", "--set", *settings], capture_output=True, text=True, check=False,
        env=environment,
    )  # fmt: skip


def test_two_processes_train_the_same_network(trained, prepared):
    params = nn_params(prepared)
    done = torchrun(params, 2)
    assert done.returncode == 0, done.stderr[-2000:]
    old, new = load_file(model_path(nn_params(trained))), load_file(model_path(params))
    assert max(float((old[name] - new[name]).abs().max()) for name in old) < 1e-3
    for index, entry in enumerate(read_inputs(params, "test")):
        one, two = (
            read_predictions(feature_path(p.cntk_files_dir, "test", "nn", index), len(entry.rois), 2)[0]
            for p in (nn_params(trained), params)
        )
        assert np.abs(one - two).max() < 1e-2


def test_two_processes_share_the_features(tiny_finished, prepared):
    params = tiny_params(prepared, classifier="svm")
    done = torchrun(params, 2)
    assert done.returncode == 0, done.stderr[-2000:]
    for image_set in ("train", "test"):
        for index, entry in enumerate(read_inputs(params, image_set)):
            one, two = (
                read_features(feature_path(p.cntk_files_dir, image_set, "svm", index), len(entry.rois))
                for p in (tiny_params(tiny_finished), params)
            )
            assert np.abs(one.astype(float) - two.astype(float)).max() <= 2e-3 * np.abs(one).max()


def test_more_processes_than_images_per_batch(prepared):
    done = torchrun(nn_params(prepared), 3)
    assert done.returncode != 0
    assert "nn_imagesPerBatch = 2: 2 images per batch cannot be shared by 3 processes" in done.stderr
