"""Protects the pictures by which people judge a detector: boxes where they belong, captions that can be read, colours
that colour-blind readers can tell apart, and sizes that follow the image.
"""

import time
from itertools import combinations

import cv2
import numpy as np
import pytest

from fastRCNN.structures import Detections
from helpers.dataset.image_files import ImageFile
from helpers.drawing import boxes as drawing
from helpers.drawing.boxes import (
    CLASS_COLORS,
    INK,
    WHITE,
    DrawnBox,
    class_color,
    detection_boxes,
    draw_boxes,
    draw_detections,
    picture_path,
    remove_pictures,
    side_by_side,
)

RED, BLUE, BACKGROUND = (200, 0, 0), (0, 0, 200), (60, 90, 60)
CLASSES = ("__background__", "apple", "pear")


def canvas(width=400, height=300):
    return np.full((height, width, 3), BACKGROUND, np.uint8)


def pixels_of(image, color):
    """(H, W) bool."""
    return (image == np.array(color, np.uint8)).all(axis=-1)


def extent(mask):
    """x1, y1, x2, y2, all inclusive, of the true pixels of a mask."""
    rows, columns = np.nonzero(mask)
    return columns.min(), rows.min(), columns.max(), rows.max()


def label_only(item):
    """Pixels of an item's colour that are there because of its caption: (H, W) bool."""
    with_caption = draw_boxes(canvas(), [item])
    without = draw_boxes(canvas(), [DrawnBox(item.box, item.color)])
    return pixels_of(with_caption, item.color) & ~pixels_of(without, item.color)


def test_nothing_to_draw_gives_an_equal_copy():
    image = canvas()
    drawn = draw_boxes(image, [])
    assert np.array_equal(drawn, image) and drawn is not image


def test_frame_lies_on_the_edges_and_the_given_image_is_left_alone():
    image = canvas()
    drawn = draw_boxes(image, [DrawnBox((100, 80, 200, 150), RED)])
    assert np.array_equal(image, canvas())
    assert drawn.shape == image.shape and drawn.dtype == np.uint8
    red = pixels_of(drawn, RED)
    # 0.0028 * sqrt(400 * 300) = 0.97 pixels: the least width, 2, applies, one pixel to either side of the edge
    assert extent(red) == (99, 79, 200, 150)
    assert red[80, 100:200].all() and red[149, 100:200].all() and red[80:150, 100].all() and red[80:150, 199].all()
    assert (drawn[83:147, 103:197] == BACKGROUND).all()  # nothing inside ...
    assert (drawn[:77] == BACKGROUND).all() and (drawn[:, 203:] == BACKGROUND).all()  # ... and nothing outside
    assert (drawn[78, 120] < BACKGROUND).all()  # but for a dark rim


@pytest.mark.parametrize("scale", (3, 6))
def test_lines_grow_with_the_image(scale):
    drawn = draw_boxes(canvas(400 * scale, 300 * scale), [DrawnBox((100, 100, 900, 800), RED)])
    column = pixels_of(drawn, RED)[:, 500]
    assert column.sum() == 2 * round(0.0028 * scale * (400 * 300) ** 0.5)


def test_captions_grow_with_the_image():
    widths = []
    for scale in (2, 4):  # the label is much wider than the box
        image = canvas(400 * scale, 300 * scale)
        x1, _, x2, _ = extent(pixels_of(draw_boxes(image, [DrawnBox((300, 300, 320, 400), RED, "a long word")]), RED))
        widths.append(x2 - x1 + 1)
    assert widths[1] == pytest.approx(2 * widths[0], rel=0.05)


def test_dashed_lines_have_gaps_and_begin_at_the_corners():
    drawn = draw_boxes(canvas(), [DrawnBox((100, 80, 200, 150), WHITE, dashed=True)])
    edge = pixels_of(drawn, WHITE)[80, 99:201]
    assert edge[:3].all() and edge[-3:].all()
    assert 0.3 < edge.mean() < 0.7
    assert pixels_of(draw_boxes(canvas(), [DrawnBox((100, 80, 200, 150), WHITE)]), WHITE)[80, 99:201].all()


def test_dark_dashes_have_white_gaps():
    drawn = draw_boxes(canvas(), [DrawnBox((100, 80, 200, 150), INK, dashed=True)])
    edge = drawn[80, 99:201]
    assert (pixels_of(edge, INK) | pixels_of(edge, WHITE)).all()


def test_only_crossed_boxes_have_something_in_the_middle():
    box = (100, 80, 200, 150)
    assert tuple(draw_boxes(canvas(), [DrawnBox(box, RED, crossed=True)])[115, 150]) == RED
    assert tuple(draw_boxes(canvas(), [DrawnBox(box, RED)])[115, 150]) == BACKGROUND


@pytest.mark.parametrize(
    "box", [(0, 0, 20, 20), (380, 0, 400, 20), (0, 280, 20, 300), (380, 280, 400, 300), (0, 0, 400, 300)]
)
def test_captions_stay_inside_the_image(box):
    usual = label_only(DrawnBox((150, 120, 250, 180), RED, "a caption"))
    at_border = label_only(DrawnBox(box, RED, "a caption"))
    x1, y1, x2, y2 = extent(usual)
    # whole labels are equally large; up to two rows and columns of one may lie on the frame, which has the same colour
    assert at_border.sum() >= usual.sum() - 2 * (x2 - x1 + 1) - 2 * (y2 - y1 + 1)


def test_captions_do_not_hide_each_other():
    box = (150, 120, 250, 180)  # two detections at one place, and a third beside them
    items = [DrawnBox(box, RED, "first"), DrawnBox(box, BLUE, "second"), DrawnBox((190, 120, 290, 180), WHITE, "third")]
    together = draw_boxes(canvas(), items)
    for item in items:
        alone = label_only(item)
        assert pixels_of(together, item.color).sum() >= alone.sum(), item.caption


def test_a_caption_wider_than_the_image_is_shortened():
    drawn = draw_boxes(canvas(), [DrawnBox((100, 80, 200, 150), RED, "a very long name of a class " * 10)])
    x1, _, x2, _ = extent(pixels_of(drawn, RED)[:78])  # above the frame there is only the label
    assert 300 < x2 - x1 + 1 <= 400


def label_of(caption):
    """The pixels of a caption's label on a red box."""
    drawn = draw_boxes(canvas(), [DrawnBox((100, 80, 200, 150), RED, caption)])
    x1, y1, x2, y2 = extent((drawn != canvas()).any(axis=-1)[:78])  # above the frame there is only the label
    return drawn[y1 : y2 + 1, x1 : x2 + 1]


@pytest.mark.parametrize("caption", ["apple", "γάλα", "яйцо", "Öl…"])
def test_a_label_has_letters(caption):
    label, turned = label_of(caption), label_of(caption[::-1])  # the same letters in another order take the same room
    light = label.min(axis=2) > 100  # red has no green and no blue
    assert 0.02 < light.mean() < 0.5, "white letters on the box's colour"
    assert pixels_of(label, RED).mean() > 0.3
    width = min(label.shape[1], turned.shape[1])
    assert abs(label.shape[1] - turned.shape[1]) <= 3, "kerning"
    assert (label[:, :width] != turned[: label.shape[0], :width]).any()
    missing_glyph = draw_boxes(canvas(), [DrawnBox((100, 80, 200, 150), RED, "\ue000")])
    assert (draw_boxes(canvas(), [DrawnBox((100, 80, 200, 150), RED, "✗")]) != missing_glyph).any()


@pytest.mark.parametrize("box", [(5, 5, 5, 5), (-10, -10, 50, 50), (29, 19, 30, 20), (0, 0, 30, 20)])
@pytest.mark.parametrize("dashed", (False, True))
def test_tiny_images_and_odd_boxes_can_be_drawn(box, dashed):
    drawn = draw_boxes(canvas(30, 20), [DrawnBox(box, RED, "long caption", dashed=dashed, crossed=True)])
    assert drawn.shape == (20, 30, 3)


def test_boxes_follow_a_scaled_image():
    assert DrawnBox((10, 20, 30, 40), RED).scaled((2, 0.5)).box == (20, 10, 60, 20)


def test_detections_have_the_colour_and_the_name_of_their_class():
    boxes = np.array([[10, 100, 50, 150], [200, 100, 300, 200]])
    found = Detections(boxes, np.array([1.234, -0.5]), np.array([2, 1]))
    drawn = detection_boxes(found, CLASSES)
    assert [item.caption for item in drawn] == ["pear 1.23", "apple -0.50"]
    assert [item.color for item in drawn] == [CLASS_COLORS[1], CLASS_COLORS[0]]
    assert detection_boxes(Detections(), CLASSES) == []
    assert np.array_equal(draw_detections(canvas(), found, CLASSES), draw_boxes(canvas(), drawn))


# What people without working red, green or blue cones see of linear RGB (Machado, Oliveira, Fernandes 2009, severity 1)
COLOR_BLIND = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protanopia": [
        [0.152286, 1.052583, -0.204868],
        [0.114503, 0.786281, 0.099216],
        [-0.003882, -0.048116, 1.051998],
    ],
    "deuteranopia": [
        [0.367322, 0.860646, -0.227968],
        [0.280085, 0.672501, 0.047413],
        [-0.011820, 0.042940, 0.968881],
    ],
    "tritanopia": [
        [1.255528, -0.076749, -0.178779],
        [-0.078411, 0.930809, 0.147602],
        [0.004733, 0.691367, 0.303900],
    ],
}


def as_seen(colors, matrix):
    """sRGB (N, 3) as CIELAB (N, 3), through the eyes of someone described by a matrix."""
    srgb = np.array(colors) / 255
    linear = np.where(srgb <= 0.04045, srgb / 12.92, ((srgb + 0.055) / 1.055) ** 2.4)
    linear = np.clip(linear @ np.array(matrix).T, 0, 1)
    srgb = np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)
    return cv2.cvtColor(srgb[None].astype(np.float32), cv2.COLOR_RGB2LAB)[0]


@pytest.mark.parametrize("kind", COLOR_BLIND)
def test_class_colours_can_be_told_apart(kind):
    seen = as_seen(CLASS_COLORS, COLOR_BLIND[kind])
    # a distance of 2.3 can just be noticed side by side; thin lines far apart need several times as much
    assert min(np.linalg.norm(one - other) for one, other in combinations(seen, 2)) > 13


def test_class_colours_are_stable_and_unlimited():
    assert class_color(1) == class_color(np.int64(1)) == CLASS_COLORS[0]
    assert class_color(13) == class_color(1)
    assert class_color(0) not in CLASS_COLORS


def test_panels_are_pasted_unchanged():
    left, right = canvas(400, 300), np.full((300, 400, 3), RED, np.uint8)
    picture = side_by_side([left, right], ["left", "right"])
    x1, y1, x2, y2 = extent(pixels_of(picture, BACKGROUND))
    assert (x2 - x1 + 1, y2 - y1 + 1) == (400, 300)
    assert extent(pixels_of(picture, RED)) == (x2 + 1 + x1, y1, x2 + x1 + 400, y2)  # the gap is as wide as the margin
    assert picture.shape[1] == x2 + 1 + x1 + 400 + x1
    titles = picture[:y1] < 128
    assert titles[:, x1 : x2 + 1].any() and titles[:, x2 + 1 + x1 :].any()


def test_heading_and_legend_need_room_of_their_own():
    panel = canvas(400, 300)
    plain = side_by_side([panel], ["title"])
    headed = side_by_side([panel], ["title"], "heading")
    assert headed.shape[0] > plain.shape[0] and headed.shape[1] == plain.shape[1]
    entries = [DrawnBox((), class_color(index), f"class {index}") for index in range(1, 13)]
    with_legend = side_by_side([panel], ["title"], "", entries)
    below = with_legend[plain.shape[0] - 5 :]
    swatches = [extent(pixels_of(below, class_color(index))) for index in range(1, 13)]
    assert len({y1 for _, y1, _, _ in swatches}) > 1  # twelve entries do not fit into one row of 400 pixels
    assert all(x2 < 400 for _, _, x2, _ in swatches)


def test_dashed_and_crossed_legend_entries_look_like_the_boxes():
    entries = [DrawnBox((), WHITE, "true", dashed=True), DrawnBox((), RED, "false", crossed=True)]
    picture = side_by_side([canvas(400, 300)], ["title"], "", entries)
    assert pixels_of(picture, RED).any()


def test_pictures_of_images_with_equal_names_do_not_collide(tmp_path):
    keys = ("positive/1.jpg", "negative/1.jpg")
    paths = [picture_path(tmp_path, ImageFile(tmp_path, key)) for key in keys]
    assert paths == [tmp_path / "1.jpg", tmp_path / "negative" / "1.jpg"]
    assert picture_path(tmp_path, ImageFile(tmp_path, "testImages/a b.PNG")) == tmp_path / "a b.jpg"


def test_removing_pictures_leaves_other_files(tmp_path):
    remove_pictures(tmp_path / "not there")
    for name in ("1.jpg", "negative/1.jpg", ".7.tmp.2.jpg", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    remove_pictures(tmp_path)
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["notes.txt"]


@pytest.mark.slow
def test_thousands_of_captions_take_seconds():
    random = np.random.default_rng(0)
    corners = random.uniform((0, 0), (1150, 850), (3000, 2))
    boxes = np.hstack([corners, corners + random.uniform(10, 50, (3000, 2))])
    items = [DrawnBox(tuple(box), class_color(index), f"class {index}") for index, box in enumerate(boxes)]
    start = time.process_time()
    draw_boxes(canvas(1200, 900), items)
    assert time.process_time() - start < 8, "1 s; where captions are compared with each other 30 s"


def test_captions_take_free_places_at_any_scale():
    # the usual place is above the box; where a caption lies there already, the next one goes elsewhere
    for scale in (1, 4, 10):
        sizes = [(60 * scale, 12 * scale)] * 3
        item = DrawnBox((100 * scale, 80 * scale, 200 * scale, 150 * scale), RED, "caption")
        places = np.array(drawing._place_captions([item] * 3, sizes, [item], (400 * scale, 300 * scale), scale))
        for one, other in combinations(places, 2):
            shared = np.minimum(one[2:], other[2:]) - np.maximum(one[:2], other[:2])
            assert (shared <= 0).any()
        assert places[0][3] <= 80 * scale


def test_a_gigantic_image_is_drawn_smaller(monkeypatch):
    monkeypatch.setattr(drawing, "MAX_DRAWN", 30_000)
    picture = draw_boxes(canvas(400, 300), [DrawnBox((100, 80, 200, 150), RED)])
    assert picture.shape == (150, 200, 3)
    x1, y1, x2, y2 = extent(pixels_of(picture, RED))
    assert max(abs(x1 - 50), abs(y1 - 40), abs(x2 - 100), abs(y2 - 75)) <= 3
