"""Which refrigerator stands in the picture: the numbers and choices that differ from scene to scene."""
from dataclasses import dataclass

SHELF_FRONT, SHELF_BACK = .135, .47     # y of the shelf edges in metres; the door opening is at y = 0


@dataclass(frozen=True)
class Surface:
    """A rectangle that products may rest on: metres, z of its top, headroom above, weight in the draw of a surface."""
    name: str
    x_range: tuple
    y_range: tuple
    z: float
    headroom: float
    weight: float


@dataclass(frozen=True)
class Refrigerator:
    """Lengths in metres, colours linear RGB. The inside is 2 * half_width wide, from z = -0.02 to `height`."""
    half_width: float
    height: float
    depth: float
    top_shelf: float            # z of the three surfaces, from above
    middle_shelf: float
    tray: float
    wire_shelves: bool
    small_drawer: int           # -1 left, 1 right, 0 none; hangs between the top and the middle shelf
    lower_drawers: int          # 1 or 2, under the tray
    lamp: str                   # "bulb" under the ceiling, or "strip": LEDs along the ceiling's front
    wall_colour: tuple
    trim_colour: tuple
    case_colour: tuple
    door_side: int              # -1: hinges on the left, 1: on the right

    def surfaces(self):
        """The places for products, sides and edges of shelves left out."""
        side = self.half_width - .058
        y = (SHELF_FRONT + .008, SHELF_BACK - .012)
        middle_x = (-side, side)
        if self.small_drawer:
            middle_x = (.02, side) if self.small_drawer < 0 else (-side, -.02)
        return [Surface("top", (-side, side), y, self.top_shelf, self.height - self.top_shelf - .12, 4.0),
                Surface("middle", middle_x, y, self.middle_shelf, self.top_shelf - self.middle_shelf - .025,
                        3.6 if self.small_drawer == 0 else 2.2),
                Surface("tray", (-side + .01, side - .01), (.15, .475), self.tray - .006,
                        self.middle_shelf - self.tray - .03, 4.0)]

    def drawers(self):
        """[(centre x, half width, z of the floor, z of the rim)] of the drawers under the tray."""
        z0, z1 = .018, self.tray - .03
        if self.lower_drawers == 1:
            return [(0., self.half_width - .04, z0, z1)]
        half = (self.half_width - .055) / 2
        return [(-half - .013, half, z0, z1), (half + .013, half, z0, z1)]


WALLS = ((.80, .775, .735), (.80, .80, .79), (.76, .79, .81), (.72, .71, .69), (.82, .79, .72))
CASES = ((.03, .028, .027), (.03, .028, .027), (.50, .49, .47), (.62, .62, .60), (.06, .07, .09))


def draw_refrigerator(rng):
    """One random refrigerator."""
    top = rng.uniform(.66, .72)
    drawer_side = rng.choice([-1, -1, 1, 0, 0])
    middle = top - (rng.uniform(.145, .165) if drawer_side else rng.uniform(.150, .215))
    wall = rng.choice(WALLS)
    trim = rng.choice([(.83, .81, .78), (.83, .82, .80), (.55, .56, .57), (.30, .30, .31)])
    return Refrigerator(half_width=rng.uniform(.350, .375), height=rng.uniform(1.04, 1.09), depth=.58, top_shelf=top,
                        middle_shelf=middle, tray=rng.uniform(.225, .262), wire_shelves=rng.random() < .2,
                        small_drawer=drawer_side, lower_drawers=rng.choice([1, 2, 2]),
                        lamp=rng.choice(["bulb", "bulb", "strip"]), wall_colour=wall, trim_colour=trim,
                        case_colour=rng.choice(CASES), door_side=rng.choice([-1, 1, 1]))
