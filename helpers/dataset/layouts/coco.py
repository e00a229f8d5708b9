"""COCO's layout, read in place: coco/{train2017,val2017}/ and coco/annotations/instances_{train,val}2017.json.

`coco_categories` names the wanted categories, by name or number; everything else follows from them. Images without
them are negative images or not used, see `coco_imagesWithout`. Crowds are ignored: neither found nor missed. COCO
itself has a few boxes below a pixel: their images are left out, or they would be half-labelled.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path, PurePosixPath

import numpy as np

from helpers.base.errors import UserError
from helpers.base.words import nearest
from helpers.config.labels import IGNORED_LABELS
from helpers.config.schema import Parameters
from helpers.dataset.annotations import NO_BOXES, Annotation, Problem, check_recorded_size, is_below_a_pixel
from helpers.dataset.image_files import ImageFile
from helpers.dataset.layouts.objects import check_objects
from helpers.formats import coco
from helpers.formats.notes import Notes
from helpers.formats.reading import read_json
from helpers.formats.records import AnnotatedObject, Record
from helpers.formats.values import Unreadable, show

CACHED_FILES = 4  # of annotations, parsed; two are in use


@dataclass(frozen=True)
class CocoFile:
    """What one annotation file says: category number -> name, file name -> `Record` of each image, both in order."""

    categories: dict[coco.Id, str]
    records: dict[str, Record]


def annotation_file(params: Parameters, image_set: str) -> Path:
    """Where the boxes of an image set are."""
    return params.image_dir / "annotations" / f"instances_{image_set}.json"


def read_coco(path: Path) -> CocoFile:
    """The content of an annotation file; parsed once, until it changes.

    Raises:
        UserError: for what is wrong in it.
    """
    try:
        return _read(path, path.stat().st_mtime_ns)
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); see dataRootDir, datasetFolder") from error


@lru_cache(CACHED_FILES)
def _read(path: Path, _modified: int) -> CocoFile:
    content, notes = read_json(path), Notes()
    try:
        classes, records = coco.read_content(notes, path, content)
    except Unreadable as error:
        raise UserError(f"{path}: {error}") from None
    lost = [*map(str, notes.notes), *(f"{path}, {item}" for record in records for item in record.dropped)]
    lost += [f"{path}: category {show(str(number))} has no name" for number, name in classes.items() if not name]
    if lost:  # an image that lacks some of its boxes would teach that they are background
        more = f" (and {len(lost) - 1} more)" if len(lost) > 1 else ""
        raise UserError(f"{lost[0]}{more}")
    by_name: dict[str, Record] = {}
    for record in records:
        name = PurePosixPath(record.names[0])
        if name.is_absolute() or ".." in name.parts or "\\" in record.names[0]:
            raise UserError(f"{path}, {record.where}: file_name {show(record.names[0])} leads out of its folder")
        if by_name.setdefault(str(name), record) is not record:
            raise UserError(f"{path}, {record.where}: file_name {show(record.names[0])} comes twice")
    numbers = sorted(classes, key=lambda number: (isinstance(number, str), number))
    return CocoFile({number: classes[number] for number in numbers}, by_name)


def list_images(params: Parameters, subdirs: Sequence[str]) -> list[ImageFile]:
    """Images of `coco_trainSet` with a wanted object as positive/, those of `coco_testSet` as testImages/.

    Those without one are negative/ and testImages/ as well, unless `coco_imagesWithout` leaves them out.
    """
    images, wanted = [], {*params.classes}
    for image_set, with_objects, without in (
        (params.coco_trainSet, "positive", "negative"),
        (params.coco_testSet, "testImages", "testImages"),
    ):
        for name, record in read_coco(annotation_file(params, image_set)).records.items():
            if _tiny(record, wanted):
                continue
            has_objects = any(item.label in wanted for item in record.objects)
            if has_objects or params.coco_imagesWithout == "negative":
                subdir = with_objects if has_objects else without
                images.append(ImageFile(params.image_dir, f"{image_set}/{name}", subdir))
    return [image for image in images if image.subdir in subdirs]


def _tiny(record: Record, wanted: set[str]) -> AnnotatedObject | None:
    """The first object of a wanted class whose box is smaller than a pixel, or None."""
    return next((item for item in record.objects if item.label in wanted and is_below_a_pixel(item.box)), None)


def left_out(params: Parameters) -> list[Problem]:
    """A `Problem` for each image that `list_images` leaves out, an error where that is most of a set's."""
    problems = []
    for image_set in (params.coco_trainSet, params.coco_testSet):
        path, wanted = annotation_file(params, image_set), {*params.classes}
        records = [
            record for record in read_coco(path).records.values()
            if any(item.label in wanted for item in record.objects)
        ]  # fmt: skip
        tiny = [(record, item) for record in records if (item := _tiny(record, wanted))]
        level = "error" if 2 * len(tiny) > len(records) else "warning"
        for record, item in tiny:
            box = ", ".join(f"{value:g}" for value in item.box)
            message = f"{item.where}: box ({box}) is smaller than a pixel, so {record.names[0]} is left out"
            problems.append(Problem(level, path, None, message, "boxes are [x, y, width, height] in pixels"))
    return problems


def read_annotation(
    image: ImageFile, size: tuple[float, float], params: Parameters
) -> tuple[Annotation, list[Problem]]:
    """The objects of the wanted categories in an image."""
    image_set, _, name = image.key.partition("/")
    path = annotation_file(params, image_set)
    record = read_coco(path).records.get(name)
    if record is None:
        return NO_BOXES, [Problem("error", path, None, f"has no image {name}", "run 1_computeRois.py again")]
    problems = [
        replace(problem, message=f"{name}: {problem.message}")
        for problem in check_recorded_size(path, record.size, size)
    ]
    kept, wrong = check_objects(path, [item for item in record.objects if item.label in params.classes], size)
    boxes = np.array([box for box, _ in kept], np.float32).reshape(-1, 4)
    labels = tuple(IGNORED_LABELS[0] if item.ignored else item.label for _, item in kept)
    return Annotation(boxes, labels), problems + wrong


def annotation_paths(params: Parameters) -> list[Path]:
    """The two annotation files."""
    return [annotation_file(params, image_set) for image_set in (params.coco_trainSet, params.coco_testSet)]


def derive_classes(params: Parameters) -> tuple[str, ...]:
    """The names of `coco_categories`, which may be numbers; all categories where it is empty.

    Raises:
        UserError: for a category that there is not, with the nearest name.
    """
    path = annotation_file(params, params.coco_trainSet)
    categories = read_coco(path).categories
    if not params.coco_categories:
        return tuple(categories.values())
    return tuple(_category(wanted, categories, path) for wanted in params.coco_categories)


def _category(wanted: int | str, categories: dict[coco.Id, str], path: Path) -> str:
    names = {name.lower(): name for name in categories.values()}
    name = categories.get(wanted) if isinstance(wanted, int) else names.get(wanted.lower())
    if name is None:
        raise UserError(
            f"coco_categories: {path} has no category {wanted!r}{nearest(str(wanted), categories.values())}; "
            "tools/listCocoCategories.py lists all with numbers"
        )
    return name
