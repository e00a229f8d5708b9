"""Precision and recall by score threshold: what a detector finds, and what it makes up, when only so much is shown."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from fastRCNN.evaluation import Curve, precision_recall
from fastRCNN.structures import Detections, GroundTruth


@dataclass(frozen=True)
class ThresholdCounts:
    """Of K classes at T score thresholds: detections that reach the threshold, and the right ones among them.

    thresholds (T,) float32, rising; detections (K, T) int, without those on ignored objects; right (K, T) int;
    nr_objects (K,) int. Where there is no detection the precision is NaN, where there is no object the recall.
    """

    thresholds: np.ndarray
    detections: np.ndarray
    right: np.ndarray
    nr_objects: np.ndarray

    def by_class(self) -> tuple[np.ndarray, np.ndarray]:
        """Precision (K, T) and recall (K, T)."""
        return _ratio(self.right, self.detections), _ratio(self.right, self.nr_objects[:, None])

    def pooled(self) -> tuple[np.ndarray, np.ndarray]:
        """Precision (T,) and recall (T,) of all classes taken together, every object counting the same."""
        right = self.right.sum(axis=0)
        return _ratio(right, self.detections.sum(axis=0)), _ratio(right, self.nr_objects.sum())


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    part, whole = np.broadcast_arrays(np.asarray(part, np.float64), whole)
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def class_curves(
    detections: Sequence[Detections], truths: Sequence[GroundTruth], nr_classes: int, overlap: float = 0.5
) -> list[Curve]:
    """The precision-recall curve of each class 1..K; detections, truths, overlap as in `precision_recall`."""
    return [precision_recall(detections, truths, class_id, overlap) for class_id in range(1, nr_classes + 1)]


def count_by_threshold(curves: Sequence[Curve], thresholds: Iterable[float]) -> ThresholdCounts:
    """Count what reaches each of the thresholds (T,). curves: one per class."""
    thresholds = np.sort(np.asarray(thresholds, np.float32))
    detections = np.zeros((len(curves), len(thresholds)), dtype=np.int64)
    right = np.zeros_like(detections)
    for row, curve in enumerate(curves):
        detections[row] = len(curve.scores) - np.searchsorted(curve.scores[::-1], thresholds, side="left")
        right[row] = np.append(0, _hits(curve))[detections[row]]
    return ThresholdCounts(thresholds, detections, right, np.array([curve.nr_objects for curve in curves], dtype=int))


def _hits(curve: Curve) -> np.ndarray:
    """Right detections among the best 1, 2, ... N: (N,) int."""
    return np.rint(curve.precision * np.arange(1, len(curve.precision) + 1)).astype(np.int64)


def round_thresholds(curves: Sequence[Curve], count: int = 20) -> np.ndarray:
    """About `count` thresholds in round, even steps, from the worst right detection to the best detection of all.

    Below the worst right detection only false ones are added. Empty where there is no detection.
    """
    scores = np.concatenate([curve.scores for curve in curves])
    if len(scores) == 0:
        return np.zeros(0, np.float32)
    right = np.concatenate([curve.scores[np.diff(_hits(curve), prepend=0) > 0] for curve in curves])
    low, high = float((right if len(right) else scores).min()), float(scores.max())
    least_step = max(high - low, 0.1 * max(1.0, abs(high))) / count
    unit = 10.0 ** np.floor(np.log10(least_step))
    step = next(factor * unit for factor in (1, 2, 2.5, 5, 10) if factor * unit >= least_step * (1 - 1e-9))
    multiples = np.arange(np.floor(low / step), np.floor(high / step) + 1)
    return (multiples * step).astype(np.float32)


def lowest_threshold(curves: Sequence[Curve], wanted_precision: float) -> float | None:
    """The lowest score threshold at which the pooled precision reaches the wanted one; None where none does.

    Of all thresholds that let the same detections pass, the lowest with the fewest decimals.
    """
    scores = np.unique(np.concatenate([curve.scores for curve in curves]))  # every threshold that makes a difference
    precision, _ = count_by_threshold(curves, scores).pooled()
    enough = np.flatnonzero(precision >= wanted_precision)
    if len(enough) == 0:
        return None
    first = enough[0]
    return _roundest(scores[first - 1] if first else -np.inf, scores[first])


def _roundest(above: float, at_most: float) -> float:
    """The lowest number with the fewest decimals in (above, at_most], as comparisons with float32 scores see it."""
    for digits in range(8):
        below = np.floor(np.float64(above if np.isfinite(above) else at_most - 1) * 10**digits)
        for value in ((below + 1) / 10**digits, (below + 2) / 10**digits):  # the first may round to `above`
            if above < np.float32(value) <= at_most:
                return float(value)
    return float(at_most)
