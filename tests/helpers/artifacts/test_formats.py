"""Protects the files that steps hand to each other: whatever is written must read back as the same numbers, a file is
there whole or not at all, and one that is broken must be named instead of being read as something else.
"""

from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from fastRCNN.structures import Candidates, Detections, Origin, Rois
from helpers.artifacts.classifier_files import read_classifier, write_classifier
from helpers.artifacts.cntk_files import InputFiles, RoiInput, write_inputs
from helpers.artifacts.detection_files import detection_rows, read_detections, write_detections
from helpers.artifacts.feature_files import feature_path, read_features
from helpers.artifacts.padded_square import PaddedSquare
from helpers.artifacts.roi_files import read_rois, write_rois
from helpers.base.errors import UserError
from helpers.base.files import atomic_path, read_arrays, read_json, write_arrays, write_json, write_text
from helpers.base.fingerprints import fingerprint

EXTREME = np.array([0, 0.1, 1 / 3, -1e-38, 3.4e38, 1e-45, 16777216, 123456.789, -7e-12], np.float32)


def floats(shape, seed):
    """float32 of every magnitude."""
    random = np.random.default_rng(seed)
    return (random.normal(size=shape) * 10.0 ** random.integers(-12, 12, shape)).astype(np.float32)


# --- files -----------------------------------------------------------------------------------------------------------


def test_atomic_path_shows_the_whole_file_or_the_old_one(tmp_path):
    path = tmp_path / "new" / "a.txt"
    with atomic_path(path) as temporary:
        temporary.write_text("old")
        assert not path.exists() and temporary.suffix == ".txt" and temporary.name.startswith(".")
    for error in (ValueError, KeyboardInterrupt):
        with pytest.raises(error), atomic_path(path) as temporary:
            temporary.write_text("half of a ne")
            raise error
    assert path.read_text() == "old"
    assert [path.name for path in path.parent.iterdir()] == ["a.txt"]


def test_text_has_unix_line_ends_and_json_keeps_its_order(tmp_path):
    write_text(tmp_path / "a", "ä\nb\n")
    assert (tmp_path / "a").read_bytes() == b"\xc3\xa4\nb\n"
    write_json(tmp_path / "b", {"z": 1, "a": [1, None]})
    assert list(read_json(tmp_path / "b")) == ["z", "a"]
    (tmp_path / "b").write_text('{"z": ')
    with pytest.raises(UserError, match="b: not a readable JSON file"):
        read_json(tmp_path / "b")


def test_arrays_are_exact_and_cannot_run_code(tmp_path):
    arrays = {"a": floats((3, 4), 0), "b": np.arange(5, dtype=np.float16), "c": np.zeros((0, 7))}
    write_arrays(tmp_path / "a.npz", **arrays)
    read = read_arrays(tmp_path / "a.npz")
    assert read.keys() == arrays.keys()
    for name in arrays:
        assert np.array_equal(read[name], arrays[name]) and read[name].dtype == arrays[name].dtype
    data = (tmp_path / "a.npz").read_bytes()
    np.savez(tmp_path / "pickle.npz", a=np.array([{"any": "object"}], dtype=object))
    broken = {"half.npz": data[: len(data) // 2], "empty.npz": b"", "text.npz": b"hello"}
    for name, content in broken.items():
        (tmp_path / name).write_bytes(content)
    for name in (*broken, "pickle.npz", "missing.npz"):
        with pytest.raises(UserError, match=f"{name}: not a readable npz file"):
            read_arrays(tmp_path / name)


def test_only_named_arrays_are_read(tmp_path):
    write_arrays(tmp_path / "a.npz", a=np.arange(3), b=np.arange(4))
    with np.load(tmp_path / "a.npz") as file:
        other = file["a"]
    # an object in an array that is not asked for does not matter
    np.savez(tmp_path / "mixed.npz", a=other, b=np.array([{"any": "object"}], dtype=object))
    for path in (tmp_path / "a.npz", tmp_path / "mixed.npz"):
        read = read_arrays(path, names=("a", "missing"))
        assert list(read) == ["a"] and read["a"].tolist() == [0, 1, 2]
        assert read_arrays(path, names=()) == {}
    assert list(read_arrays(tmp_path / "a.npz")) == ["a", "b"]
    with pytest.raises(UserError, match="mixed.npz: not a readable npz file"):
        read_arrays(tmp_path / "mixed.npz", names=("b",))


def test_fingerprint_depends_on_content_only(tmp_path):
    for name, content in (("a", b"1"), ("b", b"1"), ("c", b"2"), ("d", b"")):
        (tmp_path / name).write_bytes(content)
    a, b, c, d, missing = (fingerprint(tmp_path / name) for name in "abcde")
    assert a == b and len({a, c, d, missing}) == 4
    assert fingerprint(tmp_path / "a", tmp_path / "c") != fingerprint(tmp_path / "c", tmp_path / "a")


# --- ROIs and the network's input files ------------------------------------------------------------------------------


def test_padded_square_by_hand():
    # 200 x 100 into 1000 x 1000: factor 5, that is 1000 x 500, with 250 above and below
    square = PaddedSquare(200, 100, 1000, 1000)
    relative = square.to_relative([[20, 10, 60, 50], [0, 0, 200, 100]])
    # x = 20 * 5 / 1000, y = (10 * 5 + 250) / 1000, w = 40 * 5 / 1000, h likewise; the whole image is y 0.25 to 0.75
    assert relative == pytest.approx(np.array([[0.1, 0.3, 0.2, 0.2], [0, 0.25, 1, 0.5]]), abs=1e-12)
    assert square.to_pixels(relative).tolist() == [[20, 10, 60, 50], [0, 0, 200, 100]]
    # 100 x 300 into 600 x 300: factor 1, 250 to the left and right
    square = PaddedSquare(100, 300, 600, 300)
    assert square.to_relative([[0, 30, 50, 300]]) == pytest.approx(np.array([[250 / 600, 0.1, 50 / 600, 0.9]]))
    assert square.to_relative([]).shape == (0, 4) and square.to_pixels([]).shape == (0, 4)


def test_roi_files(tmp_path):
    rois = Rois.of([[0, 0, 10, 20], [5, 6, 7, 8]])
    write_rois(tmp_path / "a.roi.txt", rois)
    assert (tmp_path / "a.roi.txt").read_text() == "0\t0\t10\t20\n5\t6\t7\t8\n"
    assert np.array_equal(read_rois(tmp_path / "a.roi.txt").boxes, rois.boxes)
    write_rois(tmp_path / "a.roi.txt", Rois.of([]))
    assert read_rois(tmp_path / "a.roi.txt").boxes.shape == (0, 4)
    (tmp_path / "a.roi.txt").write_text("1\t2\t3\t4\n1\t2\t3\n")
    with pytest.raises(UserError, match=r'a.roi.txt, row 2: "1\t2\t3" is not four whole.*run 1_computeRois.py again'):
        read_rois(tmp_path / "a.roi.txt")


PADDED = (1000, 1000)


def inputs():
    """Three images of 200 x 100 pixels: a ground-truth box and two ROIs, no ROI, four ROIs; and their boxes."""
    boxes = [[[10.25, 20, 30, 40], [1, 2, 3, 4], [0, 0, 200, 100]], [], [[1, 1, 99, 99]] * 4]
    ids = [[2, 0, 1], [], [0, 0, 0, 0]]
    rois = [Rois.of(boxes[0][:1], Origin.GROUND_TRUTH).then(Rois.of(boxes[0][1:])), Rois.of([]), Rois.of(boxes[2])]
    entries = [RoiInput(f"positive/{i} ü.jpg", (200, 100), rois[i], np.array(ids[i], np.int64)) for i in range(3)]
    return entries, boxes


def read_all(folder, image_set="train"):
    return list(InputFiles(folder, image_set, PADDED, folder))


def test_input_files_hold_the_original_tutorials_rows(tmp_path):
    assert write_inputs(tmp_path, "train", inputs()[0], PADDED, nr_rois=4, nr_classes=3) == 3
    read = {suffix: (tmp_path / f"train{suffix}").read_text("utf-8").splitlines() for suffix in (".txt", ".nrRois.txt")}
    assert read[".txt"] == ["0\tpositive/0 ü.jpg\t0", "1\tpositive/1 ü.jpg\t0", "2\tpositive/2 ü.jpg\t0"]
    assert read[".nrRois.txt"] == ["0\t3\t1\t200\t100", "1\t0\t0\t200\t100", "2\t4\t0\t200\t100"]
    rois = (tmp_path / "train.rois.txt").read_text().splitlines()
    # 10.25 * 5 / 1000, (20 * 5 + 250) / 1000, 19.75 * 5 / 1000, 20 * 5 / 1000
    assert rois[0].startswith("0 |rois 0.0512500 0.3500000 0.0987500 0.1000000 ") and rois[0].endswith(" 0 0 0 0")
    assert all(len(row.split()) == 2 + 4 * 4 for row in rois)
    assert (tmp_path / "train.roilabels.txt").read_text().splitlines() == [
        "0 |roiLabels 0 0 1 1 0 0 0 1 0 0 0 0",
        "1 |roiLabels 0 0 0 0 0 0 0 0 0 0 0 0",
        "2 |roiLabels 1 0 0 1 0 0 1 0 0 1 0 0",
    ]


def test_input_files_read_back_as_the_same_pixels(tmp_path):
    entries, boxes = inputs()
    write_inputs(tmp_path, "train", entries, PADDED, nr_rois=4, nr_classes=3)
    for entry, wanted, box in zip(read_all(tmp_path), entries, boxes, strict=True):
        assert (entry.key, entry.size) == (wanted.key, wanted.size)
        assert np.array_equal(entry.class_ids, wanted.class_ids)
        assert np.array_equal(entry.rois.origins, wanted.rois.origins)
        pixels, added = entry.rois.boxes, entry.rois.nr_ground_truth
        assert pixels.shape == (len(box), 4) and pixels.dtype == np.float32
        assert np.abs(pixels - np.reshape(box, (-1, 4))).max(initial=0) < 1e-4
        assert np.array_equal(pixels[added:], np.reshape(box, (-1, 4))[added:]), "whole pixels"


def test_input_files_without_sizes_read_as_the_same(tmp_path):
    # as written by earlier versions; the images then say how large they are
    entries, _ = inputs()
    write_inputs(tmp_path, "train", entries, PADDED, nr_rois=4, nr_classes=3)
    with_sizes = read_all(tmp_path)
    counts = tmp_path / "train.nrRois.txt"
    counts.write_text(counts.read_text().replace("\t200\t100", ""))
    (tmp_path / "positive").mkdir()
    for entry in entries:
        Image.new("RGB", (200, 100)).save(tmp_path / entry.key)
    for entry, wanted in zip(read_all(tmp_path), with_sizes, strict=True):
        assert entry.size == (200, 100) and entry.rois.boxes.tobytes() == wanted.rois.boxes.tobytes()


@pytest.mark.parametrize("size", [(10_000, 7_001), (333, 9_999), (31, 17)])
def test_whole_pixels_survive_seven_digits(tmp_path, size):
    random = np.random.default_rng(0)
    corners = random.integers(0, np.array(size) - 1, (500, 2))
    boxes = np.hstack([corners, random.integers(corners + 1, np.array(size) + 1)])
    entry = RoiInput("a", size, Rois.of(boxes), np.zeros(500, np.int64))
    write_inputs(tmp_path, "t", [entry], PADDED, nr_rois=500, nr_classes=2)
    assert np.array_equal(read_all(tmp_path, "t")[0].rois.boxes, boxes)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("train.rois.txt", lambda text: text.replace("0 |rois", "5 |rois", 1)),
        ("train.rois.txt", lambda text: text.replace("0.0512500", "x", 1)),
        ("train.rois.txt", lambda text: text.replace("0.0512500 ", "", 1)),
        ("train.rois.txt", lambda text: text[: len(text) // 2]),
        ("train.roilabels.txt", lambda text: text.rsplit("\n", 2)[0] + "\n"),
        ("train.nrRois.txt", lambda text: text.replace("0\t3\t1", "0\t3", 1)),
        ("train.nrRois.txt", lambda text: text.replace("\t200\t100", "\t200", 1)),
        ("train.nrRois.txt", lambda text: text.replace("\t200\t100", "\t0\t100", 1)),
        ("train.txt", lambda text: text + "3\tpositive/4.jpg\t0\n"),
        ("train.nrRois.txt", None),
    ],
)
def test_input_files_that_do_not_fit_together_are_named(tmp_path, name, change):
    write_inputs(tmp_path, "train", inputs()[0], PADDED, nr_rois=4, nr_classes=3)
    if change:
        write_text(tmp_path / name, change((tmp_path / name).read_text("utf-8")))
    else:
        (tmp_path / name).unlink()
    with pytest.raises(UserError, match=r"train.*run 2_computeCntkInputs.py again"):
        read_all(tmp_path)


def test_failing_entry_leaves_no_input_files(tmp_path):
    def entries():
        yield inputs()[0][0]
        raise UserError("bad annotation")

    with pytest.raises(UserError):
        write_inputs(tmp_path, "train", entries(), PADDED, nr_rois=4, nr_classes=3)
    assert list(tmp_path.iterdir()) == []


def test_features_must_have_a_row_for_each_roi(tmp_path):
    path = feature_path(tmp_path, "train", "svm", 7)
    assert path == tmp_path / "train_svm_parsed" / "7.dat.npz"
    write_arrays(path, arr_0=np.ones((3, 5), np.float16))
    assert read_features(path, 3).shape == (3, 5)
    for content, shape in (({"arr_0": np.ones((3, 5))}, r"\(3, 5\)"), ({"x": np.ones((2, 5))}, "no arr_0")):
        write_arrays(path, **content)
        with pytest.raises(UserError, match=f"7.dat.npz: holds {shape}, wanted 2 rows.*run 3_runNetwork.py again"):
            read_features(path, 2)


def test_features_of_the_mirror_image_lie_beside_those_of_the_image(tmp_path):
    path = feature_path(tmp_path, "train", "svm", 7)
    write_arrays(path, arr_0=np.ones((3, 5), np.float16), mirrored=np.full((3, 5), 2, np.float16))
    assert (read_features(path, 3) == 1).all() and (read_features(path, 3, "mirrored") == 2).all()
    write_arrays(path, arr_0=np.ones((3, 5), np.float16))
    with pytest.raises(UserError, match="7.dat.npz: holds no mirrored, wanted 3 rows.*run 3_runNetwork.py again"):
        read_features(path, 3, "mirrored")
    write_arrays(path, arr_0=np.ones((3, 5), np.float16), mirrored=np.ones((2, 5), np.float16))
    with pytest.raises(UserError, match=r"7.dat.npz: holds \(2, 5\), wanted 3 rows"):
        read_features(path, 3, "mirrored")


# --- trained classifiers and detections ------------------------------------------------------------------------------


def test_classifier_reads_back_to_the_last_bit(tmp_path):
    weights, biases = floats((2, 500), 1), floats(2, 2)
    weights[0, : len(EXTREME)] = EXTREME
    svms = SimpleNamespace(weights=weights, biases=biases, scale=0.1 + 0.2)
    regressor = SimpleNamespace(weights=floats((2, 500, 4), 3), biases=floats((2, 4), 4))
    write_classifier(tmp_path, "exp", svms, regressor, ("red apple", "pear"))
    assert (tmp_path / "svmweights_exp.txt").read_text().splitlines()[0::2] == ["# red apple", "# pear"]
    assert (tmp_path / "svmbias_exp.txt").read_text().splitlines()[1].endswith(" # pear")
    (read_weights, read_biases, scale), regression = read_classifier(tmp_path, "exp", 2, with_boxes=True)
    assert read_weights.dtype == read_biases.dtype == np.float32
    assert np.array_equal(read_weights, weights) and np.array_equal(read_biases, biases) and scale == 0.1 + 0.2
    assert np.array_equal(regression[0], regressor.weights) and np.array_equal(regression[1], regressor.biases)
    assert read_classifier(tmp_path, "exp", 2, with_boxes=False)[1] is None
    with pytest.raises(UserError, match="has 2 classes, PARAMETERS has 3; run 4_trainSvm.py again"):
        read_classifier(tmp_path, "exp", 3, with_boxes=False)


def test_classifier_of_one_class_and_broken_files(tmp_path):
    svms = SimpleNamespace(weights=floats((1, 3), 1), biases=floats(1, 2), scale=2)
    write_classifier(tmp_path, "exp", svms, None, ("a",))
    assert read_classifier(tmp_path, "exp", 1, with_boxes=False)[0][0].shape == (1, 3)
    assert not (tmp_path / "boxregression_exp.npz").exists()
    write_arrays(tmp_path / "boxregression_exp.npz", weights=np.zeros((1, 2, 4)), biases=np.zeros((1, 4)))
    with pytest.raises(UserError, match="boxregression_exp.npz: does not fit to svmweights_exp.txt; run 4_trainSvm.py"):
        read_classifier(tmp_path, "exp", 1, with_boxes=True)
    (tmp_path / "svmbias_exp.txt").write_text("abc\n")
    with pytest.raises(UserError, match="svmbias_exp.txt: not a readable file of numbers .*; run 4_trainSvm.py again"):
        read_classifier(tmp_path, "exp", 1, with_boxes=False)


def test_detections_read_back_exactly(tmp_path):
    classes = ("__background__", "red apple", "pear")
    corners = np.abs(floats((9, 4), 5))
    corners[:, 2:] += corners[:, :2]
    found = Detections(corners, EXTREME, np.array([1, 2, 2, 1, 1, 2, 1, 1, 2]))
    kept = np.array([1, 0, 1, 1, 0, 0, 0, 1, 1], bool)
    rows = [*detection_rows("testImages/ä.jpg", Candidates(found, kept), classes)]
    rows += detection_rows("testImages/none.jpg", Candidates(), classes)
    write_detections(tmp_path / "d.tsv", iter(rows))
    lines = (tmp_path / "d.tsv").read_text("utf-8").splitlines()
    assert lines[0].split("\t") == ["image", "label", "score", "x1", "y1", "x2", "y2", "kept"] and len(lines) == 10
    assert lines[1].startswith("testImages/ä.jpg\tred apple\t0\t") and lines[1].endswith("\t1")
    read = dict(read_detections(tmp_path / "d.tsv", classes))
    assert list(read) == ["testImages/ä.jpg"]
    again, is_kept = read["testImages/ä.jpg"].all, read["testImages/ä.jpg"].is_kept
    assert again.boxes.dtype == again.scores.dtype == np.float32
    assert np.array_equal(again.boxes, found.boxes) and np.array_equal(again.scores, found.scores)
    assert np.array_equal(again.class_ids, found.class_ids) and np.array_equal(is_kept, kept)
    with pytest.raises(UserError, match=r"d.tsv, row 3: not a detection .*run 5_evaluate.py again"):
        dict(read_detections(tmp_path / "d.tsv", classes[:2]))
