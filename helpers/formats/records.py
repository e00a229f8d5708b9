"""What annotation files say about images: `Record`s.

A reader makes one record each time a file mentions an image. It holds the objects that could be read and those that
could not, `Dropped` with the reason: `read_objects` makes both, so that no object gets lost on the way, and an image
out of which anything was dropped is left out of the import. A file about many images that cannot be read at all ends
the import: any image might lack its boxes.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from helpers.base.errors import UserError
from helpers.formats.shapes import Box
from helpers.formats.values import Size, Unreadable

Item = TypeVar("Item")
Content = TypeVar("Content")


@dataclass(frozen=True)
class AnnotatedObject:
    """One object: its class, its box in the record's unit, and whether it is ignored: VOC's `difficult`, COCO's crowds.

    where: its place in the file, for messages.
    """

    label: str
    box: Box
    ignored: bool = False
    where: str = ""


@dataclass(frozen=True)
class Dropped:
    """Something on an image that could not be read as a box: its place in the file, the reason, and its class if known.

    The image is left out because of it, unless its class is not wanted.
    """

    where: str
    reason: str
    label: str | None = None

    def __str__(self) -> str:
        return f"{self.where}: {self.reason}" if self.where else self.reason


@dataclass(frozen=True)
class Record:
    """What a file says about one image.

    names: what it may be called, the likeliest first, in the words of the file; objects, dropped: those on it, and what
    was not read as one; size: (width, height) that the boxes refer to, None where the file does not say; relative:
    boxes are fractions of the image instead of pixels; split: the one that the source itself gives it, in its own
    words, or None; where: its place in the file, "" for all of it.
    """

    path: Path
    names: tuple[str, ...]
    objects: tuple[AnnotatedObject, ...]
    dropped: tuple[Dropped, ...]
    size: Size | None = None
    relative: bool = False
    split: str | None = None
    where: str = ""


def read_objects(
    items: Iterable[tuple[str, Item]],
    class_of: Callable[[Item], str],
    box_of: Callable[[Item], Box],
    is_ignored: Callable[[Item], bool] = lambda item: False,
) -> tuple[tuple[AnnotatedObject, ...], tuple[Dropped, ...]]:
    """(objects, dropped) of one image: every item becomes an `AnnotatedObject`, or a `Dropped` with the reason why not.

    Args:
        items: pairs (place in the file, item).
        class_of: raises `Unreadable` for a class that is none.
        box_of: raises `Unreadable` for a box that is none; the item still has its class.
        is_ignored: raises nothing.
    """
    objects, dropped = [], []
    for where, item in items:
        label = None
        try:
            label = class_of(item)
            objects.append(AnnotatedObject(label, box_of(item), is_ignored(item), where))
        except Unreadable as error:
            dropped.append(Dropped(where, str(error), label))
    return tuple(objects), tuple(dropped)


def read_shared_file(path: Path, read: Callable[[Path], Content]) -> Content:
    """`read(path)` of a file about many images; one that cannot be read ends the import."""
    try:
        return read(path)
    except UserError as error:
        raise UserError(f"{error}; repair it or move it away: any image might lack the boxes in it") from None


def read_image_file(path: Path, read: Callable[[], Record]) -> Record:
    """The `Record` that `read()` makes of a file about one image.

    Where the file cannot be read, it is a record of the image of the same name that carries the reason. `Unreadable` is
    passed on: the file is of another kind, and about nothing here.
    """
    try:
        return read()
    except UserError as error:
        return Record(path, (path.stem,), (), (Dropped("", str(error).removeprefix(f"{path}: ")),))
