"""Protects data sets in which some image has no region of interest: every step runs through, with either classifier,
whether it is an image to train or to test on.

With classifier "nn" such an image once ended step 3 in a traceback, after the training, at each rerun.
"""

import importlib

import numpy as np
import pytest
from PIL import Image
from tiny import nn_params, run_steps, tiny_params

from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.feature_files import feature_path
from helpers.base.files import read_arrays
from helpers.dataset.annotations import write_annotation

pytestmark = pytest.mark.slow

STRIPS = ("negative/strip.png", "positive/strip.png", "testImages/strip.png")  # too low for any ROI within the limits
BOX = [20, 1, 60, 11]


@pytest.fixture
def strips(tiny):
    """The tiny data set with three images that get no ROI, two of them with an object."""
    for key in STRIPS:
        path = tiny / "data" / "tiny" / key
        pixels = np.random.default_rng(0).integers(60, 200, (12, 160, 3)).astype(np.uint8)
        Image.fromarray(pixels).save(path)
        if not key.startswith("negative"):
            write_annotation(path, [BOX], ["circle"])
    return tiny


@pytest.mark.parametrize("make", [tiny_params, nn_params])
def test_every_step_runs_through(strips, make, capsys):
    params = make(strips)
    counts = run_steps(params, 1)
    assert [key for key, count in counts.items() if count == 0] == sorted(STRIPS, key=list(counts).index)
    result = run_steps(params, 2, 3, *([] if params.classifier == "nn" else [4]), 5)
    assert result["nrImages"] == 3 and result["nrObjects"]["circle"] == 3
    for image_set, wanted in (("train", {"positive": 1, "negative": 0}), ("test", {"testImages": 0})):
        entries = read_inputs(params, image_set)
        for index, key in enumerate(entries.keys):
            if key in STRIPS:
                path = feature_path(params.cntk_files_dir, image_set, params.classifier, index)
                assert all(len(array) == wanted[key.split("/")[0]] for array in read_arrays(path).values())
    assert run_steps(params.replace(imageSet="train"), 5)["nrImages"] == 7
    importlib.import_module("5_visualize").main(params.replace(imageSet="train"))
    capsys.readouterr()
    scored = importlib.import_module("6_scoreImage").main(params, [str(params.image_dir / "testImages/strip.png")])
    assert scored == 0 and '"detections": []' in capsys.readouterr().out


@pytest.mark.parametrize("cached", [True, False])
def test_training_on_images_without_rois_next_to_each_other(strips, cached):
    # every batch of two images has one without, some have two
    for key in ("positive/2.JPG", "positive/3.png", "positive/10.jpeg"):
        (strips / "data" / "tiny" / key).unlink()
    params = nn_params(strips, nn_cacheTrunk=cached, cntk_nrRois=20)
    result = run_steps(params, 1, 2, 3, 5)
    assert result["nrImages"] == 3
