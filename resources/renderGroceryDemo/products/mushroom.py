"""Punnet of mushrooms under clear film; heaped above the rim, so that they show at eye level too."""
import math

import labels
import numpy as np
from materials import Graph, clear, paper, plastic
from mathutils import Euler, Matrix, Vector, noise
from mesh import add_mesh, loft, quad, rounded_rectangle, spline, turned

from products.product import STANDS, Product

HALF_X, HALF_Y, RIM = .080, .058, .062      # outer size of the punnet in metres


def punnet(material, rim):
    """Outer skin with vertical ribs and a rolled rim, and the inner skin."""
    s = rim / RIM
    profile = spline([(.016, .001), (.0145, .0), (.013, .002), (.006, .035 * s), (.001, .058 * s), (.0, .0605 * s),
                      (-.004, .062 * s), (-.0055, .0615 * s), (-.006, .058 * s), (-.0055, .0575 * s)], 4)
    rings = []
    for inset, z in profile:
        x, y = HALF_X - inset, HALF_Y - inset
        ring = rounded_rectangle(x, y, .016, z, 8, 48)
        if .004 < z < rim - .006 and inset > 0:
            depth = .0011 * math.sin(math.pi * (z - .004) / (rim - .01))
            for point in ring:
                axis, along = (1, 0) if abs(point[1]) > y - .002 else (0, 1)
                if (axis == 1 or abs(point[0]) > x - .002) and math.sin(point[along] * 420) > .3:
                    point[axis] -= math.copysign(depth, point[axis])
        rings.append(ring)
    inner = [rounded_rectangle(HALF_X - o, HALF_Y - o, .015, z, 8, 4)
             for o, z in ((.0055, rim - .0008), (.009, rim * .65), (.016, .006))]
    return [loft("punnet", rings, material, cap_last=False),
            loft("punnetInside", inner, material, cap_first=False)]


def mushroom_heads(rng, rim):
    g = Graph("mushroomSkin")
    brown = rng.random() < .25
    tones = [(.42, .28, .17), (.58, .43, .29), (.66, .53, .40)] if brown else \
            [(.60, .48, .34), (.80, .73, .62), (.86, .81, .72)]
    colour = g.ramp(g.noise(60, 5, .6), list(zip((.3, .55, .8), tones, strict=True)))
    skin = g.finish(g.principled(Base_Color=colour, Roughness=.65, Subsurface_Weight=.15, Subsurface_Scale=.006,
                                 Normal=g.bump(g.noise(140, 4), .0008)), cheap=tones[1])
    outline = spline([(.001, -.35), (.30, -.35), (.32, -.1), (.34, .02), (.80, .0), (.98, .12), (.97, .38), (.72, .68),
                      (.35, .84), (.001, .88)], 4)
    heads = []
    for iy in range(4):
        for ix in range(6):
            x, y = (ix - 2.5) * .0225, (iy - 1.5) * .0225
            heap = .016 * (1 - (x / HALF_X) ** 2) * (1 - (y / HALF_Y) ** 2)
            head = turned("mushroom", outline * rng.uniform(.0130, .0175), skin, 28, smooth_profile=False)
            tilt = Euler((rng.gauss(0, .6), rng.gauss(0, .6), rng.uniform(0, 6)))
            at = (x + rng.uniform(-.004, .004), y + rng.uniform(-.004, .004),
                  rim - .012 + heap + rng.uniform(-.003, .004))
            head.matrix_world = Matrix.Translation(at) @ tilt.to_matrix().to_4x4()
            heads.append(head)
    return heads


def film(rng, rim, n=28):
    """Stretched film: a low pillow over the heap, with creases."""
    offset = rng.random() * 50
    x, y = np.meshgrid(np.linspace(-1, 1, n + 1), np.linspace(-1, 1, n + 1))
    vertices = []
    for u, v in zip(x.ravel(), y.ravel(), strict=True):
        pillow = (1 - u ** 4) * (1 - v ** 4)
        crease = .004 * noise.noise(Vector((u * 3, v * 3, offset)))
        heap = .016 * (1 - u * u) * (1 - v * v)
        vertices.append((u * (HALF_X + .003), v * (HALF_Y + .003), rim + .0005 + pillow * (.006 + crease) + heap))
    faces = [(j * (n + 1) + i, j * (n + 1) + i + 1, (j + 1) * (n + 1) + i + 1, (j + 1) * (n + 1) + i)
             for j in range(n) for i in range(n)]
    return add_mesh("film", vertices, faces, clear("film", (.96, .97, .97), .05, .02, .7, .0012, .08))


def mushroom(rng):
    rim = RIM * rng.uniform(.78, 1.0)
    colour = rng.choice([(.008, .035, .24), (.010, .05, .30), (.012, .07, .34), (.008, .03, .17)])
    parts = punnet(plastic("punnet", colour, .35, .0001, subsurface=.05), rim)
    parts += mushroom_heads(rng, rim)
    parts.append(film(rng, rim))
    x, y, z = rng.uniform(-.03, .03), rng.uniform(-.02, .01), rim + .0255
    parts.append(quad("mushroomLabel", [(x - .030, y - .018, z - .001), (x + .030, y - .018, z - .001),
                                        (x + .030, y + .018, z), (x - .030, y + .018, z)],
                      paper("mushroomLabel", labels.mushroom(rng), .35)))
    return Product("mushroom", parts, STANDS)
