"""The dual of the linear SVM, solved on a precomputed matrix of inner products.

This is liblinear's algorithm (Hsieh et al., "A dual coordinate descent method for large-scale linear SVM", ICML 2008,
algorithm 1) with the roles of time and memory turned round: with n cached ROIs and D features, n is the smaller number,
so the inner products are computed once, for all classes and all rounds of mining, by one fast matrix product, and a
step costs n operations instead of D.

Coordinate descent soon finds which ROIs decide, and then takes very long to settle how much each of them counts where
they resemble each other, as neighbouring ROIs do. That is a linear system, so now and then it is solved as one: a
projected Newton step (Bertsekas, "Projected Newton methods for optimization problems with simple constraints", 1982).
"""

import warnings

import numpy as np

from fastRCNN.dual_descent import descend
from fastRCNN.linear_algebra import product, solve_positive

FIRST_NEWTON = 10  # epochs before the first Newton step; then twice as many as before, for where they do not help
NEWTON_ROWS = 10_000  # rows that decide, at most: their matrix is 0.4 GB
STEP_LENGTHS = (1.0, 0.5, 0.25, 0.125)


class ConvergenceWarning(UserWarning):
    """The solver has not come as far as it was meant to."""


def solve_dual(
    gram: np.ndarray,
    labels: np.ndarray,
    costs: np.ndarray,
    squared: bool,
    start: np.ndarray | None = None,
    tolerance: float = 1e-2,
    max_epochs: int = 1000,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise 1/2 |w|^2 + sum of costs * loss in the dual.

    When `max_epochs` passes over the rows do not reach the tolerance, warns (`ConvergenceWarning`) and returns what it
    has, as scikit-learn's `LinearSVC` does.

    Args:
        gram: (n, n) float32, inner products of the rows.
        labels: (n,) 1, -1, or 0 for a row not used.
        costs: (n,) the weight C of each row's loss.
        squared: squared hinge loss instead of hinge.
        start: (n,) a former solution.
        tolerance: greatest violation of the optimality conditions, in units of the margin.

    Returns:
        dual, scores, both (n,) float32: w = rows.T @ dual, scores = rows @ w. A dual variable carries the sign of its
        label.
    """
    used, costs = labels != 0, costs.astype(np.float32)  # as exact as what is returned, so that a bound stays a bound
    # liblinear, table 1: the hinge loss bounds the dual variables, the squared hinge loss adds to the diagonal
    upper = np.where(used, np.inf if squared else costs, 0.0)
    extra = np.divide(0.5, costs, out=np.zeros(len(labels)), where=used & squared)
    curvature = np.maximum(np.diag(gram) + extra, 1e-12)
    alpha = np.zeros(len(labels)) if start is None else np.clip(start * labels, 0, upper)  # (n,) >= 0
    scores, exact = _scores(gram, alpha * labels), True
    signs, next_newton = labels.astype(np.float64), FIRST_NEWTON
    random = np.random.default_rng(seed)
    for epoch in range(1, max_epochs + 1):
        gradient = labels * scores - 1 + extra * alpha
        violation = np.where(gradient > 0, gradient * (alpha > 0), -gradient * (alpha < upper))  # (n,)
        # rows that are settled are left alone for this epoch (liblinear's shrinking)
        unsettled = np.flatnonzero(violation >= tolerance / 2)
        if violation.max(initial=0) < tolerance:
            if exact:
                return (alpha * labels).astype(np.float32), scores
            scores, exact = _scores(gram, alpha * labels), True  # the many small updates add up rounding errors
            continue
        if epoch >= next_newton:
            next_newton *= 2
            alpha = _newton_step(gram, labels, extra, upper, alpha, gradient)
            scores, exact = _scores(gram, alpha * labels), True
            continue
        exact = False
        descend(gram, signs, extra, curvature, upper, random.permutation(unsettled), alpha, scores)
    message = f"an SVM is not within {tolerance:g} of the optimum after {max_epochs} epochs; a smaller C helps"
    warnings.warn(message, ConvergenceWarning, stacklevel=2)
    return (alpha * labels).astype(np.float32), _scores(gram, alpha * labels)


def _newton_step(
    gram: np.ndarray,
    labels: np.ndarray,
    extra: np.ndarray,
    upper: np.ndarray,
    alpha: np.ndarray,
    gradient: np.ndarray,
) -> np.ndarray:
    """Better dual variables (n,) if a step along the Newton direction finds some, else the same ones.

    Only those move that are neither 0 nor at their upper bound; any that would leave their range stop at its end.
    """
    free = np.flatnonzero((alpha > 0) & (alpha < upper))
    if not 0 < len(free) <= NEWTON_ROWS:
        return alpha
    signs = labels[free].astype(np.float32)
    hessian = gram[np.ix_(free, free)]
    hessian *= signs
    hessian *= signs[:, None]
    diagonal = np.diag(hessian) + extra[free]
    hessian[np.diag_indices_from(hessian)] = diagonal + 1e-5 * diagonal.mean()  # ROIs may be alike to the last digit
    try:
        direction = -solve_positive(hessian, gradient[free].astype(np.float32))
    except np.linalg.LinAlgError:
        return alpha
    for length in STEP_LENGTHS:
        moved = np.clip(alpha[free] + length * direction, 0, upper[free])
        step = moved - alpha[free]
        whole = np.zeros(len(alpha), np.float32)
        whole[free] = step * signs
        change = _scores(gram, whole)[free] * signs  # of the gradient
        if np.sum(step * (gradient[free] + 0.5 * (change + extra[free] * step))) < 0:
            better = alpha.copy()
            better[free] = moved
            return better
    return alpha


def _scores(gram: np.ndarray, dual: np.ndarray) -> np.ndarray:
    """gram @ dual, of which most entries are zero: (n, n) and (n,) -> (n,) float32."""
    support = np.flatnonzero(dual)
    return product(dual[None, support].astype(np.float32), gram[support])[0]
