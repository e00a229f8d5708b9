"""Dealing images to positive/, testImages/ and negative/ so that no photo, nor a copy of it, is on both sides.

Lists of the user count first, then the source's own split, then a fraction with every class in it. Copies of one photo
(helpers/dataset/duplicates.py, helpers/dataset/copy_names.py) stay together: a fraction deals them as one, and where
lists or the source have some on both sides, all of these are trained on.
"""

from dataclasses import dataclass, replace

import numpy as np

from helpers.base.errors import UserError
from helpers.base.parallel import in_parallel
from helpers.base.tables import counted
from helpers.dataset.copy_names import group_by_name
from helpers.dataset.duplicates import by_first_member, group_by_look, joined
from helpers.importing.balanced_split import DEFAULT_FRACTION, balanced_test_set
from helpers.importing.listed_split import subdir_by_lists
from helpers.importing.merging import Settled
from helpers.importing.source_split import own_split

TEST = "testImages"


@dataclass(frozen=True)
class Dealt:
    """An image on its way to a side: its path, `Look` and place (folder, file name without suffix), its `Settled`,
    where it goes (None: not known yet), and whether it is in the data set already."""

    path: object
    look: object
    place: tuple
    settled: Settled | None
    subdir: str | None
    is_there: bool = False

    @property
    def is_test(self):
        return self.subdir == TEST

    @property
    def is_empty(self):
        """Whether it is taken for an image without objects."""
        return self.subdir == "negative" or (not self.is_there and not self.settled.boxes)


def without_copies_of(source, refused, settled, params):
    """Of `Settled` images those that stay where other images, `FoundImage`s, were left out because of what is on them:
    not one without objects that shows the same as one of these."""
    empty = [item for item in settled if not item.boxes]
    if not (empty and refused):
        return settled
    looks = list(in_parallel(_look, refused, params.replace(parallel_backend="threading"), "photos left out"))
    same, _ = group_by_look([*looks, *(item.image.examined.look for item in empty)])
    twins, doubtful = {}, set()
    for group, image in zip(same, refused, strict=False):
        twins.setdefault(group, image)
    for group, item in zip(same[len(refused) :], empty, strict=True):
        if group in twins:
            path = item.image.path
            source.note(path, f"left out: shows the same as {twins[group].path}, which was left out with its objects")
            source.refused.add(path)
            doubtful.add(path)
    return [item for item in settled if item.image.path not in doubtful]


def _look(image):
    try:
        return image.examined.look
    except UserError:
        return None


def deal(source, settled, listed, kinds, fraction, seed, there=()):
    """[(`Settled`, subdir)] of the images that are taken, in their order; the others are noted in `source`.

    listed: {path: subdir} after lists of the user; kinds: for which of "train" and "test" there is one; fraction: of
    the images for the test, None where the source's own split counts more; there: `Dealt` images of the data set to
    which these are added.
    """
    own, words = own_split(source, settled) if not kinds and fraction is None else ({}, "")
    items = [*there]
    for item in settled:
        path = item.image.path
        is_free = not (kinds or own or path in listed)
        if is_free:
            subdir = None if item.boxes else "negative"
        elif kinds or path in listed:
            subdir = subdir_by_lists(item, listed, kinds)
        else:
            subdir = "negative" if not item.boxes and own.get(path) == "positive" else own.get(path)
        if subdir is None and not is_free:
            source.note(path, f"left out: in none of the {'lists' if kinds else 'splits of the source'}")
            continue
        if subdir == "negative" and item.boxes:
            source.note(path, f"left out: is listed as negative, but has {counted(len(item.boxes), 'box')}")
            continue
        place = ("/".join(item.image.parts[:-1]), path.stem)
        items.append(Dealt(path, item.image.examined.look, place, item, subdir))
    if not items:
        return []
    same, scene = group_by_look([item.look for item in items])
    kept = _without_contradictions(source, items, same)
    items, same, scene = [items[index] for index in kept], by_first_member(same[kept]), by_first_member(scene[kept])
    copies = joined(group_by_name([item.place for item in items]), (np.arange(len(items)), same))
    if own and not _has_test_of_its_own(items, copies):
        words = "its own split is not kept, all are dealt anew: each photo to test on has a copy among the others"
        for index, item in enumerate(items):
            if not item.is_there:
                items[index] = replace(item, subdir=None if item.settled.boxes else "negative")
    if own:
        source.note(source.path, words)
    _draw(items, copies, scene, DEFAULT_FRACTION if fraction is None else fraction, seed)
    _keep_copies_together(source, items, copies)
    return [(item.settled, item.subdir) for item in items if not item.is_there]


def _has_test_of_its_own(items, copies):
    trained = {copies[index] for index, item in enumerate(items) if not item.is_test}
    return any(copies[index] not in trained for index, item in enumerate(items) if item.is_test)


def _draw(items, copies, scene, fraction, seed):
    """Give each image without a side one, copies the same one; photos of one scene as well, unless they are many."""
    to_draw = {index for index, item in enumerate(items) if item.subdir is None}
    scene = joined(copies, (np.arange(len(items)), scene))
    decided = {
        copies[index]: TEST if item.is_test else "positive"
        for index, item in enumerate(items)
        if item.subdir in ("positive", TEST) or item.is_there
    }
    free = [index for index in sorted(to_draw) if copies[index] not in decided]
    most = max(1, min(fraction, 1 - fraction) * len(free))
    size = dict(zip(*np.unique(scene[free], return_counts=True), strict=True))
    units = {}
    for place, index in enumerate(free):
        is_small = size[scene[index]] <= most
        units.setdefault((is_small, (scene if is_small else copies)[index]), []).append(place)
    test = balanced_test_set([items[index].settled.classes for index in free], fraction, seed, list(units.values()))
    for place, index in enumerate(free):
        items[index] = replace(items[index], subdir=TEST if place in test else "positive")
    for index in to_draw.difference(free):
        items[index] = replace(items[index], subdir=decided[copies[index]])
    sides = {copies[index]: items[index].subdir for index in to_draw}
    for index, item in enumerate(items):  # a copy without objects goes where the photo went
        if item.subdir == "negative" and not item.is_there and sides.get(copies[index]) == TEST:
            items[index] = replace(item, subdir=TEST)


def _keep_copies_together(source, items, copies):
    """Train on copies that lists or the source have on both sides; what is in the data set already stays there."""
    first = {}
    for index in sorted(range(len(items)), key=lambda index: (not items[index].is_there, items[index].is_test)):
        first.setdefault(copies[index], index)
    for index, item in enumerate(items):
        other = items[first[copies[index]]]
        if item.is_test != other.is_test and not item.is_there:
            use = "tested" if other.is_test else "trained"
            source.note(item.path, f"{use} on, because it is a copy of {other.path}, which is {use} on")
            subdir = TEST if other.is_test else "positive" if item.settled.boxes else "negative"
            items[index] = replace(item, subdir=subdir)


def _without_contradictions(source, items, same):
    """The indices of the images that stay: none without objects that shows the same as one with objects."""
    filled, empty_there = {}, {}
    for index, item in enumerate(items):
        if not item.is_empty:
            filled.setdefault(same[index], item)
        elif item.is_there:
            empty_there.setdefault(same[index], item)
    kept = []
    for index, item in enumerate(items):
        twin = (filled if item.is_empty else empty_there).get(same[index])
        if twin is None or item.is_there:
            kept.append(index)
        else:
            has = "objects" if item.is_empty else "none in the data set"
            source.note(item.path, f"left out: shows the same as {twin.path}, which has {has}")
    return kept
