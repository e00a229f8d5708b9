"""Draw boxes around the objects in the images of a folder.

    python3 A1_annotateImages.py data/mine/positive
    python3 A1_annotateImages.py data/mine/testImages --window 1800x1000

One image after the other, from the first one without boxes on. Drag the mouse to draw a box, drag an edge or a corner
to adjust one. The wheel, + and - zoom. Keys: d deletes the box under the mouse, u undo, r redo, n next image, b back,
s skip, q quit, h help.

Every box is written to NAME.bboxes.tsv beside NAME.jpg as soon as it is drawn: one box a row, x1 TAB y1 TAB x2 TAB y2
in pixels of the image as displayed. An image left by n without a box is saved as one without objects: its files are
empty. Labels that are already there stay with their boxes. At its end the script names the next command.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

import argparse

from helpers.annotating.boxes import HELP, BoxSession
from helpers.annotating.files import MarkedImage, read_folder
from helpers.annotating.next_command import next_command
from helpers.annotating.view import BoxPainter
from helpers.annotating.window import WINDOW, parse_window, require_display, run_window
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import counted


def main(folder: str, window: tuple[int, int] = WINDOW) -> list[MarkedImage]:
    """Annotate the images of a folder in a window of (width, height) pixels; returns the images with their marks."""
    images = read_folder(folder)
    require_display()
    run_window("A1 annotate images", BoxSession(images), BoxPainter(read_image, HELP), window)
    done = [image for image in images if image.marks.boxes is not None]
    boxes = sum(len(image.marks.drawn) for image in done)
    empty = sum(not image.marks.boxes for image in done)
    told = f"{len(done)} of {counted(len(images), 'image')} done, {counted(boxes, 'box')}, {empty} without objects"
    print(f"{folder}: {told}")
    print(f"next: {next_command(folder)}")
    return images


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter, allow_abbrev=False
    )
    parser.add_argument("folder", metavar="FOLDER", help="the images, such as data/mine/positive")
    parser.add_argument("--window", metavar="WIDTHxHEIGHT", default=WINDOW, type=parse_window, help="its first size")
    options = parser.parse_args()
    run_script(main, options.folder, options.window)
