"""The inner loop of the SVM's solver, compiled."""

import numpy as np

from fastRCNN.compiled import compiled


@compiled
def descend(
    gram: np.ndarray,
    labels: np.ndarray,
    extra: np.ndarray,
    curvature: np.ndarray,
    upper: np.ndarray,
    rows: np.ndarray,
    alpha: np.ndarray,
    scores: np.ndarray,
) -> None:
    """One dual variable after the other goes to the best value that it can have while the others stay.

    Args:
        gram: (n, n) float32.
        labels, extra, curvature, upper: (n,) float64, see `svm_solver.solve_dual`.
        rows: which variables, in this order.
        alpha: (n,) float64, the variables; changed here.
        scores: (n,) float32, gram @ (alpha * labels); kept up to date here.
    """
    for row in rows:
        step = (labels[row] * scores[row] - 1 + extra[row] * alpha[row]) / curvature[row]
        moved = min(max(alpha[row] - step, 0.0), upper[row])
        if moved != alpha[row]:
            scores += gram[row] * np.float32((moved - alpha[row]) * labels[row])
            alpha[row] = moved
