"""Which ROIs of an image a training step looks at: few of the many, a quarter of them positives."""

from dataclasses import dataclass

import numpy as np

from fastRCNN.settings import knob
from fastRCNN.targets import RoiTargets


@dataclass(frozen=True)
class SamplingSettings:
    """ROIs of an image, the share of them that are positives at most, and the least IoU of preferred background."""

    rois_per_image: int = knob("nn_roisPerImage")
    foreground_fraction: float = knob("nn_foregroundFraction")
    background_low: float = knob("nn_negOverlapMin")


def sample_rois(targets: RoiTargets, settings: SamplingSettings, random: np.random.Generator) -> np.ndarray:
    """Rows (n,) of the targets, positives first (Fast R-CNN, section 2.3, "Mini-batch sampling").

    Background is taken from ROIs that overlap an object a little, which are the hard ones; where they are too few, from
    the others as well. Fewer than `rois_per_image` where the image has no more.
    """
    background = targets.labels == 0
    near = targets.overlaps >= settings.background_low
    positives = np.flatnonzero(targets.labels > 0)
    positives = _some(positives, round(settings.foreground_fraction * settings.rois_per_image), random)
    wanted = settings.rois_per_image - len(positives)
    hard = _some(np.flatnonzero(background & near), wanted, random)
    easy = _some(np.flatnonzero(background & ~near), wanted - len(hard), random)
    return np.concatenate([positives, hard, easy])


def _some(rows: np.ndarray, count: int, random: np.random.Generator) -> np.ndarray:
    return rows if len(rows) <= count else random.choice(rows, count, replace=False)
