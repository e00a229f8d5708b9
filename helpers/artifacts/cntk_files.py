"""The network's input files, which step 2 writes and step 3 reads, in the original tutorial's text formats.

cntkFiles/train.txt             imgIndex TAB path TAB 0
cntkFiles/train.rois.txt        imgIndex |rois x y w h x y w h ...   relative to the padded square, zeros at the end
cntkFiles/train.roilabels.txt   imgIndex |roiLabels 1 0 0 0 1 0 ...  one-hot, K + 1 numbers per ROI
cntkFiles/train.nrRois.txt      imgIndex TAB real ROIs TAB ground-truth boxes among them, which come first
                                TAB width TAB height of the image in pixels

Everything else in this project is in pixels of the image: relative coordinates exist in these files alone.
"""

import contextlib
from collections.abc import Iterable, Iterator, Sequence
from copy import copy
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Self, overload

import numpy as np

from fastRCNN.structures import Origin, Rois
from helpers.artifacts.number_text import WIDTH, fixed_point, parse_fixed_point
from helpers.artifacts.padded_square import PaddedSquare
from helpers.base.errors import UserError
from helpers.base.files import atomic_path
from helpers.base.images import MAX_SIDE, Size, image_size
from helpers.config.schema import Parameters

MAX_ROIS = 10**6  # of an image
TOLERANCE = 1e-6  # of relative coordinates, which have seven digits
SUFFIXES = (".txt", ".rois.txt", ".roilabels.txt", ".nrRois.txt")


@dataclass(frozen=True)
class RoiInput:
    """One image's entry in the input files: key, its path relative to the data set's folder; size in pixels; ROIs, its
    ground truth first; class ids (R,), 0 for background."""

    key: str
    size: Size
    rois: Rois
    class_ids: np.ndarray


def _exact_rois(relative: np.ndarray, nr_ground_truth: int, square: PaddedSquare) -> Rois:
    """ROIs exactly as they were before they were written.

    Ground truth may lie between pixels; proposals lie on whole pixels, which rounding recovers.
    """
    boxes = square.to_pixels(relative)
    proposals = np.round(boxes[nr_ground_truth:])
    return Rois.of(boxes[:nr_ground_truth], Origin.GROUND_TRUTH).then(Rois.of(proposals))


def input_paths(folder: Path, image_set: str) -> list[Path]:
    """The four files of an image set."""
    return [folder / f"{image_set}{suffix}" for suffix in SUFFIXES]


def write_inputs(
    folder: Path, image_set: str, entries: Iterable[RoiInput], padded: Size, nr_rois: int, nr_classes: int
) -> int:
    """Write the four files of an image set, image by image, so that memory does not grow with their number.

    Args:
        padded: size of the network's padded input, which relative coordinates refer to.
        nr_rois: ROIs per row, zero-padded.
        nr_classes: K + 1.

    Returns:
        The number of images.
    """
    paths = input_paths(folder, image_set)
    one_hot = np.full((nr_classes, 2 * nr_classes), ord("0"), np.uint8)  # " 1 0 0", " 0 1 0", ...
    one_hot[:, ::2], one_hot[range(nr_classes), range(1, 2 * nr_classes, 2)] = ord(" "), ord("1")
    count = 0
    with (
        atomic_path(paths[0]) as images, atomic_path(paths[1]) as rois,
        atomic_path(paths[2]) as labels, atomic_path(paths[3]) as counts,
        open(images, "w", encoding="utf-8", newline="\n") as image_file, open(rois, "wb") as roi_file,
        open(labels, "wb") as label_file, open(counts, "w", newline="\n") as count_file,
    ):  # fmt: skip
        for index, entry in enumerate(entries):
            missing = nr_rois - len(entry.rois)
            relative = PaddedSquare(*entry.size, *padded).to_relative(entry.rois.boxes)
            image_file.write(f"{index}\t{entry.key}\t0\n")
            roi_file.write(b"%d |rois%b%b\n" % (index, fixed_point(relative), b" 0" * (4 * missing)))
            one_hot_rows = one_hot[entry.class_ids].tobytes()
            label_file.write(b"%d |roiLabels%b%b\n" % (index, one_hot_rows, b" 0" * (nr_classes * missing)))
            counts_and_size = len(entry.rois), entry.rois.nr_ground_truth, *entry.size
            count_file.write("\t".join(map(str, (index, *counts_and_size))) + "\n")
            count += 1
    return count


class InputFiles(Sequence[RoiInput]):
    """The input files of an image set as a sequence of `RoiInput`, in the order of the files.

    An entry is read from the files when it is asked for, so memory holds one of them, whatever the number N of images:
    rows of 4000 ROIs are hundreds of kilobytes long, all of VOC 2007 would be gigabytes. Held are the short columns
    `keys` (list of N texts), `nr_rois` and `nr_ground_truth` (N,) int, and the places of the rows.
    Raises `UserError` naming file and row where the four files do not fit together, of the long rows when it gets to
    them.
    """

    def __init__(self, folder: Path, image_set: str, padded: Size, image_dir: Path) -> None:
        """Look into the files. padded: as in `write_inputs`; image_dir: of the images, whose sizes older files do not
        say."""
        self._padded, self._image_dir = padded, image_dir
        self._paths = input_paths(folder, image_set)
        self._ends = [_row_ends(path) for path in self._paths]
        self._require_equal_lengths()
        self._rows = np.arange(len(self._ends[0]))
        numbers = np.zeros((len(self._rows), 4), np.int64)
        self.keys: list[str] = []
        with contextlib.ExitStack() as stack:
            images, counts = (stack.enter_context(open(self._paths[i], encoding="utf-8", newline="\n")) for i in (0, 3))
            for row in range(len(self._rows)):
                with self._naming(row):
                    key, *numbers[row] = _parse_short(*(next(file).rstrip("\n") for file in (images, counts)))
                self.keys.append(key)
        self.nr_rois, self.nr_ground_truth, *_ = numbers.T
        self._sizes = numbers[:, 2:]  # (N, 2), 0 where the file does not say it
        self._last: tuple[int, RoiInput] | None = None  # several things are asked of an image one after the other

    def __len__(self) -> int:
        return len(self._rows)

    @overload
    def __getitem__(self, index: int) -> RoiInput: ...

    @overload
    def __getitem__(self, index: slice) -> "InputFiles": ...

    def __getitem__(self, index: int | slice) -> "RoiInput | InputFiles":
        if isinstance(index, slice):
            return self.take(np.arange(len(self))[index])
        row = int(self._rows[index])
        index = index % len(self)
        if not self._last or self._last[0] != index:
            with self._naming(row):
                self._last = index, self._read(index, row)
        return self._last[1]

    def _read(self, index: int, row: int) -> RoiInput:
        """The entry that stands in a row of the files."""
        roi_line, label_line = (_read_row(self._paths[i], self._ends[i], row) for i in (1, 2))
        relative, class_ids = _parse_long(row, roi_line, label_line, int(self.nr_rois[index]))
        width, height = self._sizes[index].tolist()
        size = (width, height) if width else image_size(self._image_dir / self.keys[index])[0]
        rois = _exact_rois(relative, int(self.nr_ground_truth[index]), PaddedSquare(size[0], size[1], *self._padded))
        return RoiInput(self.keys[index], size, rois, class_ids)

    def take(self, indices: np.ndarray) -> Self:
        """Some of the entries, as a sequence of the same kind; indices (M,) int."""
        some = copy(self)
        some._rows, some.nr_rois, some.nr_ground_truth, some._sizes = (
            column[indices] for column in (self._rows, self.nr_rois, self.nr_ground_truth, self._sizes)
        )
        some.keys, some._last = [self.keys[index] for index in indices], None
        return some

    def _require_equal_lengths(self) -> None:
        lengths = [len(ends) for ends in self._ends]
        least, most = int(np.argmin(lengths)), int(np.argmax(lengths))
        if lengths[least] < lengths[most]:
            raise UserError(
                f"{self._paths[least]}, row {lengths[least] + 1}: missing, {self._paths[most].name} has "
                f"{lengths[most]} rows; run 2_computeCntkInputs.py again"
            )

    @contextlib.contextmanager
    def _naming(self, row: int) -> Iterator[None]:
        """Errors in a row (from 0) become a `UserError` that names it."""
        try:
            yield
        except (ValueError, OSError) as error:
            raise UserError(f"{self._paths[0]}, row {row + 1}: {error}; run 2_computeCntkInputs.py again") from None


def read_inputs(params: Parameters, image_set: str) -> InputFiles:
    """The input files that step 2 wrote for an image set."""
    padded = params.cntk_padWidth, params.cntk_padHeight
    return InputFiles(params.cntk_files_dir, image_set, padded, params.image_dir)


def _row_ends(path: Path) -> np.ndarray:
    """Where each row of a file ends, in bytes from the start: (N,) int64."""
    try:
        with open(path, "rb") as file:
            return np.cumsum(np.fromiter(map(len, file), np.int64))
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); run 2_computeCntkInputs.py again") from error


def _read_row(path: Path, ends: np.ndarray, row: int) -> bytes:
    """A row of a file as bytes."""
    start = int(ends[row - 1]) if row else 0
    with open(path, "rb") as file:
        file.seek(start)
        return file.read(int(ends[row]) - start)


def _parse_short(image_line: str, count_line: str) -> tuple[str, int, int, int, int]:
    """The key of an image, how many ROIs and ground-truth boxes it has, its width and height, 0 where not said."""
    index, key, _ = image_line.split("\t")
    count_index, *columns = count_line.split("\t")
    if index != count_index:
        raise ValueError("image indices of the four files differ")
    if len(columns) not in (2, 4):
        raise ValueError(f"{len(columns) + 1} columns of numbers of ROIs, wanted 5")
    nr_rois, nr_ground_truth, *size = map(int, columns)
    if not 0 <= nr_ground_truth <= nr_rois <= MAX_ROIS:
        raise ValueError(f"{nr_rois} ROIs, {nr_ground_truth} of them ground truth")
    if not all(0 < side <= MAX_SIDE for side in size):
        raise ValueError(f"an image of {size[0]} x {size[1]} pixels")
    width, height = size or (0, 0)
    if "\0" in key or PurePosixPath(key).is_absolute() or ".." in PurePosixPath(key).parts:
        raise ValueError(f"{key[:100]!r} is no image of the data set")
    return key, nr_rois, nr_ground_truth, width, height


def _parse_rois(text: bytes, nr_rois: int) -> tuple[np.ndarray, int]:
    """The first ROIs of a row (R, 4), and how many there are with the padding."""
    real, padding = text[: 4 * nr_rois * WIDTH], text[4 * nr_rois * WIDTH :]
    numbers, nr_zeros = parse_fixed_point(real), padding.count(b" 0")
    is_padding = nr_zeros % 4 == 0 and padding.strip(b"\r\n") == b" 0" * nr_zeros
    if numbers is not None and len(numbers) == 4 * nr_rois and is_padding:
        return numbers.reshape(-1, 4), nr_rois + nr_zeros // 4
    rois = np.array(text.split(), dtype=np.float64).reshape(-1, 4)  # as other programs may write it
    return rois[:nr_rois], len(rois)


def _parse_long(index: int, roi_line: bytes, label_line: bytes, nr_rois: int) -> tuple[np.ndarray, np.ndarray]:
    """Relative ROIs (R, 4) and class ids (R,) of an image."""
    roi_index, roi_text = roi_line.split(b" |rois")
    label_index, label_text = label_line.split(b" |roiLabels")
    if not index == int(roi_index) == int(label_index):
        raise ValueError("image indices of the four files differ")
    rois, nr_rows = _parse_rois(roi_text, nr_rois)
    labels = np.frombuffer(label_text.translate(None, b" \r\n"), np.uint8).reshape(nr_rows, -1) - ord("0")
    if labels.max(initial=0) > 1 or (labels[:nr_rois].sum(axis=1) != 1).any():
        raise ValueError("the label of a ROI is not one 1 among 0")
    if len(rois) < nr_rois:
        raise ValueError(f"{len(rois)} ROIs, wanted {nr_rois}")
    if not ((rois >= -TOLERANCE).all() and (rois[:, :2] + rois[:, 2:] <= 1 + TOLERANCE).all()):  # also NaN
        raise ValueError("a ROI is not inside of the square")
    return rois, labels[:nr_rois].argmax(axis=1) if nr_rois else np.zeros(0, np.int64)
