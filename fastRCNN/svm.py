"""One linear SVM a class, trained with hard-negative mining (R-CNN, section 2.3 and appendix B).

The objective is that of scikit-learn's `LinearSVC`. Nearly all ROIs of an image set lie far on the right side of the
margin, where the loss and its gradient are zero: leaving them out changes nothing. Mining therefore trains on a few
ROIs, looks through all images for the worst offenders against the margin, adds them, and repeats until there are none:
the solution is then the one that training on everything gives, from a small part of the rows.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from fastRCNN.linear_algebra import gram, in_blocks, product
from fastRCNN.settings import knob
from fastRCNN.svm_solver import solve_dual

TOLERANCE = 0.005  # in units of the margin: a ROI that violates it by less is no offender
MAX_ROWS = 20_000  # ROIs that are held at most: their inner products are 1.6 GB, and as much again while some are added
MAX_EXAMPLES = 10_000  # of them examples, of all classes together


@dataclass(frozen=True)
class SvmSettings:
    """Knobs of the objective (C, intercept_scaling, loss "l1" hinge or "l2" squared hinge, positive_weight, all as in
    `LinearSVC`), the norm that features are scaled to, and the mining: rounds at most, new ROIs a round at most, and
    the signed margin beyond which a cached ROI that no class needs is forgotten."""

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

    def scores(self, features):
        """Signed distance to each hyperplane in units of the margin: (R, D) -> (R, K) float32."""
        return product(scaled(features, self.scale), self.weights.T) + self.biases


@dataclass(frozen=True)
class TrainingImage:
    """One image's ROIs: features (R, D); targets (R, K) int8, 1 an example, -1 a counterexample, 0 neither."""

    features: np.ndarray
    targets: np.ndarray


def scaled(features, scale):
    """Features as float32 times the scale: (R, D) -> (R, D)."""
    features = np.asarray(features)
    result = np.empty(features.shape, np.float32)

    def compute(rows):  # of float16 numbers, numpy makes others so slowly that it takes longer than all else
        np.multiply(features[rows], np.float32(scale), out=result[rows], dtype=np.float32)

    in_blocks(len(features), compute)
    return result


def feature_scale(images, target_norm):
    """The factor that gives the features of all ROIs the mean L2 norm `target_norm` (R-CNN's released code: 20).

    images: iterable of `TrainingImage`.
    """
    total = count = 0
    for image in images:
        total += float(np.linalg.norm(scaled(image.features, 1), axis=1).sum(dtype=np.float64))
        count += len(image.features)
    return target_norm * count / total if total else 1.0


class _Cache:
    """The ROIs that the SVMs train on: rows (n, D + 1) with the intercept's constant last, their targets (n, K), inner
    products (n, n), dual variables (n, K) and the (image, ROI) that each row is."""

    def __init__(self, nr_features, nr_classes):
        self.rows = np.zeros((0, nr_features + 1), np.float32)
        self.targets = np.zeros((0, nr_classes), np.int8)
        self.gram = np.zeros((0, 0), np.float32)
        self.dual = np.zeros((0, nr_classes), np.float32)
        self.origin = np.zeros((0, 2), np.int64)

    def add(self, rows, targets, origin):
        """Append m ROIs: rows (m, D + 1), targets (m, K), origin (m, 2)."""
        held = len(self.rows)
        both = np.empty((held + len(rows),) * 2, np.float32)  # filled piece by piece: it is the largest thing in memory
        both[:held, :held], both[:held, held:], both[held:, held:] = self.gram, product(self.rows, rows.T), gram(rows)
        both[held:, :held] = both[:held, held:].T
        self.gram = both
        self.rows = np.concatenate([self.rows, rows])
        self.targets = np.concatenate([self.targets, targets])
        self.dual = np.concatenate([self.dual, np.zeros(targets.shape, np.float32)])
        self.origin = np.concatenate([self.origin, origin])

    def keep(self, mask):
        """Forget all rows but those of the mask (n,)."""
        self.rows, self.targets, self.dual = self.rows[mask], self.targets[mask], self.dual[mask]
        self.gram, self.origin = self.gram[np.ix_(mask, mask)], self.origin[mask]

    def of_image(self, index):
        """Indices of the ROIs of one image that are in the cache."""
        return self.origin[self.origin[:, 0] == index, 1]


@dataclass(frozen=True)
class _Problem:
    """What all rounds of mining share: settings, the features' scale, and the numbers of examples and counterexamples
    of each class in the image set, counts (2, K)."""

    settings: SvmSettings
    scale: float
    counts: np.ndarray

    @property
    def trainable(self):
        """Classes (K,) bool that have both."""
        return self.counts.all(axis=0)

    @cached_property
    def share(self):
        """The part of each class's examples that is trained on (K,): 1, unless all together exceed `MAX_EXAMPLES`.

        Then every class gets the same number, and what small classes do not need, the others share.
        """
        examples = self.counts[0]
        order = np.sort(examples)
        room = MAX_EXAMPLES - (np.cumsum(order) - order)  # for this class and all larger ones
        equal = room / np.arange(len(order), 0, -1)
        most = next((number for number, has in zip(equal, order, strict=True) if has > number), np.inf)
        return np.minimum(1.0, most / np.maximum(examples, 1))

    def targets(self, image, index):
        """Targets (R, K) of an image, 0 where the class cannot be trained or the example is left out.

        Which are left out is drawn from the seed and the image's index: the same ones every time.
        """
        targets = image.targets * self.trainable
        if (self.share < 1).any():
            draw = np.random.default_rng([self.settings.seed, index]).random(targets.shape)
            targets[(targets > 0) & (draw >= self.share)] = 0
        return targets

    def costs(self):
        """The weight of a margin error of an example and of a counterexample, by class: (K,) and (K,).

        "balanced" goes by the numbers in the whole image set, and an example stands for those that were left out.
        """
        positive, negative = np.ones(self.counts.shape)
        if self.settings.positive_weight == "balanced":
            positive, negative = self.counts.sum(axis=0) / (2 * np.maximum(self.counts, 1))
        else:
            positive = positive * self.settings.positive_weight
        return self.settings.C * positive / self.share, self.settings.C * negative


def train_svms(images, settings, progress=None):
    """Train one SVM a class by rounds of hard-negative mining.

    images: non-empty sequence of `TrainingImage`, each read once a round, so a lazy one keeps memory bounded; progress:
    called with one line of text a round. Returns `LinearSvms`; a class without examples or without counterexamples
    scores every ROI minus infinity: it is never found. Decision values are within a hundredth of a margin or so of the
    exact solution, see `TOLERANCE`, on up to `MAX_EXAMPLES` examples; of more a seeded draw is trained on.
    """
    scale = feature_scale(images, settings.target_norm)
    counts = sum(np.stack([(image.targets > 0).sum(0), (image.targets < 0).sum(0)]) for image in images)  # (2, K)
    problem = _Problem(settings, scale, counts)
    weights = np.zeros((images[0].features.shape[1] + 1, counts.shape[1]), np.float32)  # (D + 1, K)
    cache = _Cache(weights.shape[0] - 1, weights.shape[1])
    say = progress or (lambda line: None)
    for round_number in range(1, settings.max_rounds + 1):
        # with zero weights every ROI is an offender, and round 1 takes the examples and an even sample of the rest
        added, offenders = _mine(images, problem, cache, weights)
        rois = "1 ROI" if offenders == 1 else f"{offenders} ROIs"
        say(f"round {round_number}: {rois} inside the margin, {len(cache.rows)} held")
        if added == 0:
            if offenders:
                say(f"stopped: {len(cache.rows)} ROIs that decide are as many as memory is meant for")
            break
        weights = _fit(cache, problem)
    else:
        say(f"stopped after {settings.max_rounds} rounds, before mining found nothing more")
    biases = np.where(problem.trainable, weights[-1] * settings.intercept_scaling, -np.inf)
    return LinearSvms(weights[:-1].T.copy(), biases.astype(np.float32), scale)


def _mine(images, problem, cache, weights):
    """Add the worst offenders against the margin to the cache; returns how many, and how many there were.

    Examples are all added; they are few, or made few by `_Problem.share`, and each carries a large weight. Of an image
    set of any size, no more than these, twice the wanted number of others and one image are held at a time.
    """
    settings, random = problem.settings, np.random.default_rng(problem.settings.seed)
    nr_found, examples, others = 0, [], _Worst(settings.retrain_limit)
    for index, image in enumerate(images):
        targets = problem.targets(image, index)  # (R, K); a class that cannot be trained has no offenders
        features = scaled(image.features, problem.scale)  # (R, D)
        scores = product(features, weights[:-1]) + settings.intercept_scaling * weights[-1]  # (R, K)
        slack = np.where(targets != 0, 1 - targets * scores, 0).max(axis=1)  # (R,)
        slack[cache.of_image(index)] = 0
        offenders = np.flatnonzero(slack > TOLERANCE)
        nr_found += len(offenders)
        # ties (all of the first round) are broken by a seeded draw, so that every image gives its share
        rank = np.stack([-slack[offenders], random.random(len(offenders))], axis=1)  # (O, 2), the least come first
        is_example = (targets[offenders] > 0).any(axis=1)
        for part, chosen in ((examples, is_example), (others, others.admits(rank) & ~is_example)):
            rows = offenders[chosen]
            origin = np.stack([np.full(len(rows), index), rows], axis=1)
            constant = np.full((len(rows), 1), settings.intercept_scaling, np.float32)
            part.append((np.hstack([features[rows], constant]), targets[rows], origin, rank[chosen]))
    room = MAX_ROWS - len(cache.rows)
    examples = [column[:room] for column in _joined(examples)]
    others.shrink(min(settings.retrain_limit, room - len(examples[0])))
    rows, targets, origin, _ = _joined([examples, *others.parts])
    order = np.lexsort([origin[:, 1], origin[:, 0]])  # by image, then by ROI
    cache.add(rows[order], targets[order], origin[order])
    return len(order), nr_found


def _joined(parts):
    """Tuples of arrays -> one tuple of longer arrays."""
    return tuple(np.concatenate(column) for column in zip(*parts, strict=True))


class _Worst:
    """The offenders of least rank among all that were appended, at most `limit`, and up to as many more.

    parts: list of (rows (n, D + 1), targets (n, K), origin (n, 2), rank (n, 2)).
    """

    def __init__(self, limit):
        self.limit, self.parts, self.last = limit, [], (np.inf, np.inf)

    def admits(self, rank):
        """Which of the offenders (O, 2) may still be among the worst (O,) bool: only those are worth copying."""
        return (rank[:, 0] < self.last[0]) | ((rank[:, 0] == self.last[0]) & (rank[:, 1] < self.last[1]))

    def append(self, part):
        """Take in the offenders of an image."""
        self.parts.append(part)
        if sum(len(rows) for rows, *_ in self.parts) > 2 * self.limit:
            self.shrink(self.limit)

    def shrink(self, count):
        """Forget all but the `count` of least rank."""
        columns = _joined(self.parts)
        order = np.lexsort(columns[-1].T[::-1])
        chosen = order[: max(count, 0)]
        if len(chosen) < len(order):
            self.last = columns[-1][order[len(chosen)]]
        self.parts = [tuple(column[chosen] for column in columns)]


def _fit(cache, problem):
    """Solve on the cached rows, from the last solution on; then forget easy rows. Returns weights (D + 1, K)."""
    settings, (positive_cost, negative_cost) = problem.settings, problem.costs()
    costs = np.where(cache.targets > 0, positive_cost, negative_cost)
    labels = cache.targets
    scores, squared = np.empty(labels.shape, np.float32), settings.loss == "l2"
    for k in range(labels.shape[1]):
        cache.dual[:, k], scores[:, k] = solve_dual(
            cache.gram, labels[:, k], costs[:, k], squared, cache.dual[:, k], TOLERANCE, seed=settings.seed
        )
    weights = product(cache.rows.T, cache.dual)
    margin = np.where(labels != 0, labels * scores, np.inf).min(axis=1)
    cache.keep((margin < -settings.evict_threshold) | cache.dual.any(axis=1))
    return weights
