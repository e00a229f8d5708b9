"""What the tests of A1_annotateImages.py without its window share: three photos, and a user's hand.

The image is 100 x 80 pixels in a window of 1020 x 894. The line below takes 34 of them and the margins 10 on each side,
so that 1000 x 840 are left: the factor is 10, and a pixel (x, y) of the image lies at (10 + 10 x, 30 + 10 y).
"""

from PIL import Image

from helpers.annotating.boxes import BoxSession
from helpers.annotating.files import read_folder

SIZE, WINDOW = (100, 80), (1020, 894)


def three_photos(folder):
    """Three images: 1.jpg and 10.jpg without boxes, 2.jpg with two boxes and their labels."""
    for name in ("1", "2", "10"):
        Image.new("RGB", SIZE, (90, 120, 150)).save(folder / f"{name}.jpg")
    (folder / "2.bboxes.tsv").write_text("10\t10\t50\t50\n20\t20\t30\t30\n")
    (folder / "2.bboxes.labels.tsv").write_text("apple\npear\n")
    return folder


def start(folder):
    session = BoxSession(read_folder(folder))
    session.resize(*WINDOW)
    return session


def at(point):
    """Where a point of the image lies in the window."""
    return 10 + 10 * point[0], 30 + 10 * point[1]


def drag(session, first, second, **options):
    session.mouse("down", *at(first), **options)
    session.mouse("move", *at(second))
    session.mouse("up", *at(second))


def press(session, keys):
    for key in keys:
        session.key(key)


def boxes_of(folder, name="1"):
    return (folder / f"{name}.bboxes.tsv").read_text()


def labels_of(folder, name="2"):
    return (folder / f"{name}.bboxes.labels.tsv").read_text()
