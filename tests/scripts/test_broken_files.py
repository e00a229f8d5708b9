"""Protects the steps from intermediate files that are well formed and hold nonsense: numbers that are not finite or out
of range, other shapes and kinds of numbers, names that lead out of the data set. Each is named in one line.

Records would notice most of them already; a reader checks by itself, since records can be edited as well.
"""

from functools import partial
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from fastRCNN.structures import Origin, Rois
from helpers.artifacts.classifier_files import classifier_paths, read_classifier, write_classifier
from helpers.artifacts.cntk_files import InputFiles, RoiInput, input_paths, write_inputs
from helpers.artifacts.detection_files import HEAD, read_detections
from helpers.artifacts.feature_files import read_features, read_predictions
from helpers.artifacts.roi_files import read_rois
from helpers.base.errors import UserError
from helpers.base.files import read_arrays, write_arrays
from helpers.fetching.state_dicts import read_state_dict


def refused(words, reader, *arguments):
    """`reader` stops with one line that has these words."""
    with pytest.raises(UserError) as error:
        result = reader(*arguments)
        list(result) if hasattr(result, "__iter__") else None
    line = str(error.value)
    assert all(word in line for word in words) and "\n" not in line, line


@pytest.mark.parametrize(
    "row",
    ["-1\t0\t5\t5", "5\t0\t5\t9", "0\t9\t5\t5", "0\t0\t51\t5", "0\t0\t5\t31", "0\t0\t5", "0\t0\t5\t5.5", "0\t0\t5\tnan",
     "0\t0\t5\t" + "9" * 5000, "0\t0\t5\t\uff15x"],
)  # fmt: skip
def test_rois(tmp_path, row):
    path = tmp_path / "a.roi.txt"
    path.write_text(f"0\t0\t50\t30\n{row}\n", encoding="utf-8")
    refused([f"{path}, row 2: ", "delete the file and run 1_computeRois.py again"], read_rois, path, (50, 30))


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        (1, "0.2000000", "nan"), (1, "0.2000000", "inf"), (1, "0.2000000", "-0.1"), (1, "0.2000000", "1.2"),
        (1, "0.4000000", "0.9"), (1, "0.4000000", "-0.4"), (1, "0.2000000", "1e999"), (1, "0.2000000", "0x1"),
        (2, "1 0 0", "0 0 0"), (2, "1 0 0", "1 1 0"), (2, "1 0 0", "2 0 0"), (2, "1 0 0", "1 0"),
        (3, "2\t1", "-2\t1"), (3, "2\t1", "2\t3"), (3, "2\t1", "9\t1"), (3, "2\t1", f"{10**30}\t1"),
        (3, "2\t1", "2\t-1"), (3, "100\t100", "100"), (3, "100\t100", "-1\t100"), (3, "100\t100", "1e2\t100"),
        (0, "positive/1.jpg", "../../1.jpg"), (0, "positive/1.jpg", "/positive/1.jpg"), (0, "positive/1", "\0"),
        (0, "positive/1.jpg", "positive\t1.jpg"), (0, "positive/1.jpg", "\udcff.jpg"),
    ],
)  # fmt: skip
def test_inputs(tmp_path, file, old, new):
    rois = Rois.of([[20, 20, 60, 70]], Origin.GROUND_TRUTH).then(Rois.of([[10, 20, 40, 60]]))
    entry, padded = RoiInput("positive/1.jpg", (100, 100), rois, np.array([0, 2])), (100, 100)
    write_inputs(tmp_path, "train", [entry], padded, nr_rois=3, nr_classes=3)
    assert len(list(InputFiles(tmp_path, "train", padded, tmp_path))) == 1
    path = input_paths(tmp_path, "train")[file]
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_bytes(text.replace(old, new, 1).encode("utf-8", "surrogateescape"))
    read = partial(InputFiles, tmp_path, "train", padded, tmp_path)
    refused(["train.txt, row 1: ", "run 2_computeCntkInputs.py again"], lambda: list(read()))


@pytest.mark.parametrize(
    ("array", "words"),
    [
        (np.ones((2, 3), np.float32), "arr_0 is float32, wanted float16"),
        (np.ones((2, 0), np.float16), "holds (2, 0)"),
        (np.ones((3, 3), np.float16), "holds (3, 3)"), (np.ones((2, 3, 1), np.float16), "holds (2, 3, 1)"),
        (np.full((2, 3), np.nan, np.float16), "not finite"), (np.full((2, 3), -np.inf, np.float16), "not finite"),
        (np.ones((2, 3), np.complex64), "holds no numbers"), (np.array([["a"]]), "holds no numbers"),
    ],
)  # fmt: skip
def test_features(tmp_path, array, words):
    path = tmp_path / "0.dat.npz"
    write_arrays(path, arr_0=array)
    refused([f"{path}: ", words, "run 3_runNetwork.py again"], read_features, path, 2)


def test_features_of_no_roi_and_of_the_greatest_numbers(tmp_path):
    path = tmp_path / "0.dat.npz"
    write_arrays(path, arr_0=np.zeros((0, 3), np.float16))
    assert read_features(path, 0).shape == (0, 3)
    write_arrays(path, arr_0=np.array([[65504, -65504, 6e-8]], np.float16))
    assert read_features(path, 1).tolist() == [[65504, -65504, np.float16(6e-8)]]


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("arr_0", np.nan, "finite"),
        ("offsets", np.inf, "finite"),
        ("arr_0", 1.5, "probabilities"),
        ("arr_0", -0.1, "prob"),
    ],
)
def test_predictions(tmp_path, name, value, words):
    path = tmp_path / "0.dat.npz"
    arrays = {"arr_0": np.full((2, 3), 1 / 3, np.float32), "offsets": np.zeros((2, 8), np.float32)}
    write_arrays(path, **arrays)
    read_predictions(path, 2, 2)
    arrays[name][1, 2] = value
    write_arrays(path, **arrays)
    refused([f"{path}: {name} holds", words, "run 3_runNetwork.py again"], read_predictions, path, 2, 2)
    write_arrays(path, **{**arrays, name: arrays[name].astype(np.float64)})
    refused([f"{path}: ", "float32"], read_predictions, path, 2, 2)


def test_arrays_are_no_larger_in_memory_than_on_disk(tmp_path):
    np.savez_compressed(tmp_path / "a.npz", arr_0=np.zeros(10**6))
    refused(["a.npz: not a readable npz file (arr_0.npy is compressed)"], read_arrays, tmp_path / "a.npz")
    write_arrays(tmp_path / "a.npz", arr_0=np.zeros(3))
    data = (tmp_path / "a.npz").read_bytes()
    (tmp_path / "a.npz").write_bytes(data.replace(b"(3,), }" + b" " * 12, b"(9" + b"9" * 12 + b",), }", 1))
    refused(["a.npz: not a readable npz file"], read_arrays, tmp_path / "a.npz")


def classifier(**changes):
    values = {"weights": np.ones((2, 3), np.float32), "biases": np.ones(2, np.float32), "scale": 0.5}
    return SimpleNamespace(**{**values, **changes})


REGRESSOR = SimpleNamespace(weights=np.ones((2, 3, 4), np.float32), biases=np.ones((2, 4), np.float32))


@pytest.mark.parametrize(
    "changes", [{"weights": np.full((2, 3), np.nan)}, {"biases": np.array([1, np.inf])}, {"scale": np.inf}]
)
def test_a_classifier_that_is_not_finite_is_not_written(tmp_path, changes):
    refused(
        ["not written", "run 4_trainSvm.py again"], write_classifier, tmp_path, "e", classifier(**changes), None, "ab"
    )
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("file", "text"),
    [
        (0, "1 2 nan\n1 2 3\n"), (0, "1 2 3\n1 2 1e39\n"), (0, "1 2 3\n"), (0, "1 2 3\n1 2\n"), (0, ""),
        (0, "# only\n"),
        (1, "1\n2\n3\n"), (1, "inf\n1\n"), (1, ""), (2, ""), (2, "0\n"), (2, "-1\n"), (2, "nan\n"), (2, "1\n2\n"),
    ],
)  # fmt: skip
def test_classifier(tmp_path, file, text):
    write_classifier(tmp_path, "e", classifier(), REGRESSOR, ("a", "b"))
    read_classifier(tmp_path, "e", 2, True)
    path = classifier_paths(tmp_path, "e")[file]
    path.write_text(text)
    refused([f"{path}: ", "run 4_trainSvm.py again"], read_classifier, tmp_path, "e", 2, True)


@pytest.mark.parametrize("name", ["weights", "biases"])
def test_box_regression(tmp_path, name):
    write_classifier(tmp_path, "e", classifier(), REGRESSOR, ("a", "b"))
    path = classifier_paths(tmp_path, "e")[3]
    arrays = read_arrays(path)
    bad = arrays[name].copy()
    bad[1, 2] = np.nan
    for value in (bad, arrays[name].astype(int), arrays[name][:, 1:]):
        write_arrays(path, **{**arrays, name: value})
        refused([f"{path}: ", "run 4_trainSvm.py again"], read_classifier, tmp_path, "e", 2, True)


@pytest.mark.parametrize(
    "row",
    [
        "a.jpg\tcup\tnan\t1\t1\t2\t2\t1", "a.jpg\tcup\t1\t1\t1\tinf\t2\t1", "a.jpg\tcup\t1\t3\t1\t2\t2\t1",
        "a.jpg\tcup\t1\t1\t3\t2\t2\t1", "a.jpg\tcup\t1\t1\t1\t2\t2\tyes", "a.jpg\tcup\t1\t1\t1\t2\t2",
        "a.jpg\tmug\t1\t1\t1\t2\t2\t1", "a.jpg\t__background__\t1\t1\t1\t2\t2\t1", "a.jpg\tcup\t1e39\t1\t1\t2\t2\t1",
    ],
)  # fmt: skip
def test_detections(tmp_path, row):
    path, head = tmp_path / "d.tsv", "\t".join(HEAD)
    path.write_text(f"{head}\na.jpg\tcup\t1\t1\t1\t2\t2\t1\n{row}\n")
    refused([f"{path}, row 3: ", "run 5_evaluate.py again"], read_detections, path, ("__background__", "cup"))
    path.write_bytes(head.encode() + b"\n\xff\n")
    refused([f"{path}: not UTF-8", "run 5_evaluate.py again"], read_detections, path, ("__background__", "cup"))
    path.write_text("")
    refused([f"{path}, row 1: ", "run 5_evaluate.py again"], read_detections, path, ("__background__", "cup"))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_weights(tmp_path, value):
    tensor = torch.ones(2, 3)
    torch.save({"features.0.bias": tensor}, tmp_path / "w.pth")
    read_state_dict(tmp_path / "w.pth")
    tensor[1, 1] = value
    torch.save({"features.0.weight": torch.ones(2), "features.0.bias": tensor}, tmp_path / "w.pth")
    refused(["w.pth: tensor features.0.bias holds values that are not finite"], read_state_dict, tmp_path / "w.pth")
