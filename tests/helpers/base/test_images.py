"""Protects which images there are and how they are read: annotations refer to what a viewer shows, so every turn that a
camera notes must be undone, every kind of file must become 8-bit RGB of the same brightness, and half a file must never
pass for an image.
"""

import io

import numpy as np
import pytest
from PIL import Image
from stored_images import STORED
from tiny import draw_image, forged_png

from helpers.base.errors import UserError
from helpers.base.images import MAX_PIXELS, image_size, read_image, scale_to_fit, write_image
from helpers.dataset.image_files import list_folder_images, natural_order

PICTURE, _ = draw_image(("circle", "square", "triangle"), seed=0)  # (120, 160, 3)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("orientation", STORED)
def test_images_are_read_as_displayed(tmp_path, orientation, suffix):
    path, exif = tmp_path / f"1.{suffix}", Image.Exif()
    exif[0x0112] = orientation
    Image.fromarray(np.ascontiguousarray(STORED[orientation](PICTURE))).save(path, exif=exif, quality=98)
    image = read_image(path)
    assert image.shape == (120, 160, 3) and image.dtype == np.uint8
    assert image_size(path) == ((160, 120), orientation)
    difference = np.abs(image.astype(int) - PICTURE)
    assert difference.max() == 0 if suffix == "png" else difference.mean() < 3


def test_every_kind_of_pixel_becomes_rgb(tmp_path):
    rgb = Image.fromarray(PICTURE)
    grey = np.asarray(rgb.convert("L"))
    for mode, wanted in {"RGBA": PICTURE, "L": grey, "LA": grey, "1": None, "P": None}.items():
        rgb.convert(mode).save(tmp_path / "1.png")
        image = read_image(tmp_path / "1.png")
        assert image.shape == (120, 160, 3) and image.dtype == np.uint8, mode
        if wanted is not None:
            assert np.array_equal(image, wanted if wanted.ndim == 3 else np.dstack([wanted] * 3)), mode
    rgb.convert("CMYK").save(tmp_path / "1.jpg", quality=98)
    assert np.abs(read_image(tmp_path / "1.jpg").astype(int) - PICTURE).mean() < 5


def test_16_bit_grey_keeps_its_brightness(tmp_path):
    values = np.array([[0, 256, 1000], [0x80FF, 50_000, 65_535]], np.uint16)
    Image.fromarray(values).save(tmp_path / "1.png")
    # 65536 steps to 256: the high byte, give or take the rounding
    image = read_image(tmp_path / "1.png").astype(int)
    assert image.shape == (2, 3, 3) and np.abs(image - (values // 256)[..., None]).max() <= 1


def test_transparent_pixels_show_what_is_under_them(tmp_path):
    pixels = np.dstack([PICTURE, np.zeros((120, 160), np.uint8)])  # fully transparent
    Image.fromarray(pixels).save(tmp_path / "1.png")
    assert np.array_equal(read_image(tmp_path / "1.png"), PICTURE)


@pytest.mark.parametrize("suffix", ["png", "jpg"])
@pytest.mark.parametrize("part", [0.0, 0.02, 0.5, 0.9, 0.99])
def test_a_part_of_a_file_is_refused(tmp_path, suffix, part):
    file = io.BytesIO()
    Image.fromarray(PICTURE).save(file, {"png": "PNG", "jpg": "JPEG"}[suffix])
    path = tmp_path / f"1.{suffix}"
    path.write_bytes(file.getvalue()[: int(len(file.getvalue()) * part)])
    with pytest.raises(UserError, match=f"1.{suffix}: not a readable image .*export it again as JPEG or PNG"):
        read_image(path)


def test_missing_and_foreign_files_are_named(tmp_path):
    (tmp_path / "2.jpg").write_text("<html>")
    for function in (read_image, image_size):
        with pytest.raises(UserError, match="1.jpg: no such image"):
            function(tmp_path / "1.jpg")
        with pytest.raises(UserError, match="2.jpg: not a readable image"):
            function(tmp_path / "2.jpg")


@pytest.mark.parametrize(("width", "height"), [(20_000, 6_000), (50_000, 50_000)])
def test_gigantic_images_are_refused_before_they_are_unpacked(tmp_path, width, height):
    assert width * height > MAX_PIXELS
    (tmp_path / "1.png").write_bytes(forged_png(width, height))
    for function in (read_image, image_size):
        with pytest.raises(UserError, match=f"1.png: {width} x {height} pixels.*scale it down"):
            function(tmp_path / "1.png")


def test_damaged_notes_of_the_camera_do_not_matter(tmp_path):
    file, exif = io.BytesIO(), Image.Exif()
    exif[0x0112], exif[0x011A] = 3, 72.0  # upside down; resolution
    Image.fromarray(PICTURE[::-1, ::-1]).save(file, "JPEG", exif=exif, quality=98)
    data = file.getvalue()
    entry = data.index(b"\x01\x1a\x00\x05")  # tag 0x011A, type 5: a fraction
    for kind in (0, 1, 2, 7, 99):  # another type for the same bytes, or one that does not exist
        (tmp_path / "1.jpg").write_bytes(data[: entry + 2] + bytes([0, kind]) + data[entry + 4 :])
        assert np.abs(read_image(tmp_path / "1.jpg").astype(int) - PICTURE).mean() < 3
        assert image_size(tmp_path / "1.jpg") == ((160, 120), 3)


def test_scale_to_fit_by_hand():
    # 160 x 120 into 100 x 100: factor 0.625, 100 x 75
    scaled, factors = scale_to_fit(PICTURE, 100, 100)
    assert scaled.shape == (75, 100, 3) and factors == (0.625, 0.625)
    # into 50 x 99: 50 / 160 = 0.3125, 37.5 rows, rounded to an even 38: the factors tell the truth on each axis
    scaled, factors = scale_to_fit(PICTURE, 50, 99)
    assert scaled.shape == (38, 50, 3) and factors == (50 / 160, 38 / 120)
    scaled, factors = scale_to_fit(PICTURE, 480, 400)
    assert scaled.shape == (360, 480, 3) and factors == (3, 3)
    assert scale_to_fit(PICTURE[:1], 50, 50)[0].shape == (1, 50, 3), "never less than a pixel"


def test_write_image_leaves_no_half_file(tmp_path):
    write_image(tmp_path / "a" / "1.png", PICTURE)
    assert np.array_equal(read_image(tmp_path / "a" / "1.png"), PICTURE)
    with pytest.raises(TypeError):
        write_image(tmp_path / "a" / "2.png", PICTURE.astype(np.complex64))
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["1.png"]


# --- lists of images -------------------------------------------------------------------------------------------------


def test_natural_order():
    names = ["01.jpg", "1.jpg", "9.jpg", "10.jpg", "A1.png", "a2.png", "a10.png", "b", "img 3 of 2", "img 3 of 12"]
    for given in (names, names[::-1]):
        assert sorted(given, key=natural_order) == names
    assert sorted(["²", "٣", "5"], key=natural_order)[0] == "5", "digits of other scripts are letters"


def test_list_folder_images(tmp_path):
    root = tmp_path / "data"
    with pytest.raises(UserError, match="data: no such folder; a data set is a folder with positive, negative, testIm"):
        list_folder_images(root)
    (root / "positive" / "folder.jpg").mkdir(parents=True)
    for name in ("10.jpg", "2.JPEG", "b.Png", "._2.jpg", "2.bboxes.tsv", "c.bmp", "jpg"):
        (root / "positive" / name).write_bytes(b"x")
    images = list_folder_images(root)
    assert [image.key for image in images] == ["positive/2.JPEG", "positive/10.jpg", "positive/b.Png"]
    assert (images[0].subdir, images[0].stem, images[0].path) == ("positive", "2", root / "positive" / "2.JPEG")
    assert list_folder_images(root, ("negative",)) == []
    (root / "positive" / "10.png").write_bytes(b"x")
    with pytest.raises(UserError, match="10.png: has the same name as positive/10.jpg but for the suffix; rename"):
        list_folder_images(root)
