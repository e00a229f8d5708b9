"""Joghurt tub and egg carton."""
import math

import labels
import numpy as np
from materials import Graph, paper, plastic
from mesh import add_mesh, box, loft, quad, rounded_rectangle, spline, turned

from products.product import STANDS, Product

INKS = ((82, 122, 62), (150, 60, 40), (46, 84, 130))


def joghurt(rng):
    k = rng.uniform(.86, 1.02)
    profile = spline([(.002, .002), (.043, .002), (.0465, .004), (.0475, .009), (.0485, .012), (.0575, .124 * k),
                      (.0575, .124 * k)], 5)
    g = Graph("tub")
    place = g.node("Mapping", Vector=g.coordinates("UV"), Location=(0, -.1 / .82, 0), Scale=(1, 1 / .82, 1))
    colour, _ = g.image(labels.joghurt(rng), place, repeat=True)
    skin = g.finish(g.principled(Base_Color=colour, Roughness=.32, Subsurface_Weight=.12, Subsurface_Scale=.004,
                                 Normal=g.bump(g.noise(120, 3), .00012)), cheap=(.85, .8, .72))
    body = turned("tub", profile, skin, 96, smooth_profile=False)
    lift = .124 * (k - 1)
    rim = [(.0575, .119), (.0600, .119), (.0600, .119), (.0607, .1205), (.0607, .129), (.0600, .1315), (.0590, .132),
           (.0575, .1312), (.0562, .128), (.0555, .1265), (.05, .1268), (.001, .1272)]
    white = plastic("lid", rng.choice([(.82, .79, .72), (.82, .79, .72), (.70, .74, .80)]), .3, subsurface=.2)
    lid = turned("lid", [(r, z + lift) for r, z in rim], white, 96, 4)
    return Product("joghurt", [body, lid], STANDS)


def pulp(rng):
    """Recycled paper: blotches of 5..10 mm, dark fibres of 3 mm; finer grain is lost, a pixel being 1.2 mm."""
    light = rng.uniform(.85, 1.12)
    grey, brown = rng.choice([((.44, .40, .35), (.62, .57, .50)), ((.40, .39, .38), (.58, .57, .56)),
                              ((.40, .31, .22), (.58, .47, .35))])
    g = Graph("pulp")
    colour = g.ramp(g.noise(170, 4, .65), [(.36, tuple(c * light * .82 for c in grey)),
                                           (.64, tuple(c * light for c in brown))])
    dark_fibres = g.ramp(g.noise(330, 2, .5), [(.60, (0, 0, 0)), (.68, (1, 1, 1))])
    colour = g.mix(g.math("MULTIPLY", dark_fibres, .45), colour, tuple(c * .45 for c in grey))
    height = g.math("ADD", g.noise(420, 4, .7), g.math("MULTIPLY", g.noise(130, 4, .6), 1.4))
    middle = tuple((a + b) / 2 * light for a, b in zip(grey, brown, strict=True))
    return g.finish(g.principled(Base_Color=colour, Roughness=.95, Normal=g.bump(height, .0014, 1.),
                                 Specular_IOR_Level=.2), cheap=middle)


def egg_cups(count, half_length, half_width, material):
    """Lower half: a tray whose long sides bulge around `count` eggs and whose ends bulge around two."""
    rings = []
    for k in range(15):
        t = k / 14
        slope = .004 + .012 * (1 - t) ** 1.4
        ring = rounded_rectangle(half_length - slope, half_width - slope, .014, .040 * t, 6, 60)
        depth = min(1, (1 - t) * 1.8) ** .8
        for point, (x, y, _) in zip(ring, ring.copy(), strict=True):
            if abs(y) > half_width - .03 and abs(x) < half_length - .01:
                bulge = abs(math.sin(math.pi * (x + half_length) / (2 * half_length) * count))
                point[1] -= math.copysign((1 - bulge ** .55) * .016 * depth, y)
            elif abs(x) > half_length - .03:
                bulge = abs(math.sin(math.pi * (y + half_width) / (2 * half_width) * 2))
                point[0] -= math.copysign((1 - bulge ** .55) * .014 * depth, x)
        rings.append(ring)
    return loft("eggCups", rings, material)


def domed_top(count, half_length, half_width, z, material):
    """Upper surface of a moulded lid: one shallow dome over each egg."""
    nx, ny = 12 * count, 24
    x, y = np.meshgrid(np.linspace(-1, 1, nx + 1), np.linspace(-1, 1, ny + 1))
    domes = np.abs(np.sin((x + 1) / 2 * math.pi * count)) * np.abs(np.sin((y + 1) / 2 * math.pi * 2))
    edge = np.clip((1 - x ** 8) * (1 - y ** 8), 0, 1)
    heights = z + edge * (.002 + .007 * domes ** .6)
    vertices = np.stack([x * half_length, y * half_width, heights], 2).reshape(-1, 3)
    row = nx + 1
    faces = [(j * row + i, j * row + i + 1, (j + 1) * row + i + 1, (j + 1) * row + i)
             for j in range(ny) for i in range(nx)]
    return add_mesh("eggDomes", vertices, faces, material)


def egg_box(rng):
    count = rng.choice([4, 5, 5, 6])        # eggs in each of the two rows
    half_length, half_width = count * .0235, .052
    material, ink = pulp(rng), rng.choice(INKS)
    rim = [(-.002, .0385), (.005, .0385), (.006, .040), (.006, .0425), (.004, .0445), (-.004, .0445)]
    lid = spline([(.0, .043), (.001, .05), (.006, .066), (.009, .0725), (.013, .0765), (.019, .078), (.022, .0778),
                  (.0245, .0762), (.03, .0760)], 4)
    parts = [egg_cups(count, half_length, half_width, material),
             loft("eggRim", [rounded_rectangle(half_length + o, half_width + o, .015, z) for o, z in rim], material),
             loft("eggLid", [rounded_rectangle(half_length - .001 - o, half_width - .001 - o, .016, z, 8, 20)
                             for o, z in lid], material)]
    if rng.random() < .5:
        parts.append(domed_top(count, half_length - .022, half_width - .022, .0755, material))
    else:
        x, y, z = half_length - .034, half_width - .0325, .0765
        parts.append(quad("eggLabel", [(-x, -y, z), (x, -y, z), (x, y, z), (-x, y, z)],
                          paper("eggLabel", labels.egg_box(rng, count, ink), .8, bump=.0002)))
    x, y0, y1 = half_length - .040, -half_width + .0007, -half_width + .0060
    parts.append(quad("eggFront", [(-x, y0, .0495), (x, y0, .0495), (x, y1, .0665), (-x, y1, .0665)],
                      paper("eggFront", labels.egg_box_front(rng, count, ink), .8, bump=.0002)))
    for side in (-.45, .45):
        parts.append(box("eggTab", (.016, .003, .014), .0012, material, (half_length * side, -half_width - .004, .037)))
    return Product("eggBox", parts, STANDS)
