"""Notes on what was left out or changed, for the report of an import."""

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from helpers.formats.values import Unreadable


@dataclass(frozen=True)
class Note:
    """A file, a place in it ("" for all of it), and what happened there."""

    path: Path
    where: str
    message: str

    def __str__(self) -> str:
        where = f", {self.where}" if self.where else ""
        text = f"{self.path}{where}: {self.message}"
        return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


@dataclass(kw_only=True)
class Notes:
    """The notes so far, each once, in order."""

    notes: list[Note] = field(default_factory=list)
    _noted: set[Note] = field(default_factory=set)

    def note(self, path: Path, message: str, where: str = "") -> None:
        """Add a `Note`, unless there is an equal one."""
        note = Note(path, where, message)
        if note not in self._noted:
            self._noted.add(note)
            self.notes.append(note)

    @contextlib.contextmanager
    def guard(self, path: Path, where: str = "") -> Iterator[None]:
        """Note an `Unreadable` of the block as the reason why this file or image was left out."""
        try:
            yield
        except Unreadable as error:
            self.note(path, f"left out: {error}", where)
