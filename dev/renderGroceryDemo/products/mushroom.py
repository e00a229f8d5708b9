"""Punnet of mushrooms under clear film; heaped above the rim, so that they show at eye level too."""

import math

import labels
import numpy as np
from materials import Graph, clear, paper, plastic
from mathutils import Euler, Matrix, Vector, noise
from mesh import add_mesh, loft, quad, rounded_rectangle, spline, turned

from products.product import STANDS, Product

HALF_X, HALF_Y, RIM = 0.080, 0.058, 0.062  # outer size of the punnet in metres


def punnet(material, rim):
    """Outer skin with vertical ribs and a rolled rim, and the inner skin."""
    s = rim / RIM
    profile = spline(
        [
            (0.016, 0.001),
            (0.0145, 0.0),
            (0.013, 0.002),
            (0.006, 0.035 * s),
            (0.001, 0.058 * s),
            (0.0, 0.0605 * s),
            (-0.004, 0.062 * s),
            (-0.0055, 0.0615 * s),
            (-0.006, 0.058 * s),
            (-0.0055, 0.0575 * s),
        ],
        4,
    )
    rings = []
    for inset, z in profile:
        x, y = HALF_X - inset, HALF_Y - inset
        ring = rounded_rectangle(x, y, 0.016, z, 8, 48)
        if 0.004 < z < rim - 0.006 and inset > 0:
            depth = 0.0011 * math.sin(math.pi * (z - 0.004) / (rim - 0.01))
            for point in ring:
                axis, along = (1, 0) if abs(point[1]) > y - 0.002 else (0, 1)
                if (axis == 1 or abs(point[0]) > x - 0.002) and math.sin(point[along] * 420) > 0.3:
                    point[axis] -= math.copysign(depth, point[axis])
        rings.append(ring)
    inner = [
        rounded_rectangle(HALF_X - o, HALF_Y - o, 0.015, z, 8, 4)
        for o, z in ((0.0055, rim - 0.0008), (0.009, rim * 0.65), (0.016, 0.006))
    ]
    return [loft("punnet", rings, material, cap_last=False), loft("punnetInside", inner, material, cap_first=False)]


def mushroom_heads(rng, rim):
    g = Graph("mushroomSkin")
    brown = rng.random() < 0.25
    tones = (
        [(0.42, 0.28, 0.17), (0.58, 0.43, 0.29), (0.66, 0.53, 0.40)]
        if brown
        else [(0.60, 0.48, 0.34), (0.80, 0.73, 0.62), (0.86, 0.81, 0.72)]
    )
    colour = g.ramp(g.noise(60, 5, 0.6), list(zip((0.3, 0.55, 0.8), tones, strict=True)))
    skin = g.finish(
        g.principled(
            Base_Color=colour,
            Roughness=0.65,
            Subsurface_Weight=0.15,
            Subsurface_Scale=0.006,
            Normal=g.bump(g.noise(140, 4), 0.0008),
        ),
        cheap=tones[1],
    )
    outline = spline(
        [
            (0.001, -0.35),
            (0.30, -0.35),
            (0.32, -0.1),
            (0.34, 0.02),
            (0.80, 0.0),
            (0.98, 0.12),
            (0.97, 0.38),
            (0.72, 0.68),
            (0.35, 0.84),
            (0.001, 0.88),
        ],
        4,
    )
    heads = []
    for iy in range(4):
        for ix in range(6):
            x, y = (ix - 2.5) * 0.0225, (iy - 1.5) * 0.0225
            heap = 0.016 * (1 - (x / HALF_X) ** 2) * (1 - (y / HALF_Y) ** 2)
            head = turned("mushroom", outline * rng.uniform(0.0130, 0.0175), skin, 28, smooth_profile=False)
            tilt = Euler((rng.gauss(0, 0.6), rng.gauss(0, 0.6), rng.uniform(0, 6)))
            at = (
                x + rng.uniform(-0.004, 0.004),
                y + rng.uniform(-0.004, 0.004),
                rim - 0.012 + heap + rng.uniform(-0.003, 0.004),
            )
            head.matrix_world = Matrix.Translation(at) @ tilt.to_matrix().to_4x4()
            heads.append(head)
    return heads


def film(rng, rim, n=28):
    """Stretched film: a low pillow over the heap, with creases."""
    offset = rng.random() * 50
    x, y = np.meshgrid(np.linspace(-1, 1, n + 1), np.linspace(-1, 1, n + 1))
    vertices = []
    for u, v in zip(x.ravel(), y.ravel(), strict=True):
        pillow = (1 - u**4) * (1 - v**4)
        crease = 0.004 * noise.noise(Vector((u * 3, v * 3, offset)))
        heap = 0.016 * (1 - u * u) * (1 - v * v)
        vertices.append((u * (HALF_X + 0.003), v * (HALF_Y + 0.003), rim + 0.0005 + pillow * (0.006 + crease) + heap))
    faces = [
        (j * (n + 1) + i, j * (n + 1) + i + 1, (j + 1) * (n + 1) + i + 1, (j + 1) * (n + 1) + i)
        for j in range(n)
        for i in range(n)
    ]
    return add_mesh("film", vertices, faces, clear("film", (0.96, 0.97, 0.97), 0.05, 0.02, 0.7, 0.0012, 0.08))


def mushroom(rng):
    rim = RIM * rng.uniform(0.78, 1.0)
    colour = rng.choice([(0.008, 0.035, 0.24), (0.010, 0.05, 0.30), (0.012, 0.07, 0.34), (0.008, 0.03, 0.17)])
    parts = punnet(plastic("punnet", colour, 0.35, 0.0001, subsurface=0.05), rim)
    parts += mushroom_heads(rng, rim)
    parts.append(film(rng, rim))
    x, y, z = rng.uniform(-0.03, 0.03), rng.uniform(-0.02, 0.01), rim + 0.0255
    parts.append(
        quad(
            "mushroomLabel",
            [
                (x - 0.030, y - 0.018, z - 0.001),
                (x + 0.030, y - 0.018, z - 0.001),
                (x + 0.030, y + 0.018, z),
                (x - 0.030, y + 0.018, z),
            ],
            paper("mushroomLabel", labels.mushroom(rng), 0.35),
        )
    )
    return Product("mushroom", parts, STANDS)
