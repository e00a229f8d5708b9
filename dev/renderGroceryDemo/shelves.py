"""Shelves of glass or wire, the tray at the bottom, and clear drawers."""

import numpy as np
from label_drawing import as_array, fitted_text, new_label
from materials import clear, metal, paper, plastic, see_through
from mathutils import Matrix
from mesh import box, loft, quad, rounded_rectangle, spline, turned
from refrigerator_model import SHELF_BACK, SHELF_FRONT


def glass_shelf(z, half_x, trim, glass):
    """Glass plate in a plastic rim; z is the top of the plate."""
    y = (SHELF_FRONT + SHELF_BACK) / 2
    box("shelfFront", (2 * half_x, 0.026, 0.017), 0.006, trim, (0, SHELF_FRONT + 0.013, z - 0.0085))
    box("shelfBack", (2 * half_x - 0.02, 0.014, 0.012), 0.004, trim, (0, SHELF_BACK, z - 0.006))
    for side in (-1, 1):
        box("shelfSide", (0.014, SHELF_BACK - SHELF_FRONT, 0.012), 0.004, trim, (side * (half_x - 0.008), y, z - 0.006))
    see_through(
        box(
            "shelfGlass", (2 * half_x - 0.02, SHELF_BACK - SHELF_FRONT - 0.02, 0.004), 0.0015, glass, (0, y, z - 0.0022)
        )
    )


def rod(start, length, radius, axis, material):
    """Round bar from `start` along x (axis 0) or y (axis 1)."""
    bar = turned("rod", [(radius, 0), (radius, length)], material, 10, smooth_profile=False)
    turn = (
        Matrix(((0, 0, 1, 0), (0, 1, 0, 0), (-1, 0, 0, 0), (0, 0, 0, 1)))
        if axis == 0
        else Matrix(((1, 0, 0, 0), (0, 0, 1, 0), (0, -1, 0, 0), (0, 0, 0, 1)))
    )
    bar.matrix_world = Matrix.Translation(start) @ turn


def wire_shelf(z, half_x, material, gap=0.021):
    """Rods from front to back every `gap` metres on two cross bars; z is the top of the rods."""
    for y in (SHELF_FRONT + 0.006, SHELF_BACK - 0.02):
        rod((-half_x, y, z - 0.0085), 2 * half_x, 0.0035, 0, material)
    count = int((2 * half_x - 0.02) / gap)
    for k in range(count + 1):
        rod((-half_x + 0.01 + k * gap, SHELF_FRONT, z - 0.0022), SHELF_BACK - SHELF_FRONT, 0.0022, 1, material)


def tray(model, trim, glass):
    """The lowest shelf: glass in a broad frame over the drawers, with an air grille at the back."""
    half_x, y0, y1, z = model.half_width - 0.027, 0.11, 0.50, model.tray
    box("trayFront", (2 * half_x, 0.034, 0.034), 0.012, trim, (0, y0 + 0.012, z - 0.010))
    for x in (-half_x + 0.012, 0.0, half_x - 0.012):
        box("traySide", (0.024, y1 - y0, 0.018), 0.006, trim, (x, (y0 + y1) / 2, z - 0.015 if x == 0 else z - 0.004))
    box("trayBack", (2 * half_x, 0.03, 0.03), 0.008, trim, (0, y1, z + 0.004))
    dark = plastic("slot", (0.02, 0.02, 0.02), 0.6)
    for x in np.arange(-half_x + 0.035, half_x - 0.03, 0.0185):
        box("slot", (0.010, 0.004, 0.010), 0.0019, dark, (x, y1 - 0.0150, z + 0.008))
    see_through(box("trayGlass", (2 * half_x - 0.03, y1 - y0, 0.004), 0.0015, glass, (0, (y0 + y1) / 2, z - 0.0082)))
    image, draw = new_label(300, 50)
    fitted_text(draw, 150, 25, "FRESH", 260, 38, (70, 70, 75, 255), bold=False)
    text = paper("drawerText", as_array(image), 0.5, cut_out=True)
    for x, _, _, _ in model.drawers():
        y = y0 - 0.0055
        quad(
            "drawerText",
            [(x - 0.03, y, z - 0.014), (x + 0.03, y, z - 0.014), (x + 0.03, y, z - 0.004), (x - 0.03, y, z - 0.004)],
            text,
        )


def drawer(centre_x, half_x, y0, y1, z0, z1, plastic_wall, plastic_edge):
    """Clear box with two skins (the inner one gives a wall its thickness), ribs on the floor and bright edges."""
    half_y, centre_y = (y1 - y0) / 2, (y0 + y1) / 2
    section = spline(
        [
            (-0.016, z0 + 0.0005),
            (-0.007, z0 + 0.001),
            (-0.003, z0 + 0.005),
            (-0.001, z0 + 0.02),
            (0.0, z1 - 0.02),
            (0.001, z1 - 0.004),
            (0.006, z1 - 0.001),
            (0.009, z1),
        ],
        4,
    )
    for inset, lift, radius, inward in ((0, 0, 0.022, False), (0.003, 0.0015, 0.02, True)):
        rings = [
            rounded_rectangle(half_x + o - inset, half_y + o - inset, radius, z + lift, 8, 4) + (centre_x, centre_y, 0)
            for o, z in section
        ]
        see_through(loft("drawer", rings, plastic_wall, True, False, flip=inward))
    for k in np.linspace(-0.62, 0.62, 9):
        see_through(
            box(
                "rib",
                (0.005, (y1 - y0) * 0.7, 0.005),
                0.0024,
                plastic_wall,
                (centre_x + half_x * k, centre_y, z0 + 0.004),
            )
        )
    see_through(
        box("lip", (2 * half_x + 0.012, 0.012, 0.006), 0.0028, plastic_edge, (centre_x, y0 - 0.006, z1 - 0.001))
    )
    see_through(
        box("grip", (2 * half_x - 0.02, 0.005, 0.020), 0.0024, plastic_wall, (centre_x, y0 - 0.008, z1 - 0.016))
    )
    for side in (-1, 1):
        see_through(
            box(
                "edge",
                (0.0035, 0.0035, z1 - z0 - 0.02),
                0.0017,
                plastic_edge,
                (centre_x + side * (half_x - 0.006), y0 + 0.004, (z0 + z1) / 2),
            )
        )
    see_through(
        box("edge", (2 * half_x - 0.03, 0.0035, 0.0035), 0.0017, plastic_edge, (centre_x, y0 + 0.006, z0 + 0.004))
    )


def build_shelves(model):
    """All surfaces that products rest on, and the drawers."""
    trim = plastic("trim", model.trim_colour, 0.3, 0.00004, bump_scale=700)
    glass = clear("shelfGlass", (0.955, 0.975, 0.96), 0.05, 0.015, 0.75)
    wall = clear("drawerWall", (0.96, 0.965, 0.96), 0.06, 0.03, 0.8, 0.0003)
    edge = clear("drawerEdge", (0.97, 0.975, 0.97), 0.10, 0.22, 0.9, 0.0003)
    wire = metal("wire", (0.75, 0.75, 0.74), 0.3)
    for z, margin in ((model.top_shelf, 0.030), (model.middle_shelf, 0.027)):
        if model.wire_shelves:
            wire_shelf(z, model.half_width - margin, wire)
        else:
            glass_shelf(z, model.half_width - margin, trim, glass)
    tray(model, trim, glass)
    for x, half_x, z0, z1 in model.drawers():
        drawer(x, half_x, 0.135, 0.47, z0, z1, wall, edge)
    if model.small_drawer:
        half = model.half_width / 2 - 0.020
        drawer(
            model.small_drawer * (half + 0.010),
            half,
            0.16,
            0.45,
            model.middle_shelf + 0.004,
            model.top_shelf - 0.024,
            wall,
            edge,
        )
