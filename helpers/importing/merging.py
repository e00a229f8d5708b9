"""What annotation files say of each image, put together: `Record`s -> `ImportedImage`s of the new data set.

An image has the boxes of all records that mention it, equal ones once. Where any of them holds something that is no box
on this image, the image is left out: without that object it would teach that the object is background.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from helpers.base.errors import UserError
from helpers.base.fingerprints import fingerprint
from helpers.base.tables import counted
from helpers.config.labels import IGNORED_LABELS
from helpers.dataset.annotations import MAX_OUTSIDE
from helpers.formats.records import Dropped, Record
from helpers.formats.source import Source
from helpers.formats.values import Unreadable, show
from helpers.importing.class_rules import EXCLUDE, OWN_WORDS, UNDECIDED, ClassRules
from helpers.importing.fitting import clip, fit, reason_against
from helpers.importing.image_index import Ambiguous, FoundImage
from helpers.importing.source import ImportSource

EQUAL = 0.5  # pixels: boxes of one class that differ by less are one

LabelledBox = tuple[list[float], str]  # [x1, y1, x2, y2] and its label


@dataclass(frozen=True)
class ImportedImage:
    """An image of the new data set: boxes [[x1, y1, x2, y2]], their labels, and the split the source gives it."""

    image: FoundImage
    boxes: list[list[float]]
    labels: list[str]
    split: str | None = None

    @property
    def classes(self) -> Counter[str]:
        """How many boxes of each class it has; EXCLUDE and UNDECIDED are none."""
        return Counter(label for label in self.labels if label not in IGNORED_LABELS)


@dataclass
class Counts:
    """How many boxes were not taken as what they are, by class: unwanted ones, and LabelMe's __ignore__."""

    unwanted: Counter[str] = field(default_factory=Counter)
    ignored: Counter[str] = field(default_factory=Counter)

    def note_in(self, source: Source) -> None:
        """Note them, class by class."""
        for label, count in sorted(self.unwanted.items()):
            source.note(source.path, f"{counted(count, 'box')} of class {show(label)} left out: not wanted")
        for label, count in sorted(self.ignored.items()):
            boxes = counted(count, "box")
            become = "becomes" if count == 1 else "become"
            source.note(source.path, f"{boxes} of class {show(label)} {become} {EXCLUDE}: not learned, not counted")


def merge_records(source: ImportSource, records: Iterable[Record], rules: ClassRules) -> list[ImportedImage]:
    """The images that records are about with their boxes, in the order of their first records.

    What is left out, clipped or scaled is noted in `source`.
    """
    mentions: dict[Path, tuple[FoundImage, list[Record]]] = {}
    merged: list[ImportedImage] = []
    counts = Counts()
    for record in records:
        for image, mention in _mentions(source, record):
            mentions.setdefault(image.path, (image, []))[1].append(mention)
    for image, of_image in mentions.values():
        item = _merge(source, image, of_image, rules, counts)
        if item is None:
            source.refused.add(image.path)
        else:
            merged.append(item)
    counts.note_in(source)
    return _same_boxes_on_same_files(source, merged)


def _same_boxes_on_same_files(source: Source, images: list[ImportedImage]) -> list[ImportedImage]:
    """The images, of which files with equal bytes, under several names, have the boxes of all of them.

    An image without boxes stays without: whether it is one without objects is decided where images are split.
    """
    groups: dict[str, list[int]] = defaultdict(list)
    for index in _of_equal_lengths([item.image.path for item in images]):
        if images[index].boxes:
            groups[fingerprint(images[index].image.path)].append(index)
    shared = list(images)
    for indices in groups.values():
        found: list[LabelledBox] = []
        for index in indices:
            found += _not_among(found, zip(images[index].boxes, images[index].labels, strict=True))
        boxes, labels = _apart(found)
        for index in indices:
            item = images[index]
            if len(boxes) > len(item.boxes):
                others = [images[other].image.path for other in indices if other != index]
                source.note(item.image.path, f"is the same file as {others[0]}: gets the boxes of both")
                shared[index] = replace(item, boxes=boxes, labels=labels)
    return shared


def _of_equal_lengths(paths: list[Path]) -> list[int]:
    """Indices of the files that another one may equal, in order: files of equal length."""
    lengths = [path.stat().st_size for path in paths]
    count = Counter(lengths)
    return [index for index, length in enumerate(lengths) if length and count[length] > 1]


def _mentions(source: ImportSource, record: Record) -> list[tuple[FoundImage, Record]]:
    """[(image, record)]: the image that a record means. Objects that may be on one of several cost them all."""
    try:
        return [(source.images.find(record.names, record.path, record.size, strict=True), record)]
    except Unreadable as error:
        source.note(record.path, f"left out: {record.dropped[0] if record.dropped else error}", record.where)
        doubt = replace(record, objects=(), dropped=(Dropped("", str(error)),))
        images = error.images if isinstance(error, Ambiguous) and (record.objects or record.dropped) else ()
        return [(image, doubt) for image in images]


def _merge(
    source: Source, image: FoundImage, records: list[Record], rules: ClassRules, counts: Counts
) -> ImportedImage | None:
    """An image with the boxes of all its records, or None where one of them is not whole."""
    found: list[LabelledBox] = []
    whole = 0
    for record in records:
        with source.guard(record.path, record.where):
            size, orientation = _shape(image)
            corners = fit(source, record, size, orientation)
            found += _not_among(found, _boxes(source, record, corners, size, rules, counts))
            whole += 1
    if whole == len(records):
        splits = sorted({record.split for record in records if record.split})
        if len(splits) > 1:
            source.note(image.path, f"is in the source's splits {' and '.join(splits)}: trained on")
        return ImportedImage(image, *_apart(found), "train" if len(splits) > 1 else next(iter(splits), None))
    if whole:
        source.note(image.path, f"left out: {len(records) - whole} of {len(records)} annotations of it are not whole")
    return None


def _shape(image: FoundImage) -> tuple[tuple[int, int], int]:
    try:
        return image.shape
    except UserError as error:
        reason = str(error)
        if image.is_temporary:
            reason = f"the photo inside: {reason.removeprefix(f'{image.path}: ')}"
        raise Unreadable(reason) from None


def _apart(found: list[LabelledBox]) -> tuple[list[list[float]], list[str]]:
    """(boxes, labels)."""
    return [box for box, _ in found], [label for _, label in found]


def _not_among(known: list[LabelledBox], found: Iterable[LabelledBox]) -> list[LabelledBox]:
    """Of the boxes found those that equal none of the known ones of their class, each once."""
    by_class: dict[str, list[list[float]]] = defaultdict(list)
    for box, label in known:
        by_class[label].append(box)
    arrays = {label: np.array(boxes) for label, boxes in by_class.items()}
    new = {}
    for box, label in found:
        if label not in arrays or not (np.abs(arrays[label] - box) < EQUAL).all(axis=1).any():
            new[(label, *box)] = box, label
    return list(new.values())


def _boxes(
    source: Source, record: Record, corners: np.ndarray, size: tuple[int, int], rules: ClassRules, counts: Counts
) -> list[LabelledBox]:
    """The boxes of a record, clipped; corners (N, 4): those of its objects on an image of size (width, height).

    Raises:
        Unreadable: where there is a wanted object that is no box on the image.
    """
    found: list[LabelledBox] = []
    useless: list[str] = []
    for dropped in record.dropped:
        if dropped.label is None or rules.label(dropped.label, False, dropped.where) is not None:
            useless.append(str(dropped))
        else:
            counts.unwanted[dropped.label] += 1
    for item, box in zip(record.objects, corners, strict=True):
        label = rules.label(item.label, item.ignored, item.where)
        if label is None:
            counts.unwanted[item.label] += 1
            continue
        values = "box (" + ", ".join(f"{value:.7g}" for value in box) + ")"
        clipped = clip(box, size)
        if reason := reason_against(box, clipped, size):
            useless.append(f"{item.where}: {values} {reason}")
            continue
        where = ", ".join(text for text in (record.where, item.where) if text)
        if np.abs(clipped - box).max() > MAX_OUTSIDE:
            source.note(record.path, f"{values} clipped at the border of {size[0]} x {size[1]} pixels", where)
        if not item.label:
            source.note(record.path, f"{values} has no class: {UNDECIDED}", where)
        if label == OWN_WORDS.get(item.label):
            counts.ignored[item.label] += 1
        found.append((clipped.tolist(), label))
    if useless:
        raise Unreadable(useless[0] + (f" (and {len(useless) - 1} more)" if len(useless) > 1 else ""))
    return found
