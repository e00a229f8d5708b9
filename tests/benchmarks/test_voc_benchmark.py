"""Protects benchmarks/voc.py: every row runs the steps with its own settings, and the table has what they measured."""

import pytest
import voc
from voc_layout import make_voc

from helpers.base.files import read_json
from pipeline.parameters import load_parameters

SMALL = (
    "datasetFolder=tinyVoc", "classes=circle,square", "networkWeights=random", "network=squeezenet1_1",
    "cntk_nrRois=60", "cntk_padWidth=160", "cntk_padHeight=160", "roi_maxImgDim=160",
    "roi_minDimRel=0.1", "roi_maxDimRel=0.5", "nn_learningRates=((1, 0.001),)", "nn_trainFromLayer=auto",
    "network_device=cpu",
)  # fmt: skip


@pytest.mark.slow
def test_rows_of_the_table(tiny_data, tmp_path, capsys):
    make_voc(tiny_data, tmp_path)
    folders = [f"{name}RootDir={tmp_path / name}" for name in ("proc", "results")]
    settings = [f"dataRootDir={tmp_path / 'data'}", *folders, *SMALL]
    found = voc.main(settings, ["S", "default"])
    printed = capsys.readouterr().out
    assert "4 images to train on, 2 to test on (VOC 2007 has 5011 and 4952)" in printed
    assert f"| Fast R-CNN S (AlexNet) | 0.571 | {found['S']:.3f} |" in printed
    assert f"defaults, 4000 ROIs |  | {found['default']:.3f} |" in printed
    params = load_parameters(["datasetName=pascalVoc", *settings])
    # steps of the last row wrote last: its evaluation is on disk, and both models are
    assert read_json(params.results_dir / "evaluation_test_nn.json")["mAP"] == found["default"]
    assert {path.stem for path in params.model_dir.glob("*.safetensors")} == {"voc_S", "voc_default"}


@pytest.mark.parametrize("name", voc.ROWS)
def test_settings_of_each_row_are_allowed(name):
    params = load_parameters(["datasetName=pascalVoc", *voc.ROWS[name].settings])
    assert params.eval_use11Points
    assert params.classifier == "nn"
    assert len(params.classes) == 20
