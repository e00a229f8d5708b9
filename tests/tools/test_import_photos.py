"""Protects what import does with photos: broken ones stay out and are named, formats that the steps do not read are
converted without loss and upright, and long names are cut so that every file beside them fits.
"""

import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from photo_source import photos, pixels, run, write_csv
from PIL import Image
from project import ROOT

from helpers.base.images import image_size, read_image
from helpers.dataset.check import check_dataset
from helpers.dataset.image_files import MAX_NAME_BYTES
from pipeline.parameters import load_parameters

# --- broken photos ---------------------------------------------------------------------------------------------------


def test_photos_that_cannot_be_read_are_left_out_and_step_0_has_no_word_to_say(tmp_path):
    names = [f"{number}.jpg" for number in range(8)]
    photos(tmp_path / "source", *names)
    for name, spoil in (
        ("1.jpg", lambda data: data[:-20]),
        ("2.jpg", lambda data: b"<html>"),
        ("3.jpg", lambda data: b""),
    ):
        path = tmp_path / "source" / name
        path.write_bytes(spoil(path.read_bytes()))
    placed, notes = run(tmp_path)
    assert sorted(placed) == ["0.jpg", "4.jpg", "5.jpg", "6.jpg", "7.jpg"] and "testImages" in placed.values()
    for name in ("1.jpg", "2.jpg", "3.jpg"):
        assert f"{name}: left out: not a readable image" in notes or f'x.csv, image "{name}": left out' in notes
    report = check_dataset(load_parameters([f"dataRootDir={tmp_path / 'data'}", "datasetName=new"]))
    assert report.exit_code == 0


def test_what_step_0_will_not_accept_is_said(tmp_path, capsys):
    photos(tmp_path / "source", "a.jpg", "b.jpg")
    run(tmp_path, testFraction=0)
    printed = capsys.readouterr().out
    assert "ERROR: testImages: no image in this folder" in printed and "Step 0 finds 1 error, " in printed
    assert "Next: see to the errors, then  python3 0_checkDataset.py --set datasetName=new" in printed
    assert "ERROR: testImages: no image in this folder" in (tmp_path / "data/new/importReport.txt").read_text()
    assert "positive: 2 images" in printed and "1 images" not in printed


# --- formats ---------------------------------------------------------------------------------------------------------


def one_photo(folder, name, write):
    write_csv(folder / "source", [(name, 10, 20, 40, 60, "cup")])
    write(folder / "source" / name)
    placed, notes = run(folder, testFraction=0)
    (new,) = placed
    path = folder / "data/new/positive" / new
    assert path.with_suffix(".bboxes.tsv").read_text() == "10\t20\t40\t60\n"
    return path, notes


@pytest.mark.parametrize("name", ["a.webp", "a.tif", "a.bmp", "a.TIFF"])
def test_other_formats_become_png_without_loss(tmp_path, name):
    options = {"lossless": True} if name == "a.webp" else {}
    path, notes = one_photo(tmp_path, name, lambda path: Image.fromarray(pixels()).save(path, **options))
    assert path.name == "a.png" and Image.open(path).format == "PNG" and (read_image(path) == pixels()).all()
    assert "converted to PNG" in notes


@pytest.mark.parametrize(
    "name, content, suffix", [("a.jpg", "PNG", ".jpg"), ("a.jfif", "JPEG", ".jpg"), ("a.bmp", "JPEG", ".jpg"),
                              ("a.tif", "PNG", ".png"), ("a.JPEG", "JPEG", ".JPEG")]
)  # fmt: skip
def test_the_content_tells_the_format_and_jpeg_and_png_are_taken_as_they_are(tmp_path, name, content, suffix):
    path, notes = one_photo(tmp_path, name, lambda path: Image.fromarray(pixels()).save(path, format=content))
    assert path.suffix == suffix and path.read_bytes() == (tmp_path / "source" / name).read_bytes() and not notes


@pytest.mark.parametrize("name", ["a.jpg", "a.png"])
def test_a_webp_under_another_name_is_converted(tmp_path, name):
    path, _ = one_photo(tmp_path, name, lambda path: Image.fromarray(pixels()).save(path, "WEBP", lossless=True))
    assert path.name == "a.png" and (read_image(path) == pixels()).all()


def test_the_first_picture_of_gif_tiff_and_mpo_is_taken(tmp_path):
    first, second = Image.fromarray(pixels(1)), Image.fromarray(pixels(2))
    for number, (name, kind) in enumerate((("a.gif", "GIF"), ("a.tif", "TIFF"), ("a.jpg", "MPO"))):
        folder = tmp_path / str(number)
        path, notes = one_photo(
            folder, name, lambda path, kind=kind: first.save(path, kind, save_all=True, append_images=[second])
        )
        assert "holds 2 pictures: the first one is taken" in notes
        assert np.abs(read_image(path).astype(int) - pixels(1)).mean() < (12 if kind == "GIF" else 6)
        assert Image.open(path).format == ("JPEG" if kind == "MPO" else "PNG")
        if kind == "MPO":  # cut out, not encoded again
            assert (read_image(path) == np.asarray(Image.open(folder / "source/a.jpg").convert("RGB"))).all()
            assert path.stat().st_size < (folder / "source/a.jpg").stat().st_size * 0.7


@pytest.mark.parametrize("name", ["a.tif", "a.webp", "a.png", "a.jpg"])
@pytest.mark.parametrize("orientation", [2, 3, 6, 7])
def test_images_stay_upright_and_boxes_on_stored_pixels_turn_with_them(tmp_path, name, orientation):
    stored = np.zeros((80, 100, 3), np.uint8)
    stored[8:32, 16:64] = 255  # box (16, 8, 64, 32)
    exif = Image.Exif()
    exif[0x0112] = orientation
    (tmp_path / "source").mkdir()
    Image.fromarray(stored).save(
        tmp_path / "source" / name, exif=exif, **({"lossless": True} if "webp" in name else {})
    )
    upright = orientation < 5  # the sizes say which pixels were annotated
    box = {2: (36, 8, 84, 32), 3: (36, 48, 84, 72)}.get(orientation, (16, 8, 64, 32))
    header = "filename,width,height,xmin,ymin,xmax,ymax,class"
    write_csv(tmp_path / "source", [(name, 100, 80, *box, "cup")], header)
    placed, _ = run(tmp_path, testFraction=0)
    path = tmp_path / "data/new/positive" / next(iter(placed))
    assert image_size(path)[0] == ((100, 80) if upright else (80, 100))
    white = np.argwhere(read_image(path)[..., 0] > 128)
    (y1, x1), (y2, x2) = white.min(axis=0), white.max(axis=0) + 1
    assert path.with_suffix(".bboxes.tsv").read_text() == f"{x1}\t{y1}\t{x2}\t{y2}\n"


def deep(kind):
    """The picture's grey in other types of pixels."""
    grey = np.asarray(Image.fromarray(pixels()).convert("L"))
    values = {
        "float": grey / np.float32(255), "float 0 to 3000": grey * np.float32(3000 / 255),
        "int32": grey.astype(np.int32) * 257,
        "int32 large": grey.astype(np.int32) * 4_000_000, "int16": grey.astype(np.uint16) * 257,
        "12 bits": grey.astype(np.uint16) << 4,
    }[kind]  # fmt: skip
    return grey, Image.fromarray(values)


@pytest.mark.parametrize("kind", ["float", "float 0 to 3000", "int32", "int32 large", "int16", "12 bits"])
def test_pixels_of_every_type_keep_their_picture_and_are_noted(tmp_path, kind):
    grey, picture = deep(kind)
    path, notes = one_photo(tmp_path, "a.tif", picture.save)
    found = read_image(path).astype(int)[..., 0]
    assert np.corrcoef(found.ravel(), grey.ravel())[0, 1] > 0.999 and found.std() > 0.8 * grey.std()
    words = {"int16": "TIFF", "12 bits": "12-bit", "int32": "32-bit", "int32 large": "32-bit"}.get(kind, "floats")
    assert words in notes


def test_floats_that_are_not_finite_are_left_out_with_the_reason(tmp_path):
    photos(tmp_path / "source", "b.png")
    grey, _ = deep("float")
    values = grey / np.float32(255)
    values[3, 3] = np.nan
    Image.fromarray(values).save(tmp_path / "source/a.tif")
    write_csv(tmp_path / "source", [("a.tif", 1, 1, 50, 50, "cup"), ("b.png", 1, 1, 50, 50, "cup")])
    placed, notes = run(tmp_path, testFraction=0)
    assert list(placed) == ["b.png"] and "a.tif: left out: not a readable image (pixels that are not finite)" in notes


@pytest.mark.parametrize("mode", ["CMYK", "P", "RGBA", "LA", "L", "1"])
def test_modes_of_tiffs_become_what_a_viewer_shows(tmp_path, mode):
    rgb = Image.fromarray(pixels())
    picture = rgb.convert("L").convert("LA") if mode == "LA" else rgb.convert(mode)
    path, _ = one_photo(tmp_path, "a.tif", picture.save)
    expected = np.asarray(picture.convert("RGB"))
    assert np.abs(read_image(path).astype(int) - expected).max() <= 1


@pytest.mark.slow
def test_nothing_starts_a_program(tmp_path):
    """PostScript under every suffix; Pillow would run `gs` on it."""
    names = [f"a{number}{suffix}" for number, suffix in enumerate((".jpg", ".tif", ".webp", ".bmp", ".gif"))]
    write_csv(tmp_path / "source", [(name, 1, 1, 50, 50, "cup") for name in names])
    ran = tmp_path / "ran"
    gs = tmp_path / "bin/gs"
    gs.parent.mkdir()
    gs.write_text(f"#!/bin/sh\ntouch {ran}\n")
    gs.chmod(0o755)
    for name in names:
        (tmp_path / "source" / name).write_bytes(
            b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 100 80\n%%EndComments\nshowpage\n"
        )
    result = subprocess.run(
        [sys.executable, ROOT / "tools/importAnnotations.py", "csv", tmp_path / "source", "new", "--set",
         f"dataRootDir={tmp_path / 'data'}"],
        env={**os.environ, "PATH": f"{gs.parent}{os.pathsep}{os.environ['PATH']}"}, capture_output=True, text=True,
        cwd=ROOT,
    )  # fmt: skip
    assert result.returncode == 1 and "ERROR: " in result.stderr and "Traceback" not in result.stderr
    assert not ran.exists() and not (tmp_path / "data/new").exists()


# --- names -----------------------------------------------------------------------------------------------------------


def test_long_names_are_cut_by_bytes_at_a_letter_and_stay_unique(tmp_path):
    long = "冰" * 79  # 237 bytes
    names = [f"{long}.jpg", f"{long[:-1]}箱.jpg", f"{'😀' * 60}.png", f"{'x' * 240}.jpg", "short.jpg"]
    photos(tmp_path / "source", *names)
    placed, notes = run(tmp_path, testFraction=0)
    assert notes.count("its own name is too long, or has odd letters") == 4
    assert len(set(placed)) == len(names) and all(len(name.encode()) <= MAX_NAME_BYTES for name in placed)
    assert sum(name.startswith("冰" * 60) for name in placed) == 2 and "short.jpg" in placed
    assert all("\ufffd" not in name for name in placed)
    report = check_dataset(load_parameters([f"dataRootDir={tmp_path / 'data'}", "datasetName=new", "classes=cup"]))
    assert [
        str(problem) for problem in report.problems if problem.level == "error" and "no image" not in problem.message
    ] == []
    for name in placed:
        assert (tmp_path / "data/new/positive" / f"{Path(name).stem}.bboxes.labels.tsv").exists()


def test_tiffs_of_unusual_pixels_are_read_right_or_refused(tmp_path):
    """Big-endian, unsigned 32-bit and signed 8-bit pixels, and 12-bit colours, which Pillow does not write."""
    grey, _ = deep("int16")
    rgb = np.repeat(grey[..., None], 3, axis=2).astype("<u2") << 4
    pages = {
        "big.tif": (">", 16, 1, (grey.astype(">u2") * 257)), "u32.tif": ("<", 32, 1, grey.astype("<u4") * 16_000_000),
        "i8.tif": ("<", 8, 2, (grey.astype(int) - 128).astype("<i1")), "rgb12.tif": ("<", 16, 1, rgb),
    }  # fmt: skip
    write_csv(tmp_path / "source", [(name, 1, 1, 50, 50, "cup") for name in pages])
    for name, page in pages.items():
        (tmp_path / "source" / name).write_bytes(tiff(*page))
    placed, notes = run(tmp_path, testFraction=0)
    assert sorted(placed) == ["big.png", "u32.png"]
    for name in placed:
        found = read_image(tmp_path / "data/new/positive" / name)[..., 0].astype(int)
        assert np.corrcoef(found.ravel(), grey.ravel())[0, 1] > 0.999, name
    assert "i8.tif: left out: not a readable image (signed pixels of 8 bits)" in notes
    assert "rgb12.tif: left out: not a readable image (16-bit colours that use the lowest bits only)" in notes


def tiff(order, bits, sample_format, values):
    """The bytes of a TIFF without compression; sample_format: 1 unsigned, 2 signed."""
    height, width, *bands = values.shape
    count = bands[0] if bands else 1
    data = values.tobytes()
    place = 8 + len(data) + len(data) % 2  # of the directory, behind the pixels; behind it, what does not fit into it
    extra = place + 2 + 12 * 9 + 4
    tags = [(256, 3, 1, width), (257, 3, 1, height), (258, 3, count, extra if count > 2 else bits), (259, 3, 1, 1),
            (262, 3, 1, 2 if count > 1 else 1), (273, 4, 1, 8), (277, 3, 1, count), (279, 4, 1, len(data)),
            (339, 3, 1, sample_format)]  # fmt: skip
    head = (b"II" if order == "<" else b"MM") + struct.pack(f"{order}HI", 42, place)
    entries = b"".join(
        struct.pack(f"{order}HHI", tag, kind, number)
        + (struct.pack(f"{order}HH", value, 0) if kind == 3 and number == 1 else struct.pack(f"{order}I", value))
        for tag, kind, number, value in tags
    )
    rest = struct.pack(f"{order}{count}H", *[bits] * count)
    return head + data + b"\0" * (len(data) % 2) + struct.pack(f"{order}H", len(tags)) + entries + b"\0" * 4 + rest


def test_photos_of_one_colour_are_no_copies(tmp_path):
    names = [f"{number}.png" for number in range(6)]
    write_csv(tmp_path / "source", [(name, 1, 1, 50, 50, "cup") for name in names])
    for name in names:
        Image.new("RGB", (100, 80), (180, 180, 180)).save(tmp_path / "source" / name)
    placed, _ = run(tmp_path)
    assert len(placed) == 6 and set(placed.values()) == {"positive", "testImages"}
