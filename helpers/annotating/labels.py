"""Naming boxes: the state of A2_annotateLabels.py, without its window."""

import string
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.annotating.files import MarkedImage
from helpers.annotating.geometry import Area, Box, box_under, lay_out_buttons
from helpers.annotating.keys import BACKSPACE, ENTER, ESCAPE
from helpers.annotating.session import MARGIN, STATUS_HEIGHT, Session
from helpers.base.images import Size
from helpers.config.labels import BACKGROUND, IGNORED_LABELS

NEW_CLASS, NEW_CLASS_KEY = "new class ...", "c"
EXCLUDED_KEYS = {"EXCLUDE": "x", "UNDECIDED": "0"}  # they keep their keys when classes are added
COMMANDS = "bhnqrsu" + NEW_CLASS_KEY + EXCLUDED_KEYS["EXCLUDE"]  # letters that are taken
KEYS = "123456789" + "".join(letter for letter in string.ascii_lowercase if letter not in COMMANDS)
PANEL_WIDTH, OVERVIEW_HEIGHT = 290, 200  # pixels of the window: the buttons, and the whole image below them
HELP = (
    ("1  2  3 ...", "name the box: the key of a button, or a click on it"),
    ("c", "a new class: type its name, Enter takes it, Esc gives it up"),
    ("0", "UNDECIDED: you cannot tell what it is; the box is ignored in training and scoring"),
    ("x", "EXCLUDE: not to be learnt, such as a half hidden object; ignored as well"),
    ("b", "back to the box before, to name it again"),
    ("n", "on to the next box, where this one has a name"),
    ("s", "skip the rest of this image for now"),
    ("u   r", "undo, redo"),
    ("q", "quit; every name is saved at once, and the next start goes on here"),
    ("h", "this help; any key closes it"),
)


@dataclass(frozen=True)
class Button:
    """A class to choose: its place (x1, y1, x2, y2) in the window; `class_id` 0 for what is none: `IGNORED_LABELS` and
    `NEW_CLASS`."""

    key: str
    label: str
    place: tuple[int, ...]
    class_id: int
    chosen: bool
    hovered: bool


@dataclass(frozen=True)
class LabelView:
    """What is to be seen: `box` enlarged in area (x, y, w, h), the whole image in `overview` where there is room;
    `entry`: the name of a new class as far as it is typed, or None."""

    canvas: Size
    path: Path
    size: Size
    box: Box
    others: tuple[Box, ...]
    caption: str
    class_id: int
    area: Area
    overview: Area | None
    buttons: tuple[Button, ...]
    status: str
    message: str
    help: bool
    entry: str | None


class LabelSession(Session):
    """Names one box after the other; begins at the first one without a label that is known.

    images: those with boxes; classes: names without the background; with none the first one is asked for.
    """

    def __init__(self, images: Sequence[MarkedImage], classes: Sequence[str], **options: Any) -> None:
        super().__init__(images, **options)
        self.classes = tuple(classes)
        self._entry: str | None = None if classes else ""
        self._boxes = [(i, row) for i, image in enumerate(images) for row in range(len(image.marks.drawn))]
        self._position = next((p for p in range(len(self._boxes)) if not self._is_named(p)), 0)
        self.index = self._boxes[self._position][0]
        if self._is_named(self._position):
            self.message = "all boxes have a name; look through them with n and b"

    @property
    def labels(self) -> tuple[str, ...]:
        """What a box can be named, in the order of the buttons."""
        return *self.classes, *IGNORED_LABELS

    @property
    def keys(self) -> dict[str, str]:
        """Keys by label; of more classes than there are keys the last ones can only be clicked."""
        return {**dict(zip(self.classes, KEYS, strict=False)), **EXCLUDED_KEYS}

    def _is_named(self, position: int) -> bool:
        image, row = self._boxes[position]
        return self.images[image].marks.label(row) in self.labels

    @property
    def row(self) -> int:
        """The index of the box that is shown, in its image."""
        return self._boxes[self._position][1]

    def actions(self) -> dict[str, Callable[[], None]]:
        named = {key: lambda label=label: self.name(label) for label, key in self.keys.items()}
        moves = {"b": self.back, "n": self.next, "s": self.skip, NEW_CLASS_KEY: self.ask}
        return {**named, **super().actions(), **moves}

    def key(self, name: str) -> None:
        """A key was pressed: part of a name that is being typed, else as ever."""
        if self._entry is None or self.help:
            super().key(name)
        elif name == ESCAPE:
            self._entry, self.message = None, "given up; c for a new class"
        elif name == BACKSPACE:
            self._entry = self._entry[:-1]
        elif name == ENTER:
            self._take_entry(self._entry)
        elif name == ",":
            self.message = "the name of a class has no comma"
        elif len(name) == 1:
            self._entry, self.message = self._entry + name, ""

    def ask(self) -> None:
        """Ask for the name of a new class."""
        self._entry = ""

    def _take_entry(self, typed: str) -> None:
        """Name the box by what was typed; a new name becomes a class, one that differs in its case is the old one."""
        wanted = " ".join(typed.split())
        if wanted in ("", BACKGROUND):
            self.message = "type a name first; no class can be called __background__"
            return
        label = next((known for known in self.labels if known.casefold() == wanted.casefold()), wanted)
        self._entry = None
        if label not in self.labels:
            self.classes = (*self.classes, label)
        self.name(label)

    def mouse(self, kind: str, x: float, y: float, shift: bool = False) -> None:
        """The left button goes "down" or "up", or the mouse does "move", at (x, y) of the window."""
        self.cursor = x, y
        if kind == "down" and self.help:
            self.help = False
        elif kind == "down":
            pressed = box_under(self._places(), x, y)
            if pressed is not None:
                self._entry = None
                label = (*self.labels, NEW_CLASS)[pressed]
                self.ask() if label == NEW_CLASS else self.name(label)

    def name(self, label: str) -> None:
        """Give the box a label and go on to the next one."""
        marks = self.image.marks
        if marks.label(self.row) != label:
            self.change(marks.with_label(self.row, label), self.row, f"box {self.row + 1}: {label}")
        if self._position + 1 < len(self._boxes):
            self._move_to(self._position + 1)
        else:
            left = sum(not self._is_named(position) for position in range(len(self._boxes)))
            rest = f"{left} skipped before have no name yet" if left else "all boxes have a name"
            self.message = f"this was the last box, {rest}; q to quit"

    def back(self) -> None:
        if self._position:
            self._move_to(self._position - 1)
            while self._before_the_first_nameless():
                self._position -= 1
        else:
            self.message = "this is the first box"

    def _before_the_first_nameless(self) -> bool:
        """Whether a box before this one in the same image has no label: labels are given in order."""
        return self.row > len(self.image.marks.labels or ())

    def next(self) -> None:
        if not self._is_named(self._position):
            self.message = "name this box first; UNDECIDED if you cannot tell, s to skip the image"
        elif self._position + 1 < len(self._boxes):
            self._move_to(self._position + 1)
        else:
            self.message = "this is the last box; q to quit"

    def skip(self) -> None:
        later = [p for p, (image, _) in enumerate(self._boxes) if image > self.index]
        if later:
            self._move_to(later[0])
        else:
            self.message = "this is the last image; q to quit"

    def _move_to(self, position: int) -> None:
        self._position = position
        self.index = self._boxes[position][0]

    def show(self, image: int, box: int | None) -> None:
        self._move_to(self._boxes.index((image, box or 0)))

    def _panel(self) -> Area:
        """(x, y, w, h) of the part with the buttons."""
        width = min(PANEL_WIDTH, self.canvas[0] // 2)
        return self.canvas[0] - width, MARGIN, width - MARGIN, self.canvas[1] - STATUS_HEIGHT - 2 * MARGIN

    def _places(self) -> tuple[tuple[int, ...], ...]:
        return lay_out_buttons(len(self.labels) + 1, self._panel())

    def view(self) -> LabelView:
        """The `LabelView` of this moment."""
        marks, places, panel = self.image.marks, self._places(), self._panel()
        label, keys = marks.label(self.row), {**self.keys, NEW_CLASS: NEW_CLASS_KEY}
        pressed = box_under(places, *self.cursor) if self.cursor and not self.help else None
        buttons = tuple(
            Button(keys.get(name, ""), name, places[i], self._class_id(name), name == label, i == pressed)
            for i, name in enumerate((*self.labels, NEW_CLASS))
        )
        top = max(place[3] for place in places) + MARGIN
        room = panel[1] + panel[3] - top
        overview = (panel[0], panel[1] + panel[3] - min(room, OVERVIEW_HEIGHT), panel[2], min(room, OVERVIEW_HEIGHT))
        return LabelView(
            self.canvas, self.image.path, self.image.size, marks.drawn[self.row],
            marks.drawn[: self.row] + marks.drawn[self.row + 1 :], self._caption(label), self._class_id(label),
            (MARGIN, MARGIN, panel[0] - 2 * MARGIN, panel[3]), overview if room >= 80 else None,
            buttons, self._status(), self.message, self.help, self._entry,
        )  # fmt: skip

    def _class_id(self, label: str | None) -> int:
        return self.classes.index(label) + 1 if label in self.classes else 0

    def _caption(self, label: str | None) -> str:
        if label is None:
            return "what is this?"
        return label if label in self.labels else f'"{label}" is no class'

    def _status(self) -> str:
        named = sum(self._is_named(position) for position in range(len(self._boxes)))
        return (
            f"image {self.index + 1} of {len(self.images)}    {self.image.path.name}    "
            f"box {self.row + 1} of {len(self.image.marks.drawn)}    {named} of {len(self._boxes)} named"
        )
