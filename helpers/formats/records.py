"""What annotation files say about images: `Record`s, and the `Source` that they come from.

A reader makes one record each time a file mentions an image. It holds the objects that could be read and those that
could not, `Dropped` with the reason: `read_things` makes both, so that no object gets lost on the way, and `settle`
leaves an image out of which anything was dropped. A file about many images that cannot be read at all ends the import:
any image might lack its boxes.
"""

from dataclasses import dataclass
from pathlib import Path

from helpers.base.errors import UserError
from helpers.formats.values import Unreadable


@dataclass(frozen=True)
class Thing:
    """One object: its class, its box (x1, y1, x2, y2) in the record's unit, and whether it is difficult or a crowd.

    where: its place in the file, for messages.
    """

    label: str
    box: tuple
    excluded: bool = False
    where: str = ""


@dataclass(frozen=True)
class Dropped:
    """Something on an image that could not be read as a box: its place in the file, the reason, and its class if known.

    The image is left out because of it, unless its class is not wanted.
    """

    where: str
    reason: str
    label: str | None = None

    def __str__(self):
        return f"{self.where}: {self.reason}" if self.where else self.reason


@dataclass(frozen=True)
class Record:
    """What a file says about one image.

    names: what it may be called, the likeliest first, in the words of the file; things, dropped: the objects on it, and
    what was not read as one; size: (width, height) that the boxes refer to, None where the file does not say; relative:
    boxes are fractions of the image instead of pixels; subdir: the split that the source itself gives it, or None.
    """

    path: Path
    names: tuple
    things: tuple
    dropped: tuple
    size: tuple | None = None
    relative: bool = False
    subdir: str | None = None
    where: str = ""


def read_things(items, class_of, box_of, is_excluded=lambda item: False):
    """(things, dropped) of one image: every item becomes a `Thing`, or a `Dropped` with the reason why not.

    items: pairs (place in the file, item); class_of(item) and box_of(item) raise `Unreadable`, is_excluded(item) does
    not. An item whose box cannot be read still has its class.
    """
    things, dropped = [], []
    for where, item in items:
        label = None
        try:
            label = class_of(item)
            things.append(Thing(label, box_of(item), is_excluded(item), where))
        except Unreadable as error:
            dropped.append(Dropped(where, str(error), label))
    return tuple(things), tuple(dropped)


def read_shared_file(path, read):
    """`read(path)` of a file about many images; one that cannot be read ends the import."""
    try:
        return read(path)
    except UserError as error:
        raise UserError(f"{error}; repair it or move it away: any image might lack the boxes in it") from None


def read_image_file(path, read):
    """The `Record` that `read()` makes of a file about one image.

    Where the file cannot be read, it is a record of the image of the same name that carries the reason. `Unreadable` is
    passed on: the file is of another kind, and about nothing here.
    """
    try:
        return read()
    except UserError as error:
        return Record(path, (path.stem,), (), (Dropped("", str(error).removeprefix(f"{path}: ")),))
