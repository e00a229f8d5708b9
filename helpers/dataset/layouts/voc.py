"""PASCAL VOC's layout, read in place: VOCdevkit/VOC2007/{JPEGImages,Annotations,ImageSets/Main}.

`voc_trainSets` and `voc_testSets` name the lists, "VOC2007/trainval" for VOC2007/ImageSets/Main/trainval.txt. Objects
marked as difficult are neither found nor missed in evaluation; `train_useDifficult` says whether they are learned from.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from helpers.base.errors import UserError
from helpers.base.files import read_lines
from helpers.base.images import IMAGE_SUFFIXES
from helpers.config.schema import Parameters
from helpers.dataset.annotations import NO_BOXES, Annotation, Problem, check_recorded_size
from helpers.dataset.image_files import ImageFile
from helpers.dataset.layouts.objects import check_objects
from helpers.fetching.published_rois import find_published
from helpers.formats import voc
from helpers.formats.records import Record
from helpers.formats.values import Unreadable

NAME = re.compile(r"[\w.-]{1,200}")


def list_images(params: Parameters, subdirs: Sequence[str]) -> list[ImageFile]:
    """The images of the lists, in their order: those to train on count as positive/, those to test on as testImages/.

    Raises:
        UserError: where a list or an image is missing, or an image is both trained and tested on.
    """
    lists = {"positive": params.voc_trainSets, "testImages": params.voc_testSets}
    images: list[ImageFile] = []
    listed_in: dict[str, tuple[str, str]] = {}  # image -> subdir, list
    for subdir, names in lists.items():
        for name in names:
            for image in _listed(params.image_dir, name, subdir):
                other = listed_in.setdefault(image.key, (subdir, name))
                if other[0] != subdir:
                    raise UserError(
                        f"{image.path}: in {other[1]} and in {name}; what was trained on proves nothing in a test"
                    )
                if other == (subdir, name):
                    images.append(image)
    return [image for image in images if image.subdir in subdirs]


def _listed(root: Path, name: str, subdir: str) -> list[ImageFile]:
    year, _, image_set = name.partition("/")
    path = root / year / "ImageSets" / "Main" / f"{image_set}.txt"
    folder = root / year / "JPEGImages"
    try:
        files = sorted(file for file in folder.iterdir() if file.suffix.lower() in IMAGE_SUFFIXES)
    except OSError as error:
        raise UserError(f"{folder}: cannot be read ({error.strerror}); see dataRootDir, datasetFolder") from error
    names: dict[str, list[str]] = defaultdict(list)  # stem -> file names
    for file in files:
        names[file.stem].append(file.name)
    images, seen = [], set()
    for row, line in enumerate(read_lines(path), start=1):
        fields = line.split()  # lists of one class have a second column
        if not fields:
            continue
        if not NAME.fullmatch(fields[0]):
            raise UserError(f"{path}, row {row}: {fields[0][:100]!a} is no name of an image")
        if fields[0] not in names:
            raise UserError(f"{path}, row {row}: no image {folder / fields[0]}.jpg")
        if len(found := names[fields[0]]) > 1:
            raise UserError(f"{path}, row {row}: {fields[0]} may be {found[0]} or {found[1]}; move one of them away")
        if fields[0] in seen:
            raise UserError(f"{path}, row {row}: {fields[0]} comes twice")
        seen.add(fields[0])
        images.append(ImageFile(root, f"{year}/JPEGImages/{found[0]}", subdir))
    return images


def _annotation_path(image: ImageFile) -> Path:
    return image.path.parent.parent / "Annotations" / f"{image.stem}.xml"


def left_out(params: Parameters) -> list[Problem]:
    """No image is."""
    return []


def read_annotation(
    image: ImageFile, size: tuple[float, float], params: Parameters
) -> tuple[Annotation, list[Problem]]:
    """The objects of the wanted classes in an image's XML file."""
    path = _annotation_path(image)
    try:
        record = _record(path)
    except UserError as error:
        message = str(error).removeprefix(f"{path}: ")
        return NO_BOXES, [Problem("error", path, None, message, "fetch or write it anew")]
    problems = check_recorded_size(path, record.size, size)
    for dropped in record.dropped:
        if dropped.label is None or dropped.label in params.classes:
            problems.append(Problem("error", path, None, str(dropped), "fetch or write it anew"))
    for item in record.objects:
        if not item.label:
            problems.append(Problem("error", path, None, f"{item.where} has no class", "name it"))
    kept, wrong = check_objects(path, [item for item in record.objects if item.label in params.classes], size)
    boxes = np.array([box for box, _ in kept], np.float32).reshape(-1, 4)
    labels, difficult = tuple(item.label for _, item in kept), tuple(item.ignored for _, item in kept)
    return Annotation(boxes, labels, difficult), problems + wrong


def _record(path: Path) -> Record:
    try:
        return voc.read_record(path)
    except Unreadable as error:
        raise UserError(f"{path}: {error}") from None


def annotation_paths(params: Parameters) -> list[Path]:
    """The lists and the XML files of their images."""
    images = list_images(params, ("positive", "testImages"))
    names = dict.fromkeys((*params.voc_trainSets, *params.voc_testSets))
    lists = [params.image_dir / f"{name.replace('/', '/ImageSets/Main/')}.txt" for name in names]
    return lists + [_annotation_path(image) for image in images]


def published_files(params: Parameters) -> list[Path]:
    """The files of ROIs published with Fast R-CNN that are there for the lists in use."""
    names = dict.fromkeys((*params.voc_trainSets, *params.voc_testSets)) if params.voc_publishedRois else ()
    paths = (find_published(params.dataRootDir, *name.split("/")) for name in names)
    return [path for path in paths if path]


def derive_classes(params: Parameters) -> tuple[str, ...]:
    """All class names in the annotations of the images to train on, in alphabetical order."""
    images = list_images(params, ("positive",))
    records = [_record(_annotation_path(image)) for image in images]
    labels = {item.label for record in records for item in record.objects}
    labels |= {item.label for record in records for item in record.dropped if item.label}
    return tuple(sorted(labels - {""}))
