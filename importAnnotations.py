"""Makes a data set out of photos and boxes that another tool wrote.

    python3 importAnnotations.py voc VOCdevkit/VOC2007 myData
    python3 importAnnotations.py coco annotations/instances_train2017.json street --classes person,car
    python3 importAnnotations.py yolo export myData --train export/train.txt --test export/valid

    SOURCE (file or folder), the images below it  ->  <dataRootDir>/DATASET/{positive,testImages,negative}/

Formats: FORMAT_TABLE

Without lists a fraction of the images is drawn for the test, class by class the same one, with `seed` of PARAMETERS.py.
Images without objects go to negative/. Difficult boxes (VOC) and crowds (COCO) become EXCLUDE. Polygons, masks and
turned boxes become their bounding boxes. What was left out or changed, and why, is in DATASET/importReport.txt.
A few seconds for a few hundred photos. Nothing is overwritten.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.start import start

    start()

from collections import Counter
from pathlib import Path
from types import SimpleNamespace

from helpers.annotation_formats import FORMATS
from helpers.annotation_formats.image_index import ImageIndex
from helpers.annotation_formats.placing import place, write_report
from helpers.annotation_formats.records import Source
from helpers.annotation_formats.settle import ClassRules, Settled, settle
from helpers.annotation_formats.splitting import (
    DEFAULT_FRACTION,
    SUBDIR_OF_LIST,
    balanced_test_set,
    read_lists,
    subdir_by_lists,
)
from helpers.dataset import SUBDIRS
from helpers.errors import UserError, run_script
from helpers.parameters import argument_parser, load_parameters

SHOWN_NOTES = 20
OPTIONS = dict(
    images=(), classFile=None, train=(), test=(), negative=(), testFraction=None, skipEmpty=False, classes=(),
    rename=(), link=False, add=False, force=False,
)  # fmt: skip


def main(params, format_name, source_path, dataset, **options):
    """Import annotations; returns [(`Settled`, subdir, file name)] of what is in the data set then, and the notes.

    options: those of the command line by name, see `OPTIONS`. Raises `UserError` where there is nothing to import or
    something in the way; then nothing has changed.
    """
    options = SimpleNamespace(**{**OPTIONS, **options})
    target = params.replace(datasetName=dataset).image_dir
    check_options(options)
    source_path = Path(source_path)
    refuse_own_files(target, source_path, *options.images)
    source = Source(
        source_path, index_images(source_path, options.images), options.classFile and Path(options.classFile)
    )
    records = FORMATS[format_name].read(source)
    if not source.images.images:  # nor inside of the annotation files
        raise UserError(f"{source_path}: no image below it, nor in the folder above; name their folder with --images")
    settled = settle(source, records, class_rules(options))
    chosen = split(source, settled, options, params.seed)
    note_images_without_record(source, settled, chosen)
    if not chosen:
        first = f", first: {source.notes[0]}" if source.notes else ""
        raise UserError(f"{source_path}: nothing to import as {format_name}; {len(source.notes)} notes{first}")
    placed = place(target, chosen, source, options)
    report(target, placed, source.notes)
    return placed, source.notes


def check_options(options):
    fraction = options.testFraction
    if fraction is not None and not 0 <= fraction <= 1:
        raise UserError(f"--testFraction {fraction}: must be from 0 to 1")
    if fraction is not None and (options.train or options.test):
        raise UserError("--testFraction: give lists (--train, --test) or a fraction, not both")
    if options.add and options.force:
        raise UserError("--add, --force: give one of the two")


def refuse_own_files(target, *folders):
    """Raise `UserError` where the data set that is there already, and the source, lie in one another."""
    own = target.resolve()
    for folder in map(Path, folders):
        other = folder.resolve()
        if own.exists() and (own == other or own in other.parents or other in own.parents):
            raise UserError(
                f"{folder}: it and the data set {target} lie in one another; give the data set another name"
            )


def class_rules(options):
    renamed = {}
    for pair in options.rename:
        old, equals, new = pair.partition("=")
        if not equals or not old.strip() or not new.strip():
            raise UserError(f'--rename "{pair}": write it as "OLD=NEW"')
        renamed[old.strip()] = new.strip()
    return ClassRules(tuple(options.classes), renamed)


def index_images(source_path, folders):
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


def split(source, settled, options, seed):
    """[(`Settled`, subdir)] after lists, after the source's own parts, or after a fraction."""
    lists = {kind: getattr(options, kind) for kind in SUBDIR_OF_LIST}
    listed = read_lists(source, {kind: paths for kind, paths in lists.items() if paths})
    kinds = {kind for kind in ("train", "test") if lists[kind]}
    known = {item.image.path for item in settled} | source.refused
    extra = [
        image for image in source.images.images if listed.get(image.path) == "negative" and image.path not in known
    ]
    settled = settled + [Settled(image, [], []) for image in extra]
    own_parts = not kinds and options.testFraction is None and any(item.subdir for item in settled)
    drawn = [item for item in settled if item.boxes and item.image.path not in listed]
    test = set()
    if not kinds and not own_parts:
        fraction = DEFAULT_FRACTION if options.testFraction is None else options.testFraction
        indices = balanced_test_set([item.classes for item in drawn], fraction, seed)
        test = {drawn[index].image.path for index in indices}
    chosen = []
    for item in settled:
        if own_parts and item.image.path not in listed:
            subdir = item.subdir
        elif kinds or item.image.path in listed:
            subdir = subdir_by_lists(item, listed, kinds)
        else:
            subdir = "testImages" if item.image.path in test else "positive" if item.boxes else "negative"
        if subdir is None:
            source.note(item.image.path, "left out: in none of the lists")
        elif not item.boxes and options.skipEmpty:
            source.note(item.image.path, "left out: has no object")
        else:
            chosen.append((item, subdir))
    return chosen


def note_images_without_record(source, settled, chosen):
    """Note the images that no annotation was found for."""
    known = {item.image.path for item in settled} | {item.image.path for item, _ in chosen} | source.refused
    for image in source.images.images:
        if image.path not in known:
            source.note(image.path, "left out: has no annotation that could be read")


def report(target, placed, notes):
    """Print what there is, and the first notes; all of them go to the report file."""
    path = write_report(target, notes)
    for note in notes[:SHOWN_NOTES]:
        print(note)
    if len(notes) > SHOWN_NOTES:
        print(f"... and {len(notes) - SHOWN_NOTES} more in {path}")
    print(f"\n{target}:")
    for subdir in SUBDIRS:
        items = [item for item, where, _ in placed if where == subdir]
        labels = Counter(label for item in items for label in item.labels) if subdir != "negative" else {}
        boxes = ", ".join(f"{count} {label}" for label, count in sorted(labels.items()))
        print(f"  {subdir}: {len(items)} images" + (f" with {boxes}" if boxes else ""))
    print(f"\nNext: python3 0_checkDataset.py --set datasetName={target.name}")


def parse_arguments():
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
