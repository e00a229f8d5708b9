"""Boxes with captions, panels side by side and legends, drawn on images: uint8 RGB arrays (H, W, 3) in, new ones out.

Lines and letters keep their size relative to the picture. Every kind of box differs in more than its colour (solid or
dashed, thick or thin, crossed out), and colours are told apart by colour-blind readers as well.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from fastRCNN.structures import Detections
from helpers.base.images import scale_below
from helpers.dataset.image_files import ImageFile
from helpers.drawing.fonts import Lettering, drawable_names, lettering

Color = tuple[int, int, int]  # red, green, blue
Place = tuple[float, float, float, float]  # x1, y1, x2, y2

# Okabe and Ito, "Color Universal Design" (2008), then hues from Paul Tol's schemes that stay apart from them and from
# each other in the eyes of colour-blind readers (tests/helpers/drawing/test_drawing.py). More classes begin anew
CLASS_COLORS = (
    (86, 180, 233), (230, 159, 0), (0, 158, 115), (204, 121, 167), (240, 228, 66), (0, 114, 178), (213, 94, 0),
    (153, 221, 153), (51, 34, 136), (136, 34, 85), (153, 153, 51), (102, 17, 0),
)  # fmt: skip
WHITE, GREY, INK, TILE = (255, 255, 255), (170, 170, 170), (40, 40, 40), (120, 120, 120)
HALO = (0, 0, 0, 110)  # translucent dark rim that sets a line off against any background
MAX_DRAWN = 25_000_000  # pixels
LINE_WIDTH, FONT_SIZE = 0.0028, 0.0205  # in units of the geometric mean of the picture's sides


@dataclass(frozen=True)
class DrawnBox:
    """A box [x1, y1, x2, y2] in pixels and how it looks; `width` 1 is the usual line.

    An `open_caption` is a white label with a rim of the box's colour instead of a label filled with it.
    """

    box: tuple[float, ...]
    color: Color
    caption: str = ""
    width: float = 1.0
    dashed: bool = False
    crossed: bool = False
    open_caption: bool = False

    def scaled(self, factors: tuple[float, float]) -> "DrawnBox":
        """The same box on an image that was scaled by factors (x, y)."""
        return replace(self, box=tuple(np.asarray(self.box, dtype=float) * (*factors, *factors)))


def class_color(class_id: int) -> Color:
    """The colour (r, g, b) of class 1, 2, ...: the same in every picture. The background, 0, is grey."""
    return CLASS_COLORS[(class_id - 1) % len(CLASS_COLORS)] if class_id else GREY


def detection_boxes(found: Detections, all_classes: Sequence[str]) -> list[DrawnBox]:
    """Detections in the colours of their classes."""
    names = drawable_names(tuple(all_classes))
    return [
        DrawnBox(tuple(box), class_color(class_id), f"{names[class_id]} {score:.2f}")
        for box, score, class_id in zip(found.boxes, found.scores, found.class_ids, strict=True)
    ]


def draw_detections(image: np.ndarray, found: Detections, all_classes: Sequence[str]) -> np.ndarray:
    """The image with detections, best first, and captions."""
    return draw_boxes(image, detection_boxes(found, all_classes))


def draw_boxes(image: np.ndarray, drawn: Sequence[DrawnBox]) -> np.ndarray:
    """Draw boxes, later ones on top; captions lie inside the image and avoid each other.

    A gigantic image is scaled down to `MAX_DRAWN` pixels, or the picture would take a multiple of its memory.
    """
    small = scale_below(image, MAX_DRAWN)
    if small is not image:
        factors = small.shape[1] / image.shape[1], small.shape[0] / image.shape[0]
        drawn = [item.scaled(factors) for item in drawn]
    picture = Image.fromarray(np.ascontiguousarray(small))
    brush = ImageDraw.Draw(picture, "RGBA")
    unit = max(2, round(LINE_WIDTH * _mean_side(picture.size)))
    for item in drawn:
        _draw_frame(brush, item, unit)
    font = _font(round(FONT_SIZE * _mean_side(picture.size)))
    captioned = [item for item in drawn if item.caption]
    texts = [_shorten(item.caption, font, picture.width) for item in captioned]
    places = _place_captions(captioned, [_label_size(text, font) for text in texts], drawn, picture.size, unit)
    for item, text, place in zip(captioned, texts, places, strict=True):
        _draw_label(brush, place, text, font, item)
    return np.array(picture)


def side_by_side(
    panels: Sequence[np.ndarray], titles: Sequence[str], heading: str = "", legend: Sequence[DrawnBox] = ()
) -> np.ndarray:
    """Images of one height in a row on white: each with its title, a heading above them all, a legend below.

    Args:
        legend: boxes whose captions are the entries; where they lie does not matter.
    """
    height, width = max(panel.shape[0] for panel in panels), sum(panel.shape[1] for panel in panels)
    side = _mean_side((width / len(panels), height))
    gap, line = max(4, round(0.018 * side)), max(14, round(1.9 * FONT_SIZE * side))
    small, font, big = (_font(round(factor * FONT_SIZE * side)) for factor in (1, 1.15, 1.35))
    total = width + gap * (len(panels) + 1)
    rows = _legend_rows(legend, small, line, total - 2 * gap)
    top = gap + (round(1.25 * line) if heading else 0)
    below = top + line + height + gap
    picture = Image.new("RGB", (total, below + line * len(rows) + (gap // 2 if rows else 0)), WHITE)
    brush = ImageDraw.Draw(picture, "RGBA")
    big.draw(brush, (gap, gap + line // 2), _shorten(heading, big, total - 2 * gap), INK, "lm")
    left = gap
    for panel, title in zip(panels, titles, strict=True):
        font.draw(brush, (left, top + line * 0.4), _shorten(title, font, panel.shape[1]), INK, "lm")
        picture.paste(Image.fromarray(np.ascontiguousarray(panel)), (left, top + line))
        left += panel.shape[1] + gap
    unit = max(2, round(LINE_WIDTH * side))
    for number, row in enumerate(rows):
        for x, item in row:
            y = below + line * number + line // 2
            tile = gap + x, y - line * 0.34, gap + x + line * 1.1, y + line * 0.34
            if item.dashed or item.crossed:
                brush.rectangle(tile, TILE)
                inner = np.add(tile, np.multiply(line * 0.12, (1, 1, -1, -1)))
                _draw_frame(brush, replace(item, box=tuple(inner)), unit, dash=max(2, line // 8))
            else:
                brush.rectangle(tile, item.color)
            small.draw(brush, (gap + x + line * 1.3, y), item.caption, INK, "lm")
    return np.array(picture)


def picture_path(folder: Path, image: ImageFile) -> Path:
    """Where the picture made of an image belongs: negative images, whose names may repeat, in a subfolder."""
    return folder / ("negative" if image.subdir == "negative" else "") / f"{image.stem}.jpg"


def remove_pictures(folder: Path) -> None:
    """Remove the pictures of a former run, those of images that are gone among them."""
    for path in sorted(folder.rglob("*.jpg")):
        path.unlink()


def _mean_side(size: tuple[float, float]) -> float:
    return (size[0] * size[1]) ** 0.5


def _font(size: int) -> Lettering:
    """Letters of a size that can be read."""
    return lettering(max(10, size))


def _shorten(text: str, font: Lettering, width: float) -> str:
    """The text, cut where it is wider than `width` pixels less a margin."""
    return font.shorten(text, width - font.size) or "…"


def _draw_frame(brush: ImageDraw.ImageDraw, item: DrawnBox, unit: int, dash: int | None = None) -> None:
    """The outline of a box, centred on its edges; dash: its length in pixels, usually three `unit`."""
    x1, y1, x2, y2 = (round(float(value)) for value in item.box)
    width = max(1, round(unit * item.width))
    before, after = width // 2, width - width // 2 - 1
    if item.crossed:
        for line in ((x1, y1, x2, y2), (x1, y2, x2, y1)):
            brush.line(line, HALO, width + 2)
            brush.line(line, item.color, max(1, width - 1))
    edges = [  # (x1, y1, x2, y2) inclusive, long enough to fill the corners
        (x1 - before, y1 - before, x2 + after, y1 + after),
        (x1 - before, y2 - before, x2 + after, y2 + after),
        (x1 - before, y1 + after + 1, x1 + after, y2 - before - 1),
        (x2 - before, y1 + after + 1, x2 + after, y2 - before - 1),
    ]
    brush.rectangle((x1 - before - 1, y1 - before - 1, x2 + after + 1, y2 + after + 1), outline=HALO)
    for edge in edges:
        if edge[2] >= edge[0] and edge[3] >= edge[1]:
            _draw_edge(brush, edge, item, dash or 3 * unit)
    if x2 - x1 > 2 * width and y2 - y1 > 2 * width:
        brush.rectangle((x1 + after + 1, y1 + after + 1, x2 - before - 1, y2 - before - 1), outline=HALO)


def _draw_edge(brush: ImageDraw.ImageDraw, edge: tuple[int, int, int, int], item: DrawnBox, dash: int) -> None:
    """One edge as a filled rectangle; a dashed one begins and ends with a dash, and its gaps stand out as well."""
    if not item.dashed:
        brush.rectangle(edge, item.color)
        return
    brush.rectangle(edge, HALO if is_bright(item.color) else WHITE)
    x1, y1, x2, y2 = edge
    along = 0 if x2 - x1 >= y2 - y1 else 1
    start, end = edge[along], edge[along + 2] + 1
    count = max(1, round((end - start) / dash / 2)) * 2 - 1  # an odd number of dashes and gaps
    cuts = np.linspace(start, end, count + 1).round().astype(int)
    for low, high in list(zip(cuts[:-1], cuts[1:], strict=True))[::2]:
        brush.rectangle((low, y1, high - 1, y2) if along == 0 else (x1, low, x2, high - 1), item.color)


def _label_size(text: str, font: Lettering) -> tuple[int, int]:
    """(width, height) of a label in pixels."""
    ascent, descent = font.height()
    return round(font.length(text) + 0.5 * font.size), ascent + descent


def _place_captions(
    items: Sequence[DrawnBox],
    sizes: Sequence[tuple[int, int]],
    obstacles: Iterable[DrawnBox],
    picture_size: tuple[int, int],
    unit: int,
) -> list[Place]:
    """Upper left corners of the captions of `items`: each takes the best free place around its box, the first first.

    A place is the worse the more it hides of other captions, the more of boxes, and the later it comes in the list.
    Both are counted on a grid of cells of `unit` pixels, so a caption takes the same time however many there are.
    """
    shape = picture_size[1] // unit + 1, picture_size[0] // unit + 1
    around = np.array([item.box for item in obstacles], dtype=float).reshape(-1, 4)
    boxes = _coverage(_cells(around, unit, shape), shape)
    below = np.pad(boxes.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))  # sums from the upper left corner on
    taken = np.zeros(shape, np.int32)
    places: list[Place] = []
    for item, (width, height) in zip(items, sizes, strict=True):
        limit = max(0, picture_size[0] - width), max(0, picture_size[1] - height)
        corners = np.clip(_corners_around(item.box, width, height, unit), 0, limit)  # (P, 2)
        cells = _cells(np.hstack([corners, corners + (width, height)]), unit, shape)  # (P, 4)
        x1, y1, x2, y2 = cells.T
        area = (x2 - x1) * (y2 - y1)  # (P,)
        covered = below[y2, x2] - below[y1, x2] - below[y2, x1] + below[y1, x1]
        hidden = np.array([taken[top:bottom, left:right].sum() for left, top, right, bottom in cells])
        best = int(np.argmin((20 * hidden + covered) / area + 0.08 * np.arange(len(corners))))
        left, top, right, bottom = cells[best]
        taken[top:bottom, left:right] += 1
        places.append((*corners[best].round().astype(int), *(corners[best] + (width, height)).round().astype(int)))
    return places


def _cells(boxes: np.ndarray, unit: int, shape: tuple[int, int]) -> np.ndarray:
    """The cells [x1, y1, x2, y2) of a grid (rows, columns) that boxes (N, 4) touch, one at least: (N, 4) int."""
    limit = np.array([shape[1], shape[0]])
    low = np.clip(np.floor(boxes[:, :2] / unit).astype(int), 0, limit - 1)
    high = np.clip(np.ceil(boxes[:, 2:] / unit).astype(int), low + 1, limit)
    return np.hstack([low, high])


def _coverage(cells: np.ndarray, shape: tuple[int, int]) -> np.ndarray:
    """How many of the rectangles (N, 4) lie on each cell: (rows, columns) int."""
    steps = np.zeros((shape[0] + 1, shape[1] + 1), np.int64)
    x1, y1, x2, y2 = cells.T
    for rows, columns, sign in ((y1, x1, 1), (y2, x2, 1), (y1, x2, -1), (y2, x1, -1)):
        np.add.at(steps, (rows, columns), sign)
    return steps.cumsum(axis=0).cumsum(axis=1)[:-1, :-1]


def _corners_around(box: Sequence[float], width: int, height: int, unit: int) -> np.ndarray:
    """Places for a caption of width x height pixels, the usual ones first: above, below, inside, beside, farther."""
    x1, y1, x2, y2 = box
    left, right, middle = x1 - unit, x2 + unit - width, (x1 + x2 - width) / 2
    above, below = y1 - unit - height, y2 + unit
    near = [(x, y) for y in (above, below) for x in (left, middle, right)]
    inside = [(x1 + unit, y1 + unit), (x1 + unit, y2 - unit - height)]
    beside = [(x, y) for x in (x2 + unit, x1 - unit - width) for y in (y1 - unit, (y1 + y2 - height) / 2, y2 - height)]
    far = [(x, y) for n in (1, 2) for y in (above - n * height, below + n * height) for x in (left, middle, right)]
    return np.array(near + inside + beside + far)


def _draw_label(brush: ImageDraw.ImageDraw, place: Place, text: str, font: Lettering, item: DrawnBox) -> None:
    """A caption on its label, in dark or white letters."""
    x1, y1, x2, y2 = place
    fill = WHITE if item.open_caption else item.color
    brush.rectangle((x1, y1, x2 - 1, y2 - 1), fill, item.color, max(1, font.size // 9))
    ink = INK if is_bright(fill) else WHITE
    font.draw(brush, (x1 + font.size / 4, y1 + font.height()[0]), text, ink)


def is_bright(color: Color) -> bool:
    """Whether dark letters are easier to read on a colour than white ones (luma of ITU-R BT.601)."""
    return bool(np.dot(color, (0.299, 0.587, 0.114)) > 125)


def _legend_rows(
    legend: Iterable[DrawnBox], font: Lettering, line: int, width: int
) -> list[list[tuple[int, DrawnBox]]]:
    """Entries in rows that fit into `width` pixels, each with its x."""
    rows: list[list[tuple[int, DrawnBox]]] = []
    x = width + 1
    for item in legend:
        item = replace(item, caption=_shorten(item.caption, font, width - 1.3 * line))
        length = round(1.3 * line + font.length(item.caption))
        if not rows or x + length > width:
            rows.append([])
            x = 0
        rows[-1].append((x, item))
        x += length + round(0.6 * line)
    return rows
