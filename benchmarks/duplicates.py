"""How far copies of one photo are apart, and different photos: what the limits in helpers/dataset/duplicates.py rest
on.

    python3 benchmarks/duplicates.py FOLDER ...          # of photos; without one, the example images

Prints for each folder how many of the 256 bits of the difference hash tell two photos apart, at least; then of each
kind of copy how many are told as one, and as the same scene, and of photos that lack one of their objects (where there
are boxes) how many are taken for copies. A few minutes for a hundred photos.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import argparse
import tempfile

import cv2
import numpy as np
from PIL import Image, ImageEnhance, ImageFilter
from tqdm import tqdm

from helpers.base.files import read_lines
from helpers.base.images import read_image, scale_to_fit
from helpers.base.tables import format_table
from helpers.dataset.annotations import annotation_path
from helpers.dataset.duplicates import group_by_look, look_of, members
from helpers.dataset.image_files import is_image
from helpers.formats.own_layout import BOX_SUFFIXES

ROOT = Path(__file__).resolve().parent.parent
SIDE = 800  # pixels of the photos that copies are made of


def as_jpeg(picture, quality):
    """A Pillow picture as it comes out of a JPEG file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "copy.jpg")
        picture.save(path, quality=quality)
        return Image.fromarray(read_image(path))


def cropped(picture, share):
    """A picture without a share of its width and height at each border."""
    x, y = round(picture.width * share), round(picture.height * share)
    return picture.crop((x, y, picture.width - x, picture.height - y))


COPIES = {
    "JPEG quality 20": lambda picture: as_jpeg(picture, 20),
    "a quarter of the size": lambda picture: picture.resize((picture.width // 4, picture.height // 4)),
    "mirrored": lambda picture: picture.transpose(Image.Transpose.FLIP_LEFT_RIGHT),
    "brightness 0.7": lambda picture: ImageEnhance.Brightness(picture).enhance(0.7),
    "brightness 1.3": lambda picture: ImageEnhance.Brightness(picture).enhance(1.3),
    "contrast 0.7": lambda picture: ImageEnhance.Contrast(picture).enhance(0.7),
    "contrast 1.3": lambda picture: ImageEnhance.Contrast(picture).enhance(1.3),
    "saturation 0.5": lambda picture: ImageEnhance.Color(picture).enhance(0.5),
    "blurred by 2 pixels": lambda picture: picture.filter(ImageFilter.GaussianBlur(2)),
    "cropped by 1 %": lambda picture: cropped(picture, 0.01),
    "turned by 1 degree": lambda picture: picture.rotate(1, Image.Resampling.BILINEAR),
}


def without_object(image, box):
    """An image with what is in a box painted over from its border."""
    mask = np.zeros(image.shape[:2], np.uint8)
    x1, y1, x2, y2 = (round(value) for value in box)
    mask[y1:y2, x1:x2] = 1
    return cv2.inpaint(image, mask, 3, cv2.INPAINT_TELEA)


def least_bits(looks):
    """The least number of bits that tell two different photos apart, as they are and one of them mirrored."""
    bits, mirrored = (np.stack([getattr(look, name) for look in looks]) for name in ("bits", "mirrored"))
    pairs = np.triu_indices(len(looks), 1)
    return [int((bits[:, None] != other).sum(axis=2)[pairs].min()) for other in (bits, mirrored)]


def main(folders):
    """Print the tables; returns {folder: least bits}, {kind of copy: (copies, told as copies, as the same scene)}."""
    found, count = {}, {name: [0, 0, 0] for name in (*COPIES, "without one object")}
    for folder in folders:
        paths = sorted(path for path in Path(folder).rglob("*") if is_image(path))
        looks = []
        for path in tqdm(paths, desc=str(folder), unit="image"):
            image, (factor, _) = scale_to_fit(read_image(path), SIDE, SIDE)
            looks.append(look_of(image))
            for name, change in COPIES.items():
                add(count[name], looks[-1], np.asarray(change(Image.fromarray(image))))
            boxes = annotation_path(path, BOX_SUFFIXES)
            for row in read_lines(boxes) if boxes.exists() else ():
                box = [float(value) * factor for value in row.split()]
                add(count["without one object"], looks[-1], without_object(image, box))
        same, scene = group_by_look(looks)
        found[str(folder)] = least_bits(looks)
        for kind, groups in (("copies", members(same)), ("the same scene", members(scene))):
            for group in groups:
                print(f"{folder}: {kind}: {', '.join(paths[index].name for index in group)}")
    rows = [[name, *map(str, bits)] for name, bits in found.items()]
    print(format_table([["different photos", "least bits", "one mirrored"], *rows]))
    rows = [[name, *map(str, numbers)] for name, numbers in count.items()]
    print("\n" + format_table([["changed", "pictures", "told as copies", "as the same scene"], *rows]))
    return found, count


def add(numbers, look, changed):
    """Count a changed picture, and whether it is told as a copy of the one with that `Look`, and as the same scene."""
    same, scene = group_by_look([look, look_of(changed)])
    for place, is_so in enumerate((True, same[0] == same[1], scene[0] == scene[1])):
        numbers[place] += int(is_so)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", nargs="*", default=[ROOT / "data" / "groceryDemo"], metavar="FOLDER")
    main(parser.parse_args().folders)
