"""Parting images into training and test images, by lists or by a class-balanced fraction."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from helpers.annotation_formats.common import Unreadable, read_text
from helpers.errors import UserError

SUBDIR_OF_LIST = {"train": "positive", "test": "testImages", "negative": "negative"}
DEFAULT_FRACTION = 0.25


def read_lists(source, lists):
    """{path of an image: subdir} from files or folders that list images.

    lists: {"train" | "test" | "negative": [paths]}. A file has one image a row, by its name with or without suffix and
    folders; a column -1, 0 or 1 after it, as in PASCAL VOC's lists of a class, is passed over. A folder stands for all
    images below it. Names that no image has are noted in `source`; an image in two lists raises `UserError`.
    """
    chosen, origin = {}, {}
    for kind, paths in lists.items():
        for path in map(Path, paths):
            for image, where in _listed(source, path):
                if chosen.setdefault(image.path, SUBDIR_OF_LIST[kind]) != SUBDIR_OF_LIST[kind]:
                    raise UserError(f"{path}, {where}: {image.path.name} is in {origin[image.path]} already")
                origin.setdefault(image.path, path)
    return chosen


def _listed(source, path):
    if path.is_dir():
        return [(image, "/".join(image.parts)) for image in source.images.below(path)]
    if path.exists() and not path.stat().st_size:
        return []
    found = []
    for row, line in enumerate(read_text(path).splitlines(), 1):
        name = line.strip()
        if not name:
            continue
        try:
            names = name, re.sub(r"\s+(-1|0|1)$", "", name)
            found.append((source.images.find(names, path), f"row {row}"))
        except Unreadable as error:
            source.note(path, str(error), f"row {row}")
    return found


def subdir_by_lists(settled, chosen, kinds):
    """The part of a `Settled` image, or None for an image that no list names.

    kinds: which of "train" and "test" have a list; where only one has, the other takes the rest.
    """
    subdir = chosen.get(settled.image.path)
    if subdir is None and kinds == {"test"}:
        subdir = "positive"
    elif subdir is None and kinds == {"train"}:
        subdir = "testImages"
    return "negative" if subdir == "positive" and not settled.boxes else subdir


def balanced_test_set(counts, fraction, seed):
    """Indices of the images to test on: a set, in which every class has about the same fraction of its images.

    counts: for each image the classes on it (any mapping or collection), all images with at least one object.
    Iterative stratification after Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data" (2011):
    the rarest class is dealt out first, each image to the side that lacks most of that class.
    """
    order = np.random.default_rng(seed).permutation(len(counts)).tolist()
    total = Counter(name for classes in counts for name in set(classes))
    # how many images, and images of each class, either side still lacks
    lacking = [
        {"": share * len(counts), **{name: share * number for name, number in total.items()}}
        for share in (1 - fraction, fraction)
    ]
    left, unseen, side_of = defaultdict(list), Counter(total), {}
    for index in order:
        for name in set(counts[index]):
            left[name].append(index)

    def deal(index, wanted):
        train, test = (tuple(round(side[name], 9) for name in (wanted, "")) for side in lacking)
        side_of[index] = int(test > train)
        unseen.subtract(set(counts[index]))
        for name in ("", *set(counts[index])):
            lacking[side_of[index]][name] -= 1

    while left:
        name = min(left, key=lambda name: (unseen[name], name))
        for index in left.pop(name):
            if index not in side_of:
                deal(index, name)
    for index in order:  # images on which all is excluded
        if index not in side_of:
            deal(index, "")
    test = {index for index, side in side_of.items() if side}
    if 0 < fraction < 1 and len(counts) > 1 and len(test) in (0, len(counts)):
        test = test ^ {order[-1]}  # neither side stays empty
    return test
