"""Protects the steps on PASCAL VOC's and COCO's layouts: the same images and boxes give, in any layout, byte for byte
the same detections; published ROIs replace step 1's own; step 5 writes VOC's result files; presets."""

import json
import shutil

import numpy as np
import pytest
import scipy.io
from tiny import run_steps, tiny_params
from voc_layout import CLASSES, make_voc, tiny_annotations

from helpers.artifacts.roi_files import read_rois
from helpers.artifacts.voc_results import read_results
from helpers.base.errors import UserError
from pipeline.parameters import load_parameters
from pipeline.regions import input_factors
from pipeline.stages import prepare_image


def make_coco(source, folder):
    """All tiny images in COCO's layout, in `folder/data/coco`; returns the parameters for them."""
    contents = {}
    for key, (path, size, boxes, labels) in tiny_annotations(source).items():
        part, _, name = key.partition("/")
        image_set = "val2017" if part == "testImages" else "train2017"
        name = f"{part}_{name}"
        target = folder / "data/coco" / image_set / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, target)
        content = contents.setdefault(image_set, {"images": [], "annotations": [], "categories": []})
        image_id = len(content["images"])
        content["images"].append({"id": image_id, "file_name": name, "width": size[0], "height": size[1]})
        for (x1, y1, x2, y2), label in zip(boxes.tolist(), labels, strict=True):
            box = [x1, y1, x2 - x1, y2 - y1]
            content["annotations"].append({"image_id": image_id, "category_id": CLASSES.index(label) + 5, "bbox": box})
    for image_set, content in contents.items():
        # names that sort as the folders do: positive, negative
        content["categories"] = [{"id": number, "name": name} for number, name in enumerate(("triangle", *CLASSES), 4)]
        path = folder / "data/coco/annotations" / f"instances_{image_set}.json"
        path.parent.mkdir(exist_ok=True)
        path.write_text(json.dumps(content))
    tiny = tiny_params(folder)
    settings = {name: getattr(tiny, name) for name in vars(tiny) if name not in ("classes", "datasetName", "rootDir")}
    settings |= {"datasetName": "coco", "datasetLayout": "coco", "coco_categories": "circle,6"}
    return load_parameters([f"{name}={value}" for name, value in settings.items()])


def detections(params):
    """The lines of step 5's file, with images named as in the tiny data set."""
    lines = (params.detections_dir / "test_svm.tsv").read_text().splitlines()[1:]
    return [
        line.partition("\t")[0].rpartition("_")[2].rpartition("/")[2] + "\t" + line.partition("\t")[2] for line in lines
    ]


@pytest.fixture(scope="module")
def in_voc(tiny_data, tmp_path_factory):
    """Parameters of the tiny images in VOC's layout, steps 1 to 5 done. Read only."""
    params = make_voc(tiny_data, tmp_path_factory.mktemp("voc"))
    run_steps(params, 1, 2, 3, 4, 5)
    return params


@pytest.mark.slow
def test_coco_gives_the_same_detections(tiny_data, tiny_finished, tmp_path):
    params = make_coco(tiny_data, tmp_path)
    assert params.classes == CLASSES
    run_steps(params, 1, 2, 3, 4, 5)
    expected = detections(tiny_params(tiny_finished))
    assert len(expected) > 2
    assert detections(params) == expected


@pytest.mark.slow
def test_voc_gives_the_same_detections(tiny_data, in_voc, tmp_path):
    shutil.copytree(tiny_data / "data", tmp_path / "data")
    shutil.rmtree(tmp_path / "data/tiny/negative")  # VOC has none
    params = tiny_params(tmp_path)
    run_steps(params, 1, 2, 3, 4, 5)
    assert detections(in_voc) == detections(params)


def test_voc_result_files(in_voc):
    results = read_results(in_voc.results_dir, CLASSES)
    kept = [line.split("\t") for line in detections(in_voc) if line.endswith("\t1")]
    for name in CLASSES:
        assert len(results[name].images) == sum(line[1] == name for line in kept) > 0
        assert set(results[name].images) <= {"testImages_1", "testImages_2"}


@pytest.mark.slow
def test_published_rois_replace_those_of_step_1(in_voc, tiny_data, tmp_path):
    params = make_voc(tiny_data, tmp_path)
    names = ["testImages_2", "testImages_1"]  # not in the order of the list
    boxes = [np.array([[3.0, 2.0, 40.0, 50.0], [1.0, 1.0, 120.0, 160.0]]), np.array([[5.0, 6.0, 7.0, 8.0]])]
    path = tmp_path / "data/selective_search_data/voc_2007_test.mat"
    path.parent.mkdir()
    cells = {"images": np.empty((2, 1), object), "boxes": np.empty((1, 2), object)}
    cells["images"][:, 0], cells["boxes"][0, :] = names, boxes
    scipy.io.savemat(path, cells)
    run_steps(params, 1)
    folder = params.roi_dir / "VOC2007/JPEGImages"
    # (y1, x1, y2, x2), 1-based and inclusive
    assert read_rois(folder / "testImages_2.roi.txt").boxes.tolist() == [[1, 2, 50, 40], [0, 0, 160, 120]]
    assert read_rois(folder / "testImages_1.roi.txt").boxes.tolist() == [[5, 4, 8, 7]]
    own = [(in_voc.roi_dir / "VOC2007/JPEGImages" / f"positive_{number}.roi.txt").read_text() for number in (1, 3, 10)]
    assert [(folder / f"positive_{number}.roi.txt").read_text() for number in (1, 3, 10)] == own
    run_steps(params, 2)
    boxes[0][0, 0] = 4.0  # another file: step 1 is out of date
    scipy.io.savemat(path, cells)
    with pytest.raises(UserError, match=r"published ROIs has changed since 1_computeRois.py ran"):
        run_steps(params, 2)
    run_steps(params.replace(voc_publishedRois=False), 1)
    assert len(read_rois(folder / "testImages_1.roi.txt")) > 10


def test_broken_published_rois_stop_step_1(tiny_data, tmp_path):
    params = make_voc(tiny_data, tmp_path)
    path = tmp_path / "data/selective_search_data/voc_2007_trainval.mat"
    path.parent.mkdir()
    path.write_bytes(b"MATLAB, so to speak")
    with pytest.raises(UserError, match="voc_2007_trainval.mat"):
        run_steps(params, 1)


def test_presets_count_more_than_the_data_set_and_less_than_the_command_line():
    params = load_parameters(["datasetName=pascalVoc", "preset=fastRcnnS"])
    assert (params.network, params.cntk_nrRois, params.network_maxShorterSide) == ("alexnet", 2000, 600)
    assert params.eval_use11Points and params.network_contextFactor == 1  # the paper describes a ROI by itself alone
    assert load_parameters(["preset=fastRcnnM"]).network == "vgg_cnn_m_1024"
    assert load_parameters(["preset=fastRcnnL", "cntk_nrRois=7"]).cntk_nrRois == 7
    # 40,000 steps of two images on the 5,011 of VOC 2007 trainval, 30,000 of them at the higher rate
    assert [round(epochs * 5011 / 2, -4) for epochs, _ in params.nn_learningRates] == [30_000, 10_000]
    with pytest.raises(UserError, match='preset = "fastRcnS".*did you mean "fastRcnnS"'):
        load_parameters(["preset=fastRcnS"])


@pytest.mark.parametrize(
    ("size", "limit", "expected"),
    [
        ((500, 375), 600, (800, 600)),  # the shorter side becomes 600
        ((500, 200), 600, (1000, 400)),  # unless the longer one would be more than 1000
        ((500, 375), 0, (1000, 750)),
        ((2000, 1500), 600, (800, 600)),
    ],
)
def test_size_of_the_networks_input(size, limit, expected):
    params = load_parameters([f"network_maxShorterSide={limit}"])
    prepared = prepare_image(np.zeros((size[1], size[0], 3), np.uint8), params)
    assert prepared.pixels.shape[1::-1] == expected
    assert prepared.factors == input_factors(size, params)
    assert np.allclose(np.array(size) * prepared.factors, expected)
