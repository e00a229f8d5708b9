"""What both annotation scripts share: images in order, changes that are written at once, undo and redo.

A session takes events (mouse in pixels of the window, keys, a new size of the window) and says what is to be seen by
`view()`; it knows no window. Two equal views look the same.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from helpers.annotating.files import MarkedImage, Marks, save_marks
from helpers.annotating.geometry import Point
from helpers.base.images import Size

STATUS_HEIGHT, MARGIN = 34, 10  # pixels of the window: the line below, and the space around the image
SMALLEST_WINDOW = (480, 320)


@dataclass(frozen=True)
class Change:
    """One step that can be undone: what was marked on an image before and after, and the box that it was about."""

    image: int
    box: int | None
    before: Marks
    after: Marks
    what: str


Changes = dict[int | None, list[Change]]  # by scope


class Session(ABC):
    """Base of `BoxSession` and `LabelSession`.

    images: list of `MarkedImage`; save: called as save(path, before, after) at every change. `finished` becomes True
    when the user quits, `message` tells what the last event did.
    """

    def __init__(self, images: Sequence[MarkedImage], save: Callable[[Path, Marks, Marks], None] = save_marks) -> None:
        self.images, self._save = images, save
        self.index, self.message = 0, ""
        self.help = self.finished = False
        self.canvas: Size = (1280, 800)
        self.cursor: Point | None = None
        self._done: Changes = {}
        self._undone: Changes = {}

    @property
    def image(self) -> MarkedImage:
        """The `MarkedImage` that is shown."""
        return self.images[self.index]

    @property
    def scope(self) -> int | None:
        """Undo goes back over the changes of one scope: an image, or the whole session where it is None."""
        return None

    def resize(self, width: int, height: int) -> None:
        """The window has another size."""
        self.canvas = max(width, SMALLEST_WINDOW[0]), max(height, SMALLEST_WINDOW[1])

    def key(self, name: str) -> None:
        """A key was pressed, see helpers/annotating/keys.py. Keys without a meaning do nothing."""
        name = name.lower()
        if self.help:
            self.help = False
            if name != "q":
                return
        action = self.actions().get(name)
        if action:
            self.message = ""
            action()

    def actions(self) -> dict[str, Callable[[], None]]:
        """What the keys do: functions by character."""
        return {"u": self.undo, "r": self.redo, "h": self.show_help, "q": self.quit}

    def show_help(self) -> None:
        self.help = True

    def quit(self) -> None:
        self.finished = True

    def change(self, marks: Marks, box: int | None, what: str) -> None:
        """Mark the image in another way, at once in its files as well."""
        change = Change(self.index, box, self.image.marks, marks, what)
        self._apply(change.image, change.before, change.after)
        self._done.setdefault(self.scope, []).append(change)
        self._undone[self.scope] = []
        self.message = what

    def undo(self) -> None:
        """Take the last change back."""
        self._step(self._done, self._undone, "undo")

    def redo(self) -> None:
        """Make the change again that was taken back last."""
        self._step(self._undone, self._done, "redo")

    def _step(self, source: Changes, target: Changes, name: str) -> None:
        changes = source.get(self.scope)
        if not changes:
            self.message = f"nothing to {name}" + ("" if self.scope is None else " in this image")
            return
        change = changes[-1]
        pair = (change.after, change.before) if name == "undo" else (change.before, change.after)
        self._apply(change.image, *pair)
        target.setdefault(self.scope, []).append(changes.pop())
        self.message = f"{'undone' if name == 'undo' else 'again'}: {change.what}"
        self.show(change.image, change.box)

    def _apply(self, index: int, before: Marks, after: Marks) -> None:
        self._save(self.images[index].path, before, after)
        self.images[index].marks = after

    def show(self, image: int, box: int | None) -> None:
        """Go to an image; which of its boxes matters is up to the kind of session."""
        self.index = image

    @abstractmethod
    def mouse(self, kind: str, x: float, y: float, shift: bool = False) -> None:
        """What the mouse does at (x, y) of the window, see the kinds of session."""

    @abstractmethod
    def view(self) -> Any:
        """What is to be seen at this moment, for a painter of helpers/annotating/view.py."""
