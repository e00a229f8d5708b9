"""What annotation files say of each image, put together: `Record`s -> `Settled` images of the new data set.

An image has the boxes of all records that mention it, equal ones once. Where any of them holds something that is no box
on this image, the image is left out: without that object it would teach that the object is background.
"""

from collections import Counter, defaultdict
from dataclasses import dataclass, field, replace

import numpy as np

from helpers.base.errors import UserError
from helpers.base.files import fingerprint
from helpers.base.tables import counted
from helpers.config.labels import IGNORED_LABELS
from helpers.dataset.annotations import MAX_OUTSIDE
from helpers.formats.records import Dropped, Thing
from helpers.formats.values import Unreadable, show
from helpers.importing.class_rules import EXCLUDE, OWN_WORDS, UNDECIDED
from helpers.importing.fitting import clip, fit, reason_against
from helpers.importing.image_index import Ambiguous, FoundImage

EQUAL = 0.5  # pixels: boxes of one class that differ by less are one


@dataclass(frozen=True)
class Settled:
    """An image of the new data set: boxes [(x1, y1, x2, y2)], their labels, and the split the source gives it."""

    image: FoundImage
    boxes: list
    labels: list
    subdir: str | None = None

    @property
    def classes(self):
        """How many boxes of each class it has; EXCLUDE and UNDECIDED are none."""
        return Counter(label for label in self.labels if label not in IGNORED_LABELS)


@dataclass
class Counts:
    """How many boxes were not taken as what they are, by class: unwanted ones, and LabelMe's __ignore__."""

    unwanted: Counter = field(default_factory=Counter)
    ignored: Counter = field(default_factory=Counter)

    def note(self, source):
        for label, count in sorted(self.unwanted.items()):
            source.note(source.path, f"{counted(count, 'box')} of class {show(label)} left out: not wanted")
        for label, count in sorted(self.ignored.items()):
            boxes = counted(count, "box")
            become = "becomes" if count == 1 else "become"
            source.note(source.path, f"{boxes} of class {show(label)} {become} {EXCLUDE}: not learned, not counted")


def settle(source, records, rules):
    """Find the image of each `Record` and fit its boxes: list of `Settled`, in the order of their first records.

    What is left out, clipped or scaled is noted in `source`.
    """
    mentions, settled, counts = {}, [], Counts()
    for record in records:
        for image, mention in _mentions(source, record):
            mentions.setdefault(image.path, (image, []))[1].append(mention)
    for image, of_image in mentions.values():
        item = _settle_image(source, image, of_image, rules, counts)
        if item is None:
            source.refused.add(image.path)
        else:
            settled.append(item)
    counts.note(source)
    return _same_boxes_on_same_files(source, settled)


def _same_boxes_on_same_files(source, settled):
    """`Settled` images of which files with equal bytes, under several names, have the boxes of all of them.

    An image without boxes stays without: whether it is one without objects is decided where images are dealt.
    """
    groups = defaultdict(list)
    for index in _of_equal_lengths([item.image.path for item in settled]):
        if settled[index].boxes:
            groups[fingerprint(settled[index].image.path)].append(index)
    shared = list(settled)
    for indices in groups.values():
        boxes, labels = [], []
        for index in indices:
            pairs = zip(settled[index].boxes, settled[index].labels, strict=True)
            for box, label in _not_among(boxes, labels, pairs):
                boxes.append(box)
                labels.append(label)
        for index in indices:
            item = settled[index]
            if len(boxes) > len(item.boxes):
                others = [settled[other].image.path for other in indices if other != index]
                source.note(item.image.path, f"is the same file as {others[0]}: gets the boxes of both")
                shared[index] = replace(item, boxes=boxes, labels=labels)
    return shared


def _of_equal_lengths(paths):
    """Indices of the files that another one may equal, in order: files of equal length."""
    lengths = [path.stat().st_size for path in paths]
    count = Counter(lengths)
    return [index for index, length in enumerate(lengths) if length and count[length] > 1]


def _mentions(source, record):
    """[(image, record)]: the image that a record means. Objects that may be on one of several cost them all."""
    try:
        return [(source.images.find(record.names, record.path, record.size, strict=True), record)]
    except Unreadable as error:
        source.note(record.path, f"left out: {record.dropped[0] if record.dropped else error}", record.where)
        doubt = replace(record, things=(), dropped=(Dropped("", str(error)),))
        images = error.images if isinstance(error, Ambiguous) and (record.things or record.dropped) else ()
        return [(image, doubt) for image in images]


def _settle_image(source, image, records, rules, counts):
    """The `Settled` of an image with the boxes of all its records, or None where one of them is not whole."""
    boxes, labels, whole = [], [], 0
    for record in records:
        with source.guard(record.path, record.where):
            size, orientation = _shape(image)
            corners = fit(source, record, size, orientation)
            for box, label in _not_among(boxes, labels, _boxes(source, record, corners, size, rules, counts)):
                boxes.append(box)
                labels.append(label)
            whole += 1
    if whole == len(records):
        splits = sorted({record.subdir for record in records if record.subdir})
        if len(splits) > 1:
            source.note(image.path, f"is in the source's splits {' and '.join(splits)}: trained on")
        return Settled(image, boxes, labels, "train" if len(splits) > 1 else next(iter(splits), None))
    if whole:
        source.note(image.path, f"left out: {len(records) - whole} of {len(records)} annotations of it are not whole")
    return None


def _shape(image):
    try:
        return image.shape
    except UserError as error:
        reason = str(error)
        if image.is_temporary:
            reason = f"the photo inside: {reason.removeprefix(f'{image.path}: ')}"
        raise Unreadable(reason) from None


def _not_among(boxes, labels, found):
    """Of [(box, label)] those that no box equals, each once."""
    known, new = defaultdict(list), {}
    for box, label in zip(boxes, labels, strict=True):
        known[label].append(box)
    known = {label: np.array(of_class) for label, of_class in known.items()}
    for box, label in found:
        if label not in known or not (np.abs(known[label] - box) < EQUAL).all(axis=1).any():
            new[(label, *box)] = box, label
    return list(new.values())


def _boxes(source, record, corners, size, rules, counts):
    """[(box, label)] of a record, clipped.

    Raises `Unreadable` where there is a wanted object that is no box on the image.
    """
    found, useless = [], []
    for dropped in record.dropped:
        if dropped.label is None or rules.label(Thing(dropped.label, (), where=dropped.where)) is not None:
            useless.append(str(dropped))
        else:
            counts.unwanted[dropped.label] += 1
    for thing, box in zip(record.things, corners, strict=True):
        label = rules.label(thing)
        if label is None:
            counts.unwanted[thing.label] += 1
            continue
        values = "box (" + ", ".join(f"{value:.7g}" for value in box) + ")"
        clipped = clip(box, size)
        if reason := reason_against(box, clipped, size):
            useless.append(f"{thing.where}: {values} {reason}")
            continue
        where = ", ".join(text for text in (record.where, thing.where) if text)
        if np.abs(clipped - box).max() > MAX_OUTSIDE:
            source.note(record.path, f"{values} clipped at the border of {size[0]} x {size[1]} pixels", where)
        if not thing.label:
            source.note(record.path, f"{values} has no class: {UNDECIDED}", where)
        if label == OWN_WORDS.get(thing.label):
            counts.ignored[thing.label] += 1
        found.append((clipped.tolist(), label))
    if useless:
        raise Unreadable(useless[0] + (f" (and {len(useless) - 1} more)" if len(useless) > 1 else ""))
    return found
