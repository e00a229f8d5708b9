"""Ketchup and mustard (squeeze bottles), water (green glass bottle)."""

import labels
import numpy as np
from materials import Graph, metal, paper, plastic
from mesh import loft, spline, squircle, turned

from products.product import STANDS_OR_LIES, Product


def squeeze_bottle(name, colour, picture, u_range, v_range, roughness=0.22, subsurface=0.25):
    """Glossy translucent plastic with a printed, duller label."""
    g = Graph(name)
    base = g.mix(g.noise(20, 3), colour, tuple(c * 0.82 for c in colour))
    printed, alpha = g.label(picture, base, u_range, v_range)
    rough = g.node("MapRange", Value=alpha, To_Min=roughness, To_Max=0.38)
    glow = g.math("MULTIPLY", g.math("SUBTRACT", 1.0, alpha), subsurface)
    return g.finish(
        g.principled(
            Base_Color=printed,
            Roughness=rough,
            Subsurface_Weight=glow,
            Subsurface_Scale=0.006,
            Subsurface_Radius=(1, 0.3, 0.2),
            Coat_Weight=0.3,
            Coat_Roughness=0.08,
            Normal=g.bump(g.noise(70, 3), 0.0003, 0.6),
        ),
        cheap=colour,
    )


def ketchup(rng):
    k = rng.uniform(0.94, 1.1)  # bottle height, relative
    waist = rng.uniform(0.88, 0.95)
    profile = spline(
        [
            (0.70, 0.001),
            (0.86, 0.001),
            (0.97, 0.005),
            (1, 0.016),
            (1, 0.045),
            (waist + 0.04, 0.068),
            (waist, 0.086),
            (0.94, 0.104),
            (0.96, 0.118),
            (0.88, 0.134),
            (0.70, 0.147),
            (0.56, 0.153),
        ],
        6,
    ) * (1, k)
    skin = squeeze_bottle(
        "ketchup",
        rng.choice([(0.27, 0.006, 0.006), (0.33, 0.012, 0.008), (0.22, 0.004, 0.006)]),
        labels.ketchup(rng),
        (0.33, 0.67),
        (0.10, 0.72),
    )
    body = loft(
        "ketchup",
        [squircle(0.0430 * r, 0.0330 * r, z, 3.4) for r, z in profile],
        skin,
        heights=profile[:, 1] / profile[-1, 1],
    )
    cap = spline(
        [
            (0.0262, 0.150),
            (0.0280, 0.150),
            (0.0280, 0.150),
            (0.0285, 0.152),
            (0.0280, 0.168),
            (0.0262, 0.172),
            (0.012, 0.1735),
            (0.001, 0.1735),
        ],
        4,
    ) + (0, 0.153 * (k - 1))
    colour = rng.choice([(0.86, 0.84, 0.8), (0.86, 0.84, 0.8), (0.55, 0.02, 0.02), (0.05, 0.25, 0.06)])
    top = loft(
        "ketchupCap",
        [squircle(r * 1.12, r, z, 2.6) for r, z in cap],
        plastic("ketchupCap", colour, 0.35, subsurface=0.2),
    )
    return Product("ketchup", [body, top], STANDS_OR_LIES)


def mustard(rng):
    k = rng.uniform(0.95, 1.12)
    profile = spline(
        [
            (0.72, 0.001),
            (0.88, 0.001),
            (0.97, 0.004),
            (1, 0.012),
            (1, 0.05),
            (0.97, 0.07),
            (0.93, 0.082),
            (0.78, 0.093),
            (0.66, 0.098),
        ],
        6,
    ) * (1, k)
    skin = squeeze_bottle(
        "mustard",
        rng.choice([(0.83, 0.52, 0.008), (0.85, 0.56, 0.03), (0.78, 0.44, 0.008)]),
        labels.mustard(rng),
        (0.27, 0.73),
        (0.16, 0.68),
        0.25,
        0.2,
    )
    body = loft(
        "mustard",
        [squircle(0.0340 * r, 0.0300 * r, z, 4.2) for r, z in profile],
        skin,
        heights=profile[:, 1] / profile[-1, 1],
    )
    lift = 0.098 * (k - 1)
    cap = [
        (0.0225, 0.096),
        (0.0240, 0.096),
        (0.0240, 0.096),
        (0.0248, 0.098),
        (0.0248, 0.116),
        (0.0236, 0.1195),
        (0.018, 0.1205),
        (0.001, 0.1205),
    ]
    colour = rng.choice([(0.012, 0.012, 0.012), (0.012, 0.012, 0.012), (0.55, 0.03, 0.02), (0.80, 0.50, 0.01)])
    top = turned(
        "mustardCap",
        [(r, z + lift) for r, z in cap],
        plastic("mustardCap", colour, 0.35),
        120,
        4,
        ridges=(40, 0.0004, 0.098 + lift, 0.1165 + lift),
    )
    return Product("mustard", [body, top], STANDS_OR_LIES)


def green_glass(rng):
    """Shadow rays pass as green transparency: a green shadow without the noise of caustics."""
    hue = rng.choice([(0.045, 0.42, 0.075), (0.03, 0.34, 0.12), (0.07, 0.44, 0.06)])
    g = Graph("glass")
    glass = g.principled(
        Base_Color=hue, Roughness=0.015, IOR=1.42, Transmission_Weight=1.0, Normal=g.bump(g.noise(40, 3), 0.0003, 0.5)
    )
    passed = g.node("BsdfTransparent", Color=(0.16, 0.55, 0.2))
    return g.finish(g.node("MixShader", i0=g.node("LightPath", output=1), i1=glass, i2=passed))


def water(rng):
    k = rng.uniform(0.95, 1.08)
    shoulder = rng.uniform(0.098, 0.112)
    outline = np.array(
        [
            (0.002, 0.004),
            (0.020, 0.003),
            (0.0285, 0.001),
            (0.0325, 0.004),
            (0.0335, 0.012),
            (0.0335, 0.012),
            (0.0335, 0.06),
            (0.0335, shoulder),
            (0.0300, shoulder + 0.018),
            (0.0200, shoulder + 0.036),
            (0.0145, shoulder + 0.054),
            (0.0132, 0.178),
            (0.0132, 0.186),
            (0.004, 0.186),
        ]
    ) * (1, k)
    glass = green_glass(rng)
    body = turned("bottle", outline, glass, 72)
    # The air above the water is an inverted surface inside: it draws the meniscus and the bright neck.
    level = (shoulder + rng.uniform(0.030, 0.050)) * k
    wall = float(np.interp(level, outline[-7:-2, 1], outline[-7:-2, 0])) - 0.0022
    air = turned(
        "air",
        [
            (0.001, level),
            (wall, level),
            (wall, level + 0.0002),
            (0.0118, 0.170 * k),
            (0.0112, 0.185 * k),
            (0.001, 0.185 * k),
        ],
        glass,
        48,
    )
    air.data.flip_normals()
    low, high = 0.028 * k, (shoulder - 0.012) * k
    label = turned(
        "waterLabel",
        [(0.0337, low), (0.0337, high)],
        paper("waterLabel", labels.water(rng), 0.35),
        72,
        cap_first=False,
        cap_last=False,
        smooth_profile=False,
    )
    colour = rng.choice([(0.55, 0.55, 0.56), (0.75, 0.75, 0.72), (0.10, 0.22, 0.50)])
    lift = 0.186 * k - 0.180
    cap = [
        (0.0130, 0.176),
        (0.0150, 0.176),
        (0.0150, 0.176),
        (0.0150, 0.178),
        (0.0144, 0.188),
        (0.0130, 0.191),
        (0.001, 0.1915),
    ]
    top = turned(
        "waterCap",
        [(r, z + lift) for r, z in cap],
        metal("waterCap", colour),
        84,
        4,
        ridges=(21, 0.0005, 0.1765 + lift, 0.187 + lift),
    )
    return Product("water", [body, air, label, top], STANDS_OR_LIES)
