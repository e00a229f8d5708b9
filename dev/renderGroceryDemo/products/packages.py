"""Joghurt tub and egg carton."""

import math

import labels
import numpy as np
from materials import Graph, paper, plastic
from mesh import add_mesh, box, loft, quad, rounded_rectangle, spline, turned

from products.product import STANDS, Product

INKS = ((82, 122, 62), (150, 60, 40), (46, 84, 130))


def joghurt(rng):
    k = rng.uniform(0.86, 1.02)
    profile = spline(
        [
            (0.002, 0.002),
            (0.043, 0.002),
            (0.0465, 0.004),
            (0.0475, 0.009),
            (0.0485, 0.012),
            (0.0575, 0.124 * k),
            (0.0575, 0.124 * k),
        ],
        5,
    )
    g = Graph("tub")
    place = g.node("Mapping", Vector=g.coordinates("UV"), Location=(0, -0.1 / 0.82, 0), Scale=(1, 1 / 0.82, 1))
    colour, _ = g.image(labels.joghurt(rng), place, repeat=True)
    skin = g.finish(
        g.principled(
            Base_Color=colour,
            Roughness=0.32,
            Subsurface_Weight=0.12,
            Subsurface_Scale=0.004,
            Normal=g.bump(g.noise(120, 3), 0.00012),
        ),
        cheap=(0.85, 0.8, 0.72),
    )
    body = turned("tub", profile, skin, 96, smooth_profile=False)
    lift = 0.124 * (k - 1)
    rim = [
        (0.0575, 0.119),
        (0.0600, 0.119),
        (0.0600, 0.119),
        (0.0607, 0.1205),
        (0.0607, 0.129),
        (0.0600, 0.1315),
        (0.0590, 0.132),
        (0.0575, 0.1312),
        (0.0562, 0.128),
        (0.0555, 0.1265),
        (0.05, 0.1268),
        (0.001, 0.1272),
    ]
    white = plastic(
        "lid", rng.choice([(0.82, 0.79, 0.72), (0.82, 0.79, 0.72), (0.70, 0.74, 0.80)]), 0.3, subsurface=0.2
    )
    lid = turned("lid", [(r, z + lift) for r, z in rim], white, 96, 4)
    return Product("joghurt", [body, lid], STANDS)


def pulp(rng):
    """Recycled paper: blotches of 5..10 mm, dark fibres of 3 mm; finer grain is lost, a pixel being 1.2 mm."""
    light = rng.uniform(0.85, 1.12)
    grey, brown = rng.choice(
        [
            ((0.44, 0.40, 0.35), (0.62, 0.57, 0.50)),
            ((0.40, 0.39, 0.38), (0.58, 0.57, 0.56)),
            ((0.40, 0.31, 0.22), (0.58, 0.47, 0.35)),
        ]
    )
    g = Graph("pulp")
    colour = g.ramp(
        g.noise(170, 4, 0.65), [(0.36, tuple(c * light * 0.82 for c in grey)), (0.64, tuple(c * light for c in brown))]
    )
    dark_fibres = g.ramp(g.noise(330, 2, 0.5), [(0.60, (0, 0, 0)), (0.68, (1, 1, 1))])
    colour = g.mix(g.math("MULTIPLY", dark_fibres, 0.45), colour, tuple(c * 0.45 for c in grey))
    height = g.math("ADD", g.noise(420, 4, 0.7), g.math("MULTIPLY", g.noise(130, 4, 0.6), 1.4))
    middle = tuple((a + b) / 2 * light for a, b in zip(grey, brown, strict=True))
    return g.finish(
        g.principled(Base_Color=colour, Roughness=0.95, Normal=g.bump(height, 0.0014, 1.0), Specular_IOR_Level=0.2),
        cheap=middle,
    )


def egg_cups(count, half_length, half_width, material):
    """Lower half: a tray whose long sides bulge around `count` eggs and whose ends bulge around two."""
    rings = []
    for k in range(15):
        t = k / 14
        slope = 0.004 + 0.012 * (1 - t) ** 1.4
        ring = rounded_rectangle(half_length - slope, half_width - slope, 0.014, 0.040 * t, 6, 60)
        depth = min(1, (1 - t) * 1.8) ** 0.8
        for point, (x, y, _) in zip(ring, ring.copy(), strict=True):
            if abs(y) > half_width - 0.03 and abs(x) < half_length - 0.01:
                bulge = abs(math.sin(math.pi * (x + half_length) / (2 * half_length) * count))
                point[1] -= math.copysign((1 - bulge**0.55) * 0.016 * depth, y)
            elif abs(x) > half_length - 0.03:
                bulge = abs(math.sin(math.pi * (y + half_width) / (2 * half_width) * 2))
                point[0] -= math.copysign((1 - bulge**0.55) * 0.014 * depth, x)
        rings.append(ring)
    return loft("eggCups", rings, material)


def domed_top(count, half_length, half_width, z, material):
    """Upper surface of a moulded lid: one shallow dome over each egg."""
    nx, ny = 12 * count, 24
    x, y = np.meshgrid(np.linspace(-1, 1, nx + 1), np.linspace(-1, 1, ny + 1))
    domes = np.abs(np.sin((x + 1) / 2 * math.pi * count)) * np.abs(np.sin((y + 1) / 2 * math.pi * 2))
    edge = np.clip((1 - x**8) * (1 - y**8), 0, 1)
    heights = z + edge * (0.002 + 0.007 * domes**0.6)
    vertices = np.stack([x * half_length, y * half_width, heights], 2).reshape(-1, 3)
    row = nx + 1
    faces = [
        (j * row + i, j * row + i + 1, (j + 1) * row + i + 1, (j + 1) * row + i) for j in range(ny) for i in range(nx)
    ]
    return add_mesh("eggDomes", vertices, faces, material)


def egg_box(rng):
    count = rng.choice([4, 5, 5, 6])  # eggs in each of the two rows
    half_length, half_width = count * 0.0235, 0.052
    material, ink = pulp(rng), rng.choice(INKS)
    rim = [(-0.002, 0.0385), (0.005, 0.0385), (0.006, 0.040), (0.006, 0.0425), (0.004, 0.0445), (-0.004, 0.0445)]
    lid = spline(
        [
            (0.0, 0.043),
            (0.001, 0.05),
            (0.006, 0.066),
            (0.009, 0.0725),
            (0.013, 0.0765),
            (0.019, 0.078),
            (0.022, 0.0778),
            (0.0245, 0.0762),
            (0.03, 0.0760),
        ],
        4,
    )
    parts = [
        egg_cups(count, half_length, half_width, material),
        loft("eggRim", [rounded_rectangle(half_length + o, half_width + o, 0.015, z) for o, z in rim], material),
        loft(
            "eggLid",
            [rounded_rectangle(half_length - 0.001 - o, half_width - 0.001 - o, 0.016, z, 8, 20) for o, z in lid],
            material,
        ),
    ]
    if rng.random() < 0.5:
        parts.append(domed_top(count, half_length - 0.022, half_width - 0.022, 0.0755, material))
    else:
        x, y, z = half_length - 0.034, half_width - 0.0325, 0.0765
        parts.append(
            quad(
                "eggLabel",
                [(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z)],
                paper("eggLabel", labels.egg_box(rng, count, ink), 0.8, bump=0.0002),
            )
        )
    x, y0, y1 = half_length - 0.040, -half_width + 0.0007, -half_width + 0.0060
    parts.append(
        quad(
            "eggFront",
            [(-x, y0, 0.0495), (x, y0, 0.0495), (x, y1, 0.0665), (-x, y1, 0.0665)],
            paper("eggFront", labels.egg_box_front(rng, count, ink), 0.8, bump=0.0002),
        )
    )
    for side in (-0.45, 0.45):
        parts.append(
            box("eggTab", (0.016, 0.003, 0.014), 0.0012, material, (half_length * side, -half_width - 0.004, 0.037))
        )
    return Product("eggBox", parts, STANDS)
