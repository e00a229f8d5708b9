"""The refrigerator's case: inner shell, gasket, control housing, lamp and what is moulded into the walls."""
import math

import bpy
import labels
import numpy as np
from materials import Graph, paper, plastic
from mathutils import Euler, Matrix
from mesh import box, loft, quad, ring_angles, rounded_rectangle, spline, turned

WALL_TAPER = .028       # metres by which each side wall comes in towards the back


def upright_ring(half_x, z0, z1, radius, y):
    """Rounded rectangle standing in the plane of one y: (N, 3)."""
    ring = rounded_rectangle(half_x, (z1 - z0) / 2, radius, 0, 8, 10)
    return np.stack([ring[:, 0], np.full(len(ring), y), ring[:, 1] + (z0 + z1) / 2], 1)


def build_shell(model, material):
    """One skin: outer flange, rounded lip, tapering walls, coved back."""
    w, h, d = model.half_width, model.height, model.depth
    lip = [(.045, -.004, .02), (.030, -.004, .02), (.014, -.0035, .03), (.006, .000, .04), (.001, .008, .05),
           (.0, .018, .055)]
    rings = [upright_ring(w + o, -.02 - o, h + o, radius + .01, y) for o, y, radius in lip]
    for t in np.linspace(.08, 1, 8):
        rings.append(upright_ring(w - WALL_TAPER * t, -.02 + .012 * t, h - .045 * t, .06, .018 + (d - .07) * t))
    for k in range(1, 9):
        angle = math.pi / 2 * k / 8
        o = WALL_TAPER + .05 * (1 - math.cos(angle))
        rings.append(upright_ring(w - o, -.008 + o - WALL_TAPER, h - .045 - (o - WALL_TAPER), .06,
                                  d - .052 + .05 * math.sin(angle)))
    loft("shell", rings, material, cap_first=False, flip=True)


def build_frame(model, inner, outer, y_front, y_back, material):
    """Rectangular collar around the opening, `inner` and `outer` metres outside it."""
    w, h = model.half_width, model.height
    rings = [upright_ring(w + o, -.02 - o, h + o, .03, y)
             for o, y in ((inner, y_back), (inner, y_front), (outer, y_front), (outer, y_back))]
    loft("frame", rings, material, False, False, flip=True, sharp_degrees=40)


def add_light(kind, name, location, power, colour, **settings):
    light = bpy.data.lights.new(name, kind)
    light.energy, light.color = power, colour
    for key, value in settings.items():
        setattr(light, key, value)
    thing = bpy.data.objects.new(name, light)
    thing.location = location
    bpy.context.collection.objects.link(thing)
    return thing


def glowing(name, colour, strength):
    """What the camera sees of a lamp; it lights nothing, a light object does (less noise)."""
    g = Graph(name)
    material = g.finish(g.node("Emission", Color=colour, Strength=strength))
    material.cycles.emission_sampling = "NONE"
    return material


def build_bulb(model, lighting, trim):
    """Control housing with a dial in front, a bulb behind ribbed glass under the ceiling."""
    h, grey = model.height, plastic("panel", (.22, .215, .21), .5, .0001)
    box("housing", (.150, .17, .075), .018, trim, (0, .19, h - .075))
    box("panel", (.120, .012, .052), .008, grey, (0, .102, h - .070), Euler((-.25, 0, 0)))
    box("switch", (.018, .008, .028), .003, trim, (-.040, .0945, h - .070), Euler((-.1, 0, 0)))
    dial = turned("dial", [(.017, 0), (.017, .0), (.016, .008), (.012, .010), (.001, .010)],
                  plastic("dial", (.33, .325, .32), .4), 32)
    tilt = Euler((math.pi / 2 - .25, 0, 0)).to_matrix().to_4x4()
    dial.matrix_world = Matrix.Translation((.022, .095, h - .070)) @ tilt
    box("dialMark", (.004, .006, .028), .0015, trim, (.022, .084, h - .072), Euler((0, lighting.dial_turn, 0)))
    x, y, z = .018, .245, h - .155
    bulb = turned("bulb", [(.001, -.02), (.014, -.014), (.019, .0), (.018, .012), (.012, .026), (.001, .03)],
                  glowing("bulb", lighting.lamp_colour, 90.), 24)
    bulb.matrix_world = Matrix.Translation((x, y, z + .02))
    g = Graph("shade")
    glass = g.node("AddShader", i0=g.node("BsdfTranslucent", Color=(.16, .15, .14)),
                   i1=g.node("BsdfGlossy", Color=(.06, .06, .06), Roughness=.15))
    material = g.finish(g.node("MixShader", i0=.30, i1=g.node("BsdfTransparent", Color=(1, .98, .95)), i2=glass))
    outline = spline([(.002, -.06), (.02, -.058), (.040, -.05), (.052, -.03), (.056, .0), (.050, .03), (.030, .04)], 5)
    rings = []
    for radius, height in outline:
        t = ring_angles(60)
        ribbed = radius * (1 + .02 * np.sign(np.sin(t * 10)))
        rings.append(np.stack([ribbed * np.sin(t) * 1.15, -ribbed * np.cos(t) * .8, np.full(60, height)], 1))
    shade = loft("shade", rings, material)
    shade.matrix_world = Matrix.Translation((x, y, z + .005))
    bulb.visible_shadow = bulb.visible_diffuse = shade.visible_shadow = False
    box("socket", (.09, .06, .022), .006, trim, (x, y, z + .055))
    add_light("POINT", "lamp", (x, y - .01, z - .01), lighting.lamp_power, lighting.lamp_colour, shadow_soft_size=.03)


def build_strip(model, lighting, trim):
    """LED bar across the ceiling, a little behind the opening, and a small control panel at its side."""
    h = model.height
    box("stripCase", (.34, .075, .022), .008, trim, (0, .15, h - .045))
    strip = box("strip", (.30, .050, .008), .003, glowing("strip", lighting.lamp_colour, 14.), (0, .15, h - .058))
    strip.visible_shadow = strip.visible_diffuse = False
    box("panel", (.09, .012, .030), .004, plastic("panel", (.05, .05, .055), .3), (0, .108, h - .042))
    for k in range(4):
        lit = glowing("led", (.3, .8, .9), 3. if k < 2 else .1)
        box("led", (.006, .003, .004), .001, lit, (-.025 + k * .016, .101, h - .042))
    light = add_light("AREA", "lamp", (0, .17, h - .066), lighting.lamp_power * 1.35, lighting.lamp_colour,
                      shape="RECTANGLE", size=.30, size_y=.06)
    light.rotation_euler = (math.radians(14), 0, 0)     # a little towards the back wall


def build_cabinet(model, lighting, rng):
    """Everything but shelves and drawers."""
    w, h, d = model.half_width, model.height, model.depth
    wall = plastic("wall", model.wall_colour, .34, .00006, bump_scale=500, smudge=.1)
    trim = plastic("cabinetTrim", tuple(min(.84, c * 1.04) for c in model.wall_colour), .3, .00004, bump_scale=700)
    build_shell(model, wall)
    build_frame(model, .030, .046, -.016, .02, plastic("gasket", (.012, .011, .011), .45, .0002, bump_scale=300))
    build_frame(model, .046, .12, -.012, .3, plastic("case", model.case_colour, .35, .0003, bump_scale=250))
    (build_bulb if model.lamp == "bulb" else build_strip)(model, lighting, trim)
    for side in (-1, 1):
        for z in (model.top_shelf - .03, model.middle_shelf - .02, (model.middle_shelf + model.tray) / 2,
                  model.top_shelf + .09):
            box("boss", (.026, .062, .034), .012, wall, (side * (w - .006), .13 + rng.uniform(-.01, .01), z))
            box("rail", (.022, .16, .020), .009, wall, (side * (w - .026), .38, z + .015))
    if rng.random() < .7:
        y0, y1, z0, z1 = .07, .19, h - .26, h - .13

        def wall_x(y):
            return -(w - WALL_TAPER * (y - .018) / (d - .07)) + .0012
        quad("ratingPlate", [(wall_x(y0), y0, z0), (wall_x(y1), y1, z0), (wall_x(y1), y1, z1), (wall_x(y0), y0, z1)],
             paper("ratingPlate", labels.rating_plate(rng), .5, cut_out=True))
