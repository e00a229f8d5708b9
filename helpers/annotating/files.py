"""The images of a folder and what is marked on them so far; every change is written at once.

Boxes are written before their labels. While an image is unfinished its first boxes have labels and the rest has none;
at whatever moment a script is killed, the rows of NAME.bboxes.labels.tsv belong to the first rows of NAME.bboxes.tsv.
"""

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from helpers.annotating.geometry import Box, tidy_box
from helpers.base.errors import UserError
from helpers.base.files import read_lines, write_text
from helpers.base.images import IMAGE_SUFFIXES, Size, image_size
from helpers.base.tables import counted
from helpers.dataset.annotations import annotation_path, write_annotation
from helpers.dataset.image_files import list_folder_images
from helpers.formats.own_layout import ANNOTATED_SUBDIRS, BOX_SUFFIXES, LABEL_SUFFIXES


@dataclass(frozen=True)
class Marks:
    """Boxes, tuples (x1, y1, x2, y2) in pixels of the image as displayed, and the labels of the first of them.

    None means that there is no file; an image without objects has both files, empty ones.
    """

    boxes: tuple[Box, ...] | None = None
    labels: tuple[str, ...] | None = None

    @property
    def drawn(self) -> tuple[Box, ...]:
        """The boxes, none where there is no file."""
        return self.boxes or ()

    def label(self, index: int) -> str | None:
        """The label of a box, or None while it has none."""
        return self.labels[index] if self.labels and index < len(self.labels) else None

    def with_box(self, box: Box) -> "Marks":
        """One more box, the last."""
        return replace(self, boxes=(*self.drawn, tuple(box)))

    def with_box_at(self, index: int, box: Box) -> "Marks":
        """Another box in the place of one; its label stays."""
        return replace(self, boxes=(*self.drawn[:index], tuple(box), *self.drawn[index + 1 :]))

    def without_box(self, index: int) -> "Marks":
        """One box less, and its label with it."""
        boxes = self.drawn[:index] + self.drawn[index + 1 :]
        labels = self.labels and self.labels[:index] + self.labels[index + 1 :]
        return Marks(boxes, labels) if boxes else NO_OBJECTS

    def with_label(self, index: int, label: str) -> "Marks":
        """A label for a box that has one, or for the first that has none."""
        labels = self.labels or ()
        return replace(self, labels=(*labels[:index], label, *labels[index + 1 :]))


NO_OBJECTS = Marks((), ())


@dataclass
class MarkedImage:
    """An image of (width, height) = `size` pixels as displayed; `tidied`: boxes that were not in order in the file."""

    path: Path
    size: Size
    marks: Marks
    tidied: int = 0


def read_folder(folder: Path | str) -> list[MarkedImage]:
    """All images of a folder in natural order, with what is marked on them: list of `MarkedImage`.

    Boxes that are reversed or stick out of their image are put in order, but not written.

    Raises:
        UserError: for a folder that is missing, has no image or cannot be written to, for an image without a readable
            head, for a row that is not four numbers, and for labels without boxes.
    """
    folder = Path(os.path.expanduser(folder))
    if not folder.is_dir():
        raise UserError(f"{folder}: no such folder; name the one with the images")
    if not folder.name or folder.name == "..":
        folder = Path(os.path.abspath(folder))
    images = list_folder_images(folder.parent, (folder.name,)) if folder.name else []
    if not images:
        parts = [str(folder / name) for name in ANNOTATED_SUBDIRS if (folder / name).is_dir()]
        hint = f"did you mean {' or '.join(parts)}?" if parts else f"put some in it ({', '.join(IMAGE_SUFFIXES)})"
        raise UserError(f"{folder}: no image in this folder; {hint}")
    if not os.access(folder, os.W_OK):
        raise UserError(f"{folder}: cannot be written to; the boxes are kept beside the images")
    return [_read_image(image.path) for image in images]


def _read_image(path: Path) -> MarkedImage:
    size, _ = image_size(path)
    box_path, label_path = annotation_path(path, BOX_SUFFIXES), annotation_path(path, LABEL_SUFFIXES)
    found = [_parse_box(box_path, row, text) for row, text in _rows(box_path)] if box_path.exists() else None
    labels = tuple(text for _, text in _rows(label_path)) if label_path.exists() else None
    if labels and len(labels) > len(found or ()):
        raise UserError(
            f"{label_path}: {counted(len(labels), 'label')} for {counted(len(found or ()), 'box')} in {box_path.name}; "
            "delete the rows too many, or the file, and name the boxes again with A2_annotateLabels.py"
        )
    if found is None:
        return MarkedImage(path, size, Marks(None, labels))
    boxes = tuple(tidy_box(box, size) for box in found)
    tidied = sum(box != before for box, before in zip(boxes, found, strict=True))
    return MarkedImage(path, size, Marks(boxes, labels), tidied)


def _rows(path: Path) -> list[tuple[int, str]]:
    """(row number, text) of all rows but blank ones at the end."""
    lines = [line.strip() for line in read_lines(path)]
    while lines and not lines[-1]:
        lines.pop()
    return list(enumerate(lines, start=1))


def _parse_box(path: Path, row: int, text: str) -> Box:
    try:
        box = tuple(float(field) for field in (text.split("\t") if "\t" in text else text.split()))
    except ValueError:
        box = ()
    if len(box) != 4 or not all(map(math.isfinite, box)):
        raise UserError(f'{path}, row {row}: "{text}" is not four numbers; write x1 TAB y1 TAB x2 TAB y2 in pixels')
    return box


def save_marks(image_path: Path, before: Marks, after: Marks) -> None:
    """Write what changed from one `Marks` to another

    Each file is written at once or not at all. Labels that belong to other boxes afterwards are taken off the file
    first, so that no label ever stands in the row of another box. A file with the other suffix from which the marks
    were read goes: beside the new one it would be out of date.

    Raises:
        UserError: where it cannot be written.
    """
    old_boxes, old_labels = (annotation_path(image_path, suffixes) for suffixes in (BOX_SUFFIXES, LABEL_SUFFIXES))
    box_path, label_path = (
        image_path.with_name(image_path.stem + names[0]) for names in (BOX_SUFFIXES, LABEL_SUFFIXES)
    )
    written = before.labels
    try:
        if before.boxes != after.boxes:
            pairs = zip(before.labels or (), after.labels or (), strict=False)
            kept = next((i for i, (old, new) in enumerate(pairs) if old != new), None)
            kept = min(len(before.labels or ()), len(after.labels or ())) if kept is None else kept
            if written and kept < len(written):
                written = written[:kept]
                _write_labels(label_path, written)
            if after.boxes is None:
                box_path.unlink(missing_ok=True)
            else:
                write_annotation(image_path, after.boxes)
            _remove_other(old_boxes, box_path)
        if after.labels is None:
            label_path.unlink(missing_ok=True)
        elif after.labels != written:
            _write_labels(label_path, after.labels)
        if before.labels != after.labels:
            _remove_other(old_labels, label_path)
    except OSError as error:
        raise UserError(f"{error.filename or image_path}: cannot be written ({error.strerror})") from error


def _remove_other(old: Path, new: Path) -> None:
    if old != new:
        old.unlink(missing_ok=True)


def _write_labels(path: Path, labels: Sequence[str]) -> None:
    write_text(path, "".join(f"{label}\n" for label in labels))
