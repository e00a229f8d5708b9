"""Splitting images into training and test images, by lists or by a class-balanced fraction."""

import re
from collections import Counter, defaultdict
from pathlib import Path

import numpy as np

from helpers.base.errors import UserError
from helpers.formats.common import Unreadable, read_text

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
            names = line, name, re.sub(r"\s+(-1|0|1)$", "", name)
            found.append((source.images.find(names, path), f"row {row}"))
        except Unreadable as error:
            source.note(path, str(error), f"row {row}")
    return found


def subdir_by_lists(settled, chosen, kinds):
    """The subdir of a `Settled` image, or None for an image that no list names.

    kinds: which of "train" and "test" have a list; where only one has, the other takes the rest.
    """
    subdir = chosen.get(settled.image.path)
    if subdir is None and kinds == {"test"}:
        subdir = "positive"
    elif subdir is None and kinds == {"train"}:
        subdir = "testImages"
    return "negative" if subdir == "positive" and not settled.boxes else subdir


def balanced_test_set(counts, fraction, seed, units=None):
    """Indices of the images to test on: a set, in which every class has about the same fraction of its images.

    counts: for each image the classes on it (any mapping or collection), all images with at least one object; units:
    lists of the indices of images that stay together, all of them; without it each image is one. Iterative
    stratification after Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data" (2011): the
    rarest class is dealt out first, each unit to the side that lacks most of that class.
    """
    units = [[index] for index in range(len(counts))] if units is None else units
    of_unit = [Counter(name for index in unit for name in set(counts[index])) for unit in units]
    order = np.random.default_rng(seed).permutation(len(units)).tolist()
    total = sum(of_unit, Counter())
    # how many images, and images of each class, either side still lacks
    lacking = [
        {"": share * len(counts), **{name: share * number for name, number in total.items()}}
        for share in (1 - fraction, fraction)
    ]
    left, unseen, side_of = defaultdict(list), Counter(total), {}
    for number in order:
        for name in of_unit[number]:
            left[name].append(number)

    def deal(number, wanted):
        train, test = (tuple(round(side[name], 9) for name in (wanted, "")) for side in lacking)
        side_of[number] = int(test > train)
        unseen.subtract(of_unit[number])
        for name, images in {"": len(units[number]), **of_unit[number]}.items():
            lacking[side_of[number]][name] -= images

    while left:
        name = min(left, key=lambda name: (unseen[name], name))
        for number in left.pop(name):
            if number not in side_of:
                deal(number, name)
    for number in order:  # images on which all is excluded
        if number not in side_of:
            deal(number, "")
    test = {number for number, side in side_of.items() if side}
    if 0 < fraction < 1 and len(units) > 1 and len(test) in (0, len(units)):
        test = test ^ {min(reversed(order), key=lambda number: len(units[number]))}  # neither side stays empty
    return {index for number in test for index in units[number]}
