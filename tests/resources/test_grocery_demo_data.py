"""Protects the example data in data/groceryDemo: that it is complete, correctly annotated, small, and that no picture
shows (nearly) the same scene as another - otherwise the mAP on the test images would mean nothing.
"""

import hashlib
from itertools import combinations
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

DATA = Path(__file__).resolve().parents[2] / "data" / "groceryDemo"
CLASSES = {"orange", "eggBox", "joghurt", "ketchup", "squash", "mushroom", "water", "mustard"}
COUNTS = {"positive": 20, "testImages": 5, "negative": 5}
WIDTH, HEIGHT = 750, 1000
MAX_BYTES = 8_000_000  # all JPEGs together
MIN_AREA = 100  # pixels; a smaller box would be a sliver of a hidden object
HASH_SIDE = 16  # difference hash of 16 x 16 = 256 bits
# Measured on this data: the closest two pictures differ in 66 bits, the median pair in about 100 (all show a white
# refrigerator with a lamp on top); one picture against itself scaled to 80 % and darkened by 10 % in at most 10.
MIN_HAMMING = 40


def images(*folders):
    return [path for folder in folders or COUNTS for path in sorted((DATA / folder).glob("*.jpg"))]


def read_annotations(path):
    """-> boxes (N, 4) int array x1, y1, x2, y2 with x2, y2 exclusive; N labels."""
    boxes = [row.split("\t") for row in path.with_suffix(".bboxes.tsv").read_text().splitlines()]
    assert all(len(row) == 4 for row in boxes), path
    labels = path.with_suffix(".bboxes.labels.tsv").read_text().splitlines()
    return np.array(boxes, dtype=int).reshape(-1, 4), labels  # int() refuses anything but whole numbers


def difference_hash(image, side=HASH_SIDE):
    """(side * side,) bool: is each cell of the grey, (side + 1) x side picture brighter than its left neighbour?"""
    cells = np.asarray(image.convert("L").resize((side + 1, side), Image.BOX), int)
    return (cells[:, 1:] > cells[:, :-1]).ravel()


ANNOTATED = images("positive", "testImages")


@pytest.mark.parametrize("folder", COUNTS)
def test_number_of_images(folder):
    assert len(images(folder)) == COUNTS[folder]


def test_names_are_numbers_and_unique_over_the_folders():
    names = [path.stem for path in images()]
    assert sorted(map(int, names)) == list(range(1, sum(COUNTS.values()) + 1))


def test_only_expected_files_lie_in_the_folders():
    expected = set(images())
    for path in ANNOTATED:
        expected |= {path.with_suffix(".bboxes.tsv"), path.with_suffix(".bboxes.labels.tsv")}
    found = {path for folder in COUNTS for path in (DATA / folder).iterdir()}
    assert found == expected  # in particular: negatives have no annotation files


def test_size_and_format_of_images():
    for path in images():
        with Image.open(path) as image:
            assert (image.format, image.mode, image.size) == ("JPEG", "RGB", (WIDTH, HEIGHT)), path
            assert not image.getexif(), f"{path}: rotated by EXIF or carrying data of the machine that made it"


def test_total_bytes():
    assert sum(path.stat().st_size for path in images()) < MAX_BYTES


@pytest.mark.parametrize("path", ANNOTATED, ids=lambda path: path.stem)
class TestAnnotations:
    def test_one_label_a_box_and_eight_to_ten_objects(self, path):
        boxes, labels = read_annotations(path)
        assert len(boxes) == len(labels)
        assert 8 <= len(boxes) <= 10

    def test_labels_are_known_and_every_class_is_there(self, path):
        labels = set(read_annotations(path)[1])
        assert labels - {"EXCLUDE"} == CLASSES  # a class that only shows as EXCLUDE would not count

    def test_boxes_lie_inside_the_image(self, path):
        x1, y1, x2, y2 = read_annotations(path)[0].T
        assert (x1 >= 0).all() and (y1 >= 0).all() and (x2 <= WIDTH).all() and (y2 <= HEIGHT).all()
        assert (x1 < x2).all() and (y1 < y2).all()
        assert ((x2 - x1) * (y2 - y1) >= MIN_AREA).all()

    def test_no_box_is_given_twice(self, path):
        boxes = read_annotations(path)[0]
        assert len(np.unique(boxes, axis=0)) == len(boxes)


def test_some_objects_are_excluded_but_few():
    labels = [label for path in ANNOTATED for label in read_annotations(path)[1]]
    assert 1 <= labels.count("EXCLUDE") <= len(labels) // 10


def test_boxes_lie_on_their_objects():
    """Colour in the middle of the boxes: catches swapped coordinates and annotations of another image."""
    middles = {name: [] for name in CLASSES}
    for path in ANNOTATED:
        pixels = np.asarray(Image.open(path), float)
        for (x1, y1, x2, y2), label in zip(*read_annotations(path), strict=True):
            if label in middles:
                dx, dy = (x2 - x1) // 4, (y2 - y1) // 4
                middles[label].append(pixels[y1 + dy : y2 - dy, x1 + dx : x2 - dx].reshape(-1, 3).mean(0))
    red, green, blue = np.median(middles["orange"], 0) / 255
    assert red > green + 0.15 > blue + 0.3
    assert np.median(middles["squash"]) < np.median(middles["joghurt"]) - 60
    assert np.median(middles["water"], 0).argmax() == 1
    assert np.median(middles["ketchup"], 0).argmax() == 0
    red, green, blue = np.median(middles["mustard"], 0) / 255
    assert min(red, green) > blue + 0.1
    assert np.median(middles["mushroom"], 0).argmax() == 2


def test_no_file_twice():
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in images()]
    assert len(set(digests)) == len(digests)


def test_no_near_duplicates():
    hashes = {path: difference_hash(Image.open(path)) for path in images()}
    close = [(int((hashes[a] != hashes[b]).sum()), a.name, b.name) for a, b in combinations(hashes, 2)]
    assert min(close)[0] >= MIN_HAMMING, sorted(close)[:5]


def test_no_two_scenes_have_the_same_arrangement():
    """Centres of the eight classes, as a vector per image: no two images within 40 pixels a class on average."""
    centres = {}
    for path in ANNOTATED:
        boxes, labels = read_annotations(path)
        first = [labels.index(name) for name in sorted(CLASSES)]
        centres[path.name] = (boxes[first, :2] + boxes[first, 2:]) / 2  # (8, 2)
    for a, b in combinations(centres, 2):
        assert np.linalg.norm(centres[a] - centres[b], axis=1).mean() > 40, (a, b)


def test_difference_hash():
    """Blind to size, brightness and JPEG loss, as the near-duplicate test needs; and sees another scene."""
    first, second = (Image.open(path).convert("RGB") for path in images("positive")[:2])
    original = difference_hash(first)
    changed = first.resize((600, 800)).point(lambda value: int(value * 0.9))
    assert (original != difference_hash(changed)).sum() <= MIN_HAMMING // 2
    assert (original != difference_hash(second)).sum() >= MIN_HAMMING
    step = Image.fromarray(np.tile(np.arange(17, dtype=np.uint8) * 10, (16, 1)))
    assert difference_hash(step).all()  # 17 columns that grow brighter: every difference is positive
    assert not difference_hash(step.transpose(Image.FLIP_LEFT_RIGHT)).any()
