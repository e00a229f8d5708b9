"""Writes a data set's boxes in a format of other tools, with copies of its images.

    python3 tools/exportAnnotations.py coco myData exported

    <dataRootDir>/DATASET/{positive,testImages,negative}/  ->  TARGET (a new folder)

Formats: FORMAT_TABLE

Images keep their subfolder, "positive/1.jpg", because several may have the same name. TARGET also holds train.txt,
test.txt and negative.txt for tools that take lists, tools/importAnnotations.py among them. Boxes that are EXCLUDE or
UNDECIDED are difficult objects in VOC and crowds in COCO; the other formats have no word for them, so there they are
classes of that name, or left out with --withoutExcluded.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    import find_project  # noqa: F401, I001 (it makes the next line possible)
    from helpers.base.start import start

    start()

import os
import shutil
from pathlib import Path

from tqdm import tqdm

from helpers.base.errors import UserError
from helpers.base.files import link_file, read_lines, write_text
from helpers.base.images import image_size
from helpers.base.script import run_script
from helpers.base.staging import put_in_place, staging
from helpers.base.tables import counted
from helpers.config.command_line import argument_parser
from helpers.config.labels import IGNORED_LABELS
from helpers.config.schema import Parameters
from helpers.dataset.annotations import annotation_path, load_annotation
from helpers.dataset.image_files import ImageFile, list_folder_images, printable, refuse_bad_names
from helpers.formats.exported import ExportedImage
from helpers.formats.own_layout import ANNOTATED_SUBDIRS, LABEL_SUFFIXES
from helpers.formats.registry import FORMATS
from helpers.formats.values import shortest
from pipeline.parameters import load_parameters

LISTS = {"train.txt": "positive", "test.txt": "testImages", "negative.txt": "negative"}


def main(
    params: Parameters,
    format_name: str,
    dataset: str,
    target: Path | str,
    link: bool = False,
    without_ignored: bool = False,
    force: bool = False,
) -> list[ExportedImage]:
    """Export a data set into the new folder `target`; returns the list of `ExportedImage`."""
    image_dir, target, form = params.replace(datasetName=dataset).image_dir, Path(target), FORMATS[format_name]
    if form.write is None:
        raise UserError(f"{format_name}: is read only; name another format")
    if os.path.lexists(target) and not force:
        raise UserError(f"{target}: exists already; name another folder, or add --force to rename it")
    own, other = target.resolve(), image_dir.resolve()
    if own == other or own in other.parents or other in own.parents:
        raise UserError(f"{target}: it and the data set {image_dir} lie in one another; name another folder")
    files = list_folder_images(image_dir)
    if not files:
        raise UserError(f"{image_dir}: no image in it")
    refuse_bad_names(files)
    images = [read_image_file(image, without_ignored) for image in files]
    texts = form.write(images)
    for name, subdir in LISTS.items():
        texts.setdefault(name, "".join(f"{image.key}\n" for image in images if image.subdir == subdir))
    with staging(target) as new:
        for name, text in texts.items():
            write_text(new / name, text)
        for image in tqdm(files, desc="copies", unit="image"):
            place = new / form.image_place(image.key)
            place.parent.mkdir(parents=True, exist_ok=True)
            if not (link and link_file(image.path.resolve(), place)):
                shutil.copyfile(image.path, place)
        put_in_place(new, target)
    boxes = counted(sum(len(image.objects) for image in images), "box")
    print(f"{printable(target)}: {counted(len(images), 'image')}, {boxes} as {format_name}")
    return images


def read_image_file(image: ImageFile, without_ignored: bool) -> ExportedImage:
    """An `ImageFile` with its size and boxes; classes are whatever its label file says."""
    size, _ = image_size(image.path)
    objects = []
    if image.subdir in ANNOTATED_SUBDIRS:
        path = annotation_path(image.path, LABEL_SUFFIXES)
        labels = {line.strip() for line in read_lines(path)} if path.exists() else set()
        annotation = load_annotation(image.path, size, tuple(labels - set(IGNORED_LABELS)))
        for box, label in zip(annotation.boxes, annotation.labels, strict=True):
            ignored = label in IGNORED_LABELS
            if not (ignored and without_ignored):
                x1, y1, x2, y2 = map(shortest, box)
                objects.append(((x1, y1, x2, y2), label, ignored))
    return ExportedImage(image.key, size, tuple(objects))


if __name__ == "__main__":
    written = {name: form for name, form in FORMATS.items() if form.write}
    table = "".join(f"\n    {name:<12} {form.title}" for name, form in written.items())
    parser = argument_parser(__doc__.replace("FORMAT_TABLE", table), keeps=False)
    parser.add_argument("format", choices=written, metavar="FORMAT")
    parser.add_argument("dataset", metavar="DATASET", help="the name of a data set")
    parser.add_argument("target", metavar="TARGET", help="the new folder")
    parser.add_argument("--link", action="store_true", help="link images instead of copying them")
    parser.add_argument("--withoutExcluded", action="store_true", help="leave boxes out that are EXCLUDE or UNDECIDED")
    parser.add_argument("--force", action="store_true", help="rename a folder of this name, TARGET.old")
    given = parser.parse_args()
    run_script(
        lambda: main(
            load_parameters(given.settings), given.format, given.dataset, given.target, given.link,
            given.withoutExcluded, given.force,
        )
    )  # fmt: skip
