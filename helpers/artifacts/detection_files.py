"""Detections of an image set as a text file, written by 5_evaluate.py and read by 5_visualize.py.

A head line, then one detection per row: image, label, score, x1, y1, x2, y2, kept. `kept` is 1 for what non-maximum
suppression left, 0 for what it removed; removed ones are listed from the score on that pictures show. Rows are sorted
by score within an image; numbers are written so that they read back exactly.
"""

import math
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path

import numpy as np

from fastRCNN.structures import Candidates, Detections
from helpers.base.errors import UserError
from helpers.base.files import atomic_path, require_file
from helpers.config.schema import Parameters

HEAD = ("image", "label", "score", "x1", "y1", "x2", "y2", "kept")

Row = tuple[tuple[float, ...], float, int, bool]  # box, score, class id, kept


def detection_path(params: Parameters) -> Path:
    """Where 5_evaluate.py writes the detections of the image set."""
    return params.detections_dir / f"{params.imageSet}_{params.classifier}.tsv"


def detection_rows(key: str, candidates: Candidates, all_classes: Sequence[str]) -> Iterator[str]:
    """Text rows of one image's detections."""
    found = candidates.all
    for box, score, class_id, keep in zip(found.boxes, found.scores, found.class_ids, candidates.is_kept, strict=True):
        numbers = (np.format_float_positional(value, unique=True, trim="-") for value in (score, *box))
        yield "\t".join([key, all_classes[class_id], *numbers, str(int(keep))])


def write_detections(path: Path, rows: Iterable[str]) -> None:
    """Write rows of `detection_rows`, of as many images as there are, one after the other."""
    with atomic_path(path) as temporary, open(temporary, "w", encoding="utf-8", newline="\n") as file:
        file.write("\t".join(HEAD) + "\n")
        file.writelines(row + "\n" for row in rows)


def prepare_to_write(path: Path) -> None:
    """Make the folder for a file of detections.

    Raises:
        UserError: where `path` is a file of another kind.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    if os.path.lexists(path):
        require_file(path, math.inf, "name another place for the detections")
        with open(path, "rb") as file:
            if file.readline(200).rstrip(b"\r\n") != "\t".join(HEAD).encode():
                raise UserError(f"{path}: is there already and holds no detections; name another file")


def read_detections(path: Path, all_classes: Sequence[str]) -> Iterator[tuple[str, Candidates]]:
    """Yield the key and the candidates of one image after the other, in the order of the file.

    Images without a row are not there.

    Raises:
        UserError: naming file and row.
    """
    for key, rows in groupby(_parsed_rows(path, all_classes), key=itemgetter(0)):
        yield key, _candidates([row for _, row in rows])


def _parsed_rows(path: Path, all_classes: Sequence[str]) -> Iterator[tuple[str, Row]]:
    ids = {name: index for index, name in enumerate(all_classes)}
    try:
        with open(path, encoding="utf-8") as file:
            if next(file, "").rstrip("\n").split("\t") != list(HEAD):
                raise UserError(f"{path}, row 1: not the head of a file of detections; run 5_evaluate.py again")
            for number, line in enumerate(file, start=2):
                try:
                    yield _parsed_row(line.rstrip("\n"), ids)
                except (ValueError, KeyError) as error:
                    message = f"not a detection ({error}); run 5_evaluate.py again"
                    raise UserError(f"{path}, row {number}: {message}") from None
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); run 5_evaluate.py again") from error
    except UnicodeDecodeError as error:
        raise UserError(f"{path}: not UTF-8 text (byte {error.start}); run 5_evaluate.py again") from error


def _parsed_row(line: str, ids: Mapping[str, int]) -> tuple[str, Row]:
    key, label, *numbers, kept = line.split("\t")
    score, x1, y1, x2, y2 = map(float, numbers)
    limit = float(np.finfo(np.float32).max)
    if not (abs(score) <= limit and -limit <= x1 <= x2 <= limit and -limit <= y1 <= y2 <= limit):
        raise ValueError("score and corners must be finite, x1 y1 the upper left one")
    if kept not in ("0", "1") or ids[label] == 0:
        raise ValueError("kept must be 0 or 1, and the label a class")
    return key, ((x1, y1, x2, y2), score, ids[label], kept == "1")


def _candidates(rows: Sequence[Row]) -> Candidates:
    boxes, scores, class_ids, kept = zip(*rows, strict=True)
    found = Detections(np.array(boxes, np.float32), np.array(scores, np.float32), np.array(class_ids, np.int64))
    return Candidates(found, np.array(kept))
