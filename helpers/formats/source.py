"""Where annotations come from: their files, and the images that belong to them."""

import contextlib
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from helpers.base.walking import walk
from helpers.formats.notes import Notes
from helpers.formats.records import Dropped
from helpers.formats.values import Size


class SourceImage(Protocol):
    """An image of the source: its path, and the path relative to the folder that was searched, as parts."""

    @property
    def path(self) -> Path: ...

    @property
    def parts(self) -> tuple[str, ...]: ...


class SourceImages(Protocol):
    """What readers ask of the images; helpers/importing/image_index.py answers."""

    @property
    def images(self) -> Sequence[SourceImage]: ...

    def find(self, names: Sequence[str], near: Path, size: Size | None = None, strict: bool = False) -> SourceImage: ...

    def names_in(self, split: str | None, name: str) -> tuple[tuple[str, ...], tuple[Dropped, ...]]: ...

    def like(self, name: str) -> Sequence[SourceImage]: ...

    def place_of(self, path: Path) -> tuple[str, ...]: ...

    def add_temporary(self, path: Path, parts: tuple[str, ...]) -> None: ...


@dataclass
class Source(Notes):
    """A file or folder of annotations, the images that belong to it, and notes on what was left out.

    class_file: a file of class names for YOLO, or None to look for one; unpacked: {photo in the scratch folder: the
    annotation file that it was in}.
    """

    path: Path
    images: SourceImages
    class_file: Path | None = None
    unpacked: dict[Path, Path] = field(default_factory=dict)
    _scratch: Path | None = None
    _open_scratch: Callable[[], Path] | None = None

    def files(self, *suffixes: str) -> list[Path]:
        """The source itself, or all files below it with one of these suffixes, each once, sorted."""
        if not self.path.is_dir():
            return [self.path]
        found: dict[str, Path] = {}
        for folder, names in walk(self.path)[0]:
            for name in names:
                path = folder / name
                if path.suffix.lower() in suffixes:
                    found.setdefault(os.path.realpath(path), path)
        return sorted(found.values())

    def note(self, path: Path, message: str, where: str = "") -> None:
        """Add a `Note`; of a photo that was unpacked it names the file that it was in."""
        if self._scratch and str(self._scratch) in message:
            for photo, file in self.unpacked.items():
                message = message.replace(str(photo), f"the photo in {file}")
        super().note(self.unpacked.get(path, path), message, where)

    @contextlib.contextmanager
    def scratch_in(self, staging: Callable[[], AbstractContextManager[Path]]) -> Iterator[None]:
        """For the block, let `scratch_folder` be at the path that `staging()` gives when it is needed."""
        with contextlib.ExitStack() as stack:
            self._open_scratch = lambda: stack.enter_context(staging())
            yield

    def scratch_folder(self) -> Path:
        """A folder for files that the import needs and nobody keeps; gone with the block of `scratch_in`."""
        if self._scratch is None:
            if self._open_scratch is None:
                raise RuntimeError("a scratch folder is asked for outside of the block of scratch_in")
            self._scratch = self._open_scratch()
            self._scratch.mkdir()
        return self._scratch
