"""Protects what may be opened and what becomes of its pixels: nothing but JPEG and PNG reaches a decoder, whatever a
file is called; no type of pixel turns black or white in silence; a large picture takes no more than twice its memory.
"""

import ast
import errno
import io
import struct
import subprocess
import sys
import zlib

import numpy as np
import pytest
from PIL import Image
from project import ROOT
from stored_images import STORED
from tiny import draw_image

from helpers.base import images
from helpers.base.errors import UserError
from helpers.base.images import IMPORTED_FORMATS, image_size, read_image, read_with_note, write_image

PICTURE, _ = draw_image(("circle", "square", "triangle"), seed=0)  # (120, 160, 3)
GREY = PICTURE[..., 1]
RAMP = np.arange(256, dtype=np.uint8).reshape(16, 16)


def png(pixels, bits=16):
    """Bytes of a PNG with 16 bits a channel, of any number of channels, which Pillow does not write."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    height, width, channels = pixels.shape
    kind = {1: 0, 2: 4, 3: 2, 4: 6}[channels]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width, height, bits, kind, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# --- which files -----------------------------------------------------------------------------------------------------


def test_postscript_that_is_called_jpg_starts_no_program(tmp_path, monkeypatch):
    program = tmp_path / "bin" / "gs"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\ntouch {tmp_path}/was_called\nexit 1\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(program.parent), prepend=":")
    path = tmp_path / "1.jpg"
    path.write_bytes(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 40 40\n%%EndComments\nshowpage\n%%EOF\n")
    for formats in (images.FORMATS, IMPORTED_FORMATS):
        for function in (read_image, image_size):
            with pytest.raises(UserError, match="1.jpg: not a readable image .*; export it again as JPEG or PNG"):
                function(path, formats)
    assert not (tmp_path / "was_called").exists()


@pytest.mark.parametrize("form", ["WEBP", "TIFF", "BMP", "GIF", "PPM", "ICO", "TGA", "JPEG2000", "PCX"])
def test_only_jpeg_and_png_are_opened_and_a_few_more_at_import(tmp_path, form):
    path = tmp_path / "1.jpg"
    Image.fromarray(PICTURE).save(path, form)
    with pytest.raises(UserError, match=r"1.jpg: not a readable image \(no JPEG or PNG inside\)"):
        read_image(path)
    if form in IMPORTED_FORMATS:
        assert np.abs(read_image(path, IMPORTED_FORMATS).astype(int) - PICTURE).mean() < 20
        assert image_size(path, IMPORTED_FORMATS) == ((160, 120), 1)
    else:
        with pytest.raises(UserError, match="not a readable image"):
            read_image(path, IMPORTED_FORMATS)


@pytest.mark.slow
def test_no_decoder_is_asked_for_any_format():
    files = [path for folder in ("", "fastRCNN", "benchmarks") for path in (ROOT / folder).glob("*.py")]
    files += list((ROOT / "helpers").rglob("*.py"))
    openers = ("Image.open", "cv2.imread", "cv2.imdecode", "decode_image", "read_file", "imageio.imread")
    found = []
    for path in files:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and ast.unparse(node.func).endswith(openers):
                with_formats = any(keyword.arg == "formats" for keyword in node.keywords)
                found += [] if with_formats else [(path.name, ast.unparse(node.func))]
    assert found == [("pixel_types.py", "cv2.imread")]  # of a file that was found to be PNG


def test_of_several_pictures_in_a_file_the_first_is_read(tmp_path):
    first, second = (Image.fromarray(pixels) for pixels in (PICTURE, 255 - PICTURE))
    first.save(tmp_path / "1.png", save_all=True, append_images=[second])
    first.save(tmp_path / "1.jpg", "MPO", save_all=True, append_images=[second], quality=98)
    first.save(tmp_path / "1.gif", save_all=True, append_images=[second])
    assert np.array_equal(read_image(tmp_path / "1.png"), PICTURE)
    assert np.abs(read_image(tmp_path / "1.jpg").astype(int) - PICTURE).mean() < 3
    assert np.abs(read_image(tmp_path / "1.gif", IMPORTED_FORMATS).astype(int) - PICTURE).mean() < 20


def test_a_file_that_may_not_be_read_says_so(tmp_path):
    (tmp_path / "1.jpg").mkdir()
    with pytest.raises(UserError, match=r"1.jpg: cannot be read \(Is a directory\); see to it"):
        read_image(tmp_path / "1.jpg")


# --- types of pixels -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
def test_fewer_bits_in_files_of_16_are_as_bright_as_they_were(tmp_path, bits, channels):
    shift = bits - 8
    colors = GREY[..., None] if channels < 3 else PICTURE
    stored = (colors.astype(np.uint16) << shift) | ((1 << shift) - 1)  # the low bits do not matter
    if channels in (2, 4):
        stored = np.dstack([stored, np.full(GREY.shape, 65535, np.uint16)])
    (tmp_path / "1.png").write_bytes(png(stored))
    image, note = read_with_note(tmp_path / "1.png")
    assert np.array_equal(image, np.broadcast_to(colors, PICTURE.shape))
    high = int(stored[..., : 1 if channels < 3 else 3].max())
    assert note == ("" if bits == 16 else f"16-bit file with values up to {high} only, read as {bits}-bit data")


def test_a_cut_16_bit_file_is_refused(tmp_path):
    data = png(PICTURE.astype(np.uint16) * 16)
    (tmp_path / "1.png").write_bytes(data[: len(data) * 2 // 3])
    with pytest.raises(UserError, match="1.png: not a readable image"):
        read_image(tmp_path / "1.png")


@pytest.mark.parametrize(
    ("values", "note"),
    [
        (RAMP / np.float32(255), "floats from 0 to 1, multiplied by 255"),
        (RAMP * np.float32(0.5 / 255), "floats from 0 to 1, multiplied by 255"),
        (RAMP * np.float32(3) - 100, "floats from -100 to 665, stretched to 0 to 255"),
        (RAMP * np.float32(1.5 / 255), "floats from 0 to 1.5, stretched to 0 to 255"),
        (RAMP.astype(np.int32) * 257, "32-bit values up to 65535, read as 16-bit data"),
        (RAMP.astype(np.int32) * 16, "32-bit values up to 4080, read as 12-bit data"),
        (RAMP.astype(np.int32), "32-bit values up to 255, read as 8-bit data"),
        ((RAMP.astype(np.int32) - 1) * 1_000_000, "32-bit values from -1000000 to 254000000, stretched to 0 to 255"),
    ],
)
def test_floats_and_long_numbers_are_scaled_and_said_so(tmp_path, values, note):
    Image.fromarray(values).save(tmp_path / "1.tif")
    image, said = read_with_note(tmp_path / "1.tif", IMPORTED_FORMATS)
    brightness = 0.5 if values.max() == 0.5 else 1.0
    assert np.abs(image - (brightness * RAMP)[..., None]).max() <= 0.5 and said == note


def test_values_that_are_not_finite_are_refused(tmp_path):
    for value in (np.nan, np.inf):
        values = GREY.astype(np.float32) / 255
        values[7, 7] = value
        Image.fromarray(values).save(tmp_path / "1.tif")
        with pytest.raises(UserError, match=r"1.tif: not a readable image \(pixels that are not finite\)"):
            read_image(tmp_path / "1.tif", IMPORTED_FORMATS)


def test_inverted_cmyk_has_its_colours(tmp_path):
    # Photoshop stores the ink's absence, and says so with an APP14 marker; without the marker viewers assume the same
    file = io.BytesIO()
    Image.fromarray(PICTURE).convert("CMYK").save(file, "JPEG", quality=98)
    (tmp_path / "1.jpg").write_bytes(file.getvalue())
    assert np.abs(read_image(tmp_path / "1.jpg").astype(int) - PICTURE).mean() < 5


@pytest.mark.parametrize("mode", ["L", "1", "P", "LA", "RGBA", "I;16"])
@pytest.mark.parametrize("orientation", STORED)
def test_every_type_is_turned_as_displayed(tmp_path, monkeypatch, mode, orientation):
    monkeypatch.setattr(images, "STRIP_PIXELS", 1000)  # many strips, the last one shorter
    exif = Image.Exif()
    exif[0x0112] = orientation
    grey = np.dstack([GREY] * 3)
    rgb = Image.fromarray(np.ascontiguousarray(STORED[orientation](grey)))
    stored = (
        Image.fromarray(np.asarray(rgb)[..., 0].astype(np.uint16) * 257)
        if mode == "I;16"
        else rgb.convert("L").convert(mode)
    )
    stored.save(tmp_path / "1.png", exif=exif)
    image = read_image(tmp_path / "1.png")
    assert image.shape == PICTURE.shape
    if mode != "1":
        assert np.abs(image.astype(int) - grey).max() <= 1


# --- memory ----------------------------------------------------------------------------------------------------------

MEASURE = r"""
import re, sys
sys.path.insert(0, sys.argv[1])
from helpers.base.images import read_image
peak = lambda: 1024 * int(re.search(r"VmHWM:\s+([0-9]+)", open("/proc/self/status").read())[1])
before = peak()
image = read_image(sys.argv[2])
print((peak() - before) / image.nbytes)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
@pytest.mark.parametrize("orientation", [1, 6])
def test_a_large_photo_takes_less_than_twice_its_memory(tmp_path, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    width, height = 8200, 6200
    assert width * height > images.SPILL_PIXELS
    Image.new("RGB", (width, height), (200, 30, 60)).save(tmp_path / "1.jpg", exif=exif)
    measured = subprocess.run(
        [sys.executable, "-c", MEASURE, str(ROOT), str(tmp_path / "1.jpg")], capture_output=True, text=True, check=True
    )
    assert 1 < float(measured.stdout) < 1.9


def test_a_full_disk_is_not_taken_for_a_broken_image(tmp_path, monkeypatch):
    write_image(tmp_path / "1.jpg", PICTURE)

    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(images, "SPILL_PIXELS", 100)
    monkeypatch.setattr(images.tempfile, "TemporaryFile", full)
    with pytest.raises(UserError, match=r"1.jpg: its pixels do not fit .*No space left.*; make room there, or"):
        read_image(tmp_path / "1.jpg")
    (tmp_path / "2.jpg").write_bytes((tmp_path / "1.jpg").read_bytes()[:-30])
    monkeypatch.undo()
    monkeypatch.setattr(images, "SPILL_PIXELS", 100)
    with pytest.raises(UserError, match=r"2.jpg: not a readable image \(image file is truncated"):
        read_image(tmp_path / "2.jpg")


def test_spilling_changes_nothing(tmp_path, monkeypatch):
    write_image(tmp_path / "1.jpg", PICTURE)
    usual = read_image(tmp_path / "1.jpg")
    monkeypatch.setattr(images, "SPILL_PIXELS", 100)
    spilled = read_image(tmp_path / "1.jpg")
    assert np.array_equal(spilled, usual) and spilled.flags.writeable


@pytest.mark.parametrize("late", [False, True])
def test_the_size_of_a_png_is_read_without_its_pixels(tmp_path, monkeypatch, late):
    exif = Image.Exif()
    exif[0x0112] = 6
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, "PNG", exif=exif)
    data = file.getvalue()
    start = data.index(b"eXIf") - 4
    end = start + 12 + int.from_bytes(data[start : start + 4], "big")
    without, notes = data[:start] + data[end:], data[start:end]
    (tmp_path / "1.png").write_bytes(without[:-12] + notes + without[-12:] if late else data)
    assert image_size(tmp_path / "1.png") == ((120, 160), 6)
    assert read_image(tmp_path / "1.png").shape == (160, 120, 3)
    (tmp_path / "2.png").write_bytes(without)
    monkeypatch.setattr(Image.Image, "load", None)
    assert image_size(tmp_path / "2.png") == ((160, 120), 1)
