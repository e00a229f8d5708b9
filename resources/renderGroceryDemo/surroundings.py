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
    sky: float                  # strength of the uniform light from everywhere
    dial_turn: float            # radians; decoration on the control housing


def draw_lighting(rng, lamp):
    """Bulbs are warm, LED strips cooler; the kitchen is dark, lit by a lamp, or in daylight."""
    warm, cool = (1., .83, .63), (1., .95, .88)
    t = rng.uniform(0, .5) if lamp == "bulb" else rng.uniform(.5, 1.2)
    colour = tuple(min(1., a + (b - a) * t) for a, b in zip(warm, cool, strict=True))
    power, room, sky = rng.choice([(14, (1, .90, .78), .25), (28, (1, .88, .72), .5), (55, (.88, .94, 1), 2.2)])
    return Lighting(rng.uniform(6.5, 8.5), colour, power * rng.uniform(.8, 1.25), room, sky * rng.uniform(.8, 1.3),
                    rng.uniform(-.8, .8))


def wood(rng):
    dark, light = rng.choice([((.045, .016, .008), (.12, .045, .02)), ((.16, .09, .045), (.30, .18, .09)),
                              ((.13, .13, .13), (.2, .2, .2))])
    g = Graph("floor")
    grain = g.node("TexWave", settings={"bands_direction": "X"}, Scale=3., Distortion=6., Detail=4.,
                   Vector=g.coordinates())
    return g.finish(g.principled(Base_Color=g.ramp(grain, [(0, dark), (1, light)]), Roughness=.4))


def build_door(model, rng):
    """Door opened about a right angle, on its inside three racks with a few products of no class."""
    outer = plastic("doorInside", tuple(c * .9 for c in model.wall_colour), .4)
    case = plastic("doorCase", model.case_colour, .35, .0003, bump_scale=250)
    gasket = plastic("doorGasket", (.02, .02, .02), .5)
    rack_front = clear("rack", (.93, .94, .94), .06, .10, .8)
    side = model.door_side
    turn = Euler((0, 0, side * math.radians(rng.uniform(2, 14))))
    hinge = Matrix.Translation((side * (model.half_width + .135), 0, 0)) @ turn.to_matrix().to_4x4()

    def put(name, size, radius, material, x, y, z):
        part = box(name, size, radius, material)
        part.matrix_world = hinge @ Matrix.Translation((side * x, y, z))
    put("doorCase", (.05, .74, model.height + .10), .012, case, .095, -.38, .52)
    put("doorGasket", (.012, .72, model.height + .07), .004, gasket, .064, -.38, .52)
    put("doorInside", (.03, .69, model.height + .02), .012, outer, .046, -.38, .52)
    for z in (.10, .40, .74):
        put("rackFloor", (.105, .62, .018), .006, outer, -.012, -.38, z)
        put("rackFront", (.008, .62, .075), .003, rack_front, -.062, -.38, z + .038)
        put("rackRail", (.012, .62, .012), .004, outer, -.062, -.38, z + .078)
        y = -.62
        while y < -.12:
            if rng.random() < .45:
                food = BUILDERS[rng.choice(DOOR_FOOD)](rng)
                food.move(hinge @ Matrix.Translation((side * -.008, y, z + .0095)) @
                          Euler((0, 0, -side * math.pi / 2 + rng.uniform(-.3, .3))).to_matrix().to_4x4())
            y += rng.uniform(.085, .12)


def build_surroundings(model, lighting, rng):
    cupboard = rng.choice([(.30, .28, .25), (.62, .60, .56), (.16, .08, .04), (.20, .25, .28)])
    box("cupboard", (.5, .4, 2.0), .01, plastic("cupboard", cupboard, .5),
        (-model.door_side * (model.half_width + .40), .19, .6))
    quad("floor", [(-2, -2, -.30), (2, -2, -.30), (2, 1, -.30), (-2, 1, -.30)], wood(rng))
    black = plastic("plinth", (.012, .011, .011), .45)
    box("plinth", (2 * model.half_width + .2, .2, .12), .01, black, (0, .10, -.215))
    build_door(model, rng)
    room = add_light("AREA", "room", (rng.uniform(-1.2, 1.0), -1.6, 1.9), lighting.room_power, lighting.room_colour,
                     size=1.2)
    room.rotation_euler = (Vector((0, 0, .4)) - room.location).to_track_quat("-Z", "Y").to_euler()
    world = bpy.data.worlds.new("world")
    bpy.context.scene.world = world
    world.use_nodes = True
    world.node_tree.nodes["Background"].inputs[0].default_value = (.05, .047, .044, 1)
    world.node_tree.nodes["Background"].inputs[1].default_value = lighting.sky
