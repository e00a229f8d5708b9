"""The refrigerator's case: inner shell, gasket, control housing, lamp and what is moulded into the walls."""

import math

import bpy
import labels
import numpy as np
from materials import Graph, paper, plastic
from mathutils import Euler, Matrix
from mesh import box, loft, quad, ring_angles, rounded_rectangle, spline, turned

WALL_TAPER = 0.028  # metres by which each side wall comes in towards the back


def upright_ring(half_x, z0, z1, radius, y):
    """Rounded rectangle standing in the plane of one y: (N, 3)."""
    ring = rounded_rectangle(half_x, (z1 - z0) / 2, radius, 0, 8, 10)
    return np.stack([ring[:, 0], np.full(len(ring), y), ring[:, 1] + (z0 + z1) / 2], 1)


def build_shell(model, material):
    """One skin: outer flange, rounded lip, tapering walls, coved back."""
    w, h, d = model.half_width, model.height, model.depth
    lip = [
        (0.045, -0.004, 0.02),
        (0.030, -0.004, 0.02),
        (0.014, -0.0035, 0.03),
        (0.006, 0.000, 0.04),
        (0.001, 0.008, 0.05),
        (0.0, 0.018, 0.055),
    ]
    rings = [upright_ring(w + o, -0.02 - o, h + o, radius + 0.01, y) for o, y, radius in lip]
    for t in np.linspace(0.08, 1, 8):
        rings.append(upright_ring(w - WALL_TAPER * t, -0.02 + 0.012 * t, h - 0.045 * t, 0.06, 0.018 + (d - 0.07) * t))
    for k in range(1, 9):
        angle = math.pi / 2 * k / 8
        o = WALL_TAPER + 0.05 * (1 - math.cos(angle))
        rings.append(
            upright_ring(
                w - o, -0.008 + o - WALL_TAPER, h - 0.045 - (o - WALL_TAPER), 0.06, d - 0.052 + 0.05 * math.sin(angle)
            )
        )
    loft("shell", rings, material, cap_first=False, flip=True)


def build_frame(model, inner, outer, y_front, y_back, material):
    """Rectangular collar around the opening, `inner` and `outer` metres outside it."""
    w, h = model.half_width, model.height
    rings = [
        upright_ring(w + o, -0.02 - o, h + o, 0.03, y)
        for o, y in ((inner, y_back), (inner, y_front), (outer, y_front), (outer, y_back))
    ]
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
    h, grey = model.height, plastic("panel", (0.22, 0.215, 0.21), 0.5, 0.0001)
    box("housing", (0.150, 0.17, 0.075), 0.018, trim, (0, 0.19, h - 0.075))
    box("panel", (0.120, 0.012, 0.052), 0.008, grey, (0, 0.102, h - 0.070), Euler((-0.25, 0, 0)))
    box("switch", (0.018, 0.008, 0.028), 0.003, trim, (-0.040, 0.0945, h - 0.070), Euler((-0.1, 0, 0)))
    dial = turned(
        "dial",
        [(0.017, 0), (0.017, 0.0), (0.016, 0.008), (0.012, 0.010), (0.001, 0.010)],
        plastic("dial", (0.33, 0.325, 0.32), 0.4),
        32,
    )
    tilt = Euler((math.pi / 2 - 0.25, 0, 0)).to_matrix().to_4x4()
    dial.matrix_world = Matrix.Translation((0.022, 0.095, h - 0.070)) @ tilt
    box("dialMark", (0.004, 0.006, 0.028), 0.0015, trim, (0.022, 0.084, h - 0.072), Euler((0, lighting.dial_turn, 0)))
    x, y, z = 0.018, 0.245, h - 0.155
    bulb = turned(
        "bulb",
        [(0.001, -0.02), (0.014, -0.014), (0.019, 0.0), (0.018, 0.012), (0.012, 0.026), (0.001, 0.03)],
        glowing("bulb", lighting.lamp_colour, 90.0),
        24,
    )
    bulb.matrix_world = Matrix.Translation((x, y, z + 0.02))
    g = Graph("shade")
    glass = g.node(
        "AddShader",
        i0=g.node("BsdfTranslucent", Color=(0.16, 0.15, 0.14)),
        i1=g.node("BsdfGlossy", Color=(0.06, 0.06, 0.06), Roughness=0.15),
    )
    material = g.finish(g.node("MixShader", i0=0.30, i1=g.node("BsdfTransparent", Color=(1, 0.98, 0.95)), i2=glass))
    outline = spline(
        [(0.002, -0.06), (0.02, -0.058), (0.040, -0.05), (0.052, -0.03), (0.056, 0.0), (0.050, 0.03), (0.030, 0.04)], 5
    )
    rings = []
    for radius, height in outline:
        t = ring_angles(60)
        ribbed = radius * (1 + 0.02 * np.sign(np.sin(t * 10)))
        rings.append(np.stack([ribbed * np.sin(t) * 1.15, -ribbed * np.cos(t) * 0.8, np.full(60, height)], 1))
    shade = loft("shade", rings, material)
    shade.matrix_world = Matrix.Translation((x, y, z + 0.005))
    bulb.visible_shadow = bulb.visible_diffuse = shade.visible_shadow = False
    box("socket", (0.09, 0.06, 0.022), 0.006, trim, (x, y, z + 0.055))
    add_light(
        "POINT", "lamp", (x, y - 0.01, z - 0.01), lighting.lamp_power, lighting.lamp_colour, shadow_soft_size=0.03
    )


def build_strip(model, lighting, trim):
    """LED bar across the ceiling, a little behind the opening, and a small control panel at its side."""
    h = model.height
    box("stripCase", (0.34, 0.075, 0.022), 0.008, trim, (0, 0.15, h - 0.045))
    strip = box(
        "strip", (0.30, 0.050, 0.008), 0.003, glowing("strip", lighting.lamp_colour, 14.0), (0, 0.15, h - 0.058)
    )
    strip.visible_shadow = strip.visible_diffuse = False
    box("panel", (0.09, 0.012, 0.030), 0.004, plastic("panel", (0.05, 0.05, 0.055), 0.3), (0, 0.108, h - 0.042))
    for k in range(4):
        lit = glowing("led", (0.3, 0.8, 0.9), 3.0 if k < 2 else 0.1)
        box("led", (0.006, 0.003, 0.004), 0.001, lit, (-0.025 + k * 0.016, 0.101, h - 0.042))
    light = add_light(
        "AREA",
        "lamp",
        (0, 0.17, h - 0.066),
        lighting.lamp_power * 1.35,
        lighting.lamp_colour,
        shape="RECTANGLE",
        size=0.30,
        size_y=0.06,
    )
    light.rotation_euler = (math.radians(14), 0, 0)  # a little towards the back wall


def build_cabinet(model, lighting, rng):
    """Everything but shelves and drawers."""
    w, h, d = model.half_width, model.height, model.depth
    wall = plastic("wall", model.wall_colour, 0.34, 0.00006, bump_scale=500, smudge=0.1)
    trim = plastic("cabinetTrim", tuple(min(0.84, c * 1.04) for c in model.wall_colour), 0.3, 0.00004, bump_scale=700)
    build_shell(model, wall)
    build_frame(
        model, 0.030, 0.046, -0.016, 0.02, plastic("gasket", (0.012, 0.011, 0.011), 0.45, 0.0002, bump_scale=300)
    )
    build_frame(model, 0.046, 0.12, -0.012, 0.3, plastic("case", model.case_colour, 0.35, 0.0003, bump_scale=250))
    (build_bulb if model.lamp == "bulb" else build_strip)(model, lighting, trim)
    for side in (-1, 1):
        for z in (
            model.top_shelf - 0.03,
            model.middle_shelf - 0.02,
            (model.middle_shelf + model.tray) / 2,
            model.top_shelf + 0.09,
        ):
            box("boss", (0.026, 0.062, 0.034), 0.012, wall, (side * (w - 0.006), 0.13 + rng.uniform(-0.01, 0.01), z))
            box("rail", (0.022, 0.16, 0.020), 0.009, wall, (side * (w - 0.026), 0.38, z + 0.015))
    if rng.random() < 0.7:
        y0, y1, z0, z1 = 0.07, 0.19, h - 0.26, h - 0.13

        def wall_x(y):
            return -(w - WALL_TAPER * (y - 0.018) / (d - 0.07)) + 0.0012

        quad(
            "ratingPlate",
            [(wall_x(y0), y0, z0), (wall_x(y1), y1, z0), (wall_x(y1), y1, z1), (wall_x(y0), y0, z1)],
            paper("ratingPlate", labels.rating_plate(rng), 0.5, cut_out=True),
        )
