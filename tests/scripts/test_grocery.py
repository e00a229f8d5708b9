"""Protects what the pipeline is for: on the real grocery photos, with real ImageNet weights, steps 0 to 5 must find no
fault with the data and reach the mAP that the README promises.

Photos and weights do not come with the repository; where the folder ../shared is absent, these tests are skipped.
"""

import importlib
from pathlib import Path

import pytest
from tiny import run_steps

from pipeline.parameters import load_parameters

SHARED = Path(__file__).resolve().parents[3] / "shared"
WEIGHTS = SHARED / "weights" / "squeezenet1_1-imagenet.pth"
LEAST_MAP = 0.92  # at IoU 0.5, 200 ROIs per image, 5 test images with 45 objects: one object more or less is 0.02

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (WEIGHTS.is_file() and (SHARED / "data" / "grocery").is_dir()),
        reason=f"needs the grocery photos and SqueezeNet's ImageNet weights in {SHARED}",
    ),
]


@pytest.fixture(scope="module")
def params(tmp_path_factory):
    folder = tmp_path_factory.mktemp("grocery")
    return load_parameters(
        [
            "datasetName=grocery",
            "classifier=svm",
            "cntk_nrRois=200",
            "network=squeezenet1_1",
            f"networkWeights={WEIGHTS}",
            f"dataRootDir={SHARED / 'data'}",
            f"procRootDir={folder / 'proc'}",
            f"resultsRootDir={folder / 'results'}",
        ]
    )


def test_step_0_finds_no_fault(params):
    report = importlib.import_module("0_checkDataset").main(params)
    assert (report.problems, len(report.images)) == ([], 30)


def test_mean_average_precision_on_the_test_images(params, monkeypatch):
    monkeypatch.delenv("LOKY_MAX_CPU_COUNT", raising=False)  # all cores, unlike on the tiny data
    result = run_steps(params, 1, 2, 3, 4, 5)
    assert result["nrImages"] == 5 and sum(result["nrObjects"].values()) == 45
    assert result["mAP"] >= LEAST_MAP, result["AP"]
