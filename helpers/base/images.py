"""Reading, scaling and writing images: uint8 RGB arrays (H, W, 3), as a viewer shows them."""

import contextlib
import math
import os
import struct
import tempfile
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from helpers.base.errors import UserError
from helpers.base.files import atomic_path
from helpers.base.pixel_types import deep_color, eight_bits

# All that the decoder may open. Asked for any format, Pillow would run Ghostscript on PostScript that is called .jpg.
# A phone's MPO is a JPEG with more pictures behind the first
FORMATS = ("JPEG", "PNG")
IMPORTED_FORMATS = (*FORMATS, "WEBP", "TIFF", "BMP", "GIF")  # of which tools/importAnnotations.py makes PNGs
IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png")  # in any case
PHOTO_SUFFIXES = (*IMAGE_SUFFIXES, ".bmp", ".tif", ".tiff", ".webp", ".gif", ".jfif")  # of what may be imported
Size = tuple[int, int]  # (width, height) in pixels

MAX_SIDE = 10**6  # pixels
MAX_PIXELS = 100_000_000  # a larger file is refused before it is unpacked: 300 MB as an array
STRIP_PIXELS = 4_000_000  # what is turned into RGB at once
SPILL_PIXELS = 50_000_000  # Pillow's picture (4 bytes a pixel) and ours (3) of a larger image are not held at once
EXIF_ORIENTATION = 0x0112
MP_ENTRIES = 0xB002  # the list of the pictures in an MPO (CIPA DC-007)
DRAWN = b"a picture of a script"  # the comment in a JPEG that may be replaced

Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns or fails with another message; ours is checked below
warnings.filterwarnings("ignore", module="PIL")  # what a file's notes lack does not matter; errors are raised
DAMAGED_NOTES = (SyntaxError, ValueError, TypeError, LookupError, ArithmeticError, struct.error)
# EXIF orientation -> what a viewer does. ImageOps.exif_transpose would do the same, but stumbles over damaged EXIF data
UPRIGHT = {
    1: None,
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


@contextlib.contextmanager
def _opened(path: Path, formats: tuple[str, ...]) -> Iterator[Any]:
    """The image in a file, not decoded yet; whatever goes wrong with it inside the block becomes a `UserError`."""
    try:
        with Image.open(path, formats=formats) as image:
            if image.width * image.height > MAX_PIXELS:
                size = f"{image.width} x {image.height}"
                raise UserError(f"{path}: {size} pixels; at most {MAX_PIXELS:,} are read, scale it down")
            yield image
    except (UserError, MemoryError):
        raise
    except FileNotFoundError:
        raise UserError(f"{path}: no such image; put it back, or take it off the list that names it") from None
    except UnidentifiedImageError as error:
        names = f"{', '.join(formats[:-1])} or {formats[-1]}"
        raise UserError(f"{path}: not a readable image (no {names} inside); export it again as JPEG or PNG") from error
    except Exception as error:  # a damaged file makes Pillow stumble over whatever it meets
        if isinstance(error, OSError) and error.strerror:
            raise UserError(f"{path}: cannot be read ({error.strerror}); see to it that you may read it") from error
        reason = " ".join(str(error).split())[:200] or type(error).__name__
        raise UserError(f"{path}: not a readable image ({reason}); export it again as JPEG or PNG") from error


def _orientation(image: Any) -> int:
    try:
        # Of a PNG without notes before its pixels, Pillow decodes all of them to look behind them
        at_hand = image.format == "PNG" and image.fp and not _has_late_chunks(image.fp)
        notes = Image.Image.getexif(image) if at_hand else image.getexif()
        value = notes.get(EXIF_ORIENTATION, 1)
    except DAMAGED_NOTES:
        return 1
    return value if value in UPRIGHT else 1


def _has_late_chunks(file: IO[bytes]) -> bool:
    """Whether something stands between a PNG's pixels and its end; file: where it stands afterwards is where it did."""
    start, seen = file.tell(), []
    file.seek(8)
    while len(head := file.read(8)) == 8 and head[4:] != b"IEND":
        seen.append(head[4:])
        file.seek(int.from_bytes(head[:4]) + 4, os.SEEK_CUR)  # the data and its checksum
    file.seek(start)
    return bool(seen) and seen[-1] != b"IDAT"


def read_image(path: Path, formats: tuple[str, ...] = FORMATS) -> np.ndarray:
    """Decode an image with its EXIF orientation applied: uint8 RGB (H, W, 3); of several pictures in a file, the first.

    Transparency is dropped, grey becomes RGB, other types of pixels become 8-bit (helpers/base/pixel_types.py). The
    memory that it takes at its height is below twice that of the result (but of a large progressive JPEG, whose decoder
    holds all coefficients besides: 2.3 times).

    Raises:
        UserError: for a missing, truncated, broken or gigantic file, and one of another format.
    """
    return read_with_note(path, formats)[0]


def read_with_note(path: Path, formats: tuple[str, ...] = FORMATS) -> tuple[np.ndarray, str]:
    """The same, and what was done to make 8-bit pixels of others: (image, note), "" where there is nothing to say."""
    with _opened(path, formats) as stored:
        if stored.format == "TIFF":
            stored.load()  # by which Pillow turns it, and forgets the orientation
        image, note = deep_color(stored, path)
        orientation = _orientation(stored)
        to_rgb, more = eight_bits(image)
        rows = _upright_rows(image, orientation, to_rgb)
        size = _upright_size(image.size, orientation)
        if size[0] * size[1] <= SPILL_PIXELS:
            pixels = np.empty((size[1], size[0], 3), np.uint8)
            for top, strip in rows:
                pixels[top : top + len(strip)] = strip
            return pixels, note or more
        with _spilled(rows, path) as file:
            stored.close()  # Pillow's picture goes before ours comes
            return np.fromfile(file, np.uint8).reshape(size[1], size[0], 3), note or more


@contextlib.contextmanager
def _spilled(rows: Iterable[tuple[int, np.ndarray]], path: Path) -> Iterator[IO[bytes]]:
    """A temporary file with the pixels of `_upright_rows`, at its beginning. path: of the image, for the message."""
    try:
        with tempfile.TemporaryFile() as file:
            for _, strip in rows:
                file.write(np.ascontiguousarray(strip).data)
            file.seek(0)
            yield file
    except OSError as error:
        if not error.strerror:  # of the image, not of the disk
            raise
        place = f"{path}: its pixels do not fit into the folder of temporary files ({error.strerror})"
        raise UserError(f"{place}; make room there, or name another one by the variable TMPDIR") from error


def _upright_size(size: Size, orientation: int) -> Size:
    return size[::-1] if orientation >= 5 else size


def _upright_rows(
    image: Image.Image, orientation: int, to_rgb: Callable[[Image.Image], np.ndarray]
) -> Iterator[tuple[int, np.ndarray]]:
    """Yield (first row, some rows (h, W, 3) uint8) of an image as displayed, from top to bottom."""
    (stored_width, stored_height), (width, height) = image.size, _upright_size(image.size, orientation)
    step = max(1, STRIP_PIXELS // width)
    for top in range(0, height, step):
        bottom = min(top + step, height)
        # displayed rows are stored rows, or columns where it is turned by a quarter; counted from the other end in some
        low, high = (height - bottom, height - top) if orientation in (3, 4, 7, 8) else (top, bottom)
        strip = image.crop((low, 0, high, stored_height) if orientation >= 5 else (0, low, stored_width, high))
        turn = UPRIGHT[orientation]
        strip = strip if turn is None else strip.transpose(turn)
        pixels = to_rgb(strip)
        yield top, pixels if pixels.ndim == 3 else pixels[..., None].repeat(3, axis=2)


def image_size(path: Path, formats: tuple[str, ...] = FORMATS) -> tuple[Size, int]:
    """(width, height) in pixels as displayed, and the EXIF orientation (1 where there is none), without decoding."""
    with _opened(path, formats) as image:
        orientation = _orientation(image)
        stored = (image.tag_v2[256], image.tag_v2[257]) if image.format == "TIFF" else image.size  # not turned yet
        return _upright_size(stored, orientation), orientation


def picture_format(path: Path) -> tuple[str, int, int]:
    """(Pillow's name of an image's format, "MPO" for a JPEG with more pictures behind it; how many it holds; the bytes
    that the first one of an MPO takes, else 0)."""
    with _opened(path, IMPORTED_FORMATS) as image:
        length = image.mpinfo[MP_ENTRIES][0]["Size"] if image.format == "MPO" else 0
        return image.format, getattr(image, "n_frames", 1), length


def fitted_size(size: Size, width: float, height: float, shorter: float = math.inf) -> tuple[Size, tuple[float, float]]:
    """The greatest (width, height) in whole pixels that fits into width x height, whose shorter side is `shorter` at
    most, and which keeps the aspect ratio of `size`.

    Returns it and the factors (x, y) from old to new pixels.
    """
    factor = min(width / size[0], height / size[1], shorter / min(size))
    new = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
    return new, (new[0] / size[0], new[1] / size[1])


def scale_to_fit(
    image: np.ndarray, width: float, height: float, shorter: float = math.inf
) -> tuple[np.ndarray, tuple[float, float]]:
    """Scale an image to its `fitted_size`; returns the scaled image and the factors."""
    size, factors = fitted_size(image.shape[1::-1], width, height, shorter)
    method = cv2.INTER_AREA if factors[0] < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=method), factors


def scale_below(image: np.ndarray, max_pixels: int) -> np.ndarray:
    """The image, or where it has more pixels than that, the greatest copy of the same shape that has not."""
    height, width = image.shape[:2]
    factor = (max_pixels / (width * height)) ** 0.5
    return image if factor >= 1 else scale_to_fit(image, max(1, int(width * factor)), max(1, int(height * factor)))[0]


def write_image(path: Path, image: np.ndarray, quality: int = 90) -> None:
    """Write a uint8 RGB array as JPEG or PNG, after the suffix of `path`, at once or not at all.

    A comment in a JPEG says whose it is, see `is_drawn`.
    """
    with atomic_path(path) as temporary:
        Image.fromarray(image).save(temporary, quality=quality, comment=DRAWN)


def is_drawn(path: Path) -> bool:
    """Whether a JPEG was written by `write_image`: it may be replaced, a photo may not."""
    try:
        with Image.open(path, formats=["JPEG"]) as image:
            return image.info.get("comment") == DRAWN
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError):
        return False
