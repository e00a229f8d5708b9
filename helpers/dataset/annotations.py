"""Ground-truth boxes and their classes: NAME.bboxes.tsv and NAME.bboxes.labels.tsv beside NAME.jpg.

`read_annotation` returns what it could read together with a list of problems, each with its file, row, rule and remedy;
step 0 reports them all, the other steps refuse to go on when one of them is an error.
"""

import difflib
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from numpy.typing import ArrayLike

from helpers.base.errors import UserError, printable
from helpers.base.files import read_lines, write_text
from helpers.base.tables import counted
from helpers.config.labels import IGNORED_LABELS
from helpers.formats.own_layout import BOX_SUFFIXES, LABEL_SUFFIXES

MAX_SHOWN = 500  # letters of a message: a row may be as long as a file
MIN_BOX_SIDE = 0.99  # pixels: a pixel, less what rounding takes off
MAX_OUTSIDE = 1.0  # pixels that a box may stick out of its image: rounding of other tools; it is clipped


@dataclass(frozen=True)
class Problem:
    """Something wrong with a file: level "error" or "warning", the file, the row (from 1) or None, and the remedy."""

    level: str
    path: Path | str
    row: int | None
    message: str
    remedy: str

    def __str__(self) -> str:
        row = f", row {self.row}" if self.row else ""
        message, remedy = (
            printable(text if len(text) <= MAX_SHOWN else f"{text[:MAX_SHOWN]}…", keep="\t")
            for text in (self.message, self.remedy)
        )
        return f"{printable(self.path)}{row}: {message}; {remedy}"


@dataclass(frozen=True)
class Annotation:
    """Boxes (G, 4) float32 in pixels of the image as displayed, a tuple of G labels, and which boxes (G,) bool VOC
    calls difficult; () for none."""

    boxes: np.ndarray
    labels: tuple[str, ...]
    difficult: tuple[bool, ...] = ()

    def class_ids(self, all_classes: Sequence[str]) -> np.ndarray:
        """Labels as class ids (G,) int64; EXCLUDE and UNDECIDED are 0, and `ignored`."""
        lookup = {name: index for index, name in enumerate(all_classes)}
        return np.array([lookup.get(label, 0) for label in self.labels], dtype=np.int64)

    def ignored(self, use_difficult: bool = False) -> np.ndarray:
        """(G,) bool: boxes that are neither positive nor negative, difficult ones among them unless they are used."""
        difficult = [False] * len(self.labels) if use_difficult or not self.difficult else self.difficult
        return np.array([label in IGNORED_LABELS for label in self.labels], dtype=bool) | np.array(
            difficult, dtype=bool
        )


CheckedBox = tuple[list[float] | None, Problem | None]  # the box, clipped by a pixel at most, and what is wrong with it
NO_BOXES = Annotation(np.zeros((0, 4), np.float32), ())


def annotation_path(image_path: Path, suffixes: Sequence[str]) -> Path:
    """The annotation file of an image: the first of the suffixes that exists, else the first one."""
    candidates = [image_path.with_name(image_path.stem + suffix) for suffix in suffixes]
    return next((path for path in candidates if path.exists()), candidates[0])


def _check_twins(image_path: Path, suffixes: Sequence[str], problems: list[Problem]) -> None:
    """Add an error where an image has two files of one kind that differ: nobody knows in which of them boxes lack."""
    path, other = (image_path.with_name(image_path.stem + suffix) for suffix in suffixes)
    if path.exists() and other.exists() and not say_the_same(path, other):
        remedy = "delete the one that is out of date"
        problems.append(Problem("error", other, None, f"differs from {path.name} beside it", remedy))


def say_the_same(path: Path, other: Path) -> bool:
    """Whether two annotation files have the same rows, blanks aside; of one that cannot be read nobody knows."""
    try:
        first, second = ([line.split() for line in read_lines(file) if line.strip()] for file in (path, other))
    except UserError:
        return False
    return first == second


def write_annotation(image_path: Path, boxes: ArrayLike, labels: Iterable[str] | None = None) -> None:
    """Write boxes (G, 4), whole pixels as integers, and labels beside an image, each file at once or not at all."""
    rows = ["\t".join(f"{value:.10g}" for value in box) + "\n" for box in np.asarray(boxes, np.float64).reshape(-1, 4)]
    write_text(image_path.with_name(image_path.stem + BOX_SUFFIXES[0]), "".join(rows))
    if labels is not None:
        write_text(image_path.with_name(image_path.stem + LABEL_SUFFIXES[0]), "".join(f"{x}\n" for x in labels))


def read_annotation(
    image_path: Path, size: tuple[float, float], classes: Sequence[str]
) -> tuple[Annotation, list[Problem]]:
    """The boxes and labels of one image, those rows that are in order, and what is wrong with them.

    Args:
        image_path: the annotation files are beside it.
        size: (width, height) of the image as displayed, in pixels.
        classes: known class names, without the background.
    """
    box_path, label_path = annotation_path(image_path, BOX_SUFFIXES), annotation_path(image_path, LABEL_SUFFIXES)
    problems: list[Problem] = []
    box_rows = _rows(box_path, problems, "draw its boxes with A1_annotateImages.py; n says that it shows none")
    label_rows = _rows(label_path, problems, "name its boxes with A2_annotateLabels.py") if box_path.exists() else []
    _check_twins(image_path, BOX_SUFFIXES, problems)
    _check_twins(image_path, LABEL_SUFFIXES, problems)
    if not box_rows and all(problem.level == "warning" for problem in problems):
        problems.append(Problem("warning", box_path, None, "has no box", "draw some, unless it shows no object"))
    if len(box_rows) != len(label_rows) and box_path.exists() and label_path.exists():
        message = f"{counted(len(label_rows), 'label')} for {counted(len(box_rows), 'box')} of {box_path.name}"
        problems.append(Problem("error", label_path, None, message, "write one label per box, in the same order"))
    boxes, labels = [], []
    for (row, box_text), (label_row, label) in zip(box_rows, label_rows, strict=False):
        box, box_problem = _parse_box(box_path, row, box_text, size)
        label_problem = _check_label(label_path, label_row, label, classes)
        problems += [problem for problem in (box_problem, label_problem) if problem]
        if box is not None and label_problem is None:
            boxes.append(box)
            labels.append(label)
    return Annotation(np.array(boxes, np.float32).reshape(-1, 4), tuple(labels)), problems


def _rows(path: Path, problems: list[Problem], remedy: str) -> list[tuple[int, str]]:
    """(row number, text) of a file's rows; blank ones at the end are reported and passed over, others are errors."""
    if not path.exists():
        problems.append(Problem("error", path, None, "no such file", remedy))
        return []
    try:
        lines = [line.strip() for line in read_lines(path)]
    except UserError as error:
        problems.append(Problem("error", path, None, str(error).removeprefix(f"{path}: "), "write it anew"))
        return []
    filled = len(lines)
    while filled and not lines[filled - 1]:
        filled -= 1
    if filled < len(lines):
        problems.append(Problem("warning", path, filled + 1, "blank line at the end of the file", "delete it"))
    for row, line in enumerate(lines[:filled], start=1):
        if not line:
            problems.append(
                Problem("error", path, row, "blank line between others", "delete it, or write what is missing")
            )
    return [(row, line) for row, line in enumerate(lines[:filled], start=1) if line]


def _parse_box(path: Path, row: int, text: str, size: tuple[float, float]) -> CheckedBox:
    """A box from a row's text."""
    fields = text.split("\t") if "\t" in text else text.split()
    remedy = "write x1 TAB y1 TAB x2 TAB y2 in pixels"
    if len(fields) != 4:
        return None, Problem("error", path, row, f'"{text}" has {len(fields)} values', remedy)
    try:
        box = [float(field) for field in fields]
    except ValueError:
        return None, Problem("error", path, row, f'"{text}" is not four numbers', remedy)
    return check_box(path, row, box, fields, size)


def check_box(
    path: Path, row: int | None, box: list[float], fields: Sequence[str], size: tuple[float, float]
) -> CheckedBox:
    """Whether a box lies in its image.

    Args:
        path: the file that the box is from, for the `Problem`.
        row: its row there.
        box: x1, y1, x2, y2 in pixels.
        fields: what stands for them in the file.
        size: (width, height) of the image as displayed.
    """

    def error(message: str, remedy: str) -> CheckedBox:
        return None, Problem("error", path, row, message, remedy)

    x1, y1, x2, y2 = box
    values = f"box ({', '.join(fields)})"
    if not all(map(math.isfinite, box)):
        return error(f"{values} is not finite", "draw it again")
    if min(box) < -MAX_OUTSIDE:
        return error(f"{values} has a negative value", "keep to 0 <= x1 < x2 <= width, 0 <= y1 < y2 <= height")
    if x2 <= x1 or y2 <= y1:
        return error(f"{values} is reversed or empty", "write the upper left corner first: x1 < x2 and y1 < y2")
    width, height = size
    if x2 > width + MAX_OUTSIDE or y2 > height + MAX_OUTSIDE:
        where = f"the image of {width} x {height} pixels"
        return error(f"{values} lies outside of {where}", "draw it again on the image as a viewer shows it")
    clipped = [max(x1, 0.0), max(y1, 0.0), min(x2, float(width)), min(y2, float(height))]
    if clipped[2] <= clipped[0] or clipped[3] <= clipped[1]:
        return error(f"{values} has no part inside the image", "draw it again")
    if is_below_a_pixel(clipped):
        return error(f"{values} is smaller than a pixel", "write it in pixels, not in fractions of the image")
    if clipped != box:
        message = f"{values} sticks out of the image by up to a pixel and is clipped"
        return clipped, Problem("warning", path, row, message, "no need to act")
    return box, None


def check_recorded_size(path: Path, recorded: tuple[float, float] | None, size: tuple[float, float]) -> list[Problem]:
    """[`Problem`] where boxes were drawn on the image in another size, (width, height), than it has; None: not said.

    Width and height swapped is how some tools write the size of an image that a viewer turns.
    """
    if recorded is None or not math.isfinite(size[0]) or sorted(recorded) == sorted(size):
        return []
    message = "annotated on {:g} x {:g} pixels, but the image has {} x {}".format(*recorded, *size)
    return [
        Problem("error", path, None, message, "put the right image there, or use tools/importAnnotations.py: it scales")
    ]


def is_below_a_pixel(box: Sequence[float] | np.ndarray) -> bool:
    """Whether a box (x1, y1, x2, y2) in pixels is narrower or lower than a pixel: most likely it is in another unit."""
    return bool(min(box[2] - box[0], box[3] - box[1]) < MIN_BOX_SIDE)


def _check_label(path: Path, row: int, label: str, classes: Sequence[str]) -> Problem | None:
    known = (*classes, *IGNORED_LABELS)
    if label in known:
        return None
    return Problem("error", path, row, f'unknown class "{label}"', f"{_nearest(label[:100], known)}{', '.join(known)}")


@lru_cache
def _nearest(label: str, known: tuple[str, ...]) -> str:
    near = difflib.get_close_matches(label, known, n=1, cutoff=0.5)
    return (f'did you mean "{near[0]}"? ' if near else "") + "known: "


def refuse_errors(annotation: Annotation, problems: Sequence[Problem]) -> Annotation:
    """The annotation, for steps that need it whole: raises `UserError` with the first error, if there is one."""
    errors = [problem for problem in problems if problem.level == "error"]
    if errors:
        more = f" (and {len(errors) - 1} more in this image)" if len(errors) > 1 else ""
        raise UserError(f"{errors[0]}{more}. 0_checkDataset.py lists all problems")
    return annotation


def load_annotation(image_path: Path, size: tuple[float, float], classes: Sequence[str]) -> Annotation:
    """`read_annotation` without tolerance: raises `UserError` with the first error, if there is one."""
    return refuse_errors(*read_annotation(image_path, size, classes))
