"""How things come to rest: rolling a body until it is stable, and whether two footprints overlap."""

import math

import numpy as np
from mathutils import Euler, Matrix, Vector, geometry
from products.product import ROLLS, STANDS, STANDS_OR_LIES


def rotation_about(axis, angle):
    return np.array(Matrix.Rotation(angle, 3, Vector(axis)))


def settle(points, centre, turn, steps=250):
    """Tip a body over its support until its centre of mass lies above it.

    points (N, 3) and centre (3,) in the body's frame, turn (3, 3) the attitude in which it is let go. -> (3, 3).
    An acorn squash let go on its tip falls over; a bottle rolls on to its flat side.
    """
    points = points[:: max(1, len(points) // 2500)]
    largest = 0.06
    for _ in range(steps):
        placed, mass = points @ turn.T, turn @ centre
        lowest = placed[:, 2].min()
        support = placed[placed[:, 2] < lowest + 0.0005]
        lever = mass[:2] - support[:, :2].mean(0)
        length = np.hypot(*lever)
        if length < 0.0008:
            break
        # Rotating about z x lever moves what is above the support towards the lever: the body falls.
        angle = min(largest, length / (mass[2] - lowest))
        turn = rotation_about((-lever[1], lever[0], 0), angle) @ turn
        largest *= 0.985
    return turn


def random_attitude(product, rng):
    """(3, 3) rotation at rest, and whether the product lies on its side."""
    if product.rests == STANDS or (product.rests == STANDS_OR_LIES and rng.random() < 0.62):
        frontal = product.shows_front and rng.random() < 0.85
        yaw = rng.uniform(-0.6, 0.6) if frontal else rng.uniform(-math.pi, math.pi)
        return np.array(Euler((0, 0, yaw)).to_matrix())
    if product.rests == ROLLS:
        start = Euler((rng.uniform(-math.pi, math.pi), rng.uniform(-1.4, 1.4), rng.uniform(-math.pi, math.pi)))
        start = np.array(start.to_matrix())
    else:  # the top points away and the front up; then any direction on the shelf
        spin = np.array(Euler((0, 0, rng.choice([0, 0, math.pi]) + rng.uniform(-0.4, 0.4))).to_matrix())
        start = np.array(Euler((-math.pi / 2, 0, 0)).to_matrix()) @ spin
    start = settle(product.points, product.centre_of_mass(), start)
    return np.array(Euler((0, 0, rng.uniform(-math.pi, math.pi))).to_matrix()) @ start


def convex_outline(points):
    """(N, 2) -> (K, 2) convex hull, counter-clockwise."""
    order = geometry.convex_hull_2d([tuple(p) for p in points])
    return points[order]


def overlap(a, b, gap):
    """Do two convex outlines come closer than about `gap`? Separating axes are the edge normals of both."""
    for outline in (a, b):
        edges = np.roll(outline, -1, 0) - outline
        normals = np.stack([edges[:, 1], -edges[:, 0]], 1)
        normals /= np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-9)
        pa, pb = a @ normals.T, b @ normals.T  # (points, axes)
        if ((pa.max(0) + gap < pb.min(0)) | (pb.max(0) + gap < pa.min(0))).any():
            return False
    return True
