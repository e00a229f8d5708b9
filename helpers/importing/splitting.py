"""Splitting images into positive/, testImages/ and negative/ so that no photo, nor a copy of it, is on both sides.

Lists of the user count first, then the source's own split, then a fraction with every class in it. Copies of one photo
(helpers/dataset/duplicates.py, helpers/dataset/copy_names.py) stay together: a fraction takes them as one, and where
lists or the source have some on both sides, all of these are trained on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from helpers.base.errors import UserError
from helpers.base.parallel import in_parallel
from helpers.base.tables import counted
from helpers.config.schema import Parameters
from helpers.dataset.copy_names import group_by_name
from helpers.dataset.duplicates import Look, by_first_member, group_by_look, joined
from helpers.importing.balanced_split import DEFAULT_FRACTION, balanced_test_set
from helpers.importing.file_names import Chosen
from helpers.importing.image_index import FoundImage
from helpers.importing.listed_split import subdir_by_lists
from helpers.importing.merging import ImportedImage
from helpers.importing.source import ImportSource
from helpers.importing.source_split import own_split

TEST = "testImages"


@dataclass(frozen=True)
class WantedSplit:
    """What the user asks for.

    listed: {path: subdir} after lists; kinds: for which of "train" and "test" there is a list; fraction: of the images
    for the test, None where the source's own split counts more; seed: of what is drawn at random.
    """

    listed: dict[Path, str] = field(default_factory=dict)
    kinds: frozenset[str] = frozenset()
    fraction: float | None = None
    seed: int = 0


@dataclass(frozen=True)
class Candidate:
    """An image on its way to a side.

    place: (folder, file name without suffix); imported: None for an image that is in the data set already; subdir:
    where it goes, None where that is not known yet.
    """

    path: Path
    look: Look | None
    place: tuple[object, str]
    imported: ImportedImage | None
    subdir: str | None

    @property
    def is_there(self) -> bool:
        """Whether it is in the data set already."""
        return self.imported is None

    @property
    def is_test(self) -> bool:
        """Whether it is tested on."""
        return self.subdir == TEST

    @property
    def is_empty(self) -> bool:
        """Whether it is taken for an image without objects."""
        return self.subdir == "negative" or (self.imported is not None and not self.imported.boxes)


def without_copies_of(
    source: ImportSource, refused: Sequence[FoundImage], images: list[ImportedImage], params: Parameters
) -> list[ImportedImage]:
    """Of some images those that stay where other images were refused because of what is on them: not one without
    objects that shows the same as one of these."""
    empty = [item for item in images if not item.boxes]
    if not (empty and refused):
        return images
    looks = list(in_parallel(_look, refused, params.replace(parallel_backend="threading"), "photos left out"))
    same, _ = group_by_look([*looks, *(item.image.examined.look for item in empty)])
    twins: dict[int, FoundImage] = {}
    doubtful = set()
    for group, image in zip(same, refused, strict=False):
        twins.setdefault(group, image)
    for group, item in zip(same[len(refused) :], empty, strict=True):
        if group in twins:
            path = item.image.path
            source.note(path, f"left out: shows the same as {twins[group].path}, which was left out with its objects")
            source.refused.add(path)
            doubtful.add(path)
    return [item for item in images if item.image.path not in doubtful]


def _look(image: FoundImage) -> Look | None:
    try:
        return image.examined.look
    except UserError:
        return None


def split_images(
    source: ImportSource, images: Sequence[ImportedImage], wanted: WantedSplit, there: Sequence[Candidate] = ()
) -> list[Chosen]:
    """The images that are taken, each with its subdir, in their order; the others are noted in `source`.

    Args:
        there: images of the data set to which these are added.
    """
    by_user = wanted.kinds or wanted.fraction is not None
    own, words = ({}, "") if by_user else own_split(source, images)
    items = [*there, *_candidates(source, images, wanted, own)]
    if not items:
        return []
    same, scene = group_by_look([item.look for item in items])
    kept = _without_contradictions(source, items, same)
    items, same, scene = [items[index] for index in kept], by_first_member(same[kept]), by_first_member(scene[kept])
    copies = joined(group_by_name([item.place for item in items]), (np.arange(len(items)), same))
    if own and not _has_test_of_its_own(items, copies):
        words = "its own split is not kept, all are split anew: each photo to test on has a copy among the others"
        items = [replace(item, subdir=_free_subdir(item.imported)) if item.imported else item for item in items]
    if own:
        source.note(source.path, words)
    _draw(items, copies, scene, DEFAULT_FRACTION if wanted.fraction is None else wanted.fraction, wanted.seed)
    _keep_copies_together(source, items, copies)
    return [(item.imported, item.subdir) for item in items if item.imported and item.subdir]


def _candidates(
    source: ImportSource, images: Sequence[ImportedImage], wanted: WantedSplit, own: dict[Path, str]
) -> list[Candidate]:
    """The images with the subdirs that lists of the user or the source's own split, {path: subdir}, give them."""
    found = []
    for item in images:
        path = item.image.path
        if wanted.kinds or path in wanted.listed:
            subdir = subdir_by_lists(item, wanted.listed, wanted.kinds)
        elif own:
            subdir = "negative" if not item.boxes and own.get(path) == "positive" else own.get(path)
        else:
            subdir = _free_subdir(item)
        if subdir is None and (wanted.kinds or own):
            source.note(path, f"left out: in none of the {'lists' if wanted.kinds else 'splits of the source'}")
        elif subdir == "negative" and item.boxes:
            source.note(path, f"left out: is listed as negative, but has {counted(len(item.boxes), 'box')}")
        else:
            place = ("/".join(item.image.parts[:-1]), path.stem)
            found.append(Candidate(path, item.image.examined.look, place, item, subdir))
    return found


def _free_subdir(image: ImportedImage) -> str | None:
    """Where an image goes whose side nothing decides: None, for the draw, if it has objects."""
    return None if image.boxes else "negative"


def _has_test_of_its_own(items: list[Candidate], copies: np.ndarray) -> bool:
    trained = {copies[index] for index, item in enumerate(items) if not item.is_test}
    return any(copies[index] not in trained for index, item in enumerate(items) if item.is_test)


def _draw(items: list[Candidate], copies: np.ndarray, scene: np.ndarray, fraction: float, seed: int) -> None:
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
    units: dict[tuple[bool, int], list[int]] = {}
    for place, index in enumerate(free):
        is_small = size[scene[index]] <= most
        units.setdefault((is_small, (scene if is_small else copies)[index]), []).append(place)
    counts = [item.imported.classes for item in (items[index] for index in free) if item.imported]
    test = balanced_test_set(counts, fraction, seed, list(units.values()))
    for place, index in enumerate(free):
        items[index] = replace(items[index], subdir=TEST if place in test else "positive")
    for index in to_draw.difference(free):
        items[index] = replace(items[index], subdir=decided[copies[index]])
    sides = {copies[index]: items[index].subdir for index in to_draw}
    for index, item in enumerate(items):  # a copy without objects goes where the photo went
        if item.subdir == "negative" and not item.is_there and sides.get(copies[index]) == TEST:
            items[index] = replace(item, subdir=TEST)


def _keep_copies_together(source: ImportSource, items: list[Candidate], copies: np.ndarray) -> None:
    """Train on copies that lists or the source have on both sides; what is in the data set already stays there."""
    first: dict[int, int] = {}
    for index in sorted(range(len(items)), key=lambda index: (not items[index].is_there, items[index].is_test)):
        first.setdefault(copies[index], index)
    for index, item in enumerate(items):
        other = items[first[copies[index]]]
        if item.imported and item.is_test != other.is_test:
            use = "tested" if other.is_test else "trained"
            source.note(item.path, f"{use} on, because it is a copy of {other.path}, which is {use} on")
            trained = "positive" if item.imported.boxes else "negative"
            items[index] = replace(item, subdir=TEST if other.is_test else trained)


def _without_contradictions(source: ImportSource, items: list[Candidate], same: np.ndarray) -> list[int]:
    """The indices of the images that stay: none without objects that shows the same as one with objects."""
    filled: dict[int, Candidate] = {}
    empty_there: dict[int, Candidate] = {}
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
