"""Protects images of any shape: a picture 300 times as high as wide, or of a single pixel, is worked on by every step
as any other, trained on and mirrored, and drawn.
"""

import importlib

import numpy as np
import pytest
from PIL import Image
from tiny import nn_params, run_steps, tiny_params

from fastRCNN.structures import Rois
from helpers.dataset.annotations import write_annotation
from pipeline.stages import NetworkInput, build_network, describe_mirrored, describe_rois, prepare_image

SIZES = ((1, 1), (1, 300), (300, 1), (2, 900))  # (width, height); the last side ratio is the cut of step 2's square


def add_image(path, size, boxes=()):
    random = np.random.default_rng(list(f"{path.parent.name}/{path.name}".encode()))  # no two alike
    Image.fromarray(random.integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)).save(path)
    if boxes:
        write_annotation(path, boxes, ["circle"] * len(boxes))


@pytest.mark.slow
@pytest.mark.parametrize("make", [tiny_params, nn_params], ids=["svm", "nn"])
def test_every_step_takes_images_of_any_shape(tiny, capsys, make):
    root = tiny / "data" / "tiny"
    for width, height in SIZES:
        add_image(root / "negative" / f"{width}x{height}.png", (width, height))
        box = (0, 0, width, min(height, 4))
        add_image(root / "positive" / f"{width}x{height}.png", (width, height), [box])
    add_image(root / "testImages" / "thin.png", (1, 290), [(0, 0, 1, 290)])
    params = make(tiny, roi_maxAspectRatio=1000, roi_minDimRel=0.001, roi_maxDimRel=1)
    result = run_steps(params, *(1, 2, 3, 4, 5) if make is tiny_params else (1, 2, 3, 5))
    assert np.isfinite(result["mAP"])
    importlib.import_module("5_visualize").main(params)
    importlib.import_module("B2_visualizeInputs").main(params)
    paths = [str(path) for path in sorted((root / "negative").glob("*x*.png"))]
    assert importlib.import_module("6_scoreImage").main(params, paths) == 0
    assert len(list((params.results_dir / "scored").iterdir())) == len(SIZES)


@pytest.mark.parametrize("size", SIZES)
def test_a_mirrored_strip_has_the_mirrored_features(tmp_path, size):
    params = tiny_params(tmp_path)
    network = build_network(params)
    image = np.random.default_rng(1).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    rois = Rois.of([[0, 0, *size]])
    mirrored = describe_mirrored(network, prepare_image(image, params), rois, size[0], params)
    prepared = prepare_image(image, params)
    turned = np.array([row[::-1] for row in prepared.pixels])
    assert np.array_equal(mirrored, describe_rois(network, NetworkInput(turned, prepared.factors), rois, params))
