"""Where annotations come from: their files, the images that belong to them, and notes on what was left out."""

import contextlib
import os
from dataclasses import dataclass, field
from pathlib import Path

from helpers.base.walking import walk
from helpers.formats.values import Unreadable


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
