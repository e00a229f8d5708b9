"""Where everything stands: random places on the shelves without touching, in view, partly hiding one another."""

from dataclasses import dataclass

import numpy as np
from mathutils import Matrix, Vector
from PIL import Image, ImageDraw
from products import CLASSES, DISTRACTORS, DRAWER_FOOD
from refrigerator_model import Surface
from resting import convex_outline, overlap, random_attitude

GAP = 0.004  # metres between two products
BORDER = 6  # pixels between a product and the edge of the image
BULKY = ("eggBox", "mushroom", "storageBox", "lettuce", "milkCarton")
EYE_LEVEL_SHY = ("mushroom", "eggBox")  # flat things that show little from the side: seldom on the top shelf


@dataclass
class Spot:
    """One product in one place: 4x4 matrix, footprint on the shelf (K, 2) in metres, outline in the image (L, 2)."""

    product: object
    matrix: Matrix
    surface: str
    footprint: np.ndarray
    outline: np.ndarray
    depth: float


def choose_names(rng, negative):
    """Every class once and up to two again, and one to three products of no class; for a negative only the latter."""
    if negative:
        return rng.sample(DISTRACTORS * 2, rng.choice([0, 3, 5, 7, 9]))
    extra = rng.choices(CLASSES, k=rng.choice([0, 1, 1, 2, 2]))
    return list(CLASSES) + extra + rng.sample(DISTRACTORS, rng.choice([1, 2, 2, 3]))


def find_spot(product, surfaces, taken, camera, rng, tries=60):
    """A free, visible place for one product, or None."""
    for _ in range(tries):
        surface = rng.choices(surfaces, [s.weight for s in surfaces])[0]
        if product.name in EYE_LEVEL_SHY and surface.name == "top" and rng.random() < 0.85:
            continue
        turn = random_attitude(product, rng)
        points = product.points @ turn.T
        low, high = points.min(0), points.max(0)
        if high[2] - low[2] > surface.headroom:
            continue
        spans = [
            (place[0] - low[axis], place[1] - high[axis])
            for axis, place in enumerate((surface.x_range, surface.y_range))
        ]
        if any(start > end for start, end in spans):
            continue
        x, y = (rng.uniform(*span) for span in spans)
        at = np.array([x, y, surface.z - low[2] + 0.0003])
        footprint = convex_outline((points + at)[:, :2])
        if any(spot.surface == surface.name and overlap(footprint, spot.footprint, GAP) for spot in taken):
            continue
        pixels, depth = camera.project(points + at)
        if (pixels < BORDER).any() or (pixels > np.array([camera.width, camera.height]) - BORDER).any():
            continue
        matrix = Matrix.Translation(Vector(at)) @ Matrix(turn.tolist()).to_4x4()
        return Spot(product, matrix, surface.name, footprint, convex_outline(pixels), float(depth.mean()))
    return None


def visible_estimate(spots, camera):
    """Visible fraction of each spot's convex outline, painted from far to near. -> list of floats in [0, 1]."""
    canvas = Image.new("L", (camera.width, camera.height))
    whole = []
    for spot in spots:
        alone = Image.new("L", canvas.size)
        ImageDraw.Draw(alone).polygon([tuple(p) for p in spot.outline], fill=1)
        whole.append(max(1, int(np.asarray(alone).sum())))
    for index in sorted(range(len(spots)), key=lambda i: -spots[i].depth):
        ImageDraw.Draw(canvas).polygon([tuple(p) for p in spots[index].outline], fill=index + 1)
    counts = np.bincount(np.asarray(canvas).ravel(), minlength=len(spots) + 1)[1:]
    return [min(1.0, float(n / w)) for n, w in zip(counts, whole, strict=True)]


def good_enough(spots, seen):
    """Each class once well visible, nothing quite hidden, and something partly hidden.

    Without annotated products (a negative image) only "nothing quite hidden" is asked for.
    """
    best = {}
    for spot, fraction in zip(spots, seen, strict=True):
        best[spot.product.name] = max(best.get(spot.product.name, 0), fraction)
        if fraction < 0.25:
            return False
    annotated = [name for name in best if name in CLASSES]
    return all(best[name] > 0.55 for name in annotated) and (not annotated or any(f < 0.9 for f in seen))


def arrange(products, model, camera, rng, tries=400):
    """Place all products -> list of Spot. Whole layouts are tried again, so that none is dropped."""
    surfaces = model.surfaces()
    for _ in range(tries):
        order = sorted(products, key=lambda p: (p.name not in BULKY, rng.random()))
        spots = []
        for product in order:
            spot = find_spot(product, surfaces, spots, camera, rng)
            if spot is None:
                break
            spots.append(spot)
        if len(spots) == len(products) and good_enough(spots, visible_estimate(spots, camera)):
            for spot in spots:
                spot.product.move(spot.matrix)
            return spots
    raise RuntimeError(f"no layout found for {len(products)} products in {tries} tries")


def fill_drawers(model, camera, rng, build):
    """Fruit and vegetables in some of the lower drawers, behind clear plastic; `build(name)` makes one."""
    for index, (x, half_x, z0, z1) in enumerate(model.drawers()):
        if rng.random() < 0.45:
            continue
        floor = Surface(
            f"drawer{index}", (x - half_x + 0.02, x + half_x - 0.02), (0.155, 0.45), z0 + 0.008, z1 - z0, 1.0
        )
        spots = []
        for _ in range(rng.choice([2, 3, 4, 5])):
            product = build(rng.choice(DRAWER_FOOD))
            spot = find_spot(product, [floor], spots, camera, rng)
            if spot is None:
                product.remove()
            else:
                product.move(spot.matrix)
                spots.append(spot)
