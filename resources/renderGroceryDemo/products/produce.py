"""Orange and acorn squash: lumpy bodies of revolution with procedural skins."""
import math

import labels
import numpy as np
from materials import Graph, paper, plastic
from mathutils import Vector, noise
from mesh import loft, quad, ring_angles, spline, turned

from products.product import ROLLS, Product


def orange(rng):
    radius = rng.uniform(.036, .043)
    g = Graph("orange")
    ripe = rng.uniform(-.05, .05)
    colour = g.ramp(g.noise(35, 4), [(.3, (.86, .20 + ripe, .012)), (.7, (.93, .30 + ripe, .02))])
    pores = g.node("TexVoronoi", settings={"feature": "SMOOTH_F1"}, Scale=330., Vector=g.coordinates(), Smoothness=.6)
    height = g.math("ADD", g.math("MULTIPLY", pores, .8), g.math("MULTIPLY", g.noise(160, 3), .5))
    skin = g.finish(g.principled(Base_Color=colour, Roughness=.42, Normal=g.bump(height, .0009, .85),
                                 Subsurface_Weight=.15, Subsurface_Scale=.006, Subsurface_Radius=(1, .4, .1),
                                 Specular_IOR_Level=.45), cheap=(.88, .25, .015))
    offset = Vector((rng.random() * 50, 0, 0))
    rings = []
    for polar in np.linspace(.0005, math.pi - .0005, 49):
        ring = []
        for a in ring_angles(72):
            p = Vector((math.sin(polar) * math.sin(a), -math.sin(polar) * math.cos(a), -math.cos(polar)))
            q = p * radius * (1 + .035 * noise.noise(p * 1.3 + offset))
            dimple = .14 * radius * math.exp(-((math.pi - polar) / .22) ** 2)
            ring.append((q.x, q.y, q.z * .95 - dimple))
        rings.append(np.array(ring))
    stem = turned("stem", [(.0005, radius * .81), (.0045, radius * .81), (.0045, radius * .825), (.003, radius * .85),
                           (.0005, radius * .845)], plastic("stem", (.16, .18, .05), .8), 10)
    return Product("orange", [loft("orange", rings, skin), stem], ROLLS)


def squash_skin(rng, radius, height):
    """Dark green with pale flecks, mostly with one orange spot where it lay on the ground."""
    g = Graph("squash")
    base = g.ramp(g.noise(28, 6, .6), [(.25, (.004, .012, .005)), (.55, (.008, .024, .008)), (.85, (.018, .042, .012))])
    flecks = g.ramp(g.noise(240, 3, .6), [(.62, (0, 0, 0)), (.72, (1, 1, 1))])
    colour = g.mix(g.math("MULTIPLY", flecks, .35), base, (.06, .085, .03))
    if rng.random() < .6:
        spot = (radius * rng.choice([-1, 1]) * .8, -radius * rng.uniform(-.2, .6), height * .35)
        distance = g.node("VectorMath", output=1, settings={"operation": "DISTANCE"}, i0=g.coordinates(), i1=spot)
        inside = g.ramp(g.math("ADD", distance, g.math("MULTIPLY", g.noise(60, 5), .03)),
                        [(.030, (1, 1, 1)), (.045, (0, 0, 0))])
        colour = g.mix(g.math("MULTIPLY", inside, .8), colour, (.42, .22, .02))
    rough = g.node("MapRange", Value=g.noise(50, 4), To_Min=.34, To_Max=.6)
    return g.finish(g.principled(Base_Color=colour, Roughness=rough, Normal=g.bump(g.noise(90, 4, .6), .0012, .6)),
                    cheap=(.012, .028, .01))


def squash(rng):
    """Acorn squash; built on its stem end with the tip up. Layout rolls it until it rests, so never on the tip."""
    radius, height = rng.uniform(.056, .067), rng.uniform(.122, .145)
    lobes, groove = rng.choice([9, 10, 10]), rng.uniform(.075, .11)
    profile = spline([(.002, .10), (.16, .045), (.42, .0), (.74, .08), (.95, .27), (1.0, .46), (.9, .66), (.66, .84),
                      (.36, .95), (.12, 1.0), (.004, 1.01)], 7)
    offset = Vector((rng.random() * 50, 7, 0))
    rings = []
    for r, z in profile:
        near_pole = min(1, r * 1.7)
        ring = []
        for a in ring_angles(lobes * 14):
            lobe = abs(math.sin(lobes * a / 2)) ** .9
            p = Vector((math.sin(a), -math.cos(a), z * 2))
            rr = radius * r * (1 - groove * near_pole * (1 - lobe)) * (1 + .05 * noise.noise(p * 1.1 + offset))
            foot = .006 * near_pole * (lobe - .5) if z < .3 else 0
            ring.append((rr * math.sin(a), -rr * math.cos(a), height * z + foot))
        rings.append(np.array(ring))
    parts = [loft("squash", rings, squash_skin(rng, radius, height))]
    parts.append(turned("squashStem", [(.002, -.007), (.009, -.006), (.010, height * .02), (.012, height * .06),
                                       (.003, height * .10)], plastic("squashStem", (.22, .17, .07), .8, .0006,
                                                                      bump_scale=120), 12))
    if rng.random() < .5:
        parts.append(sticker(rng, radius, height, profile))
    return Product("squash", parts, ROLLS)


def sticker(rng, radius, height, profile, size=.011):
    """Small square on the front, tangent to the skin and half a millimetre above it."""
    angle, level = rng.uniform(-.7, .7), rng.uniform(.45, .62)
    out = Vector((math.sin(angle), -math.cos(angle), .25)).normalized()
    r = float(np.interp(level, profile[:, 1], profile[:, 0])) * radius
    middle = Vector((math.sin(angle) * r, -math.cos(angle) * r, level * height)) + out * .0005
    right = Vector((0, 0, 1)).cross(out).normalized() * size
    up = out.cross(right)
    return quad("sticker", [middle - right - up, middle + right - up, middle + right + up, middle - right + up],
                paper("sticker", labels.fruit_sticker(rng), .35, cut_out=True))
