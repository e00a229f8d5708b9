"""Ketchup and mustard (squeeze bottles), water (green glass bottle)."""
import labels
import numpy as np
from materials import Graph, metal, paper, plastic
from mesh import loft, spline, squircle, turned

from products.product import STANDS_OR_LIES, Product


def squeeze_bottle(name, colour, picture, u_range, v_range, roughness=.22, subsurface=.25):
    """Glossy translucent plastic with a printed, duller label."""
    g = Graph(name)
    base = g.mix(g.noise(20, 3), colour, tuple(c * .82 for c in colour))
    printed, alpha = g.label(picture, base, u_range, v_range)
    rough = g.node("MapRange", Value=alpha, To_Min=roughness, To_Max=.38)
    glow = g.math("MULTIPLY", g.math("SUBTRACT", 1.0, alpha), subsurface)
    return g.finish(g.principled(Base_Color=printed, Roughness=rough, Subsurface_Weight=glow, Subsurface_Scale=.006,
                                 Subsurface_Radius=(1, .3, .2), Coat_Weight=.3, Coat_Roughness=.08,
                                 Normal=g.bump(g.noise(70, 3), .0003, .6)), cheap=colour)


def ketchup(rng):
    k = rng.uniform(.94, 1.1)           # bottle height, relative
    waist = rng.uniform(.88, .95)
    profile = spline([(.70, .001), (.86, .001), (.97, .005), (1, .016), (1, .045), (waist + .04, .068), (waist, .086),
                      (.94, .104), (.96, .118), (.88, .134), (.70, .147), (.56, .153)], 6) * (1, k)
    skin = squeeze_bottle("ketchup", rng.choice([(.27, .006, .006), (.33, .012, .008), (.22, .004, .006)]),
                          labels.ketchup(rng), (.33, .67), (.10, .72))
    body = loft("ketchup", [squircle(.0430 * r, .0330 * r, z, 3.4) for r, z in profile], skin,
                heights=profile[:, 1] / profile[-1, 1])
    cap = spline([(.0262, .150), (.0280, .150), (.0280, .150), (.0285, .152), (.0280, .168), (.0262, .172),
                  (.012, .1735), (.001, .1735)], 4) + (0, .153 * (k - 1))
    colour = rng.choice([(.86, .84, .8), (.86, .84, .8), (.55, .02, .02), (.05, .25, .06)])
    top = loft("ketchupCap", [squircle(r * 1.12, r, z, 2.6) for r, z in cap],
               plastic("ketchupCap", colour, .35, subsurface=.2))
    return Product("ketchup", [body, top], STANDS_OR_LIES)


def mustard(rng):
    k = rng.uniform(.95, 1.12)
    profile = spline([(.72, .001), (.88, .001), (.97, .004), (1, .012), (1, .05), (.97, .07), (.93, .082), (.78, .093),
                      (.66, .098)], 6) * (1, k)
    skin = squeeze_bottle("mustard", rng.choice([(.83, .52, .008), (.85, .56, .03), (.78, .44, .008)]),
                          labels.mustard(rng), (.27, .73), (.16, .68), .25, .2)
    body = loft("mustard", [squircle(.0340 * r, .0300 * r, z, 4.2) for r, z in profile], skin,
                heights=profile[:, 1] / profile[-1, 1])
    lift = .098 * (k - 1)
    cap = [(.0225, .096), (.0240, .096), (.0240, .096), (.0248, .098), (.0248, .116), (.0236, .1195), (.018, .1205),
           (.001, .1205)]
    colour = rng.choice([(.012, .012, .012), (.012, .012, .012), (.55, .03, .02), (.80, .50, .01)])
    top = turned("mustardCap", [(r, z + lift) for r, z in cap], plastic("mustardCap", colour, .35), 120, 4,
                 ridges=(40, .0004, .098 + lift, .1165 + lift))
    return Product("mustard", [body, top], STANDS_OR_LIES)


def green_glass(rng):
    """Shadow rays pass as green transparency: a green shadow without the noise of caustics."""
    hue = rng.choice([(.045, .42, .075), (.03, .34, .12), (.07, .44, .06)])
    g = Graph("glass")
    glass = g.principled(Base_Color=hue, Roughness=.015, IOR=1.42, Transmission_Weight=1.,
                         Normal=g.bump(g.noise(40, 3), .0003, .5))
    passed = g.node("BsdfTransparent", Color=(.16, .55, .2))
    return g.finish(g.node("MixShader", i0=g.node("LightPath", output=1), i1=glass, i2=passed))


def water(rng):
    k = rng.uniform(.95, 1.08)
    shoulder = rng.uniform(.098, .112)
    outline = np.array([(.002, .004), (.020, .003), (.0285, .001), (.0325, .004), (.0335, .012), (.0335, .012),
                        (.0335, .06), (.0335, shoulder), (.0300, shoulder + .018), (.0200, shoulder + .036),
                        (.0145, shoulder + .054), (.0132, .178), (.0132, .186), (.004, .186)]) * (1, k)
    glass = green_glass(rng)
    body = turned("bottle", outline, glass, 72)
    # The air above the water is an inverted surface inside: it draws the meniscus and the bright neck.
    level = (shoulder + rng.uniform(.030, .050)) * k
    wall = float(np.interp(level, outline[-7:-2, 1], outline[-7:-2, 0])) - .0022
    air = turned("air", [(.001, level), (wall, level), (wall, level + .0002), (.0118, .170 * k), (.0112, .185 * k),
                         (.001, .185 * k)], glass, 48)
    air.data.flip_normals()
    low, high = .028 * k, (shoulder - .012) * k
    label = turned("waterLabel", [(.0337, low), (.0337, high)], paper("waterLabel", labels.water(rng), .35), 72,
                   cap_first=False, cap_last=False, smooth_profile=False)
    colour = rng.choice([(.55, .55, .56), (.75, .75, .72), (.10, .22, .50)])
    lift = .186 * k - .180
    cap = [(.0130, .176), (.0150, .176), (.0150, .176), (.0150, .178), (.0144, .188), (.0130, .191), (.001, .1915)]
    top = turned("waterCap", [(r, z + lift) for r, z in cap], metal("waterCap", colour), 84, 4,
                 ridges=(21, .0005, .1765 + lift, .187 + lift))
    return Product("water", [body, air, label, top], STANDS_OR_LIES)
