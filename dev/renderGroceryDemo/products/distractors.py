"""Food that belongs to none of the eight classes; never annotated, in the negatives too."""

import math

import labels
import numpy as np
from materials import Graph, clear, metal, paper, plastic
from mathutils import Vector, noise
from mesh import add_mesh, box, circle, loft, ring_angles, rounded_rectangle, spline, turned

from products.product import LIES, ROLLS, STANDS, Product


def milk_carton(rng):
    """Gable-top carton, half or one litre."""
    half, height = 0.036, rng.choice([0.13, 0.17])
    ink = rng.choice([(40, 90, 160), (190, 40, 40), (40, 120, 80), (90, 60, 130)])
    g = Graph("milk")
    picture = labels.words(rng.choice(["MILK", "OAT DRINK", "BUTTERMILK"]), 1200, 640, (244, 244, 240), ink)
    four_sides = g.node("Mapping", Vector=g.coordinates("UV"), Location=(0.25, 0, 0), Scale=(2, 1, 1))
    colour, _ = g.image(picture, four_sides, repeat=True)
    skin = g.finish(g.principled(Base_Color=colour, Roughness=0.4), cheap=(0.8, 0.8, 0.78))
    rings = [rounded_rectangle(half, half, 0.003, z, 2) for z in (0, height)]
    rings.append(rounded_rectangle(half, 0.004, 0.002, height + 0.032, 2))
    rings.append(rounded_rectangle(half, 0.002, 0.001, height + 0.045, 2))
    parts = [loft("milk", rings, skin, heights=[0, 0.8, 0.95, 1], sharp_degrees=20)]
    if rng.random() < 0.6:
        cap = turned(
            "milkCap",
            [(0.012, 0), (0.013, 0.001), (0.013, 0.010), (0.012, 0.012), (0.001, 0.012)],
            plastic("milkCap", tuple((c / 255) ** 2.2 for c in ink), 0.4),
            40,
        )
        cap.matrix_world.translation = Vector((0, -0.018, height + 0.016))
        parts.append(cap)
    return Product("milkCarton", parts, STANDS)


def jam_jar(rng):
    """Jar of jam or pickles with a screw lid and a paper label."""
    k = rng.uniform(0.8, 1.1)
    outline = [
        (0.002, 0.003),
        (0.026, 0.002),
        (0.0325, 0.004),
        (0.0345, 0.012),
        (0.0345, 0.04 * k),
        (0.0345, 0.078 * k),
        (0.030, 0.088 * k),
        (0.028, 0.094 * k),
    ]
    colour = rng.choice([(0.10, 0.006, 0.012), (0.30, 0.09, 0.006), (0.16, 0.17, 0.03), (0.12, 0.02, 0.10)])
    g = Graph("jam")
    jar = g.finish(
        g.principled(
            Base_Color=g.mix(g.noise(90, 3), colour, tuple(c * 0.5 for c in colour)),
            Roughness=0.06,
            Coat_Weight=1.0,
            Coat_Roughness=0.03,
        ),
        cheap=colour,
    )
    ink = rng.choice([(110, 30, 40), (60, 70, 40), (70, 50, 90)])
    picture = labels.words(rng.choice(["JAM", "PICKLES", "CHUTNEY"]), 1200, 260, (246, 238, 214), ink)
    label = paper("jamLabel", picture, 0.6)
    lid = metal("jamLid", rng.choice([(0.75, 0.72, 0.66), (0.35, 0.05, 0.05), (0.72, 0.58, 0.25)]))
    wrap = turned(
        "jamLabel",
        [(0.0348, 0.018 * k), (0.0348, 0.066 * k)],
        label,
        64,
        cap_first=False,
        cap_last=False,
        smooth_profile=False,
    )
    rim = [(0.029, 0.088 * k), (0.0315, 0.089 * k), (0.0318, 0.1 * k), (0.030, 0.103 * k), (0.001, 0.102 * k)]
    return Product("jamJar", [turned("jam", outline, jar, 64), wrap, turned("jamLid", rim, lid, 64)], STANDS)


def tin_can(rng):
    ink = rng.choice([(160, 120, 40), (70, 110, 60), (130, 60, 90), (60, 80, 120)])
    height = rng.uniform(0.06, 0.11)
    picture = labels.words(rng.choice(["BEANS", "CORN", "PEAS", "TUNA"]), 1200, 420, (238, 232, 216), ink)
    label = paper("tinLabel", picture, 0.4)
    body = turned(
        "tin",
        [
            (0.001, 0.002),
            (0.034, 0.002),
            (0.036, 0.0),
            (0.0368, 0.002),
            (0.036, 0.004),
            (0.036, height - 0.004),
            (0.0368, height - 0.002),
            (0.036, height),
            (0.034, height - 0.002),
            (0.001, height - 0.003),
        ],
        metal("tin", (0.7, 0.7, 0.71), 0.3),
        72,
        3,
    )
    wrap = turned(
        "tinLabel",
        [(0.0364, 0.007), (0.0364, height - 0.007)],
        label,
        72,
        cap_first=False,
        cap_last=False,
        smooth_profile=False,
    )
    return Product("tinCan", [body, wrap], STANDS)


def storage_box(rng):
    """Milky plastic box with a coloured lid and leftovers inside."""
    x, y, z = rng.uniform(0.055, 0.085), rng.uniform(0.045, 0.06), rng.uniform(0.04, 0.07)
    rings = [
        rounded_rectangle(x - o, y - o, 0.018, h, 6)
        for o, h in spline([(0.012, 0.001), (0.010, 0.0), (0.007, 0.003), (0.002, z * 0.6), (0, z)], 4)
    ]
    g = Graph("leftovers")
    warm = rng.choice([(0.5, 0.16, 0.05), (0.45, 0.32, 0.12), (0.12, 0.2, 0.05)])
    food = g.finish(
        g.principled(
            Base_Color=g.ramp(g.noise(70, 4), [(0.35, tuple(c * 0.4 for c in warm)), (0.65, warm)]),
            Roughness=0.7,
            Normal=g.bump(g.noise(90, 3), 0.004),
        ),
        cheap=warm,
    )
    colour = rng.choice([(0.05, 0.16, 0.40), (0.50, 0.06, 0.06), (0.10, 0.30, 0.16), (0.6, 0.6, 0.58)])
    lid = plastic("boxLid", colour, 0.35, subsurface=0.1)
    return Product(
        "storageBox",
        [
            loft("storageBox", rings, clear("milkyPlastic", (0.9, 0.92, 0.93), 0.06, 0.25, 0.6, 0.0, 0.15)),
            box("boxLid", (2 * x + 0.010, 2 * y + 0.010, 0.010), 0.004, lid, (0, 0, z + 0.003)),
            box("leftovers", (2 * x - 0.022, 2 * y - 0.022, z * 0.6), 0.012, food, (0, 0, z * 0.3 + 0.003)),
        ],
        STANDS,
    )


def apple(rng):
    radius = rng.uniform(0.032, 0.040)
    red, green = rng.choice(
        [
            ((0.42, 0.012, 0.02), (0.45, 0.34, 0.05)),
            ((0.34, 0.40, 0.04), (0.25, 0.34, 0.04)),
            ((0.30, 0.01, 0.015), (0.34, 0.03, 0.03)),
        ]
    )
    g = Graph("apple")
    colour = g.mix(g.ramp(g.noise(26, 4), [(0.40, (0, 0, 0)), (0.62, (1, 1, 1))]), red, green)
    skin = g.finish(g.principled(Base_Color=colour, Roughness=0.25, Coat_Weight=0.2), cheap=red)
    outline = (
        np.array(
            [
                (0.001, 0.14),
                (0.16, 0.05),
                (0.40, 0.0),
                (0.72, 0.16),
                (0.97, 0.62),
                (1.0, 1.05),
                (0.84, 1.45),
                (0.5, 1.66),
                (0.22, 1.62),
                (0.08, 1.45),
                (0.001, 1.36),
            ]
        )
        * radius
    )
    stalk = [(0.0012, radius * 1.35), (0.0010, radius * 1.6), (0.0018, radius * 1.85), (0.0003, radius * 1.86)]
    stem = turned("appleStem", stalk, plastic("appleStem", (0.08, 0.05, 0.02), 0.8), 8)
    return Product("apple", [turned("apple", outline, skin, 56), stem], ROLLS)


def lemon(rng):
    radius = rng.uniform(0.025, 0.030)
    g = Graph("lemon")
    skin = g.finish(
        g.principled(
            Base_Color=g.ramp(g.noise(40, 3), [(0.3, (0.80, 0.58, 0.02)), (0.7, (0.86, 0.68, 0.05))]),
            Roughness=0.4,
            Normal=g.bump(g.noise(260, 3), 0.0008),
        ),
        cheap=(0.82, 0.62, 0.03),
    )
    outline = (
        np.array(
            [
                (0.001, -0.12),
                (0.10, -0.1),
                (0.22, 0.02),
                (0.55, 0.22),
                (0.9, 0.7),
                (1.0, 1.3),
                (0.9, 1.85),
                (0.5, 2.3),
                (0.2, 2.45),
                (0.12, 2.55),
                (0.001, 2.58),
            ]
        )
        * radius
    )
    return Product("lemon", [turned("lemon", outline, skin, 48)], ROLLS)


def cucumber(rng):
    radius, length = rng.uniform(0.019, 0.024), rng.uniform(0.15, 0.22)
    g = Graph("cucumber")
    skin = g.finish(
        g.principled(
            Base_Color=g.ramp(g.noise(50, 5), [(0.3, (0.012, 0.07, 0.012)), (0.7, (0.05, 0.16, 0.03))]),
            Roughness=0.35,
            Normal=g.bump(g.noise(120, 3), 0.0012),
        ),
        cheap=(0.03, 0.11, 0.02),
    )
    bend = rng.uniform(-0.012, 0.012)
    rings = []
    for t in np.linspace(0.001, math.pi - 0.001, 25):
        z = length / 2 * (1 - math.cos(t))
        ring = circle(radius * math.sin(t) ** 0.45 * (1 + 0.02 * np.sin(7 * ring_angles(40))), z, 40)
        ring[:, 0] += bend * math.sin(t)
        rings.append(ring)
    return Product("cucumber", [loft("cucumber", rings, skin)], LIES)


def cheese(rng):
    """Wedge with wax rind."""
    size, height = rng.uniform(0.07, 0.1), rng.uniform(0.035, 0.05)
    a = np.linspace(-0.32, 0.32, 9)
    outer = np.stack([size * np.sin(a), size * (np.cos(a) - 0.5)], 1)
    section = np.concatenate([outer, [(0, -size * 0.5)]])[::-1]
    rings = [np.column_stack([section, np.full(len(section), z)]) for z in (0, height)]
    g = Graph("cheese")
    skin = g.finish(
        g.principled(
            Base_Color=g.mix(g.noise(30, 3), (0.80, 0.50, 0.11), (0.72, 0.40, 0.07)),
            Roughness=0.5,
            Subsurface_Weight=0.2,
            Subsurface_Scale=0.008,
        ),
        cheap=(0.76, 0.46, 0.1),
    )
    return Product("cheese", [loft("cheese", rings, skin, flip=True, sharp_degrees=30)], STANDS)


def lettuce(rng):
    """Head of lettuce: a sphere with ruffled leaves."""
    radius, offset = rng.uniform(0.055, 0.07), Vector((rng.random() * 50, 0, 0))
    g = Graph("lettuce")
    skin = g.finish(
        g.principled(
            Base_Color=g.ramp(
                g.noise(35, 5, 0.6),
                [(0.3, (0.07, 0.15, 0.025)), (0.55, (0.17, 0.26, 0.06)), (0.75, (0.42, 0.48, 0.20))],
            ),
            Roughness=0.5,
            Subsurface_Weight=0.2,
            Subsurface_Scale=0.006,
            Normal=g.bump(g.noise(60, 5), 0.004),
        ),
        cheap=(0.18, 0.27, 0.07),
    )
    n, rows = 96, 60
    vertices = []
    for j in range(rows + 1):
        polar = math.pi * j / rows
        for i in range(n):
            a = 2 * math.pi * i / n
            p = Vector((math.sin(polar) * math.sin(a), math.sin(polar) * math.cos(a), -math.cos(polar)))
            leaf = noise.noise(p * 2.2 + offset) * 0.20 + abs(noise.noise(p * 6 + offset)) * 0.16
            vertices.append(tuple(p * radius * (0.9 + leaf)))
    faces = [
        (j * n + i, j * n + (i + 1) % n, (j + 1) * n + (i + 1) % n, (j + 1) * n + i)
        for j in range(rows)
        for i in range(n)
    ]
    return Product("lettuce", [add_mesh("lettuce", vertices, [f[::-1] for f in faces], skin)], ROLLS)
