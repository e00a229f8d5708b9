"""The dual of the linear SVM, solved for several classes at once on a precomputed matrix of inner products.

This is liblinear's algorithm (Hsieh et al., "A dual coordinate descent method for large-scale linear SVM", ICML 2008,
algorithm 1), with the roles of time and memory turned round: with n cached ROIs and D features, n is the smaller
number, so the inner products are computed once, for all classes and all rounds of mining, by one fast matrix product,
and a step costs n operations instead of D.
"""

import numpy as np


def solve_dual(gram, labels, costs, squared, start=None, tolerance=1e-2, max_epochs=1000, seed=0):
    """Minimise 1/2 |w|^2 + sum of costs * loss for every class, in the dual.

    gram (n, n) float32: inner products of the rows; labels (n, K): 1, -1, or 0 for a row that the class does not use;
    costs (n, K): the weight C of each row's loss; squared: squared hinge loss instead of hinge; start (n, K): a former
    solution; tolerance: greatest violation of the optimality conditions, in units of the margin.

    Returns (dual, scores), both (n, K) float32: w = rows.T @ dual, and scores = rows @ w. A dual variable carries the
    sign of its label. Raises ArithmeticError when `max_epochs` passes over the rows do not reach the tolerance.
    """
    labels = labels.astype(np.float32)
    used = labels != 0
    costs = np.where(used, costs, 0).astype(np.float32)
    # liblinear, table 1: the hinge loss bounds the dual variables, the squared hinge loss adds to the diagonal
    upper = np.where(used, np.inf, 0).astype(np.float32) if squared else costs
    extra = np.divide(0.5, costs, out=np.zeros_like(costs), where=used) if squared else np.zeros_like(costs)
    curvature = np.maximum(np.diag(gram)[:, None] + extra, 1e-12)  # (n, K)

    dual = np.zeros_like(labels) if start is None else start.astype(np.float32)
    random = np.random.default_rng(seed)
    for _ in range(max_epochs):
        scores = gram @ dual  # afresh every epoch, so that rounding errors of the updates do not add up
        violation = _violation(labels * dual, labels * scores - 1 + extra * labels * dual, upper)  # (n, K)
        if violation.max(initial=0) < tolerance:
            return dual, scores
        # rows that are settled for every class are left alone for this epoch (liblinear's shrinking)
        unsettled = np.flatnonzero(violation.max(axis=1) >= tolerance / 2)
        for row in random.permutation(unsettled):
            label, alpha = labels[row], labels[row] * dual[row]  # (K,)
            gradient = label * scores[row] - 1 + extra[row] * alpha
            moved = np.clip(alpha - gradient / curvature[row], 0, upper[row])
            step = label * (moved - alpha)
            if step.any():
                dual[row] += step
                scores += gram[row][:, None] * step
    raise ArithmeticError(f"the SVM did not converge in {max_epochs} epochs")


def _violation(alpha, gradient, upper):
    """The projected gradient's size: what is left to gain from moving each variable inside [0, upper]."""
    can_fall, can_rise = alpha > 0, alpha < upper
    return np.where(gradient > 0, gradient * can_fall, -gradient * can_rise)
