"""The objects of a record as boxes of an image, for the layouts that keep many of them in one file."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from helpers.dataset.annotations import Problem, check_box
from helpers.formats.records import AnnotatedObject


def check_objects(
    path: Path, objects: Iterable[AnnotatedObject], size: tuple[float, float]
) -> tuple[list[tuple[list[float], AnnotatedObject]], list[Problem]]:
    """([(box, object)] of those that lie on an image of size (width, height), what is wrong with any of them)."""
    kept, problems = [], []
    for item in objects:
        box, problem = check_box(path, None, list(item.box), [f"{value:g}" for value in item.box], size)
        if problem:
            problems.append(replace(problem, message=f"{item.where}: {problem.message}"))
        if box:
            kept.append((box, item))
    return kept, problems
