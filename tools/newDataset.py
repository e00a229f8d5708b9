"""Make a folder for your own images, or look at one: python3 tools/newDataset.py NAME

    data/NAME/positive/      images that show objects, to train on
    data/NAME/testImages/    images that show objects, to test on: never trained on
    data/NAME/negative/      images without any object, to train on (may stay empty)

A data set whose name has no block in PARAMETERS.py takes its classes and the limits of its ROIs from its own files.
This script prints that block, to paste and change it.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    import find_project  # noqa: F401, I001 (it makes the next line possible)
    from helpers.base.start import start

    start()

from collections.abc import Sequence
from typing import Any

from helpers.annotating.next_command import next_command
from helpers.base.errors import UserError
from helpers.base.script import run_script
from helpers.config.command_line import argument_parser
from helpers.config.schema import declared
from helpers.dataset.derived import block_as_text, derive_block
from helpers.dataset.image_files import list_folder_images
from helpers.dataset.layouts.folders import classes_in
from helpers.formats.own_layout import ANNOTATED_SUBDIRS, SUBDIRS
from pipeline.parameters import load_parameters


def main(settings: Sequence[str], name: str) -> dict[str, Any] | None:
    """Make the folders that are missing; returns the block of what is in them, or None while nothing is."""
    try:
        declared()["datasetName"].check(name)
    except ValueError:
        raise UserError(f'"{name}": must be {declared()["datasetName"].words}') from None
    params = load_parameters([*settings, f"datasetName={name}", "classes=any"])
    folder = params.image_dir
    for subdir in SUBDIRS:
        (folder / subdir).mkdir(parents=True, exist_ok=True)
    images = list_folder_images(folder)
    counts = ", ".join(f"{sum(image.subdir == subdir for image in images)} in {subdir}" for subdir in SUBDIRS)
    print(f"{folder}: {counts}")
    if not classes_in([image for image in images if image.subdir in ANNOTATED_SUBDIRS]):
        print(f"next: put images there, then  python3 A1_annotateImages.py {folder / 'positive'}")
        print("or import annotated ones:     python3 tools/importAnnotations.py --help")
        return None
    block = derive_block(params)
    print("\nA block for PARAMETERS.py; the data set runs without it as well, with these very values:\n")
    print(block_as_text(name, block))
    print(f"\nnext: {next_command(folder / 'positive')}")
    return block


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("name", metavar="NAME", help="letters, digits, - and _")
    options = parser.parse_args()
    run_script(lambda: main(options.settings, options.name))
