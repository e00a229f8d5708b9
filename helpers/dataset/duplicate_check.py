"""Step 0's check for copies: photos that are trained on and tested on, learned twice, or called empty and filled."""

from collections.abc import Iterator, Sequence

import numpy as np

from helpers.dataset.annotations import Problem
from helpers.dataset.copy_names import group_by_name
from helpers.dataset.duplicates import group_by_look, joined, members
from helpers.dataset.report import CheckedImage

SHOWN = 3  # names of copies that a line lists
MOST_LINES = 10  # of one group


def check_duplicates(checked: Sequence[CheckedImage]) -> list[Problem]:
    """Problems of `CheckedImage`s that are copies of others, by their look or by their names.

    Errors are copies on both sides of train and test, and those with objects of images without. What nearly looks the
    same on both sides is a warning: a camera on a tripod takes such photos.
    """
    same, scene = group_by_look([image.look for image in checked])
    named = group_by_name([(image.image.subdir, image.image.stem) for image in checked])
    copies = joined(named, (np.arange(len(checked)), same))
    problems = [problem for group in members(copies) for problem in _leaks(checked, group, same)]
    for group in members(same):
        problems += _contradictions(checked, group) or list(_repetitions(checked, group))
    trained = {copies[index] for index, image in enumerate(checked) if not image.is_test}
    for group in members(scene):
        problems += _near(checked, group, {index for index in group if copies[index] in trained})
    return problems


def _leaks(checked: Sequence[CheckedImage], group: list[int], same: np.ndarray) -> Iterator[Problem]:
    train, test = _sides(checked, group)
    if not train:
        return
    remedy = "delete one: what was trained on proves nothing in a test"
    for index in test[:MOST_LINES]:
        seen = [other for other in train if same[other] == same[index]]
        words = "the same picture as" if seen else "by its name a copy of"
        others = [other for other in (*train, *test) if other not in (*seen, index)]
        yield _problem("error", checked, index, f"{words} {_names(checked, seen + others)}", remedy)


def _contradictions(checked: Sequence[CheckedImage], group: list[int]) -> list[Problem]:
    train, _ = _sides(checked, group)
    filled = [index for index in train if checked[index].image.subdir == "positive"]
    remedy = "delete one: objects in it would count as background"
    return [
        _problem("error", checked, index, f"the same picture as {_names(checked, filled)}", remedy)
        for index in [index for index in train if index not in filled][:MOST_LINES]
        if filled
    ]


def _repetitions(checked: Sequence[CheckedImage], group: list[int]) -> Iterator[Problem]:
    for side in _sides(checked, group):
        if len(side) > 1:
            message = f"the same picture as {_names(checked, side[:1] + side[2:])}"
            yield _problem("warning", checked, side[1], message, "delete one, unless it shall count twice")
        first: dict[object, int] = {}  # exact look -> the first image
        for index in side:
            item = checked[index]
            look = (item.size, item.look.bits.tobytes(), item.look.thumbnail.tobytes()) if item.look else index
            other = first.setdefault(look, index)
            if _objects(item) != _objects(checked[other]):
                remedy = "give both all boxes, or delete one: an object without a box counts as background"
                message = f"the same picture as {checked[other].image.key}, but with other boxes"
                yield _problem("warning", checked, index, message, remedy)
                break


def _objects(item: CheckedImage) -> list[tuple[str, ...]]:
    """The labels and boxes of an image, for comparison."""
    boxes = item.annotation.boxes.round(1).tolist()
    return sorted((label, *box) for label, box in zip(item.annotation.labels, boxes, strict=True))


def _near(checked: Sequence[CheckedImage], group: list[int], leaked: set[int]) -> Iterator[Problem]:
    train, test = _sides(checked, group)
    test = [index for index in test if index not in leaked]
    remedy = "train and test on different scenes, if you can"
    if train and test:
        message = f"nearly the same picture as {_names(checked, train + test[1:])}"
        yield _problem("warning", checked, test[0], message, remedy)


def _sides(checked: Sequence[CheckedImage], group: list[int]) -> tuple[list[int], list[int]]:
    """Indices of a group's images to train on, and of those to test on."""
    test = [index for index in group if checked[index].is_test]
    return [index for index in group if not checked[index].is_test], test


def _names(checked: Sequence[CheckedImage], indices: list[int]) -> str:
    shown, more = [checked[index].image.key for index in indices[:SHOWN]], len(indices) - SHOWN
    return ", ".join(shown) + (f" and {more} {'other' if more == 1 else 'others'}" if more > 0 else "")


def _problem(level: str, checked: Sequence[CheckedImage], index: int, message: str, remedy: str) -> Problem:
    return Problem(level, checked[index].image.path, None, message, remedy)
