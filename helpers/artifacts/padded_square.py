"""Relative coordinates, as the network's input files have them: in units of the square that an image is padded to."""

from dataclasses import dataclass

import numpy as np


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
    def factor(self) -> float:
        return min(self.pad_width / self.width, self.pad_height / self.height)

    @property
    def _offset(self) -> np.ndarray:
        scaled = np.array([self.width, self.height]) * self.factor
        return (np.array([self.pad_width, self.pad_height]) - scaled) / 2

    def to_relative(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes in pixels of the image (N, 4) -> x, y, w, h in [0, 1] of the square (N, 4) float64."""
        boxes = np.asarray(boxes, dtype=np.float64).reshape(-1, 4)
        square = np.array([self.pad_width, self.pad_height])
        corner = (boxes[:, :2] * self.factor + self._offset) / square
        return np.hstack([corner, (boxes[:, 2:] - boxes[:, :2]) * self.factor / square])

    def to_pixels(self, relative: np.ndarray) -> np.ndarray:
        """The inverse of `to_relative`: (N, 4) -> (N, 4) float32."""
        relative = np.asarray(relative, dtype=np.float64).reshape(-1, 4)
        square = np.array([self.pad_width, self.pad_height])
        corner = (relative[:, :2] * square - self._offset) / self.factor
        return np.hstack([corner, corner + relative[:, 2:] * square / self.factor]).astype(np.float32)
