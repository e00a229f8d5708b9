"""List images that are copies of one another: python3 tools/findDuplicates.py FOLDER [--move FOLDER]

Copies may differ in size, compression and brightness, and one may be the mirror image of the other. Looks through the
folder and all folders below it. Of each group of copies the largest is kept; with --move the others go aside, under the
same paths, together with their annotations. An image that is in training and test makes the measured mAP too good.
helpers/dataset/duplicates.py says how images are compared.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    import find_project  # noqa: F401, I001 (it makes the next line possible)
    from helpers.base.start import start

    start()

import os
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from helpers.base.errors import UserError
from helpers.base.images import read_image
from helpers.base.script import run_script
from helpers.base.tables import counted
from helpers.config.command_line import argument_parser
from helpers.dataset.duplicates import group_by_look, look_of, members
from helpers.dataset.image_files import is_image, natural_order
from helpers.formats.own_layout import BOX_SUFFIXES, LABEL_SUFFIXES


def find_groups(paths: Sequence[Path]) -> list[list[Path]]:
    """Lists of paths of equal images, the one with the most pixels first; unreadable images are named and left out."""
    looks, pixels, readable = [], {}, []
    for path in tqdm(paths, desc="images", unit="image"):
        try:
            image = read_image(path)
        except UserError as error:
            tqdm.write(f"left out: {error}")
            continue
        looks.append(look_of(image))
        pixels[path] = image.shape[0] * image.shape[1]
        readable.append(path)
    same, _ = group_by_look(looks)
    groups = [[readable[index] for index in group] for group in members(same)]
    # of two equally large ones, the first stays
    return [sorted(group, key=lambda path: -pixels[path]) for group in groups]


def move_aside(path: Path, root: Path, target: Path) -> None:
    """Move an image and its annotations from below `root` to the same place below `target`; never over a file."""
    annotations = [path.with_name(path.stem + suffix) for suffix in (*BOX_SUFFIXES, *LABEL_SUFFIXES)]
    places = [(file, target / file.relative_to(root)) for file in (path, *annotations) if file.exists()]
    for _, place in places:
        if place.exists():
            raise UserError(f"{place}: is there already; name another folder after --move")
    for file, place in places:
        place.parent.mkdir(parents=True, exist_ok=True)
        os.replace(file, place)


def main(folder: Path | str, target: str | None = None) -> list[list[Path]]:
    """Print the groups and move all but one of each aside, if wanted; returns the groups."""
    folder = Path(folder)
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder")
    paths = sorted(filter(is_image, folder.rglob("*")), key=lambda path: natural_order(str(path)))
    groups = find_groups(paths)
    for kept, *others in groups:
        print(f"{kept.relative_to(folder)}  =  {'  =  '.join(str(path.relative_to(folder)) for path in others)}")
        if target:
            for path in others:
                move_aside(path, folder, Path(target))
    copies = sum(len(group) - 1 for group in groups)
    moved = f", moved to {target}" if target and copies else ""
    print(f"{counted(len(paths), 'image')}, {copies} of them copies{moved}")
    return groups


if __name__ == "__main__":
    parser = argument_parser(__doc__, keeps=False)
    parser.add_argument("folder", metavar="FOLDER", help="where to look, in all folders below as well")
    parser.add_argument("--move", metavar="FOLDER", help="move the copies there")
    options = parser.parse_args()
    run_script(lambda: main(options.folder, options.move))
