"""Protects the solver of the SVMs' dual: that its answers are optimal, that it starts where it is told to, that rows
which resemble each other do not keep it from the end, and that it says when it has not come so far.
"""

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from fastRCNN import svm_solver
from fastRCNN.svm_solver import ConvergenceWarning, solve_dual


@pytest.mark.parametrize(
    ("squared", "cost", "w"),
    # rows +1 and -1 of the line with labels 1 and -1, so w is the sum of both dual variables' sizes. Hinge: w = 1
    # where the cost allows it, else both reach it; squared: w**2 / 2 + 2 * C * (1 - w)**2 is least at 4 C / (1 + 4 C)
    [(False, 10.0, 1.0), (False, 0.25, 0.5), (True, 0.25, 0.5), (True, 0.75, 0.75)],
)
def test_solver_by_hand(squared, cost, w):
    rows = np.array([[1.0], [-1.0]], np.float32)
    dual, scores = solve_dual(rows @ rows.T, np.array([1, -1]), np.full(2, cost), squared, tolerance=1e-5)
    assert scores == pytest.approx([w, -w], abs=1e-4)
    assert dual[0] - dual[1] == pytest.approx(w, abs=1e-4) and dual[0] >= 0 >= dual[1]


def dual_problem(seed=0, count=200):
    """Rows (n, 15), labels (n,) of overlapping classes with a fifth of zeros, and costs (n,)."""
    random = np.random.default_rng(seed)
    rows = random.normal(0, 2, (count, 15)).astype(np.float32)
    labels = np.where(rows[:, 0] + random.normal(0, 1, count) > 1, 1, -1)
    labels[random.random(count) < 0.2] = 0
    return rows, labels, random.uniform(0.01, 0.2, count)


@pytest.mark.parametrize("tolerance", [1e-2, 1e-3])
@pytest.mark.parametrize("squared", [False, True])
def test_solver_meets_the_optimality_conditions(squared, tolerance):
    rows, labels, costs = dual_problem()
    dual, scores = solve_dual(rows @ rows.T, labels, costs, squared, tolerance=tolerance)
    assert np.abs(scores - rows @ (rows.T @ dual)).max() < 1e-4
    assert not dual[labels == 0].any()
    alpha, slack, bound = ((values[labels != 0]) for values in (labels * dual, 1 - labels * scores, costs))
    at_zero, at_bound = alpha == 0, np.isclose(alpha, bound, rtol=1e-6) & (not squared)
    assert alpha.min() >= 0 and (squared or (alpha[~at_bound] < bound[~at_bound]).all())
    if squared:  # a row inside the margin by s has the variable 2 * C * s
        slack = slack - alpha / (2 * bound)
    least = tolerance + 1e-4  # float32
    assert slack[at_zero].max() < least  # on the right side of the margin
    assert slack[at_bound].min(initial=0) > -least  # inside it
    assert np.abs(slack[~at_zero & ~at_bound]).max() < least  # on it
    assert at_zero.sum() > 10 and (squared or at_bound.sum() > 10) and (~at_zero & ~at_bound).sum() > 10


def test_solver_starts_from_a_former_solution():
    rows, labels, costs = dual_problem()
    gram = rows @ rows.T
    with pytest.warns(ConvergenceWarning, match="3 epochs"):
        solve_dual(gram, labels, costs, False, max_epochs=3)
    start, expected = solve_dual(gram, labels, costs, False)
    before = start.copy()
    _, scores = solve_dual(gram, labels, costs, False, start, max_epochs=3)
    assert np.abs(scores - expected).max() < 0.02
    solve_dual(gram, -labels, costs, False, np.abs(start) * -labels)  # another problem, from a feasible start
    assert np.array_equal(start, before), "the start must stay as it is"


def test_solver_without_rows():
    dual, scores = solve_dual(np.zeros((0, 0), np.float32), np.zeros(0), np.zeros(0), False)
    assert dual.shape == scores.shape == (0,)


def look_alikes(noise, squared):
    """300 rows that differ little from one of 30 others (n, 400), as neighbouring ROIs do; other arguments."""
    random = np.random.default_rng(0)
    rows = np.repeat(random.normal(size=(30, 400)), 10, axis=0) + random.normal(0, noise, (300, 400))
    labels = np.repeat(np.where(random.random(30) < 0.5, 1, -1), 10)
    labels[random.random(300) < 0.02] *= -1
    return rows / 20, (labels, np.full(300, 20.0), squared)


@pytest.mark.parametrize(("noise", "squared", "epochs"), [(0.1, False, 600), (0.05, True, 300)])
def test_newton_steps_settle_what_coordinate_descent_does_not(noise, squared, epochs, monkeypatch, recwarn):
    rows, arguments = look_alikes(noise, squared)
    gram = (rows @ rows.T).astype(np.float32)
    dual, scores = solve_dual(gram, *arguments, tolerance=1e-3, max_epochs=epochs)
    assert not recwarn
    loss = "squared_hinge" if squared else "hinge"
    exact = LinearSVC(C=20.0, loss=loss, fit_intercept=False, tol=1e-7, max_iter=10**6).fit(rows, arguments[0])
    assert scores == pytest.approx(exact.decision_function(rows), abs=0.003)
    assert (arguments[0] * dual).min() >= 0 and (squared or np.abs(dual).max() <= 20)
    for name, value in (("FIRST_NEWTON", 10**9), ("NEWTON_ROWS", 3)):  # never; and never so few rows
        with monkeypatch.context() as patch, pytest.warns(ConvergenceWarning):
            patch.setattr(svm_solver, name, value)
            solve_dual(gram, *arguments, tolerance=1e-3, max_epochs=epochs)
