"""Which refrigerator stands in the picture: the numbers and choices that differ from scene to scene."""

from dataclasses import dataclass

SHELF_FRONT, SHELF_BACK = 0.135, 0.47  # y of the shelf edges in metres; the door opening is at y = 0


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
    top_shelf: float  # z of the three surfaces, from above
    middle_shelf: float
    tray: float
    wire_shelves: bool
    small_drawer: int  # -1 left, 1 right, 0 none; hangs between the top and the middle shelf
    lower_drawers: int  # 1 or 2, under the tray
    lamp: str  # "bulb" under the ceiling, or "strip": LEDs along the ceiling's front
    wall_colour: tuple
    trim_colour: tuple
    case_colour: tuple
    door_side: int  # -1: hinges on the left, 1: on the right

    def surfaces(self):
        """The places for products, sides and edges of shelves left out."""
        side = self.half_width - 0.058
        y = (SHELF_FRONT + 0.008, SHELF_BACK - 0.012)
        middle_x = (-side, side)
        if self.small_drawer:
            middle_x = (0.02, side) if self.small_drawer < 0 else (-side, -0.02)
        return [
            Surface("top", (-side, side), y, self.top_shelf, self.height - self.top_shelf - 0.12, 4.0),
            Surface(
                "middle",
                middle_x,
                y,
                self.middle_shelf,
                self.top_shelf - self.middle_shelf - 0.025,
                3.6 if self.small_drawer == 0 else 2.2,
            ),
            Surface(
                "tray",
                (-side + 0.01, side - 0.01),
                (0.15, 0.475),
                self.tray - 0.006,
                self.middle_shelf - self.tray - 0.03,
                4.0,
            ),
        ]

    def drawers(self):
        """[(centre x, half width, z of the floor, z of the rim)] of the drawers under the tray."""
        z0, z1 = 0.018, self.tray - 0.03
        if self.lower_drawers == 1:
            return [(0.0, self.half_width - 0.04, z0, z1)]
        half = (self.half_width - 0.055) / 2
        return [(-half - 0.013, half, z0, z1), (half + 0.013, half, z0, z1)]


WALLS = ((0.80, 0.775, 0.735), (0.80, 0.80, 0.79), (0.76, 0.79, 0.81), (0.72, 0.71, 0.69), (0.82, 0.79, 0.72))
CASES = ((0.03, 0.028, 0.027), (0.03, 0.028, 0.027), (0.50, 0.49, 0.47), (0.62, 0.62, 0.60), (0.06, 0.07, 0.09))


def draw_refrigerator(rng):
    """One random refrigerator."""
    top = rng.uniform(0.66, 0.72)
    drawer_side = rng.choice([-1, -1, 1, 0, 0])
    middle = top - (rng.uniform(0.145, 0.165) if drawer_side else rng.uniform(0.150, 0.215))
    wall = rng.choice(WALLS)
    trim = rng.choice([(0.83, 0.81, 0.78), (0.83, 0.82, 0.80), (0.55, 0.56, 0.57), (0.30, 0.30, 0.31)])
    return Refrigerator(
        half_width=rng.uniform(0.350, 0.375),
        height=rng.uniform(1.04, 1.09),
        depth=0.58,
        top_shelf=top,
        middle_shelf=middle,
        tray=rng.uniform(0.225, 0.262),
        wire_shelves=rng.random() < 0.2,
        small_drawer=drawer_side,
        lower_drawers=rng.choice([1, 2, 2]),
        lamp=rng.choice(["bulb", "bulb", "strip"]),
        wall_colour=wall,
        trim_colour=trim,
        case_colour=rng.choice(CASES),
        door_side=rng.choice([-1, 1, 1]),
    )
