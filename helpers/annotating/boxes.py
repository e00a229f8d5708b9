"""Drawing boxes: the state of A1_annotateImages.py, without its window."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.annotating.files import NO_OBJECTS, MarkedImage
from helpers.annotating.geometry import (
    Area,
    Box,
    Fit,
    Point,
    box_under,
    dragged_box,
    edges_under,
    is_too_small,
    spanned_box,
    zoom_image,
)
from helpers.annotating.keys import DOWN, ESCAPE, LEFT, RIGHT, UP
from helpers.annotating.session import MARGIN, STATUS_HEIGHT, Session
from helpers.base.images import Size
from helpers.base.tables import counted

ZOOM_STEP, WHEEL_STEP = 1.5, 1.1  # factors of a key and of a notch of the wheel
LARGEST_PIXEL = 40  # pixels of the window that a pixel of the image takes at most
PAN = 0.25  # how far an arrow key goes, in units of the window
HINT = "drag to draw a box around an object;  wheel or + and - to zoom;  n for the next image"

HELP = (
    ("drag", "draw a box; drag an edge or a corner to adjust one"),
    ("Shift + drag", "draw a box that begins at the edge of another"),
    ("wheel   +   -", "zoom in and out, to draw small objects; 0 shows the whole image"),
    ("arrow keys", "move over an image that is zoomed in; so does a drag with the right mouse button"),
    ("d", "delete the box under the mouse"),
    ("u   r", "undo, redo"),
    ("n", "next image; one without boxes is saved as one without objects"),
    ("b", "back to the image before"),
    ("s", "skip this image: go on and save nothing"),
    ("Esc", "give up the box that is being drawn"),
    ("q", "quit; every box is saved as soon as it is drawn"),
    ("h", "this help; any key closes it"),
)


@dataclass(frozen=True)
class BoxView:
    """What is to be seen. Boxes are in pixels of the image.

    boxes, captions: all but the one being drawn or dragged, which is `draft`; hovered: the index in `boxes` of the one
    under the mouse; edges: positions of those of its edges that a drag would move; cursor: (x, y) in the window; hint:
    what to do, to be read on the picture.
    """

    canvas: Size
    path: Path
    fit: Fit
    boxes: tuple[Box, ...]
    captions: tuple[str, ...]
    draft: Box | None
    hovered: int | None
    edges: tuple[int, ...]
    cursor: Point | None
    status: str
    message: str
    help: bool
    hint: str


@dataclass(frozen=True)
class Drag:
    """A mouse button is held: from `start` on the image; `index` and `edges` where a box is adjusted, else None."""

    start: Point
    index: int | None
    edges: tuple[int, ...]


class BoxSession(Session):
    """Draws, adjusts and deletes boxes; begins at the first image without a file of boxes."""

    def __init__(self, images: Sequence[MarkedImage], **options: Any) -> None:
        super().__init__(images, **options)
        self._drag: Drag | None = None
        self._grabbed: Point | None = None
        self._has_drawn = False
        self._zoom = 1.0
        self._center: Point = (0.0, 0.0)  # the point of the image in the middle, where it is zoomed in
        unmarked = [index for index, image in enumerate(images) if image.marks.boxes is None]
        self.show(unmarked[0] if unmarked else 0)
        if not unmarked:
            self.message = f"all {len(images)} images are done; look through them with n and b"

    @property
    def scope(self) -> int:
        return self.index

    @property
    def fit(self) -> Fit:
        """How the image lies in the window."""
        return zoom_image(self.image.size, self._area, self._zoom, self._center)

    @property
    def _area(self) -> Area:
        """(x, y, w, h) of the window that the image has."""
        width, height = self.canvas
        return MARGIN, MARGIN, width - 2 * MARGIN, height - STATUS_HEIGHT - 2 * MARGIN

    def actions(self) -> dict[str, Callable[[], None]]:
        views = {
            "+": lambda: self.zoom(ZOOM_STEP), "=": lambda: self.zoom(ZOOM_STEP), "-": lambda: self.zoom(1 / ZOOM_STEP),
            "0": lambda: self.zoom(0), LEFT: lambda: self.pan(-1, 0), RIGHT: lambda: self.pan(1, 0),
            UP: lambda: self.pan(0, -1), DOWN: lambda: self.pan(0, 1),
        }  # fmt: skip
        if self._drag:
            return {ESCAPE: self._give_up, "q": self.quit, **views}
        moves = {"d": self.delete, "n": self.next, "b": self.back, "s": self.skip}
        return {**super().actions(), **views, **moves}

    def zoom(self, factor: float) -> None:
        """Show the image larger or smaller; the point under the mouse stays where it is. 0: the whole image."""
        x, y, width, height = self._area
        cursor = self.cursor or (x + width / 2, y + height / 2)
        point = self.fit.point(*cursor)
        most = max(1.0, self._zoom * LARGEST_PIXEL / self.fit.factors[0])
        self._zoom = min(max(self._zoom * factor, 1.0), most)
        factors = self.fit.factors
        middle = x + width / 2, y + height / 2
        self._look_at([point[i] + (middle[i] - cursor[i]) / factors[i] for i in (0, 1)])
        self.message = f"zoom {self._zoom:.1f}; 0 shows the whole image" if self._zoom > 1 else "the whole image"

    def pan(self, right: float, down: float) -> None:
        """Move over an image that is zoomed in, by steps."""
        steps = [PAN * room / factor for room, factor in zip(self._area[2:], self.fit.factors, strict=True)]
        self._look_at([self._center[0] + right * steps[0], self._center[1] + down * steps[1]])

    def _look_at(self, point: Sequence[float]) -> None:
        """Take a point of the image into the middle, or as near to it as the image's border allows."""
        center = []
        for value, side, room, factor in zip(point, self.image.size, self._area[2:], self.fit.factors, strict=True):
            half = min(room / factor, side) / 2
            center.append(min(max(value, half), side - half))
        self._center = center[0], center[1]

    def mouse(self, kind: str, x: float, y: float, shift: bool = False) -> None:
        """What the mouse does at (x, y) of the window.

        Args:
            kind: "move"; "down" and "up" of the left button, "grab" and "release" of the right one; "wheel in" and
                "wheel out".
            shift: whether the key is held, so that a new box may begin at the edge of another.
        """
        if kind == "move" and self._grabbed and not self.help:
            factors = self.fit.factors
            moved = [(self._grabbed[i] - (x, y)[i]) / factors[i] for i in (0, 1)]
            self._grabbed = x, y
            self._look_at([self._center[i] + moved[i] for i in (0, 1)])
        self.cursor = x, y
        if kind in ("grab", "release"):
            self._grabbed = (x, y) if kind == "grab" else None
        elif kind in ("wheel in", "wheel out") and not self.help:
            self.zoom(WHEEL_STEP if kind == "wheel in" else 1 / WHEEL_STEP)
        elif kind == "down" and self.help:
            self.help = False
        elif kind == "down" and y < self.canvas[1] - STATUS_HEIGHT:
            self.message = ""
            index, edges = (None if shift else edges_under(self._screen_boxes(), x, y)) or (None, ())
            self._drag = Drag(self.fit.to_image(x, y), index, edges)
        elif kind == "up" and self._drag:
            self._drop(self._drag)

    def _drop(self, drag: Drag) -> None:
        box, marks = self._draft(drag), self.image.marks
        self._drag = None
        if drag.index is not None and box == marks.drawn[drag.index]:
            return
        if is_too_small(box, self.fit):
            self.message = "too small: ignored" if drag.index is None else "too small: the box stays as it was"
        elif drag.index is not None:
            self.change(marks.with_box_at(drag.index, box), drag.index, f"box adjusted to {_size(box)}")
        else:
            self._has_drawn = True
            self.change(marks.with_box(box), None, f"box drawn, {_size(box)}")

    def _draft(self, drag: Drag) -> Box:
        """The box that a drag makes, in pixels of the image."""
        point = drag.start if self.cursor is None else self.fit.to_image(*self.cursor)
        if drag.index is None:
            return spanned_box(drag.start, point)
        if point == drag.start:  # a click leaves the box as it is
            return self.image.marks.drawn[drag.index]
        return dragged_box(self.image.marks.drawn[drag.index], drag.edges, point)

    def _screen_boxes(self) -> list[Box]:
        return [self.fit.to_screen(box) for box in self.image.marks.drawn]

    def delete(self) -> None:
        """Delete the smallest box under the mouse."""
        index = box_under(self._screen_boxes(), *self.cursor, reach=2) if self.cursor else None
        if index is None:
            self.message = "no box under the mouse"
        else:
            self.change(self.image.marks.without_box(index), None, "box deleted")

    def next(self) -> None:
        """Go on; an image without boxes is thereby one without objects."""
        saved = not self.image.marks.boxes and self.image.marks != NO_OBJECTS
        if saved:
            self.change(NO_OBJECTS, None, "saved as an image without objects")
        note = f"{self.image.path.name}: {self.message}" if saved else ""
        self._go(1, "this was the last image; q to quit")
        self.message = " · ".join(filter(None, (note, self.message)))

    def back(self) -> None:
        self._go(-1, "this is the first image")

    def skip(self) -> None:
        self._go(1, "this is the last image; q to quit")

    def _go(self, step: int, at_the_end: str) -> None:
        if 0 <= self.index + step < len(self.images):
            self.message = ""
            self.show(self.index + step)
        else:
            self.message = at_the_end

    def _give_up(self) -> None:
        self._drag = None
        self.message = "given up"

    def show(self, image: int, box: int | None = None) -> None:
        self._drag = None
        if image != self.index and self.images[image].tidied:
            self.message = _tidied(self.images[image])
        if image != self.index:
            self._zoom, self._grabbed = 1.0, None
        self.index = image

    def view(self) -> BoxView:
        """The `BoxView` of this moment."""
        marks, drag = self.image.marks, self._drag
        rows = [row for row in range(len(marks.drawn)) if not drag or row != drag.index]
        boxes = tuple(marks.drawn[row] for row in rows)
        hovered: int | None = None
        edges: tuple[int, ...] = ()
        if not drag and not self.help and self.cursor:
            screen = self._screen_boxes()
            held = edges_under(screen, *self.cursor)
            hovered, edges = held or (box_under(screen, *self.cursor, reach=2), ())
        draft = self._draft(drag) if drag else None
        return BoxView(
            self.canvas, self.image.path, self.fit, boxes, tuple(marks.label(row) or "" for row in rows),
            draft, hovered, edges, self.cursor, self._status(), _size(draft) if draft else self.message, self.help,
            "" if drag or self._has_drawn or marks.boxes else HINT,
        )  # fmt: skip

    def _status(self) -> str:
        boxes = self.image.marks.boxes
        count = "no objects" if boxes == () else counted(len(boxes), "box") if boxes else "not saved yet"
        return f"image {self.index + 1} of {len(self.images)}    {self.image.path.name}    {count}"


def _size(box: Box) -> str:
    return f"{box[2] - box[0]:g} x {box[3] - box[1]:g} pixels"


def _tidied(image: MarkedImage) -> str:
    return f"put in order: {counted(image.tidied, 'box')} reversed or out of the image; check"
