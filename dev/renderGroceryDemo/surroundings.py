"""Everything outside the refrigerator: open door with racks, a cupboard, the floor, the light of the room."""

import math
from dataclasses import dataclass

import bpy
from cabinet import add_light
from materials import Graph, clear, plastic
from mathutils import Euler, Matrix, Vector
from mesh import box, quad
from products import BUILDERS, DOOR_FOOD


@dataclass(frozen=True)
class Lighting:
    """Powers in Blender's watts; colours linear RGB."""

    lamp_power: float
    lamp_colour: tuple
    room_power: float
    room_colour: tuple
    sky: float  # strength of the uniform light from everywhere
    dial_turn: float  # radians; decoration on the control housing


def draw_lighting(rng, lamp):
    """Bulbs are warm, LED strips cooler; the kitchen is dark, lit by a lamp, or in daylight."""
    warm, cool = (1.0, 0.83, 0.63), (1.0, 0.95, 0.88)
    t = rng.uniform(0, 0.5) if lamp == "bulb" else rng.uniform(0.5, 1.2)
    colour = tuple(min(1.0, a + (b - a) * t) for a, b in zip(warm, cool, strict=True))
    power, room, sky = rng.choice([(14, (1, 0.90, 0.78), 0.25), (28, (1, 0.88, 0.72), 0.5), (55, (0.88, 0.94, 1), 2.2)])
    return Lighting(
        rng.uniform(6.5, 8.5),
        colour,
        power * rng.uniform(0.8, 1.25),
        room,
        sky * rng.uniform(0.8, 1.3),
        rng.uniform(-0.8, 0.8),
    )


def wood(rng):
    dark, light = rng.choice(
        [
            ((0.045, 0.016, 0.008), (0.12, 0.045, 0.02)),
            ((0.16, 0.09, 0.045), (0.30, 0.18, 0.09)),
            ((0.13, 0.13, 0.13), (0.2, 0.2, 0.2)),
        ]
    )
    g = Graph("floor")
    grain = g.node(
        "TexWave", settings={"bands_direction": "X"}, Scale=3.0, Distortion=6.0, Detail=4.0, Vector=g.coordinates()
    )
    return g.finish(g.principled(Base_Color=g.ramp(grain, [(0, dark), (1, light)]), Roughness=0.4))


def build_door(model, rng):
    """Door opened about a right angle, on its inside three racks with a few products of no class."""
    outer = plastic("doorInside", tuple(c * 0.9 for c in model.wall_colour), 0.4)
    case = plastic("doorCase", model.case_colour, 0.35, 0.0003, bump_scale=250)
    gasket = plastic("doorGasket", (0.02, 0.02, 0.02), 0.5)
    rack_front = clear("rack", (0.93, 0.94, 0.94), 0.06, 0.10, 0.8)
    side = model.door_side
    turn = Euler((0, 0, side * math.radians(rng.uniform(2, 14))))
    hinge = Matrix.Translation((side * (model.half_width + 0.135), 0, 0)) @ turn.to_matrix().to_4x4()

    def put(name, size, radius, material, x, y, z):
        part = box(name, size, radius, material)
        part.matrix_world = hinge @ Matrix.Translation((side * x, y, z))

    put("doorCase", (0.05, 0.74, model.height + 0.10), 0.012, case, 0.095, -0.38, 0.52)
    put("doorGasket", (0.012, 0.72, model.height + 0.07), 0.004, gasket, 0.064, -0.38, 0.52)
    put("doorInside", (0.03, 0.69, model.height + 0.02), 0.012, outer, 0.046, -0.38, 0.52)
    for z in (0.10, 0.40, 0.74):
        put("rackFloor", (0.105, 0.62, 0.018), 0.006, outer, -0.012, -0.38, z)
        put("rackFront", (0.008, 0.62, 0.075), 0.003, rack_front, -0.062, -0.38, z + 0.038)
        put("rackRail", (0.012, 0.62, 0.012), 0.004, outer, -0.062, -0.38, z + 0.078)
        y = -0.62
        while y < -0.12:
            if rng.random() < 0.45:
                food = BUILDERS[rng.choice(DOOR_FOOD)](rng)
                food.move(
                    hinge
                    @ Matrix.Translation((side * -0.008, y, z + 0.0095))
                    @ Euler((0, 0, -side * math.pi / 2 + rng.uniform(-0.3, 0.3))).to_matrix().to_4x4()
                )
            y += rng.uniform(0.085, 0.12)


def build_surroundings(model, lighting, rng):
    cupboard = rng.choice([(0.30, 0.28, 0.25), (0.62, 0.60, 0.56), (0.16, 0.08, 0.04), (0.20, 0.25, 0.28)])
    box(
        "cupboard",
        (0.5, 0.4, 2.0),
        0.01,
        plastic("cupboard", cupboard, 0.5),
        (-model.door_side * (model.half_width + 0.40), 0.19, 0.6),
    )
    quad("floor", [(-2, -2, -0.30), (2, -2, -0.30), (2, 1, -0.30), (-2, 1, -0.30)], wood(rng))
    black = plastic("plinth", (0.012, 0.011, 0.011), 0.45)
    box("plinth", (2 * model.half_width + 0.2, 0.2, 0.12), 0.01, black, (0, 0.10, -0.215))
    build_door(model, rng)
    room = add_light(
        "AREA", "room", (rng.uniform(-1.2, 1.0), -1.6, 1.9), lighting.room_power, lighting.room_colour, size=1.2
    )
    room.rotation_euler = (Vector((0, 0, 0.4)) - room.location).to_track_quat("-Z", "Y").to_euler()
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (0.05, 0.047, 0.044, 1)
    world.node_tree.nodes["Background"].inputs[1].default_value = lighting.sky
