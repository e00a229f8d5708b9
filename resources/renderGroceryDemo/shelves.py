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
    box("shelfFront", (2 * half_x, .026, .017), .006, trim, (0, SHELF_FRONT + .013, z - .0085))
    box("shelfBack", (2 * half_x - .02, .014, .012), .004, trim, (0, SHELF_BACK, z - .006))
    for side in (-1, 1):
        box("shelfSide", (.014, SHELF_BACK - SHELF_FRONT, .012), .004, trim, (side * (half_x - .008), y, z - .006))
    see_through(box("shelfGlass", (2 * half_x - .02, SHELF_BACK - SHELF_FRONT - .02, .004), .0015, glass,
                    (0, y, z - .0022)))


def rod(start, length, radius, axis, material):
    """Round bar from `start` along x (axis 0) or y (axis 1)."""
    bar = turned("rod", [(radius, 0), (radius, length)], material, 10, smooth_profile=False)
    turn = Matrix(((0, 0, 1, 0), (0, 1, 0, 0), (-1, 0, 0, 0), (0, 0, 0, 1))) if axis == 0 else \
        Matrix(((1, 0, 0, 0), (0, 0, 1, 0), (0, -1, 0, 0), (0, 0, 0, 1)))
    bar.matrix_world = Matrix.Translation(start) @ turn


def wire_shelf(z, half_x, material, gap=.021):
    """Rods from front to back every `gap` metres on two cross bars; z is the top of the rods."""
    for y in (SHELF_FRONT + .006, SHELF_BACK - .02):
        rod((-half_x, y, z - .0085), 2 * half_x, .0035, 0, material)
    count = int((2 * half_x - .02) / gap)
    for k in range(count + 1):
        rod((-half_x + .01 + k * gap, SHELF_FRONT, z - .0022), SHELF_BACK - SHELF_FRONT, .0022, 1, material)


def tray(model, trim, glass):
    """The lowest shelf: glass in a broad frame over the drawers, with an air grille at the back."""
    half_x, y0, y1, z = model.half_width - .027, .11, .50, model.tray
    box("trayFront", (2 * half_x, .034, .034), .012, trim, (0, y0 + .012, z - .010))
    for x in (-half_x + .012, .0, half_x - .012):
        box("traySide", (.024, y1 - y0, .018), .006, trim, (x, (y0 + y1) / 2, z - .015 if x == 0 else z - .004))
    box("trayBack", (2 * half_x, .03, .03), .008, trim, (0, y1, z + .004))
    dark = plastic("slot", (.02, .02, .02), .6)
    for x in np.arange(-half_x + .035, half_x - .03, .0185):
        box("slot", (.010, .004, .010), .0019, dark, (x, y1 - .0150, z + .008))
    see_through(box("trayGlass", (2 * half_x - .03, y1 - y0, .004), .0015, glass, (0, (y0 + y1) / 2, z - .0082)))
    image, draw = new_label(300, 50)
    fitted_text(draw, 150, 25, "FRESH", 260, 38, (70, 70, 75, 255), bold=False)
    text = paper("drawerText", as_array(image), .5, cut_out=True)
    for x, _, _, _ in model.drawers():
        y = y0 - .0055
        quad("drawerText", [(x - .03, y, z - .014), (x + .03, y, z - .014), (x + .03, y, z - .004),
                            (x - .03, y, z - .004)], text)


def drawer(centre_x, half_x, y0, y1, z0, z1, plastic_wall, plastic_edge):
    """Clear box with two skins (the inner one gives a wall its thickness), ribs on the floor and bright edges."""
    half_y, centre_y = (y1 - y0) / 2, (y0 + y1) / 2
    section = spline([(-.016, z0 + .0005), (-.007, z0 + .001), (-.003, z0 + .005), (-.001, z0 + .02), (.0, z1 - .02),
                      (.001, z1 - .004), (.006, z1 - .001), (.009, z1)], 4)
    for inset, lift, radius, inward in ((0, 0, .022, False), (.003, .0015, .02, True)):
        rings = [rounded_rectangle(half_x + o - inset, half_y + o - inset, radius, z + lift, 8, 4) +
                 (centre_x, centre_y, 0) for o, z in section]
        see_through(loft("drawer", rings, plastic_wall, True, False, flip=inward))
    for k in np.linspace(-.62, .62, 9):
        see_through(box("rib", (.005, (y1 - y0) * .7, .005), .0024, plastic_wall,
                        (centre_x + half_x * k, centre_y, z0 + .004)))
    see_through(box("lip", (2 * half_x + .012, .012, .006), .0028, plastic_edge, (centre_x, y0 - .006, z1 - .001)))
    see_through(box("grip", (2 * half_x - .02, .005, .020), .0024, plastic_wall, (centre_x, y0 - .008, z1 - .016)))
    for side in (-1, 1):
        see_through(box("edge", (.0035, .0035, z1 - z0 - .02), .0017, plastic_edge,
                        (centre_x + side * (half_x - .006), y0 + .004, (z0 + z1) / 2)))
    see_through(box("edge", (2 * half_x - .03, .0035, .0035), .0017, plastic_edge, (centre_x, y0 + .006, z0 + .004)))


def build_shelves(model):
    """All surfaces that products rest on, and the drawers."""
    trim = plastic("trim", model.trim_colour, .3, .00004, bump_scale=700)
    glass = clear("shelfGlass", (.955, .975, .96), .05, .015, .75)
    wall = clear("drawerWall", (.96, .965, .96), .06, .03, .8, .0003)
    edge = clear("drawerEdge", (.97, .975, .97), .10, .22, .9, .0003)
    wire = metal("wire", (.75, .75, .74), .3)
    for z, margin in ((model.top_shelf, .030), (model.middle_shelf, .027)):
        if model.wire_shelves:
            wire_shelf(z, model.half_width - margin, wire)
        else:
            glass_shelf(z, model.half_width - margin, trim, glass)
    tray(model, trim, glass)
    for x, half_x, z0, z1 in model.drawers():
        drawer(x, half_x, .135, .47, z0, z1, wall, edge)
    if model.small_drawer:
        half = model.half_width / 2 - .020
        drawer(model.small_drawer * (half + .010), half, .16, .45, model.middle_shelf + .004, model.top_shelf - .024,
               wall, edge)
