"""What annotation files say about images: `Record`s, and the `Source` that they come from.

A reader makes one record each time a file mentions an image. It holds the objects that could be read and those that
could not, `Dropped` with the reason: `read_things` makes both, so that no object gets lost on the way, and `settle`
leaves an image out of which anything was dropped. A file about many images that cannot be read at all ends the import:
any image might lack its boxes.
"""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from helpers.base.errors import UserError
from helpers.formats.common import Unreadable
from helpers.formats.walking import walk


class Ambiguous(Unreadable):
    """A name of which it is not clear what image it means; images: those that it may mean."""

    def __init__(self, reason, images):
        super().__init__(reason)
        self.images = images


@dataclass(frozen=True)
class LeftOut:
    """A note on something that was left out or changed: file, place in it ("" for all of it) and reason."""

    path: Path
    where: str
    message: str

    def __str__(self):
        where = f", {self.where}" if self.where else ""
        text = f"{self.path}{where}: {self.message}"
        return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


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


@dataclass
class Source:
    """Where annotations come from: a file or folder, the images that belong to them, and notes on what was left out.

    images: an `ImageIndex`; class_file: a file of class names for YOLO, or None to look for one; refused: the paths of
    images that are left out although there are annotations of them; unpacked: {photo in the scratch folder: the file
    that it was in}.
    """

    path: Path
    images: object
    class_file: Path | None = None
    notes: list = field(default_factory=list)
    refused: set = field(default_factory=set)
    unpacked: dict = field(default_factory=dict)
    _noted: set = field(default_factory=set)
    _scratch: Path | None = None
    _open_scratch: object = None

    def files(self, *suffixes):
        """The source itself, or all files below it with one of these suffixes, each once, sorted."""
        if not self.path.is_dir():
            return [self.path]
        found = {}
        for folder, names in walk(self.path)[0]:
            for name in names:
                path = folder / name
                if path.suffix.lower() in suffixes:
                    found.setdefault(os.path.realpath(path), path)
        return sorted(found.values())

    def note(self, path, message, where=""):
        """Add a `LeftOut`; of a photo that was unpacked it names the file that it was in."""
        if self._scratch and str(self._scratch) in message:
            for photo, file in self.unpacked.items():
                message = message.replace(str(photo), f"the photo in {file}")
        note = LeftOut(self.unpacked.get(Path(path), Path(path)), where, message)
        if note not in self._noted:
            self._noted.add(note)
            self.notes.append(note)

    @contextlib.contextmanager
    def scratch_in(self, staging):
        """For the block, let `scratch_folder` be at the path that `staging()`, a context manager, gives when needed."""
        with contextlib.ExitStack() as stack:
            self._open_scratch = lambda: stack.enter_context(staging())
            yield

    def scratch_folder(self):
        """A folder for files that the import needs and nobody keeps; gone with the block of `scratch_in`."""
        if self._scratch is None:
            self._scratch = self._open_scratch()
            self._scratch.mkdir()
        return self._scratch

    @contextlib.contextmanager
    def guard(self, path, where=""):
        """Note an `Unreadable` of the block as the reason why this file or image was left out."""
        try:
            yield
        except Unreadable as error:
            self.note(path, f"left out: {error}", where)
