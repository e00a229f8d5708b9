"""Hard-negative mining: of all ROIs of an image set, those that the SVMs still get wrong (R-CNN, section 2.3).

n ROIs, D features, K classes. The features of a ROI that is held come with one more number, the constant that the
intercept is the weight of.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Self

import numpy as np

from fastRCNN.linear_algebra import gram, product
from fastRCNN.structures import Rows


@dataclass(frozen=True)
class MinedRois:
    """ROIs inside the margin: targets (n, K) int8, places (n, 2) int64, which (image, ROI) each is, and ranks (n, 2),
    the worst least: minus the violation of the margin, then a random number."""

    targets: np.ndarray
    places: np.ndarray
    ranks: np.ndarray

    def __len__(self) -> int:
        return len(self.places)

    def take(self, rows: Rows) -> Self:
        """The ROIs of these rows."""
        return type(self)(*(getattr(self, column.name)[rows] for column in fields(self)))

    @classmethod
    def join(cls, parts: Sequence[Self]) -> Self:
        """One after the other; at least one."""
        return cls(*(np.concatenate([getattr(part, column.name) for part in parts]) for column in fields(cls)))

    def in_order(self) -> Self:
        """By image, then by ROI."""
        return self.take(np.lexsort([self.places[:, 1], self.places[:, 0]]))


class WorstRois:
    """The ROIs of least rank among all that were added, at most `limit`, and up to as many more."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.parts: list[MinedRois] = []

    def add(self, rois: MinedRois) -> None:
        """Take in the ROIs of an image."""
        self.parts.append(rois)
        if sum(map(len, self.parts)) > 2 * self.limit:
            self.parts = [self.worst(self.limit)]

    def worst(self, count: int) -> MinedRois:
        """The `count` of least rank, that one first."""
        rois = MinedRois.join(self.parts)
        return rois.take(np.lexsort(rois.ranks.T[::-1])[: max(count, 0)])


class HeldRois:
    """The ROIs that the SVMs train on, with what their dual problem needs.

    features (n, D + 1) float32; targets (n, K) and places (n, 2) as in `MinedRois`; gram (n, n): inner products of the
    features; dual (n, K): dual variables.
    """

    def __init__(self, nr_features: int, nr_classes: int) -> None:
        self.features = np.zeros((0, nr_features + 1), np.float32)
        self.targets = np.zeros((0, nr_classes), np.int8)
        self.places = np.zeros((0, 2), np.int64)
        self.gram = np.zeros((0, 0), np.float32)
        self.dual = np.zeros((0, nr_classes), np.float32)

    def __len__(self) -> int:
        return len(self.features)

    def add(self, rois: MinedRois, features: np.ndarray) -> None:
        """Append m ROIs with their features (m, D + 1)."""
        held = len(self)
        both = np.empty((held + len(rois),) * 2, np.float32)  # filled piece by piece: it is the largest thing in memory
        both[:held, :held], both[held:, held:] = self.gram, gram(features)
        both[:held, held:] = product(self.features, features.T)
        both[held:, :held] = both[:held, held:].T
        self.gram = both
        self.features = np.concatenate([self.features, features])
        self.targets = np.concatenate([self.targets, rois.targets])
        self.places = np.concatenate([self.places, rois.places])
        self.dual = np.concatenate([self.dual, np.zeros(rois.targets.shape, np.float32)])

    def keep(self, mask: np.ndarray) -> None:
        """Forget all ROIs but those of the mask (n,)."""
        self.features, self.targets, self.places = self.features[mask], self.targets[mask], self.places[mask]
        self.gram, self.dual = self.gram[np.ix_(mask, mask)], self.dual[mask]

    def of_image(self, index: int) -> np.ndarray:
        """Indices of the ROIs of one image that are held."""
        return self.places[self.places[:, 0] == index, 1]
