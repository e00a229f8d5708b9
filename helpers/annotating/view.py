"""Pictures of what the annotation scripts show: a view and the image in, uint8 RGB of the window's size out."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from helpers.annotating.boxes import BoxView
from helpers.annotating.geometry import Area, Box, Fit, Point, fit_image, region_around
from helpers.annotating.labels import Button, LabelView
from helpers.annotating.session import MARGIN, STATUS_HEIGHT
from helpers.base.images import Size
from helpers.drawing.boxes import CLASS_COLORS, GREY, INK, WHITE, Color, DrawnBox, class_color, draw_boxes, is_bright
from helpers.drawing.fonts import can_draw, lettering

GROUND, BAR, PANEL = (52, 54, 58), (32, 33, 36), (44, 46, 50)
BOX_COLOR, HOVER_COLOR, DRAFT_COLOR = CLASS_COLORS[0], CLASS_COLORS[4], CLASS_COLORS[1]
FONT_SIZE = 16
Read = Callable[[Path], np.ndarray]
HelpRows = Sequence[tuple[str, str]]


class BoxPainter:
    """Draws a `BoxView`. What stays the same while the mouse moves is kept.

    read: from a path to its uint8 RGB image (H, W, 3).
    """

    def __init__(self, read: Read, help_rows: HelpRows) -> None:
        self._read, self._help = lru_cache(maxsize=2)(read), help_rows
        self._ground = lru_cache(maxsize=2)(self._draw_ground)
        self._layer = lru_cache(maxsize=4)(self._draw_layer)

    def __call__(self, view: BoxView) -> np.ndarray:
        layer = self._layer(view.canvas, view.path, view.fit, view.boxes, view.captions, view.hovered, view.edges)
        picture = layer.copy()
        if view.cursor and not view.help:
            _draw_crosshair(picture, view.cursor, view.canvas[1] - STATUS_HEIGHT)
        if view.draft:
            _outline(picture, view.fit.to_screen(view.draft), DRAFT_COLOR)
        if view.hint and not view.help:
            _draw_hint(picture, view.hint)
        return _finish(picture, view, self._help, "Drawing boxes")

    def _draw_ground(self, canvas: Size, path: Path, fit: Fit) -> np.ndarray:
        picture = np.full((canvas[1], canvas[0], 3), GROUND, np.uint8)
        _paste(picture[: canvas[1] - STATUS_HEIGHT], self._read(path), fit)
        return picture

    def _draw_layer(
        self,
        canvas: Size,
        path: Path,
        fit: Fit,
        boxes: tuple[Box, ...],
        captions: tuple[str, ...],
        hovered: int | None,
        edges: tuple[int, ...],
    ) -> np.ndarray:
        drawn = []
        for index, (box, caption) in enumerate(zip(boxes, captions, strict=True)):
            color, width = (HOVER_COLOR, 1.3) if index == hovered else (BOX_COLOR, 1)
            x1, y1, x2, y2 = fit.to_screen(box)
            if x2 > 0 and y2 > 0 and x1 < canvas[0] and y1 < canvas[1] - STATUS_HEIGHT:
                drawn.append(DrawnBox((x1, y1, x2, y2), color, caption, width))
        picture = draw_boxes(self._ground(canvas, path, fit), drawn)
        if edges and hovered is not None:
            _draw_grips(picture, fit.to_screen(boxes[hovered]), edges)
        return picture


class LabelPainter:
    """Draws a `LabelView`; `read` as for `BoxPainter`."""

    def __init__(self, read: Read, help_rows: HelpRows) -> None:
        self._read, self._help = lru_cache(maxsize=2)(read), help_rows
        self._layer = lru_cache(maxsize=4)(self._draw_layer)

    def __call__(self, view: LabelView) -> np.ndarray:
        box = view.box, view.others, view.caption, view.class_id
        picture = self._layer(view.canvas, view.path, view.area, view.overview, *box).copy()
        for button in view.buttons:
            _draw_button(picture, button)
        if view.entry is not None:
            _draw_entry(picture, view.entry, view.area)
        return _finish(picture, view, self._help, "Naming boxes")

    def _draw_layer(
        self,
        canvas: Size,
        path: Path,
        area: Area,
        overview: Area | None,
        box: Box,
        others: tuple[Box, ...],
        caption: str,
        class_id: int,
    ) -> np.ndarray:
        picture = np.full((canvas[1], canvas[0], 3), GROUND, np.uint8)
        picture[: canvas[1] - STATUS_HEIGHT, area[0] + area[2] + MARGIN // 2 :] = PANEL
        image = self._read(path)
        x1, y1, x2, y2 = region_around(box, image.shape[1::-1])
        fit = fit_image((x2 - x1, y2 - y1), area)
        _paste(picture, image[y1:y2, x1:x2], fit)
        color = class_color(class_id) if class_id else WHITE
        drawn = DrawnBox(fit.to_screen(tuple(np.subtract(box, (x1, y1, x1, y1)))), color, _shown(caption, class_id))
        picture = draw_boxes(picture, [drawn])
        if overview:
            fit = fit_image(image.shape[1::-1], overview)
            _paste(picture, image, fit)
            for other in others:
                _outline(picture, fit.to_screen(other), GREY, 1)
            _outline(picture, fit.to_screen(box), HOVER_COLOR)
        return picture


def _paste(picture: np.ndarray, image: np.ndarray, fit: Fit) -> None:
    """Draw an image as it lies in the picture; of one that is larger, the part that is to be seen."""
    corner = np.maximum(np.floor(fit.point(0, 0)), 0).astype(int)
    end = np.minimum(np.ceil(fit.point(picture.shape[1], picture.shape[0])), fit.size).astype(int)
    part = np.ascontiguousarray(image[corner[1] : end[1], corner[0] : end[0]])
    x1, y1, x2, y2 = (round(value) for value in fit.to_screen((*corner, *end)))
    method = cv2.INTER_AREA if fit.factors[0] < 1 else cv2.INTER_NEAREST if fit.factors[0] > 6 else cv2.INTER_LINEAR
    scaled = cv2.resize(part, (max(1, x2 - x1), max(1, y2 - y1)), interpolation=method)
    inside = scaled[max(0, -y1) : picture.shape[0] - y1, max(0, -x1) : picture.shape[1] - x1]
    left, top = max(0, x1), max(0, y1)
    picture[top : top + inside.shape[0], left : left + inside.shape[1]] = inside


def _draw_hint(picture: np.ndarray, text: str) -> None:
    """A line of text on a dark label at the top of the picture."""
    font = lettering(FONT_SIZE)
    text = font.shorten(text, picture.shape[1] - 6 * MARGIN)
    width, height = round(font.length(text)) + 4 * MARGIN, 2 * FONT_SIZE + 4
    tile = Image.new("RGB", (width, height), BAR)
    font.draw(ImageDraw.Draw(tile), (2 * MARGIN, height / 2), text, HOVER_COLOR, "lm")
    left = (picture.shape[1] - width) // 2
    picture[2 * MARGIN : 2 * MARGIN + height, left : left + width] = np.asarray(tile)


def _outline(picture: np.ndarray, box: Box, color: Color, width: int = 2) -> None:
    """A frame with a dark rim."""
    x1, y1, x2, y2 = (round(value) for value in box)
    cv2.rectangle(picture, (x1, y1), (x2, y2), (0, 0, 0), width + 2)
    cv2.rectangle(picture, (x1, y1), (x2, y2), color, width)


def _draw_grips(picture: np.ndarray, box: Box, edges: tuple[int, ...]) -> None:
    """Squares on the corner, or on both ends of the edge, that a drag would move."""
    xs = [box[edge] for edge in edges if edge % 2 == 0] or [box[0], box[2]]
    ys = [box[edge] for edge in edges if edge % 2 == 1] or [box[1], box[3]]
    for x in xs:
        for y in ys:
            corners = (round(x) - 5, round(y) - 5), (round(x) + 5, round(y) + 5)
            cv2.rectangle(picture, *corners, WHITE, -1)
            cv2.rectangle(picture, *corners, INK, 1)


def _draw_crosshair(picture: np.ndarray, cursor: Point, bottom: int) -> None:
    """Lines through the mouse, white with a dim rim, over the whole picture but the status line."""
    x, y = map(int, cursor)
    if not (0 <= x < picture.shape[1] and 0 <= y < bottom):
        return
    for lines in (picture[max(0, y - 1) : y + 2], picture[:bottom, max(0, x - 1) : x + 2]):
        lines[:] = lines // 2
    picture[y], picture[:bottom, x] = WHITE, WHITE


def _shown(name: str, class_id: int) -> str:
    """A class name, or its number where no font has its letters."""
    return name if can_draw(name) or not class_id else f"#{class_id}"


def _draw_button(picture: np.ndarray, button: Button) -> None:
    x1, y1, x2, y2 = button.place
    color = class_color(button.class_id)
    fill = color if button.chosen else (82, 85, 91) if button.hovered else (64, 67, 72)
    tile = Image.new("RGB", (x2 - x1, y2 - y1), fill)
    brush, height = ImageDraw.Draw(tile), y2 - y1
    ink = INK if button.chosen and is_bright(color) else WHITE
    font, edge = lettering(max(9, min(FONT_SIZE, height - 10))), max(18, min(height, 34))
    brush.rectangle((0, 0, 5, height), color)
    lettering(font.size, True).draw(brush, (6 + edge / 2, height / 2), button.key, ink, "mm")
    label = font.shorten(_shown(button.label, button.class_id), x2 - x1 - edge - 12)
    font.draw(brush, (6 + edge, height / 2), label, ink, "lm")
    picture[y1:y2, x1:x2] = np.asarray(tile)


def _draw_entry(picture: np.ndarray, text: str, area: Area) -> None:
    """A field with the text that is being typed, at the top of area (x, y, w, h)."""
    font, big = lettering(FONT_SIZE), lettering(FONT_SIZE + 8)
    width, height = min(560, area[2] - 2 * MARGIN), 116
    tile = Image.new("RGB", (width, height), BAR)
    brush = ImageDraw.Draw(tile)
    brush.rectangle((0, 0, width - 1, height - 1), outline=HOVER_COLOR, width=2)
    font.draw(brush, (20, 22), font.shorten("What is in the frame? Type its class", width - 40), WHITE, "lm")
    brush.rectangle((20, 40, width - 21, 78), WHITE)
    room = width - 60
    while big.length(text) > room:
        text = text[1:]  # its end is what one looks at
    big.draw(brush, (28, 59), text + "|", INK, "lm")
    font.draw(brush, (20, 97), font.shorten("Enter: take it    Esc: give up", width - 40), GREY, "lm")
    left, top = area[0] + (area[2] - width) // 2, area[1] + MARGIN
    picture[top : top + height, left : left + width] = np.asarray(tile)


def _finish(picture: np.ndarray, view: BoxView | LabelView, help_rows: HelpRows, title: str) -> np.ndarray:
    """The picture with the status line, and the help over it where it is asked for."""
    width, height = view.canvas
    bar = Image.new("RGB", (width, STATUS_HEIGHT), BAR)
    brush, font, middle = ImageDraw.Draw(bar), lettering(FONT_SIZE), STATUS_HEIGHT // 2
    hint = "h  help"
    right = width - MARGIN - font.length(hint)
    font.draw(brush, (right, middle), hint, (190, 190, 190), "lm")
    status = font.shorten(view.status, right - 2 * MARGIN)
    font.draw(brush, (MARGIN, middle), status, WHITE, "lm")
    left = 4 * MARGIN + font.length(status)
    message = font.shorten(view.message, right - 2 * MARGIN - left)
    font.draw(brush, (left, middle), message, HOVER_COLOR, "lm")
    picture[height - STATUS_HEIGHT :] = np.asarray(bar)
    return _draw_help(picture, help_rows, title) if view.help else picture


def _draw_help(picture: np.ndarray, rows: HelpRows, title: str) -> np.ndarray:
    """Keys and what they do, on a dark panel in the middle."""
    font, line, pad = lettering(FONT_SIZE), round(1.9 * FONT_SIZE), 28
    column = max(lettering(FONT_SIZE, True).length(key) for key, _ in rows) + pad
    wanted = column + max(font.length(text) for _, text in rows) + 2 * pad + 2
    width = min(round(wanted), picture.shape[1])
    height = min(line * (len(rows) + 1) + 2 * pad, picture.shape[0])
    left, top = (picture.shape[1] - width) // 2, (picture.shape[0] - height) // 2
    dimmed = Image.fromarray(picture // 2)
    brush = ImageDraw.Draw(dimmed)
    brush.rounded_rectangle((left, top, left + width, top + height), 10, BAR, GREY)
    lettering(FONT_SIZE + 3, True).draw(brush, (left + pad, top + pad + line * 0.3), title, WHITE, "lm")
    for row, (key, text) in enumerate(rows, start=1):
        y = top + pad + line * (row + 0.5)
        lettering(FONT_SIZE, True).draw(brush, (left + pad, y), key, HOVER_COLOR, "lm")
        font.draw(brush, (left + pad + column, y), font.shorten(text, width - 2 * pad - column), WHITE, "lm")
    return np.array(dimmed)
