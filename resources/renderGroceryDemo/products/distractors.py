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
    half, height = .036, rng.choice([.13, .17])
    ink = rng.choice([(40, 90, 160), (190, 40, 40), (40, 120, 80), (90, 60, 130)])
    g = Graph("milk")
    picture = labels.words(rng.choice(["MILK", "OAT DRINK", "BUTTERMILK"]), 1200, 640, (244, 244, 240), ink)
    four_sides = g.node("Mapping", Vector=g.coordinates("UV"), Location=(.25, 0, 0), Scale=(2, 1, 1))
    colour, _ = g.image(picture, four_sides, repeat=True)
    skin = g.finish(g.principled(Base_Color=colour, Roughness=.4), cheap=(.8, .8, .78))
    rings = [rounded_rectangle(half, half, .003, z, 2) for z in (0, height)]
    rings.append(rounded_rectangle(half, .004, .002, height + .032, 2))
    rings.append(rounded_rectangle(half, .002, .001, height + .045, 2))
    parts = [loft("milk", rings, skin, heights=[0, .8, .95, 1], sharp_degrees=20)]
    if rng.random() < .6:
        cap = turned("milkCap", [(.012, 0), (.013, .001), (.013, .010), (.012, .012), (.001, .012)],
                     plastic("milkCap", tuple((c / 255) ** 2.2 for c in ink), .4), 40)
        cap.matrix_world.translation = Vector((0, -.018, height + .016))
        parts.append(cap)
    return Product("milkCarton", parts, STANDS)


def jam_jar(rng):
    """Jar of jam or pickles with a screw lid and a paper label."""
    k = rng.uniform(.8, 1.1)
    outline = [(.002, .003), (.026, .002), (.0325, .004), (.0345, .012), (.0345, .04 * k), (.0345, .078 * k),
               (.030, .088 * k), (.028, .094 * k)]
    colour = rng.choice([(.10, .006, .012), (.30, .09, .006), (.16, .17, .03), (.12, .02, .10)])
    g = Graph("jam")
    jar = g.finish(g.principled(Base_Color=g.mix(g.noise(90, 3), colour, tuple(c * .5 for c in colour)), Roughness=.06,
                                Coat_Weight=1., Coat_Roughness=.03), cheap=colour)
    ink = rng.choice([(110, 30, 40), (60, 70, 40), (70, 50, 90)])
    picture = labels.words(rng.choice(["JAM", "PICKLES", "CHUTNEY"]), 1200, 260, (246, 238, 214), ink)
    label = paper("jamLabel", picture, .6)
    lid = metal("jamLid", rng.choice([(.75, .72, .66), (.35, .05, .05), (.72, .58, .25)]))
    wrap = turned("jamLabel", [(.0348, .018 * k), (.0348, .066 * k)], label, 64, cap_first=False, cap_last=False,
                  smooth_profile=False)
    rim = [(.029, .088 * k), (.0315, .089 * k), (.0318, .1 * k), (.030, .103 * k), (.001, .102 * k)]
    return Product("jamJar", [turned("jam", outline, jar, 64), wrap, turned("jamLid", rim, lid, 64)], STANDS)


def tin_can(rng):
    ink = rng.choice([(160, 120, 40), (70, 110, 60), (130, 60, 90), (60, 80, 120)])
    height = rng.uniform(.06, .11)
    picture = labels.words(rng.choice(["BEANS", "CORN", "PEAS", "TUNA"]), 1200, 420, (238, 232, 216), ink)
    label = paper("tinLabel", picture, .4)
    body = turned("tin", [(.001, .002), (.034, .002), (.036, .0), (.0368, .002), (.036, .004), (.036, height - .004),
                          (.0368, height - .002), (.036, height), (.034, height - .002), (.001, height - .003)],
                  metal("tin", (.7, .7, .71), .3), 72, 3)
    wrap = turned("tinLabel", [(.0364, .007), (.0364, height - .007)], label, 72, cap_first=False, cap_last=False,
                  smooth_profile=False)
    return Product("tinCan", [body, wrap], STANDS)


def storage_box(rng):
    """Milky plastic box with a coloured lid and leftovers inside."""
    x, y, z = rng.uniform(.055, .085), rng.uniform(.045, .06), rng.uniform(.04, .07)
    rings = [rounded_rectangle(x - o, y - o, .018, h, 6) for o, h in
             spline([(.012, .001), (.010, .0), (.007, .003), (.002, z * .6), (0, z)], 4)]
    g = Graph("leftovers")
    warm = rng.choice([(.5, .16, .05), (.45, .32, .12), (.12, .2, .05)])
    food = g.finish(g.principled(Base_Color=g.ramp(g.noise(70, 4), [(.35, tuple(c * .4 for c in warm)), (.65, warm)]),
                                 Roughness=.7, Normal=g.bump(g.noise(90, 3), .004)), cheap=warm)
    colour = rng.choice([(.05, .16, .40), (.50, .06, .06), (.10, .30, .16), (.6, .6, .58)])
    lid = plastic("boxLid", colour, .35, subsurface=.1)
    return Product("storageBox", [
        loft("storageBox", rings, clear("milkyPlastic", (.9, .92, .93), .06, .25, .6, .0, .15)),
        box("boxLid", (2 * x + .010, 2 * y + .010, .010), .004, lid, (0, 0, z + .003)),
        box("leftovers", (2 * x - .022, 2 * y - .022, z * .6), .012, food, (0, 0, z * .3 + .003))], STANDS)


def apple(rng):
    radius = rng.uniform(.032, .040)
    red, green = rng.choice([((.42, .012, .02), (.45, .34, .05)), ((.34, .40, .04), (.25, .34, .04)),
                             ((.30, .01, .015), (.34, .03, .03))])
    g = Graph("apple")
    colour = g.mix(g.ramp(g.noise(26, 4), [(.40, (0, 0, 0)), (.62, (1, 1, 1))]), red, green)
    skin = g.finish(g.principled(Base_Color=colour, Roughness=.25, Coat_Weight=.2), cheap=red)
    outline = np.array([(.001, .14), (.16, .05), (.40, .0), (.72, .16), (.97, .62), (1., 1.05), (.84, 1.45), (.5, 1.66),
                        (.22, 1.62), (.08, 1.45), (.001, 1.36)]) * radius
    stalk = [(.0012, radius * 1.35), (.0010, radius * 1.6), (.0018, radius * 1.85), (.0003, radius * 1.86)]
    stem = turned("appleStem", stalk, plastic("appleStem", (.08, .05, .02), .8), 8)
    return Product("apple", [turned("apple", outline, skin, 56), stem], ROLLS)


def lemon(rng):
    radius = rng.uniform(.025, .030)
    g = Graph("lemon")
    skin = g.finish(g.principled(Base_Color=g.ramp(g.noise(40, 3), [(.3, (.80, .58, .02)), (.7, (.86, .68, .05))]),
                                 Roughness=.4, Normal=g.bump(g.noise(260, 3), .0008)), cheap=(.82, .62, .03))
    outline = np.array([(.001, -.12), (.10, -.1), (.22, .02), (.55, .22), (.9, .7), (1., 1.3), (.9, 1.85), (.5, 2.3),
                        (.2, 2.45), (.12, 2.55), (.001, 2.58)]) * radius
    return Product("lemon", [turned("lemon", outline, skin, 48)], ROLLS)


def cucumber(rng):
    radius, length = rng.uniform(.019, .024), rng.uniform(.15, .22)
    g = Graph("cucumber")
    skin = g.finish(g.principled(Base_Color=g.ramp(g.noise(50, 5), [(.3, (.012, .07, .012)), (.7, (.05, .16, .03))]),
                                 Roughness=.35, Normal=g.bump(g.noise(120, 3), .0012)), cheap=(.03, .11, .02))
    bend = rng.uniform(-.012, .012)
    rings = []
    for t in np.linspace(.001, math.pi - .001, 25):
        z = length / 2 * (1 - math.cos(t))
        ring = circle(radius * math.sin(t) ** .45 * (1 + .02 * np.sin(7 * ring_angles(40))), z, 40)
        ring[:, 0] += bend * math.sin(t)
        rings.append(ring)
    return Product("cucumber", [loft("cucumber", rings, skin)], LIES)


def cheese(rng):
    """Wedge with wax rind."""
    size, height = rng.uniform(.07, .1), rng.uniform(.035, .05)
    a = np.linspace(-.32, .32, 9)
    outer = np.stack([size * np.sin(a), size * (np.cos(a) - .5)], 1)
    section = np.concatenate([outer, [(0, -size * .5)]])[::-1]
    rings = [np.column_stack([section, np.full(len(section), z)]) for z in (0, height)]
    g = Graph("cheese")
    skin = g.finish(g.principled(Base_Color=g.mix(g.noise(30, 3), (.80, .50, .11), (.72, .40, .07)), Roughness=.5,
                                 Subsurface_Weight=.2, Subsurface_Scale=.008), cheap=(.76, .46, .1))
    return Product("cheese", [loft("cheese", rings, skin, flip=True, sharp_degrees=30)], STANDS)


def lettuce(rng):
    """Head of lettuce: a sphere with ruffled leaves."""
    radius, offset = rng.uniform(.055, .07), Vector((rng.random() * 50, 0, 0))
    g = Graph("lettuce")
    skin = g.finish(g.principled(Base_Color=g.ramp(g.noise(35, 5, .6), [(.3, (.07, .15, .025)), (.55, (.17, .26, .06)),
                                                                         (.75, (.42, .48, .20))]),
                                 Roughness=.5, Subsurface_Weight=.2, Subsurface_Scale=.006,
                                 Normal=g.bump(g.noise(60, 5), .004)), cheap=(.18, .27, .07))
    n, rows = 96, 60
    vertices = []
    for j in range(rows + 1):
        polar = math.pi * j / rows
        for i in range(n):
            a = 2 * math.pi * i / n
            p = Vector((math.sin(polar) * math.sin(a), math.sin(polar) * math.cos(a), -math.cos(polar)))
            leaf = noise.noise(p * 2.2 + offset) * .20 + abs(noise.noise(p * 6 + offset)) * .16
            vertices.append(tuple(p * radius * (.9 + leaf)))
    faces = [(j * n + i, j * n + (i + 1) % n, (j + 1) * n + (i + 1) % n, (j + 1) * n + i)
             for j in range(rows) for i in range(n)]
    return Product("lettuce", [add_mesh("lettuce", vertices, [f[::-1] for f in faces], skin)], ROLLS)
