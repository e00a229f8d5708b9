"""Orange and acorn squash: lumpy bodies of revolution with procedural skins."""

import math

import labels
import numpy as np
from materials import Graph, paper, plastic
from mathutils import Vector, noise
from mesh import loft, quad, ring_angles, spline, turned

from products.product import ROLLS, Product


def orange(rng):
    radius = rng.uniform(0.036, 0.043)
    g = Graph("orange")
    ripe = rng.uniform(-0.05, 0.05)
    colour = g.ramp(g.noise(35, 4), [(0.3, (0.86, 0.20 + ripe, 0.012)), (0.7, (0.93, 0.30 + ripe, 0.02))])
    pores = g.node("TexVoronoi", settings={"feature": "SMOOTH_F1"}, Scale=330.0, Vector=g.coordinates(), Smoothness=0.6)
    height = g.math("ADD", g.math("MULTIPLY", pores, 0.8), g.math("MULTIPLY", g.noise(160, 3), 0.5))
    skin = g.finish(
        g.principled(
            Base_Color=colour,
            Roughness=0.42,
            Normal=g.bump(height, 0.0009, 0.85),
            Subsurface_Weight=0.15,
            Subsurface_Scale=0.006,
            Subsurface_Radius=(1, 0.4, 0.1),
            Specular_IOR_Level=0.45,
        ),
        cheap=(0.88, 0.25, 0.015),
    )
    offset = Vector((rng.random() * 50, 0, 0))
    rings = []
    for polar in np.linspace(0.0005, math.pi - 0.0005, 49):
        ring = []
        for a in ring_angles(72):
            p = Vector((math.sin(polar) * math.sin(a), -math.sin(polar) * math.cos(a), -math.cos(polar)))
            q = p * radius * (1 + 0.035 * noise.noise(p * 1.3 + offset))
            dimple = 0.14 * radius * math.exp(-(((math.pi - polar) / 0.22) ** 2))
            ring.append((q.x, q.y, q.z * 0.95 - dimple))
        rings.append(np.array(ring))
    stem = turned(
        "stem",
        [
            (0.0005, radius * 0.81),
            (0.0045, radius * 0.81),
            (0.0045, radius * 0.825),
            (0.003, radius * 0.85),
            (0.0005, radius * 0.845),
        ],
        plastic("stem", (0.16, 0.18, 0.05), 0.8),
        10,
    )
    return Product("orange", [loft("orange", rings, skin), stem], ROLLS)


def squash_skin(rng, radius, height):
    """Dark green with pale flecks, mostly with one orange spot where it lay on the ground."""
    g = Graph("squash")
    base = g.ramp(
        g.noise(28, 6, 0.6),
        [(0.25, (0.004, 0.012, 0.005)), (0.55, (0.008, 0.024, 0.008)), (0.85, (0.018, 0.042, 0.012))],
    )
    flecks = g.ramp(g.noise(240, 3, 0.6), [(0.62, (0, 0, 0)), (0.72, (1, 1, 1))])
    colour = g.mix(g.math("MULTIPLY", flecks, 0.35), base, (0.06, 0.085, 0.03))
    if rng.random() < 0.6:
        spot = (radius * rng.choice([-1, 1]) * 0.8, -radius * rng.uniform(-0.2, 0.6), height * 0.35)
        distance = g.node("VectorMath", output=1, settings={"operation": "DISTANCE"}, i0=g.coordinates(), i1=spot)
        inside = g.ramp(
            g.math("ADD", distance, g.math("MULTIPLY", g.noise(60, 5), 0.03)), [(0.030, (1, 1, 1)), (0.045, (0, 0, 0))]
        )
        colour = g.mix(g.math("MULTIPLY", inside, 0.8), colour, (0.42, 0.22, 0.02))
    rough = g.node("MapRange", Value=g.noise(50, 4), To_Min=0.34, To_Max=0.6)
    return g.finish(
        g.principled(Base_Color=colour, Roughness=rough, Normal=g.bump(g.noise(90, 4, 0.6), 0.0012, 0.6)),
        cheap=(0.012, 0.028, 0.01),
    )


def squash(rng):
    """Acorn squash; built on its stem end with the tip up. Layout rolls it until it rests, so never on the tip."""
    radius, height = rng.uniform(0.056, 0.067), rng.uniform(0.122, 0.145)
    lobes, groove = rng.choice([9, 10, 10]), rng.uniform(0.075, 0.11)
    profile = spline(
        [
            (0.002, 0.10),
            (0.16, 0.045),
            (0.42, 0.0),
            (0.74, 0.08),
            (0.95, 0.27),
            (1.0, 0.46),
            (0.9, 0.66),
            (0.66, 0.84),
            (0.36, 0.95),
            (0.12, 1.0),
            (0.004, 1.01),
        ],
        7,
    )
    offset = Vector((rng.random() * 50, 7, 0))
    rings = []
    for r, z in profile:
        near_pole = min(1, r * 1.7)
        ring = []
        for a in ring_angles(lobes * 14):
            lobe = abs(math.sin(lobes * a / 2)) ** 0.9
            p = Vector((math.sin(a), -math.cos(a), z * 2))
            rr = radius * r * (1 - groove * near_pole * (1 - lobe)) * (1 + 0.05 * noise.noise(p * 1.1 + offset))
            foot = 0.006 * near_pole * (lobe - 0.5) if z < 0.3 else 0
            ring.append((rr * math.sin(a), -rr * math.cos(a), height * z + foot))
        rings.append(np.array(ring))
    parts = [loft("squash", rings, squash_skin(rng, radius, height))]
    parts.append(
        turned(
            "squashStem",
            [(0.002, -0.007), (0.009, -0.006), (0.010, height * 0.02), (0.012, height * 0.06), (0.003, height * 0.10)],
            plastic("squashStem", (0.22, 0.17, 0.07), 0.8, 0.0006, bump_scale=120),
            12,
        )
    )
    if rng.random() < 0.5:
        parts.append(sticker(rng, radius, height, profile))
    return Product("squash", parts, ROLLS)


def sticker(rng, radius, height, profile, size=0.011):
    """Small square on the front, tangent to the skin and half a millimetre above it."""
    angle, level = rng.uniform(-0.7, 0.7), rng.uniform(0.45, 0.62)
    out = Vector((math.sin(angle), -math.cos(angle), 0.25)).normalized()
    r = float(np.interp(level, profile[:, 1], profile[:, 0])) * radius
    middle = Vector((math.sin(angle) * r, -math.cos(angle) * r, level * height)) + out * 0.0005
    right = Vector((0, 0, 1)).cross(out).normalized() * size
    up = out.cross(right)
    return quad(
        "sticker",
        [middle - right - up, middle + right - up, middle + right + up, middle - right + up],
        paper("sticker", labels.fruit_sticker(rng), 0.35, cut_out=True),
    )
