"""What import does with the pixels of a photo: which files are taken as they are, and how others become JPEG or PNG.

JPEG and PNG are what the project reads, so these are copied or linked, whatever their suffix. WebP, TIFF, BMP and GIF
become PNG, upright as a viewer shows them. Of the JPEGs with several pictures that telephones write (MPO) the first is
cut out, without decoding it. The content says of what kind a file is, not its name.
"""

from dataclasses import dataclass
from pathlib import Path

from helpers.base.images import (
    FORMATS,
    IMAGE_SUFFIXES,
    IMPORTED_FORMATS,
    picture_format,
    read_with_note,
)
from helpers.dataset.duplicates import Look, look_of

MARKER_LENGTH = 2  # bytes


@dataclass(frozen=True)
class Examined:
    """A photo that was decoded whole: Pillow's name of its format, what it looks like, the suffix of its copy, and
    texts for the report."""

    format: str
    look: Look
    suffix: str
    notes: tuple[str, ...]

    @property
    def is_kept(self) -> bool:
        """Whether the file itself is taken."""
        return self.format in FORMATS


def examine(path: Path) -> Examined:
    """Decode an image whole: `Examined`.

    Raises:
        UserError: for one that cannot be read.
    """
    kind, count, _ = picture_format(path)
    pixels, note = read_with_note(path, IMPORTED_FORMATS)
    notes = [note] if note else []
    if kind not in (*FORMATS, "MPO"):
        suffix = ".png"
        notes.append(f"{kind}, converted to PNG")
    elif path.suffix.lower() in IMAGE_SUFFIXES:
        suffix = path.suffix
    else:
        suffix = ".png" if kind == "PNG" else ".jpg"
    if count > 1:
        notes.append(f"holds {count} pictures: the first one is taken")
    return Examined(kind, look_of(pixels), suffix, tuple(notes))


def first_picture(path: Path) -> bytes:
    """The bytes of the first picture of an MPO as a JPEG of its own: without the list of pictures, and without them."""
    data, (_, _, end) = path.read_bytes(), picture_format(path)
    data = data[:end] if data[end - MARKER_LENGTH : end] == b"\xff\xd9" else data
    parts, at = [data[:MARKER_LENGTH]], MARKER_LENGTH
    while data[at : at + 1] == b"\xff" and data[at + 1] != 0xDA:  # segments before the scan
        length = MARKER_LENGTH + int.from_bytes(data[at + 2 : at + 4], "big")
        if data[at + 1] != 0xE2 or data[at + 4 : at + 8] != b"MPF\0":
            parts.append(data[at : at + length])
        at += length
    return b"".join([*parts, data[at:]])
