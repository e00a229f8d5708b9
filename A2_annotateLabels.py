"""Name the boxes that A1_annotateImages.py drew: one after the other, enlarged, with a button and a key per class.

    python3 A2_annotateLabels.py data/mine/positive
    python3 A2_annotateLabels.py data/mine/positive --set classes=apple,orange

From the first box without a name on. Press the key on a button or click it. Keys: b back, n on, s skip the image,
u undo, r redo, q quit, h help. UNDECIDED and EXCLUDE are for boxes that are neither to be learnt nor to be counted.

Every name is written at once to NAME.bboxes.labels.tsv, one a row, in the order of NAME.bboxes.tsv. The classes are
those of the data set that the folder belongs to, data/mine here, as PARAMETERS.py or its label files name them; press c
and type the name of a new one, the first one as well, or list them with --set classes=...
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

import os
from collections.abc import Sequence
from pathlib import Path

from helpers.annotating.files import NO_OBJECTS, MarkedImage, read_folder, save_marks
from helpers.annotating.labels import HELP, LabelSession
from helpers.annotating.next_command import next_command
from helpers.annotating.view import LabelPainter
from helpers.annotating.window import WINDOW, parse_window, require_display, run_window
from helpers.base.errors import UserError
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import counted
from helpers.config.command_line import argument_parser
from helpers.config.file import read_parameters_file
from helpers.config.labels import BACKGROUND
from helpers.dataset.image_files import list_folder_images
from helpers.dataset.layouts.folders import classes_in
from helpers.drawing.fonts import drawable_names
from helpers.formats.own_layout import ANNOTATED_SUBDIRS
from pipeline.parameters import load_parameters


def find_classes(settings: Sequence[str], folder_name: str) -> tuple[str, ...]:
    """The classes of the data set that a folder belongs to, unless `settings` name another or the classes themselves.

    Of a folder outside of any data set, or without a class so far, those in its own label files: maybe ().
    """
    named = {setting.partition("=")[0] for setting in settings}
    folder = Path(os.path.abspath(os.path.expanduser(folder_name)))
    belongs = folder.name in ANNOTATED_SUBDIRS and "datasetName" not in named
    if belongs:
        settings = [f"dataRootDir={folder.parent.parent}", f"datasetName={folder.parent.name}", *settings]
    load_parameters([*settings, "classes=any"])  # something else than the classes may be wrong
    if named & {"classes", "datasetName"} or (belongs and folder.parent.name in read_parameters_file().datasets):
        return load_parameters(settings).classes
    parts = ANNOTATED_SUBDIRS if belongs else (folder.name,)
    return classes_in(list_folder_images(folder.parent, parts))


def main(classes: Sequence[str], folder: str, window: tuple[int, int] = WINDOW) -> list[MarkedImage]:
    """Name the boxes of a folder in a window of (width, height) pixels; returns the images with boxes.

    Args:
        classes: names to begin with, maybe none.
    """
    images = read_folder(folder)
    for image in images:
        if image.marks.boxes == () and image.marks.labels is None:
            save_marks(image.path, image.marks, NO_OBJECTS)
    undrawn = sum(image.marks.boxes is None for image in images)
    if undrawn:
        print(f"images without boxes so far: {undrawn} of {len(images)}; draw them with A1_annotateImages.py")
    images = [image for image in images if image.marks.boxes]
    if not images:
        raise UserError(f"{folder}: no box in this folder; draw some with  python3 A1_annotateImages.py {folder}")
    print(f"classes: {', '.join(classes) or 'none so far; type the first one in the window'}")
    drawable_names((BACKGROUND, *classes))  # says on stderr which are shown as numbers
    require_display()
    session = LabelSession(images, classes)
    run_window("A2 annotate labels", session, LabelPainter(read_image, HELP), window)
    boxes = sum(len(image.marks.drawn) for image in images)
    named = sum(len(image.marks.labels or ()) for image in images)
    print(f"{folder}: named {named} of {counted(boxes, 'box')}")
    added = [name for name in session.classes if name not in classes]
    dataset = Path(os.path.abspath(os.path.expanduser(folder))).parent.name
    if added and dataset in read_parameters_file().datasets:
        print(f'NOTE: add {", ".join(added)} to the classes of "{dataset}" in PARAMETERS.py, which names them')
    print(f"next: {next_command(folder)}")
    return images


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("folder", metavar="FOLDER", help="the images, such as data/mine/positive")
    parser.add_argument("--window", metavar="WIDTHxHEIGHT", default=WINDOW, type=parse_window, help="its first size")
    options = parser.parse_args()
    run_script(lambda: main(find_classes(options.settings, options.folder), options.folder, options.window))
