"""One linear SVM per class, trained with hard-negative mining (R-CNN, section 2.3 and appendix B).

The objective is that of scikit-learn's `LinearSVC`. Nearly all ROIs of an image set lie far on the right side of the
margin, where the loss and its gradient are zero: leaving them out changes nothing. Mining therefore trains on a few
ROIs, looks through all images for those that violate the margin most, adds them, and repeats until there are none: the
solution is then the one that training on everything gives, from a small part of the ROIs.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Protocol

import numpy as np

from fastRCNN.hard_negatives import HeldRois, MinedRois, WorstRois
from fastRCNN.linear_algebra import as_float32, as_numbers, in_blocks, product
from fastRCNN.settings import knob
from fastRCNN.svm_solver import solve_dual

TOLERANCE = 0.005  # in units of the margin: a ROI that violates it by less is not inside
MAX_ROWS = 20_000  # ROIs that are held at most: their inner products are 1.6 GB, and as much again while some are added
MAX_POSITIVES = 10_000  # of them positives, of all classes together


@dataclass(frozen=True)
class SvmSettings:
    """Knobs of the objective (C, intercept_scaling, loss "l1" hinge or "l2" squared hinge, positive_weight, all as in
    `LinearSVC`), the norm that features are scaled to, and the mining: rounds at most, new ROIs a round at most, and
    the signed margin beyond which a held ROI that no class needs is forgotten."""

    C: float = knob("svm_C")
    intercept_scaling: float = knob("svm_B")
    loss: str = knob("svm_loss")
    positive_weight: float | str = knob("svm_posWeight")
    target_norm: float = knob("svm_targetNorm")
    max_rounds: int = knob("svm_nrEpochs")
    retrain_limit: int = knob("svm_retrainLimit")
    evict_threshold: float = knob("svm_evictThreshold")
    seed: int = knob("seed")


@dataclass(frozen=True)
class LinearSvms:
    """K one-against-rest classifiers on features * scale: weights (K, D), biases (K,), float32; scale: a float."""

    weights: np.ndarray
    biases: np.ndarray
    scale: float

    def scores(self, features: np.ndarray) -> np.ndarray:
        """Signed distance to each hyperplane in units of the margin: (R, D) -> (R, K) float32."""
        return product(as_numbers(features), self.weights.T * np.float32(self.scale)) + self.biases


@dataclass(frozen=True)
class TrainingImage:
    """One image's ROIs: features (R, D); targets (R, K) int8, 1 positive, -1 negative, 0 neither."""

    features: np.ndarray
    targets: np.ndarray


class Learned(Protocol):
    """An image to learn from, such as a `TrainingImage`; one that reads only what is asked for spares time."""

    @property
    def features(self) -> np.ndarray: ...
    @property
    def targets(self) -> np.ndarray: ...


class TrainingImages(Protocol):
    """What `train_svms` learns from, at least one image. A list will do; a lazy one keeps memory bounded."""

    def __getitem__(self, index: int, /) -> Learned: ...

    def __iter__(self) -> Iterator[Learned]: ...


def scaled(features: np.ndarray, scale: float) -> np.ndarray:
    """Features as float32 times the scale: (R, D) -> (R, D)."""
    return np.asarray(features).astype(np.float32) * np.float32(scale)


def _norms(features: np.ndarray) -> np.ndarray:
    """The L2 norms of rows (R, D): (R,) float32."""
    norms = np.empty(len(features), np.float32)

    def compute(rows: slice) -> None:
        block = features[rows]
        block = as_float32(block) if block.dtype == np.float16 else block
        norms[rows] = np.sqrt(np.einsum("rd,rd->r", block, block))

    in_blocks(len(features), compute)
    return norms


def feature_scale(images: Iterable[Learned], target_norm: float) -> float:
    """The factor that gives the features of all ROIs the mean L2 norm `target_norm` (R-CNN's released code: 20)."""
    total, count = 0.0, 0
    for image in images:
        total += float(_norms(as_numbers(image.features)).sum(dtype=np.float64))
        count += len(image.features)
    return target_norm * count / total if total else 1.0


@dataclass(frozen=True)
class _Problem:
    """What all rounds of mining share: settings, the features' scale, and the numbers of positives and negatives of
    each class in the image set, counts (2, K)."""

    settings: SvmSettings
    scale: float
    counts: np.ndarray

    @property
    def trainable(self) -> np.ndarray:
        """Classes (K,) bool that have both."""
        return np.all(self.counts, axis=0)

    @cached_property
    def share(self) -> np.ndarray:
        """The share of each class's positives that is trained on (K,): 1, unless all together exceed `MAX_POSITIVES`.

        Then every class gets the same number, and what small classes do not need, the others share.
        """
        positives = self.counts[0]
        order = np.sort(positives)
        room = MAX_POSITIVES - (np.cumsum(order) - order)  # for this class and all larger ones
        equal = room / np.arange(len(order), 0, -1)
        most = next((number for number, has in zip(equal, order, strict=True) if has > number), np.inf)
        return np.minimum(1.0, most / np.maximum(positives, 1))

    def targets(self, image: Learned, index: int) -> np.ndarray:
        """Targets (R, K) of an image, 0 where the class cannot be trained or the positive is not trained on.

        Which are not follows from the seed and the image's index: the same ones every time.
        """
        targets = image.targets * self.trainable
        if (self.share < 1).any():
            draw = np.random.default_rng([self.settings.seed, index]).random(targets.shape)
            targets[(targets > 0) & (draw >= self.share)] = 0
        return targets

    def costs(self) -> tuple[np.ndarray, np.ndarray]:
        """The weight of a margin error of a positive and of a negative, by class: (K,) and (K,).

        "balanced" goes by the numbers in the whole image set, and a positive stands for those that are not trained on.
        """
        positive, negative = np.ones(self.counts.shape)
        if self.settings.positive_weight == "balanced":
            positive, negative = self.counts.sum(axis=0) / (2 * np.maximum(self.counts, 1))
        else:
            positive = positive * self.settings.positive_weight
        return self.settings.C * positive / self.share, self.settings.C * negative


def train_svms(
    images: TrainingImages, settings: SvmSettings, progress: Callable[[str], None] | None = None
) -> LinearSvms:
    """Train one SVM per class by rounds of hard-negative mining.

    A class without positives or without negatives scores every ROI minus infinity: it is never found. Decision values
    are within a hundredth of a margin or so of the exact solution, see `TOLERANCE`, on up to `MAX_POSITIVES` positives;
    of more, some at random, from the seed.

    Args:
        images: each is read once a round, and once more where some of its ROIs are taken.
        progress: called with one line of text a round.
    """
    scale = feature_scale(images, settings.target_norm)
    problem = _Problem(settings, scale, _class_counts(images))
    nr_features, nr_classes = images[0].features.shape[1], problem.counts.shape[1]
    weights = np.zeros((nr_features + 1, nr_classes), np.float32)  # (D + 1, K)
    held = HeldRois(nr_features, nr_classes)
    say = progress or (lambda line: None)
    for round_number in range(1, settings.max_rounds + 1):
        # with zero weights every ROI is inside the margin, and round 1 takes the positives and some of the rest
        found, nr_inside = _mine(images, problem, held, weights)
        held.add(found, _features_of(found, images, problem))
        rois = "1 ROI" if nr_inside == 1 else f"{nr_inside} ROIs"
        say(f"round {round_number}: {rois} inside the margin, {len(held)} held")
        if not len(found):
            if nr_inside:
                say(f"stopped: {len(held)} ROIs that decide are as many as memory is meant for")
            break
        weights = _fit(held, problem)
    else:
        say(f"stopped after {settings.max_rounds} rounds, before mining found nothing more")
    biases = np.where(problem.trainable, weights[-1] * settings.intercept_scaling, -np.inf)
    return LinearSvms(weights[:-1].T.copy(), biases.astype(np.float32), scale)


def _class_counts(images: Iterable[Learned]) -> np.ndarray:
    """How many positives and negatives each class has: (2, K) int64."""
    counts = [np.stack([(image.targets > 0).sum(0), (image.targets < 0).sum(0)]) for image in images]
    return np.sum(counts, axis=0)


def _mine(images: TrainingImages, problem: _Problem, held: HeldRois, weights: np.ndarray) -> tuple[MinedRois, int]:
    """The worst ROIs inside the margin that are not held, and how many there were.

    Positives are all taken; they are few, or made few by `_Problem.share`, and each carries a large weight. Of an image
    set of any size, no more than these, some times the wanted number of others and one image are in memory at a time.
    """
    settings, random = problem.settings, np.random.default_rng(problem.settings.seed)
    nr_inside, others = 0, WorstRois(settings.retrain_limit)
    positives: list[MinedRois] = []
    by_feature = weights[:-1] * np.float32(problem.scale)  # (D, K)
    for index, image in enumerate(images):
        targets = problem.targets(image, index)  # (R, K); of a class that cannot be trained, no ROI counts
        scores = product(as_numbers(image.features), by_feature) + settings.intercept_scaling * weights[-1]  # (R, K)
        violation = np.where(targets != 0, 1 - targets * scores, 0).max(axis=1)  # (R,)
        violation[held.of_image(index)] = 0
        inside = np.flatnonzero(violation > TOLERANCE)
        nr_inside += len(inside)
        # ties (all of the first round) are broken at random, so that every image gives its share
        ranks = np.stack([-violation[inside], random.random(len(inside))], axis=1)  # (n, 2)
        is_positive = np.any(targets[inside] > 0, axis=1)
        mined = MinedRois(targets[inside], np.stack([np.full(len(inside), index), inside], axis=1), ranks)
        positives.append(mined.take(is_positive))
        others.add(mined.take(~is_positive))
    room = MAX_ROWS - len(held)
    found = MinedRois.join(positives).take(slice(room))
    worst = others.worst(min(settings.retrain_limit, room - len(found)))
    return MinedRois.join([found, worst]).in_order(), nr_inside


def _features_of(rois: MinedRois, images: TrainingImages, problem: _Problem) -> np.ndarray:
    """The scaled features of some ROIs, by image, and the intercept's constant: (n, D + 1) float32."""
    rows = [np.zeros((0, images[0].features.shape[1]), np.float32)]
    for index in np.unique(rois.places[:, 0]).tolist():
        own = rois.places[rois.places[:, 0] == index, 1]
        rows.append(scaled(np.asarray(images[index].features)[own], problem.scale))
    constant = np.full((len(rois), 1), problem.settings.intercept_scaling, np.float32)
    return np.hstack([np.concatenate(rows), constant])


def _fit(held: HeldRois, problem: _Problem) -> np.ndarray:
    """Solve for the ROIs that are held, from the last solution on; then forget easy ones. Weights (D + 1, K)."""
    settings, (positive_cost, negative_cost) = problem.settings, problem.costs()
    costs = np.where(held.targets > 0, positive_cost, negative_cost)
    labels = held.targets
    scores, squared = np.empty(labels.shape, np.float32), settings.loss == "l2"
    for k in range(labels.shape[1]):
        held.dual[:, k], scores[:, k] = solve_dual(
            held.gram, labels[:, k], costs[:, k], squared, held.dual[:, k], TOLERANCE, seed=settings.seed
        )
    weights = product(held.features.T, held.dual)
    margin = np.where(labels != 0, labels * scores, np.inf).min(axis=1)
    held.keep((margin < -settings.evict_threshold) | held.dual.any(axis=1))
    return weights
