"""One linear SVM a class, trained with hard-negative mining (R-CNN, section 2.3 and appendix B).

The objective is that of scikit-learn's `LinearSVC`. Nearly all ROIs of an image set lie far on the right side of the
margin, where the loss and its gradient are zero: leaving them out changes nothing. Mining therefore trains on a few
ROIs, looks through all images for the worst offenders against the margin, adds them, and repeats until there are none:
the solution is then the one that training on everything gives, from a small part of the rows.
"""

from dataclasses import dataclass

import numpy as np

from fastRCNN.svm_solver import solve_dual

TOLERANCE = 0.005  # in units of the margin: a ROI that violates it by less is no offender


@dataclass(frozen=True)
class SvmSettings:
    """Knobs of the objective (C, intercept_scaling, loss "l1" hinge or "l2" squared hinge, positive_weight, all as in
    `LinearSVC`), the norm that features are scaled to, and the mining: rounds at most, new ROIs a round at most, and
    the signed margin beyond which a cached ROI that no class needs is forgotten."""

    C: float = 0.001
    intercept_scaling: float = 10.0
    loss: str = "l1"
    positive_weight: float | str = "balanced"
    target_norm: float = 20.0
    max_rounds: int = 20
    retrain_limit: int = 2000
    evict_threshold: float = -1.1
    seed: int = 0


@dataclass(frozen=True)
class LinearSvms:
    """K one-against-rest classifiers on features * scale: weights (K, D), biases (K,), float32; scale: a float."""

    weights: np.ndarray
    biases: np.ndarray
    scale: float

    def scores(self, features):
        """Signed distance to each hyperplane in units of the margin: (R, D) -> (R, K) float32."""
        return scaled(features, self.scale) @ self.weights.T + self.biases


@dataclass(frozen=True)
class TrainingImage:
    """One image's ROIs: features (R, D); targets (R, K) int8, 1 an example, -1 a counterexample, 0 neither."""

    features: np.ndarray
    targets: np.ndarray


def scaled(features, scale):
    """Features as float32 times the scale: (R, D) -> (R, D)."""
    return np.asarray(features, dtype=np.float32) * np.float32(scale)


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
        old, new = self.rows @ rows.T, rows @ rows.T
        self.gram = np.block([[self.gram, old], [old.T, new]])
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


def train_svms(images, settings=SvmSettings(), progress=None):
    """Train one SVM a class by rounds of hard-negative mining.

    images: non-empty sequence of `TrainingImage`, each read once a round, so a lazy one keeps memory bounded; progress:
    called with one line of text a round. Returns `LinearSvms`; a class without examples or without counterexamples
    scores every ROI minus infinity: it is never found. Decision values are within a hundredth of a margin or so of the
    exact solution, see `TOLERANCE`.
    """
    scale = feature_scale(images, settings.target_norm)
    counts = sum(np.stack([(image.targets > 0).sum(0), (image.targets < 0).sum(0)]) for image in images)  # (2, K)
    trainable = counts.all(axis=0)  # (K,)
    weights = np.zeros((images[0].features.shape[1] + 1, counts.shape[1]), np.float32)  # (D + 1, K)
    cache = _Cache(weights.shape[0] - 1, weights.shape[1])
    for round_number in range(1, settings.max_rounds + 1):
        # with zero weights every ROI is an offender, and round 1 takes the examples and an even sample of the rest
        random = np.random.default_rng(settings.seed)
        added, offenders = _mine(images, trainable, cache, weights, scale, settings, random)
        if progress:
            progress(f"round {round_number}: {offenders} ROIs inside the margin, {len(cache.rows)} held")
        if added == 0:
            break
        weights = _fit(cache, counts, settings)
    else:
        if progress:
            progress(f"stopped after {settings.max_rounds} rounds, before mining found nothing more")
    biases = np.where(trainable, weights[-1] * settings.intercept_scaling, -np.inf)
    return LinearSvms(weights[:-1].T.copy(), biases.astype(np.float32), scale)


def _mine(images, trainable, cache, weights, scale, settings, random):
    """Add the worst offenders against the margin to the cache; returns how many, and how many there were.

    Examples are all added, whatever their number; they are few, and each carries a large weight. Of an image set of
    any size, no more than twice the wanted number of offenders and one image are held at a time.
    """
    nr_found, pool = 0, []
    for index, image in enumerate(images):
        targets = image.targets * trainable  # (R, K); a class that cannot be trained has no offenders
        features = scaled(image.features, scale)  # (R, D)
        scores = features @ weights[:-1] + settings.intercept_scaling * weights[-1]  # (R, K)
        slack = np.where(targets != 0, 1 - targets * scores, 0).max(axis=1)  # (R,)
        slack[cache.of_image(index)] = 0
        offenders = np.flatnonzero(slack > TOLERANCE)
        nr_found += len(offenders)
        rank = np.where((targets[offenders] > 0).any(axis=1), np.inf, slack[offenders])
        # ties (all of the first round) are broken by a seeded draw, so that every image gives its share
        rank = np.stack([rank, random.random(len(offenders))], axis=1)  # (O, 2)
        origin = np.stack([np.full(len(offenders), index), offenders], axis=1)
        constant = np.full((len(offenders), 1), settings.intercept_scaling, np.float32)
        pool.append((rank, np.hstack([features[offenders], constant]), targets[offenders], origin))
        if sum(len(part[0]) for part in pool) > 2 * settings.retrain_limit:
            pool = [_worst(pool, settings.retrain_limit)]
    _, rows, targets, origin = _worst(pool, settings.retrain_limit)
    cache.add(rows, targets, origin)
    return len(rows), nr_found


def _worst(pool, limit):
    """All examples (rank infinity) and the `limit` other offenders of highest rank, in the order of images and ROIs."""
    parts = [np.concatenate(part) for part in zip(*pool, strict=True)]
    rank = parts[0]
    order = np.lexsort([rank[:, 1], -rank[:, 0]])
    chosen = np.sort(order[: limit + int(np.isinf(rank[:, 0]).sum())])
    return tuple(part[chosen] for part in parts)


def _fit(cache, counts, settings):
    """Solve on the cached rows, from the last solution on; then forget easy rows. Returns weights (D + 1, K)."""
    if settings.positive_weight == "balanced":  # by the numbers in the whole image set, not in the cache
        positive_cost, negative_cost = counts.sum(axis=0) / (2 * np.maximum(counts, 1))
    else:
        positive_cost, negative_cost = float(settings.positive_weight), 1.0
    costs = settings.C * np.where(cache.targets > 0, positive_cost, negative_cost)
    labels = cache.targets
    scores, squared = np.empty(labels.shape, np.float32), settings.loss == "l2"
    for k in range(labels.shape[1]):
        cache.dual[:, k], scores[:, k] = solve_dual(
            cache.gram, labels[:, k], costs[:, k], squared, cache.dual[:, k], TOLERANCE, seed=settings.seed
        )
    weights = cache.rows.T @ cache.dual
    margin = np.where(labels != 0, labels * scores, np.inf).min(axis=1)
    cache.keep((margin < -settings.evict_threshold) | cache.dual.any(axis=1))
    return weights
