"""Protects reading of Label Studio's brush masks, against an encoder written here after the same description."""

import numpy as np
import pytest
from annotation_files import imported
from annotation_texts import BOX, studio

from helpers.formats.brush_masks import box_of_brush
from helpers.formats.values import Unreadable

COUNTERS = (3, 4, 8, 16)


def encoded(values, repeating=True):
    """Bytes of a list of values from 0 to 255, in runs of equal ones, or each value by itself."""
    bits = f"{len(values):032b}{7:05b}" + "".join(f"{width - 1:04b}" for width in COUNTERS)
    start = 0
    while start < len(values):
        end = start + 1
        while end < len(values) and end - start < 60_000 and (values[end] == values[start] or not repeating):
            end += 1
        choice = next(index for index, width in enumerate(COUNTERS) if end - start <= 1 << width)
        bits += f"{repeating:b}{choice:02b}" + format(end - start - 1, f"0{COUNTERS[choice]}b")
        bits += "".join(f"{value:08b}" for value in (values[start : start + 1] if repeating else values[start:end]))
        start = end
    bits += "0" * (-len(bits) % 8)
    return [int(bits[place : place + 8], 2) for place in range(0, len(bits), 8)]


def painted(width, height, *boxes):
    alpha = np.zeros((height, width), np.uint8)
    for x1, y1, x2, y2 in boxes:
        alpha[y1:y2, x1:x2] = 255
    return np.repeat(alpha.reshape(-1), 4).tolist()


@pytest.mark.parametrize("repeating", [True, False])
@pytest.mark.parametrize(
    ("boxes", "box"),
    [
        ([(10, 20, 40, 60)], (10, 20, 40, 60)), ([(0, 0, 100, 80)], (0, 0, 100, 80)),
        ([(99, 79, 100, 80)], (99, 79, 100, 80)), ([(5, 50, 9, 51), (30, 2, 31, 9)], (5, 2, 31, 51)),
    ],
)  # fmt: skip
def test_the_box_of_a_brush_is_that_of_its_painted_pixels(boxes, box, repeating):
    assert box_of_brush(encoded(painted(100, 80, *boxes), repeating), (100, 80)) == box


@pytest.mark.parametrize(
    ("rle", "size", "reason"),
    [
        (encoded(painted(10, 8, (1, 1, 5, 5))), (8, 9), "no mask of 8 x 9"),
        (encoded(painted(10, 8)), (10, 8), "nothing is painted"),
        (encoded(painted(10, 8, (1, 1, 5, 5)))[:-4], (10, 8), "ends too early"), ([], (10, 8), "ends too early"),
        ("x", (10, 8), "not a list of bytes"), ([256], (10, 8), "not a list of bytes"), ([1], (1e5, 1e5), "too large"),
    ],
)  # fmt: skip
def test_masks_that_are_broken_are_refused(rle, size, reason):
    with pytest.raises(Unreadable, match=reason):
        box_of_brush(rle, size)


def test_an_image_with_a_brush_mask_is_imported(tmp_path):
    brush = {"format": "rle", "rle": encoded(painted(100, 80, (50, 30, 70, 66))), "brushlabels": ["pan"]}
    result = {"id": "1", "type": "brushlabels", "original_width": 100, "original_height": 80, "value": brush}
    found, notes, _ = imported(tmp_path, "labelstudio", {"x.json": [studio(result)]})
    assert found == {"a.jpg": [BOX, ("pan", 50, 30, 70, 66)]} and notes == ""
