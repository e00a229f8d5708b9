"""Models with random weights, as step 3 writes them, and what they find."""

import importlib
import json
import runpy
import sys

import numpy as np
import pytest
import torch

from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.network import RoiNetwork
from fastRCNN.structures import Rois
from fastRCNN.svd import compress
from helpers.artifacts.model_files import write_model
from pipeline.stages import NetworkInput

step6, step7 = importlib.import_module("6_scoreImage"), importlib.import_module("7_exportModel")


NR_CLASSES = 2  # of the tiny data set


@torch.no_grad()
def random_model(params):
    """A `FastRcnn` with random weights, its outputs scaled so that they differ from ROI to ROI."""
    torch.manual_seed(0)
    network = RoiNetwork(params.network, None, params.network_roiPooling, params.network_contextFactor)
    if params.svd_rank:
        compress(network.head, params.svd_rank, exact=False)
    model = FastRcnn(network, NR_CLASSES)
    prepared, rois = random_image(200, 250, 40)
    features = torch.cat(list(network.describe(prepared.pixels, prepared.place(rois.boxes), 40)))  # (40, D)
    for layer in (model.class_scores, model.box_offsets):
        outputs = layer(features)
        layer.weight /= outputs.std(dim=0)[:, None]
        layer.bias.copy_(-outputs.mean(dim=0) / outputs.std(dim=0))
    model.offset_mean.copy_(torch.tensor([0.01, -0.02, 0.1, 0.2]))
    model.offset_std.copy_(torch.tensor([0.1, 0.1, 0.2, 0.3]))
    return model


def random_image(width, height, nr_rois, seed=0):
    """What `prepare_image` returns, of an image half as wide, and ROIs in that: some at its border, one of a pixel."""
    random = np.random.default_rng(seed)
    image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
    corners = random.uniform(0, 1, (nr_rois, 2, 2)) * (width / 2, height / 2)
    rois = np.concatenate([corners.min(axis=1), corners.max(axis=1)], axis=1).round()
    rois[:1] = 0, 0, width / 2, height / 2
    rois[1:2] = 3, 4, 4, 5
    return NetworkInput(image, (2.0, 2.0)), Rois.of(rois)


def write_random_model(folder, params, name="model"):
    path = folder / f"{name}.safetensors"
    write_model(path, random_model(params).state_dict(), params, {})
    return path


def printed_detections(arguments, capsys, monkeypatch):
    """Exit code, and the detections that 6_scoreImage.py printed, run as from the command line."""
    monkeypatch.setattr(sys, "argv", ["6_scoreImage.py", *map(str, arguments)])
    with pytest.raises(SystemExit) as ended:
        runpy.run_path(step6.__file__, run_name="__main__")
    out, err = capsys.readouterr()
    return ended.value.code, [json.loads(line)["detections"] for line in out.splitlines()], err
