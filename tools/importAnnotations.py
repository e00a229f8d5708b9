"""Makes a data set out of photos and boxes that another tool wrote.

    python3 tools/importAnnotations.py voc VOCdevkit/VOC2007 myData
    python3 tools/importAnnotations.py coco annotations/instances_train2017.json street --classes person,car
    python3 tools/importAnnotations.py yolo export myData --train export/train.txt --test export/valid

    SOURCE (file or folder), the images below it  ->  <dataRootDir>/DATASET/{positive,testImages,negative}/

Formats: FORMAT_TABLE

Without lists the source's own train, valid and test count; where it has none, or with --testFraction, a fraction of
the images is drawn for the test, class by class the same one, with `seed` of PARAMETERS.py. Copies of one photo
(augmented, mirrored, saved again) never stand on both sides. Photos that cannot be read are left out, and formats other
than JPEG and PNG converted. At the end step 0 looks at the result.
Images without objects go to negative/. Difficult boxes (VOC) and crowds (COCO) become EXCLUDE. Polygons, masks and
turned boxes become their bounding boxes; an image with anything that has none is left out. What was left out or
changed, and why, is in DATASET/importReport.txt.
A few seconds for a few hundred photos. Nothing is overwritten.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    import find_project  # noqa: F401, I001 (it makes the next line possible)
    from helpers.base.start import start

    start()

import argparse
from collections import Counter
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from helpers.base.errors import UserError
from helpers.base.parallel import in_parallel
from helpers.base.script import run_script
from helpers.base.staging import is_filled, put_in_place, staging
from helpers.base.tables import counted
from helpers.config.command_line import argument_parser
from helpers.config.schema import Parameters
from helpers.dataset.check import check_dataset
from helpers.dataset.image_files import list_folder_images, printable
from helpers.formats.notes import Note
from helpers.formats.own_layout import SUBDIRS
from helpers.formats.registry import FORMATS
from helpers.importing.balanced_split import DEFAULT_FRACTION
from helpers.importing.class_rules import class_rules
from helpers.importing.file_names import is_possible_name
from helpers.importing.image_index import FoundImage, ImageIndex
from helpers.importing.listed_split import SUBDIR_OF_LIST, read_lists
from helpers.importing.merging import ImportedImage, merge_records
from helpers.importing.placing import Taken, move_into, not_there_yet, write_data_set, write_report
from helpers.importing.source import ImportSource
from helpers.importing.source_split import mark_splits
from helpers.importing.splitting import Candidate, WantedSplit, split_images, without_copies_of
from pipeline.parameters import load_parameters

SHOWN_NOTES = 20
Placed = tuple[ImportedImage, str, str]  # the image, its subdir and its file's name in the data set
OPTIONS = dict(
    images=(), classFile=None, train=(), test=(), negative=(), testFraction=None, skipEmpty=False, classes=(),
    rename=(), link=False, add=False, force=False,
)  # fmt: skip


def main(
    params: Parameters, format_name: str, source_path: Path | str, dataset: str, **given: Any
) -> tuple[list[Placed], list[Note]]:
    """Import annotations; returns [(`ImportedImage`, subdir, file name)] of what is new in the data set, and the notes.

    options: those of the command line by name, see `OPTIONS`.

    Raises:
        UserError: where there is nothing to import or something in the way; then nothing has changed.
    """
    options = SimpleNamespace(**{**OPTIONS, **given})
    target = params.replace(datasetName=dataset).image_dir
    check_options(options)
    check_target(target, options)
    source_path = Path(source_path)
    refuse_own_files(target, source_path, *options.images)
    source = ImportSource(
        source_path, index_images(source_path, options.images), options.classFile and Path(options.classFile)
    )
    with source.scratch_in(partial(staging, target)):
        records = mark_splits(source, FORMATS[format_name].read(source))
        if not source.images.images:  # nor inside of the annotation files
            raise UserError(
                f"{source_path}: no image below it, nor in the folder above; name their folder with --images"
            )
        images = merge_records(source, records, class_rules(source, records, options.classes, options.rename))
        chosen, taken = choose(source, images, target, params, options)
        if not chosen:
            first = f", first: {source.notes[0]}" if source.notes else ""
            notes = counted(len(source.notes), "note")
            raise UserError(f"{source_path}: nothing to import as {format_name}; {notes}{first}")
        with staging(target) as new:
            placed = write_data_set(new, chosen, taken, options.link)
            for item, _, name in placed:
                if not is_possible_name(item.image.path.stem, name):
                    source.note(
                        item.image.path,
                        f"is called {name} in the data set: its own name is too long, or has odd letters",
                    )
            if is_filled(target) and options.add:
                move_into(new, target)
                found = step_0(target)
                write_report(target, lines_of_report(source.notes, found))
            else:
                found = step_0(new)
                write_report(new, lines_of_report(source.notes, found))
                put_in_place(new, target)
    report(target, placed, source.notes, found)
    return placed, source.notes


def check_options(options: SimpleNamespace) -> None:
    fraction = options.testFraction
    if fraction is not None and not 0 <= fraction <= 1:
        raise UserError(f"--testFraction {fraction}: must be from 0 to 1")
    if fraction is not None and (options.train or options.test):
        raise UserError("--testFraction: give lists (--train, --test) or a fraction, not both")
    if options.add and options.force:
        raise UserError("--add, --force: give one of the two")


def refuse_own_files(target: Path, *folders: Path | str) -> None:
    """Raise `UserError` where the data set that is there already, and the source, lie in one another."""
    own = target.resolve()
    for folder in map(Path, folders):
        other = folder.resolve()
        if own.exists() and (own == other or own in other.parents or other in own.parents):
            raise UserError(
                f"{folder}: it and the data set {target} lie in one another; give the data set another name"
            )


def check_target(target: Path, options: SimpleNamespace) -> None:
    """Raise `UserError` where the data set may not be written."""
    layout = load_parameters([f"datasetName={target.name}", "classes=any"]).datasetLayout
    if layout != "folders":
        raise UserError(f'{target.name}: PARAMETERS.py reads it with datasetLayout="{layout}"; name another data set')
    if is_filled(target) and not (options.add or options.force):
        raise UserError(f"{target}: holds files already; name another data set, or add --add or --force (renames it)")
    if options.add and is_filled(target) and not target.is_dir():
        raise UserError(f"{target}: is no folder; move it away")


def index_images(source_path: Path, folders: Sequence[str]) -> ImageIndex:
    """An `ImageIndex` of the folders of --images, else of the source's own; where that has none, of the one above."""
    if not source_path.exists():
        raise UserError(f"{source_path}: no such file or folder")
    if folders:
        return ImageIndex(folders, named=True)
    own = source_path if source_path.is_dir() else source_path.parent
    index = ImageIndex([own])
    if not index.images:
        index = ImageIndex([own.resolve().parent])
    return index


def choose(
    source: ImportSource, images: list[ImportedImage], target: Path, params: Parameters, options: SimpleNamespace
) -> tuple[list[tuple[ImportedImage, str]], Taken]:
    """([(`ImportedImage`, subdir)] of the images to put into the data set, the names that are taken there)."""
    lists = {kind: getattr(options, kind) for kind in SUBDIR_OF_LIST}
    listed = read_lists(source, {kind: paths for kind, paths in lists.items() if paths})
    known = {item.image.path for item in images} | source.refused
    for image in source.images.images:
        if image.path in known:
            continue
        if listed.get(image.path) == "negative":
            images.append(ImportedImage(image, [], []))
        else:
            source.note(image.path, "left out: has no annotation that could be read")
    refused = [image for image in source.images.images if image.path in source.refused]
    images = without_copies_of(source, refused, readable(source, images, params), params)
    taken: Taken = frozenset()
    there: list[Candidate] = []
    if options.add and is_filled(target):
        images, taken = not_there_yet(target, images, source)
        there = images_there(target, params)
    kinds = frozenset(kind for kind in ("train", "test") if lists[kind])
    chosen = split_images(source, images, WantedSplit(listed, kinds, options.testFraction, params.seed), there)
    if options.skipEmpty:
        for item, _ in chosen:
            if not item.boxes:
                source.note(item.image.path, "left out: has no object")
        chosen = [(item, subdir) for item, subdir in chosen if item.boxes]
    return chosen, taken


def readable(source: ImportSource, images: list[ImportedImage], params: Parameters) -> list[ImportedImage]:
    """Of `ImportedImage`s those that can be decoded, which takes most of an import's time."""
    local, readable = params.replace(parallel_backend="threading"), []
    problems = in_parallel(examine, [item.image for item in images], local, "photos")
    for item, problem in zip(images, problems, strict=True):
        path = item.image.path
        if problem:
            source.note(path, f"left out: {problem.removeprefix(f'{path}: ')}")
            source.refused.add(path)
            continue
        for note in item.image.examined.notes:
            source.note(path, note)
        readable.append(item)
    return readable


def examine(image: FoundImage) -> str:
    """What is wrong with a `FoundImage`, or ""; what came out when it was decoded stays with it."""
    try:
        return "" if image.examined else "empty"
    except UserError as error:
        return str(error)


def images_there(target: Path, params: Parameters) -> list[Candidate]:
    """What is in the data set already, as `Candidate`s."""
    files = list_folder_images(target)
    images = [FoundImage(file.path, (file.subdir, file.path.name)) for file in files]
    local = params.replace(parallel_backend="threading")
    problems = list(in_parallel(examine, images, local, "photos there"))
    return [
        Candidate(file.path, None if problem else image.examined.look, (file.subdir, file.stem), None, file.subdir)
        for file, image, problem in zip(files, images, problems, strict=True)
    ]


def step_0(folder: Path) -> list[str]:
    """The lines of step 0's report on the data set in a folder, errors first."""
    try:
        return check_dataset(load_parameters([f"datasetName={folder.name}", f"dataRootDir={folder.parent}"])).lines()
    except UserError as error:
        return [f"ERROR: {error}".replace(f"{folder.parent}/", "")]


def lines_of_report(notes: Sequence[Note], found: list[str]) -> list[str]:
    """The notes and what step 0 found; nothing where there are but warnings: step 0 shows them again."""
    return [*map(str, notes), *found] if notes or any(line.startswith("ERROR") for line in found) else []


def report(target: Path, placed: list[Placed], notes: Sequence[Note], found: list[str]) -> None:
    """Print what there is, and the first notes; all of them are in the report file."""
    for note in notes[:SHOWN_NOTES]:
        print(note)
    if len(notes) > SHOWN_NOTES:
        print(f"... and {len(notes) - SHOWN_NOTES} more in {printable(target / 'importReport.txt')}")
    print(f"\n{printable(target)}:")
    for subdir in SUBDIRS:
        items = [item for item, where, _ in placed if where == subdir]
        labels = Counter(label for item in items for label in item.labels) if subdir != "negative" else {}
        boxes = ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
        print(f"  {subdir}: {counted(len(items), 'image')}" + (f" with {boxes}" if boxes else ""))
    errors = [line for line in found if line.startswith("ERROR")]
    if found:
        print(f"\nStep 0 finds {counted(len(errors), 'error')}, {counted(len(found) - len(errors), 'warning')}:")
    for line in found[:SHOWN_NOTES]:
        print(line)
    if len(found) > SHOWN_NOTES:
        print(f"... and {len(found) - SHOWN_NOTES} more; 0_checkDataset.py shows all")
    for hint in hints(target, found):
        print(hint)
    settings = f"datasetName={target.name}"
    if load_parameters([settings, "classes=any"]).image_dir != target:
        settings += f' "dataRootDir={printable(target.parent)}"'
    script = "0_checkDataset.py" if errors else "run.py"
    print(f"\nNext: {'see to the errors, then  ' if errors else ''}python3 {script} --set {settings}")


def hints(target: Path, found: list[str]) -> Iterator[str]:
    """Lines on choices that only the user can make."""
    if any('unknown class "' in line for line in found):
        yield f"PARAMETERS.py names the classes of {target.name}: change that, or --rename, or name another data set"
    if any(line.startswith("ERROR: testImages: no image") for line in found):
        yield "No photo is left to test on: give more, of other scenes, or name some with --test"


def parse_arguments() -> argparse.Namespace:
    table = "".join(f"\n    {name:<12} {form.title}" for name, form in FORMATS.items())
    parser = argument_parser(__doc__.replace("FORMAT_TABLE", table), keeps=False)
    parser.add_argument("format", choices=FORMATS, metavar="FORMAT")
    parser.add_argument("source", metavar="SOURCE", help="an annotation file, or a folder with annotations and images")
    parser.add_argument("dataset", metavar="DATASET", help="the name of the new data set")
    parser.add_argument(
        "--images", nargs="+", default=(), metavar="FOLDER", help="where the images are, if not below SOURCE"
    )
    parser.add_argument("--classFile", metavar="FILE", help="class names for YOLO: data.yaml, or one name a row")
    for kind, what in (("train", "train"), ("test", "test"), ("negative", "train without objects")):
        parser.add_argument(
            f"--{kind}", nargs="+", default=(), metavar="LIST",
            help=f"images to {what} on: a file with one name a row, or a folder of images",
        )  # fmt: skip
    parser.add_argument(
        "--testFraction", type=float, metavar="F",
        help=f"without lists: this part of the images is for the test, 0 to 1 (default: {DEFAULT_FRACTION})",
    )  # fmt: skip
    parser.add_argument("--skipEmpty", action="store_true", help="leave images without objects out")
    parser.add_argument(
        "--classes", type=lambda text: tuple(name.strip() for name in text.split(",")), default=(), metavar="A,B",
        help="take boxes of these classes only",
    )  # fmt: skip
    parser.add_argument("--rename", nargs="+", default=(), metavar="OLD=NEW", help="other names for classes")
    parser.add_argument("--link", action="store_true", help="link images instead of copying them")
    parser.add_argument("--add", action="store_true", help="add to the data set of this name")
    parser.add_argument("--force", action="store_true", help="rename the data set of this name, DATASET.old")
    return parser.parse_args()


if __name__ == "__main__":
    arguments = vars(parse_arguments())
    settings, positional = arguments.pop("settings"), [arguments.pop(name) for name in ("format", "source", "dataset")]
    run_script(lambda: main(load_parameters(settings), *positional, **arguments))
