"""A fraction of the images to test on, drawn at random, in which every class has about the same share."""

from collections import Counter, defaultdict
from collections.abc import Collection, Sequence

import numpy as np

DEFAULT_FRACTION = 0.25


def balanced_test_set(
    counts: Sequence[Collection[str]], fraction: float, seed: int, units: Sequence[Sequence[int]] | None = None
) -> set[int]:
    """Indices of the images to test on: a set, in which every class has about the same fraction of its images.

    Iterative stratification after Sechidis, Tsoumakas and Vlahavas, "On the stratification of multi-label data" (2011):
    the rarest class is handed out first, each unit to the side that lacks most of that class.

    Args:
        counts: for each image the classes on it (any mapping or collection), all images with at least one object.
        units: lists of the indices of images that stay together, all of them; without it each image is one.
    """
    units = [[index] for index in range(len(counts))] if units is None else units
    of_unit = [Counter(name for index in unit for name in set(counts[index])) for unit in units]
    order = np.random.default_rng(seed).permutation(len(units)).tolist()
    total = sum(of_unit, Counter())
    # how many images, and images of each class, either side still lacks
    lacking: list[dict[str, float]] = [
        {"": share * len(counts), **{name: share * number for name, number in total.items()}}
        for share in (1 - fraction, fraction)
    ]
    left: dict[str, list[int]] = defaultdict(list)
    unseen, side_of = Counter(total), {}
    for number in order:
        for name in of_unit[number]:
            left[name].append(number)

    def hand_out(number: int, wanted: str) -> None:
        train, test = (tuple(round(side[name], 9) for name in (wanted, "")) for side in lacking)
        side_of[number] = int(test > train)
        unseen.subtract(of_unit[number])
        for name, images in {"": len(units[number]), **of_unit[number]}.items():
            lacking[side_of[number]][name] -= images

    while left:
        name = min(left, key=lambda name: (unseen[name], name))
        for number in left.pop(name):
            if number not in side_of:
                hand_out(number, name)
    for number in order:  # images on which all is ignored
        if number not in side_of:
            hand_out(number, "")
    test = {number for number, side in side_of.items() if side}
    if 0 < fraction < 1 and len(units) > 1 and len(test) in (0, len(units)):
        test = test ^ {min(reversed(order), key=lambda number: len(units[number]))}  # neither side stays empty
    return {index for number in test for index in units[number]}
