"""Reading, scaling and writing images: uint8 RGB arrays (H, W, 3), as a viewer shows them."""

import math

import cv2
import numpy as np
from PIL import Image

from helpers.errors import UserError
from helpers.files import atomic_path

MAX_PIXELS = 100_000_000  # a larger file is refused before it is unpacked: 300 MB as an array
EXIF_ORIENTATION = 0x0112


Image.MAX_IMAGE_PIXELS = None  # Pillow's own limit warns or fails with another message; ours is checked below
# EXIF orientation -> what a viewer does. ImageOps.exif_transpose would do the same, but stumbles over damaged EXIF data
UPRIGHT = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}


def _open(path):
    image = Image.open(path)
    if image.width * image.height > MAX_PIXELS:
        raise UserError(
            f"{path}: {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} are read, scale it down"
        )
    return image


def read_image(path):
    """Decode an image with its EXIF orientation applied: uint8 RGB (H, W, 3).

    Transparency is dropped, grey becomes RGB. Raises `UserError` for a missing, truncated, broken or gigantic file.
    """
    try:
        with _open(path) as image:
            orientation = image.getexif().get(EXIF_ORIENTATION, 1)
            if image.mode.startswith("I;16"):  # convert() would clip at 255
                image = Image.fromarray((np.asarray(image) >> 8).astype(np.uint8))
            image = image.convert("RGB")
            return np.array(image.transpose(UPRIGHT[orientation]) if orientation in UPRIGHT else image)
    except FileNotFoundError:
        raise UserError(f"{path}: no such image") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: not a readable image ({error}); export it again as JPEG or PNG") from error


def image_size(path):
    """(width, height) in pixels as displayed, and the EXIF orientation (1 where there is none), without decoding."""
    try:
        with _open(path) as image:
            orientation = image.getexif().get(EXIF_ORIENTATION, 1)
            size = image.size
    except FileNotFoundError:
        raise UserError(f"{path}: no such image") from None
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise UserError(f"{path}: not a readable image ({error}); export it again as JPEG or PNG") from error
    return (size[::-1] if orientation in (5, 6, 7, 8) else size), orientation


def fitted_size(size, width, height, shorter=math.inf):
    """The greatest (width, height) in whole pixels that fits into width x height, whose shorter side is `shorter` at
    most, and which keeps the aspect ratio of `size`.

    Returns it and the factors (x, y) from old to new pixels.
    """
    factor = min(width / size[0], height / size[1], shorter / min(size))
    new = max(1, round(size[0] * factor)), max(1, round(size[1] * factor))
    return new, (new[0] / size[0], new[1] / size[1])


def scale_to_fit(image, width, height, shorter=math.inf):
    """Scale an image to its `fitted_size`; returns the scaled image and the factors."""
    size, factors = fitted_size(image.shape[1::-1], width, height, shorter)
    method = cv2.INTER_AREA if factors[0] < 1 else cv2.INTER_LINEAR
    return cv2.resize(image, size, interpolation=method), factors


def write_image(path, image, quality=90):
    """Write a uint8 RGB array as JPEG or PNG, after the suffix of `path`, at once or not at all."""
    with atomic_path(path) as temporary:
        Image.fromarray(image).save(temporary, quality=quality)
