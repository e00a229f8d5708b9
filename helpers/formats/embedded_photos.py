"""Photos that lie inside of annotation files, as base64: LabelMe's `imageData`."""

import base64
import binascii
import tempfile
from pathlib import Path

from helpers.formats.source import Source
from helpers.formats.values import Size, Unreadable

SUFFIXES = {  # of the formats by their first bytes
    b"\xff\xd8\xff": ".jpg",
    b"\x89PNG": ".png",
    b"BM": ".bmp",
    b"II*\0": ".tif",
    b"MM\0*": ".tif",
    b"GIF8": ".gif",
    b"RIFF": ".webp",
}


def find_or_unpack(source: Source, path: Path, names: tuple[str, ...], size: Size | None, data: str) -> tuple[str, ...]:
    """The names by which `source.images` finds the photo of an annotation file: its own, where the photo is a file.

    Else the photo is written out of `data`, base64, into the source's scratch folder, under the annotation file's name.

    Raises:
        Unreadable: where `data` is no image; whether the image is whole shows when it is opened, as with any other.
    """
    try:
        source.images.find(names, path, size, strict=True)
        return names
    except Unreadable:
        content = _decode(data)
    suffix = next((suffix for start, suffix in SUFFIXES.items() if content.startswith(start)), None)
    if suffix is None:
        raise Unreadable("the photo is missing, and imageData is no image")
    photo = Path(tempfile.mkdtemp(dir=source.scratch_folder()), path.stem + suffix)
    photo.write_bytes(content)
    source.unpacked[photo] = path
    source.images.add_temporary(photo, (*source.images.place_of(path), photo.name))
    return (photo.name,)


def _decode(data: str) -> bytes:
    try:
        return base64.b64decode("".join(data.rpartition(",")[2].split()), validate=True)
    except (binascii.Error, ValueError) as error:
        raise Unreadable("the photo is missing, and imageData is not base64") from error
