"""Protects ROIs from published files: every image gets its own boxes, in this project's convention, and a file that is
broken, hostile or something else is refused in words before it costs memory.

The files are written here by scipy.io.savemat, in the structure of the Fast R-CNN release, or byte by byte.
"""

import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from mat_files import BOXES, NAMES, array, cells, element, write_mat
from scipy.io import loadmat, savemat

from helpers.base.errors import UserError
from helpers.fetching import matlab_files, published_rois
from helpers.fetching.published_rois import PublishedRois, count_published, find_published

HEAD = b"MATLAB 5.0 MAT-file".ljust(124) + struct.pack("<H", 0x0100) + b"IM"


def packed(data):
    """A compressed element, which alone of all has no padding."""
    return struct.pack("<II", 15, len(data)) + data


def fails(path, *words):
    with pytest.raises(UserError) as caught:
        PublishedRois(path)
    message = str(caught.value)
    assert message.startswith(str(path)) and message.isprintable()
    for word in words:
        assert word in message, message


@pytest.mark.parametrize("compressed", [True, False])
def test_boxes_in_our_convention(tmp_path, compressed):
    rois = PublishedRois(write_mat(tmp_path / "a.mat", compressed=compressed))
    assert rois.names == NAMES
    # rows 1 to 10 and columns 1 to 20: 20 x 10 pixels from the corner on; rows 3 and 4, columns 5 and 6: 2 x 2 pixels
    assert rois["000005"].tolist() == [[0, 0, 20, 10], [4, 2, 6, 4]]
    assert rois["000007"].tolist() == [[1.5, 6, 2.5, 7]]
    assert rois["2008_000001"].shape == (0, 4)
    assert {rois[name].dtype for name in NAMES} == {np.dtype(np.float32)}
    assert "000007" in rois and "7" not in rois
    with pytest.raises(UserError, match="no boxes for the image '000006'"):
        rois["000006"]


def test_same_as_the_loader_of_fast_rcnn(tmp_path):
    """boxes[:, (1, 0, 3, 2)] - 1 are 0-based inclusive corners; ours end one pixel behind the last."""
    random = np.random.default_rng(1)
    boxes = []
    for count in (1, 7, 2000, 300):
        corner = random.integers(1, 300, (count, 2))
        boxes.append(np.hstack([corner, corner + random.integers(0, 200, (count, 2))]).astype(float))
    names = [f"{index:06d}" for index in range(4)]
    path = write_mat(tmp_path / "a.mat", names, boxes)
    loaded = loadmat(path)["boxes"].ravel()
    rois = PublishedRois(path)
    for name, one in zip(names, loaded, strict=True):
        inclusive = one[:, (1, 0, 3, 2)] - 1
        assert np.array_equal(rois[name], inclusive + (0, 0, 1, 1))


@pytest.mark.parametrize("dtype", ["uint8", "uint16", "int16", "int32", "uint32", "int64", "float32", "float64"])
@pytest.mark.parametrize("compressed", [True, False])
def test_numbers_of_every_type(tmp_path, dtype, compressed):
    """MATLAB stores whole doubles as the smallest type that holds them."""
    rois = PublishedRois(write_mat(tmp_path / "a.mat", ["1"], [np.array([[1, 2, 3, 4]], dtype)], compressed))
    assert rois["1"].tolist() == [[1, 0, 4, 3]]


def test_other_variables_and_the_other_orientation(tmp_path):
    """Some tools write both arrays 1 x N, and scores beside them."""
    path = tmp_path / "a.mat"
    more = {"boxScores": np.ones(5), "z": 1 + 1j, "s": {"a": 1}}
    savemat(path, {**more, "images": cells(NAMES, (1, -1)), "boxes": cells(BOXES, (-1, 1))})
    assert PublishedRois(path)["000005"].shape == (2, 4)


def test_big_endian_and_never_filled_cells(tmp_path):
    def part(kind, data):
        return struct.pack(">II", kind, len(data)) + data + bytes(-len(data) % 8)

    def big(array_class, shape, data, name=b""):
        head = part(6, struct.pack(">II", array_class, 0)) + part(5, struct.pack(">ii", *shape)) + part(1, name)
        return part(14, head + data)

    boxes = big(6, (1, 4), part(4, struct.pack(">4H", 1, 2, 3, 4)))  # doubles stored as uint16
    texts = [big(4, (1, 1), part(4, letter.encode("utf-16-be"))) for letter in "ab"]
    content = big(1, (1, 2), boxes + part(14, b""), b"boxes") + big(1, (2, 1), b"".join(texts), b"images")
    (tmp_path / "a.mat").write_bytes(HEAD[:124] + struct.pack(">H", 0x0100) + b"MI" + content)
    rois = PublishedRois(tmp_path / "a.mat")
    assert (rois["a"].tolist(), rois["b"].shape) == ([[1, 0, 4, 3]], (0, 4))


@pytest.mark.parametrize(
    ("row", "value"),
    [
        ([0, 1, 5, 5], "(0, 1, 5, 5)"),
        ([1, -3, 5, 5], "(1, -3, 5, 5)"),
        ([5, 1, 4, 5], "(5, 1, 4, 5)"),
        ([1, 6, 5, 5], "(1, 6, 5, 5)"),
        ([1, 1, np.nan, 5], "(1, 1, nan, 5)"),
        ([1, 1, 5, np.inf], "(1, 1, 5, inf)"),
        ([1, 1, 5, 1e6], "1000000"),
    ],
)
def test_boxes_that_are_none(tmp_path, row, value):
    path = write_mat(tmp_path / "a.mat", NAMES[:2], [BOXES[0], np.array([[1, 1, 2, 2], row], float)])
    fails(path, "image 000007", "box 2", value)


@pytest.mark.parametrize(
    ("boxes", "words"),
    [
        (np.ones((5, 3)), ["image 000007", "(5, 3)"]),
        (np.ones((4, 1)), ["image 000007", "(4, 1)"]),
        (np.ones((2, 4, 2)), ["image 000007", "(2, 4, 2)"]),
        ("text", ["image 000007", "text"]),
        (np.ones((1, 4)) * 1j, ["image 000007", "real numbers"]),
        (cells([np.ones(4)], (1, 1)), ["image 000007", "real numbers"]),
        (np.ones((1, 4), bool), []),
    ],
)
def test_arrays_of_another_kind(tmp_path, boxes, words):
    path = write_mat(tmp_path / "a.mat", NAMES[:2], [BOXES[0], boxes])
    if words:
        fails(path, *words)
    else:
        assert PublishedRois(path)["000007"].tolist() == [[0, 0, 1, 1]]


@pytest.mark.parametrize(
    ("names", "word"),
    [
        (["000005"] * 3, "comes twice"),
        (["000005", "../../x", "7"], "'../../x'"),
        (["000005", "\x1b[2J", "7"], "'\\x1b[2J'"),
        (["000005", "", "7"], "row 2"),
        (["000005", np.ones(3), "7"], "shape (1, 3)"),
        (["000005", "7"], "2 names of images and boxes of 3"),
    ],
)
def test_names_that_are_none(tmp_path, names, word):
    fails(write_mat(tmp_path / "a.mat", names), word)


def test_files_of_another_kind(tmp_path):
    path = tmp_path / "a.mat"
    fails(path, "cannot be read")
    for content, word in (
        (b"", "not a MATLAB file"),
        (b"\x1f\x8b" + bytes(500), "not a MATLAB file"),
        (HEAD[:124] + struct.pack("<H", 0x0200) + b"IM", "version 7.3"),
        (HEAD, 'no variable "images"'),
        (HEAD + b"abc", "cut off"),
        (HEAD + element(9, bytes(8)), "type 9"),
        (HEAD + packed(b"no zlib data"), "cut off or broken"),
    ):
        path.write_bytes(content)
        fails(path, word)
    savemat(path, {"boxes": np.ones((3, 4)), "images": cells(NAMES, (-1, 1))})
    fails(path, '"boxes" is not a cell array')
    savemat(path, {"boxes": cells(BOXES, (1, -1))})
    fails(path, 'no variable "images"')


@pytest.mark.parametrize("compressed", [True, False])
def test_cut_off_anywhere(tmp_path, compressed):
    content = write_mat(tmp_path / "a.mat", compressed=compressed).read_bytes()
    rois = PublishedRois(tmp_path / "a.mat")
    whole = {name: rois[name].tolist() for name in NAMES}
    for length in range(0, len(content), 7):
        (tmp_path / "a.mat").write_bytes(content[:length])
        try:
            rois = PublishedRois(tmp_path / "a.mat")
        except UserError:
            continue
        # only check sums behind the last number are missing
        assert {name: rois[name].tolist() for name in rois.names} == whole


@pytest.mark.parametrize("compressed", [True, False])
def test_any_byte_changed_gives_boxes_or_a_user_error(tmp_path, compressed):
    content = write_mat(tmp_path / "a.mat", compressed=compressed).read_bytes()
    random = np.random.default_rng(2)
    for _ in range(300):
        changed = bytearray(content)
        for place in random.integers(100, len(content), random.integers(1, 4)):
            changed[place] = random.integers(256)
        (tmp_path / "a.mat").write_bytes(changed)
        try:
            rois = PublishedRois(tmp_path / "a.mat")
        except UserError:
            continue
        assert all(rois[name].shape[1] == 4 for name in rois.names)


def test_cells_in_cells(tmp_path):
    """20,000 of them end a process that follows them with scipy 1.17."""
    inner = array(6, (0, 0), element(9, b""))
    parts, length = [inner], len(inner)
    for _ in range(20_000):
        head = array(1, (1, 1))[8:]
        length += len(head)
        parts.append(struct.pack("<II", 14, length) + head)
        length += 8
    boxes = array(1, (1, 1), b"".join(reversed(parts)), b"boxes")
    names = array(1, (1, 1), array(4, (1, 1), element(16, b"a")), b"images")
    (tmp_path / "a.mat").write_bytes(HEAD + boxes + names)
    fails(tmp_path / "a.mat", "image a", "neither real numbers nor a text")


def test_claims_about_sizes_are_not_believed(tmp_path, monkeypatch):
    names = array(1, (1, 1), array(4, (1, 1), element(16, b"a")), b"images")
    numbers = element(9, struct.pack("<4d", 1, 1, 2, 2))
    for boxes, word in (
        (array(1, (2**31 - 1, 2**31 - 1), b"", b"boxes"), "cells, more than"),
        (array(1, (-1, 1), b"", b"boxes"), "broken"),
        (array(1, (1, 1), array(6, (2**31 - 1, 4), numbers), b"boxes"), "image a"),
        (array(1, (1, 1), array(6, (1, 4), numbers, length=2**32 - 8), b"boxes"), "claims a cell of 4294967288 bytes"),
        (array(1, (1, 1), array(6, (1, 4), element(9, b"", 2**31)), b"boxes"), "claims an element of 2147483648"),
        (array(1, (1, 1), array(6, (1, 4), numbers + bytes(800)), b"boxes"), "claims the shape (1, 4)"),
    ):
        for content in (names + boxes, packed(zlib.compress(names)) + packed(zlib.compress(boxes))):
            (tmp_path / "a.mat").write_bytes(HEAD + content)
            fails(tmp_path / "a.mat", word)
    path = write_mat(tmp_path / "a.mat")
    monkeypatch.setattr(published_rois, "MAX_BOXES", 2)
    fails(path, "more than 2 boxes")
    monkeypatch.setattr(matlab_files, "MAX_BYTES", 300)
    fails(path, "more than 300 bytes")


def test_a_highly_compressed_file_takes_little_memory(tmp_path, monkeypatch):
    """100 MB of boxes of one pixel in 100 kB: they are unpacked cell by cell, and only as far as they are allowed."""
    monkeypatch.setattr(published_rois, "MAX_BOXES", 2**20)
    cell, count = array(6, (2**19 - 8, 4), element(9, np.ones(2**21 - 32).tobytes())), 6
    packer = zlib.compressobj(level=1)
    head = struct.pack("<II", 14, 2**31) + array(1, (1, count), b"", b"boxes")[8:]
    boxes = b"".join(packer.compress(part) for part in (head, *[cell] * count)) + packer.flush()
    names = [array(4, (1, 1), element(16, f"{index}".encode())) for index in range(count)]
    (tmp_path / "a.mat").write_bytes(HEAD + packed(boxes) + array(1, (count, 1), b"".join(names), b"images"))
    assert (tmp_path / "a.mat").stat().st_size < 2**20
    tracemalloc.start()
    fails(tmp_path / "a.mat", "image 2", "more than 1048576 boxes")
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 10 * len(cell)


def test_finding_the_file_of_an_image_set(tmp_path):
    path = tmp_path / "selective_search_data" / "voc_2007_trainval.mat"
    path.parent.mkdir()
    assert find_published(tmp_path, "VOC2007", "trainval") is None
    write_mat(path)
    assert find_published(tmp_path, "VOC2007", "trainval") == path
    assert find_published(tmp_path, "VOC2007", "test") is None
    assert find_published(tmp_path, "VOC2012", "trainval") is None
    assert find_published(tmp_path, "grocery", "trainval") is None
    assert count_published(path) == 3
