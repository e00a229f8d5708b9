"""The files between steps 1, 2 and 3, in the original tutorial's text formats.

rois/<subdir>/<image>.roi.txt   x1 TAB y1 TAB x2 TAB y2, whole pixels, one ROI a row
cntkFiles/train.txt             imgIndex TAB path TAB 0
cntkFiles/train.rois.txt        imgIndex |rois x y w h x y w h ...   relative to the padded square, zeros at the end
cntkFiles/train.roilabels.txt   imgIndex |roiLabels 1 0 0 0 1 0 ...  one-hot, K + 1 numbers a ROI
cntkFiles/train.nrRois.txt      imgIndex TAB real ROIs TAB true boxes among them, which come first
"""

from dataclasses import dataclass
from functools import partial
from itertools import zip_longest

import numpy as np

from helpers.errors import UserError
from helpers.files import atomic_path, read_arrays, read_lines, write_text

SUFFIXES = (".txt", ".rois.txt", ".roilabels.txt", ".nrRois.txt")


def roi_path(roi_dir, image):
    """Where step 1 writes the ROIs of an image."""
    return roi_dir / image.subdir / f"{image.stem}.roi.txt"


def write_rois(path, rois):
    """Write ROIs (R, 4) int."""
    write_text(path, "".join("\t".join(map(str, roi)) + "\n" for roi in rois.tolist()))


def read_rois(path):
    """Read ROIs as float32 (R, 4); raises `UserError` naming file and row."""
    rois = []
    for row, line in enumerate(_read(read_lines, path, "1_computeRois.py"), start=1):
        try:
            x1, y1, x2, y2 = map(int, line.split("\t"))
        except ValueError:
            raise UserError(
                f'{path}, row {row}: "{line}" is not four whole numbers; delete the file and run 1_computeRois.py again'
            ) from None
        rois.append((x1, y1, x2, y2))
    return np.array(rois, np.float32).reshape(-1, 4)


def _read(reader, path, step):
    """What `reader` makes of a file; where it cannot, the error says which step writes the file anew."""
    try:
        return reader(path)
    except UserError as error:
        raise UserError(f"{error}; delete it, if it is there, and run {step} again") from error


@dataclass(frozen=True)
class PaddedSquare:
    """How an image of width x height pixels lies in the network's padded input: scaled by `factor`, centred.

    The original tutorial's relative coordinates refer to this square. Nothing is ever computed on its padding.
    """

    width: int
    height: int
    pad_width: int
    pad_height: int

    @property
    def factor(self):
        return min(self.pad_width / self.width, self.pad_height / self.height)

    @property
    def _offset(self):
        scaled = np.array([self.width, self.height]) * self.factor
        return (np.array([self.pad_width, self.pad_height]) - scaled) / 2

    def to_relative(self, boxes):
        """Boxes in pixels of the image (N, 4) -> x, y, w, h in [0, 1] of the square (N, 4) float64."""
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        square = np.array([self.pad_width, self.pad_height])
        corner = (boxes[:, :2] * self.factor + self._offset) / square
        return np.hstack([corner, (boxes[:, 2:] - boxes[:, :2]) * self.factor / square])

    def to_pixels(self, relative):
        """The inverse of `to_relative`: (N, 4) -> (N, 4) float32."""
        relative = np.asarray(relative, dtype=np.float64).reshape(-1, 4)
        square = np.array([self.pad_width, self.pad_height])
        corner = (relative[:, :2] * square - self._offset) / self.factor
        return np.hstack([corner, corner + relative[:, 2:] * square / self.factor]).astype(np.float32)


@dataclass(frozen=True)
class RoiInput:
    """One image's entry in the input files: path relative to the data set's folder; relative ROIs (R, 4), true boxes
    first; class ids (R,), 0 for background; the number of true boxes among the ROIs."""

    key: str
    rois: np.ndarray
    class_ids: np.ndarray
    nr_truth: int

    def pixel_rois(self, square):
        """The ROIs in pixels of the image (R, 4) float32, exactly as they were before they were written.

        True boxes may lie between pixels; all other ROIs are whole pixels, which rounding recovers.
        """
        boxes = square.to_pixels(self.rois)
        boxes[self.nr_truth :] = np.round(boxes[self.nr_truth :])
        return boxes


def write_inputs(folder, image_set, entries, nr_rois, nr_classes):
    """Write the four files of an image set, image by image, so that memory does not grow with their number.

    entries: iterable of `RoiInput`; nr_rois: ROIs a row, zero-padded; nr_classes: K + 1. Returns the number of images.
    """
    paths = [folder / f"{image_set}{suffix}" for suffix in SUFFIXES]
    one_hot = [" ".join("1" if i == k else "0" for i in range(nr_classes)) for k in range(nr_classes)]
    padding = (" " + " ".join(["0"] * 4), " " + " ".join(["0"] * nr_classes))
    count = 0
    with (
        atomic_path(paths[0]) as images, atomic_path(paths[1]) as rois,
        atomic_path(paths[2]) as labels, atomic_path(paths[3]) as counts,
        open(images, "w", encoding="utf-8", newline="\n") as image_file, open(rois, "w", newline="\n") as roi_file,
        open(labels, "w", newline="\n") as label_file, open(counts, "w", newline="\n") as count_file,
    ):  # fmt: skip
        for index, entry in enumerate(entries):
            missing = nr_rois - len(entry.rois)
            numbers = " ".join(f"{value:.7f}" for value in entry.rois.ravel())
            image_file.write(f"{index}\t{entry.key}\t0\n")
            roi_file.write(f"{index} |rois {numbers}{padding[0] * missing}\n")
            label_file.write(
                f"{index} |roiLabels {' '.join(one_hot[k] for k in entry.class_ids)}{padding[1] * missing}\n"
            )
            count_file.write(f"{index}\t{len(entry.rois)}\t{entry.nr_truth}\n")
            count += 1
    return count


def read_inputs(folder, image_set):
    """Read the input files of an image set, image by image: yields `RoiInput` in the order of the files.

    Raises `UserError` naming file and row where the four files do not fit together.
    """
    paths = [folder / f"{image_set}{suffix}" for suffix in SUFFIXES]
    images, rois, labels, counts = (map(str.rstrip, _open(path)) for path in paths)
    for row, lines in enumerate(zip_longest(images, rois, labels, counts, fillvalue=""), start=1):
        try:
            yield _parse(*lines)
        except ValueError as error:
            raise UserError(f"{paths[0]}, row {row}: {error}; run 2_computeCntkInputs.py again") from None


def _open(path):
    try:
        with open(path, encoding="utf-8") as file:
            yield from file
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror}); run 2_computeCntkInputs.py again") from error


def _parse(image_line, roi_line, label_line, count_line):
    index, key, _ = image_line.split("\t")
    count_index, nr_real, nr_truth = count_line.split("\t")
    roi_index, roi_text = roi_line.split(" |rois")
    label_index, label_text = label_line.split(" |roiLabels")
    if not index == count_index == roi_index == label_index:
        raise ValueError("image indices of the four files differ")
    rois = np.array(roi_text.split(), dtype=np.float64).reshape(-1, 4)
    labels = np.array(label_text.split(), dtype=np.int8).reshape(len(rois), -1)
    real = int(nr_real)
    return RoiInput(key, rois[:real], labels[:real].argmax(axis=1) if real else np.zeros(0, np.int64), int(nr_truth))


def feature_path(folder, image_set, classifier, index):
    """Where step 3 writes the features of an image."""
    return folder / f"{image_set}_{classifier}_parsed" / f"{index}.dat.npz"


def read_features(path, nr_rois, name="arr_0"):
    """Features (R, D) float16 of an image with `nr_rois` ROIs; name: "arr_0", or "mirrored" for its mirror image.

    Raises `UserError` for another number of rows.
    """
    features = _read(partial(read_arrays, names=(name,)), path, "3_runNetwork.py").get(name)
    if features is None or features.ndim != 2 or len(features) != nr_rois:
        shape = f"no {name}" if features is None else features.shape
        raise UserError(
            f"{path}: holds {shape}, wanted {nr_rois} rows of features; delete it and run 3_runNetwork.py again"
        )
    return features


def read_predictions(path, nr_rois, nr_classes):
    """Probabilities (R, K + 1) and offsets (R, K, 4) of an image, which a trained network gave its ROIs.

    Raises `UserError` where they are not there in these shapes.
    """
    arrays = _read(read_arrays, path, "3_runNetwork.py")
    shapes = {name: array.shape for name, array in arrays.items()}
    if shapes != {"arr_0": (nr_rois, nr_classes + 1), "offsets": (nr_rois, 4 * nr_classes)}:
        raise UserError(
            f"{path}: holds {shapes}, wanted {nr_rois} rows for {nr_classes} classes; delete it and run "
            "3_runNetwork.py again"
        )
    return arrays["arr_0"], arrays["offsets"].reshape(nr_rois, nr_classes, 4)
