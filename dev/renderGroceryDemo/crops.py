"""Render scenes for the sake of their products: python crops.py --out FOLDER --scenes 100

Cuts every product of a scene, and three places without one, into FOLDER/crops/rendered_NAME/SEED_NUMBER.jpg: class
folders as trainBackbone.py reads them. The scenes are small and coarse, and none is a scene of data/groceryDemo: their
seeds start at 100000. A scene that lies in FOLDER/scenes/ already is skipped, so a broken-off run goes on.
"""

import argparse
import os
import tempfile
from pathlib import Path

import bpy
import numpy as np
from camera import render_linear, set_up_cycles
from layout import arrange
from masks import number_rendering, render_numbers
from phone import photograph
from render import JPEG_QUALITY, build_scene

FIRST_SEED = 100_000
SIZE = (450, 600)  # width and height of a scene in pixels
SAMPLES = 4  # paths a pixel, before denoising
MARGIN = 0.25  # a crop shows its product and this share of its sides around it
MIN_SIDE = 16  # pixels; a product of which less shows is left out
BACKGROUND, NR_BACKGROUND = "nothing", 3


def locate(products, scratch):
    """Boxes [x1, y1, x2, y2] (N, 4) of the products' visible pixels; zeros where none shows."""
    for index, product in enumerate(products, 1):
        product.number(index)
    with number_rendering():
        numbers = render_numbers(scratch / "numbers.png")
    boxes = np.zeros((len(products), 4), int)
    for index in range(1, len(products) + 1):
        ys, xs = np.nonzero(numbers == index)
        if len(xs):
            boxes[index - 1] = xs.min(), ys.min(), xs.max() + 1, ys.max() + 1
    return boxes


def empty_places(boxes, rng, tries=200):
    """`NR_BACKGROUND` boxes, each of a product's size, that touch no product; fewer where there is no room."""
    places = []
    for _ in range(tries):
        x1, y1, x2, y2 = boxes[rng.randrange(len(boxes))]
        w, h = x2 - x1, y2 - y1
        if min(w, h) < MIN_SIDE:
            continue
        x, y = rng.randrange(SIZE[0] - w), rng.randrange(SIZE[1] - h)
        apart = (boxes[:, 0] >= x + w) | (boxes[:, 2] <= x) | (boxes[:, 1] >= y + h) | (boxes[:, 3] <= y)
        if apart.all():
            places.append((x, y, x + w, y + h))
        if len(places) == NR_BACKGROUND:
            break
    return places


def save_jpeg(picture, path):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path.with_suffix(".part"), "JPEG", quality=JPEG_QUALITY)
    os.replace(path.with_suffix(".part"), path)


def render_crops(seed, out):
    """Render one scene, write its crops, then the scene itself: its presence means that all is done."""
    products, model, lighting, camera, rng = build_scene(seed, negative=False)
    set_up_cycles(*SIZE, SAMPLES)
    bpy.context.scene.cycles.seed = seed
    arrange(products, model, camera, rng)
    with tempfile.TemporaryDirectory() as scratch:
        boxes = locate(products, Path(scratch))
        picture = photograph(render_linear(Path(scratch) / "linear.exr"), rng, lighting.lamp_colour)
    places = [(product.name, box) for product, box in zip(products, boxes, strict=True)]
    places += [(BACKGROUND, box) for box in empty_places(boxes, rng)]
    for number, (name, (x1, y1, x2, y2)) in enumerate(places):
        if min(x2 - x1, y2 - y1) >= MIN_SIDE:
            dx, dy = (x2 - x1) * MARGIN, (y2 - y1) * MARGIN
            corners = max(0, x1 - dx), max(0, y1 - dy), min(SIZE[0], x2 + dx), min(SIZE[1], y2 + dy)
            path = out / "crops" / f"rendered_{name}" / f"{seed}_{number}.jpg"
            save_jpeg(picture.crop(tuple(map(round, corners))), path)
    save_jpeg(picture, out / "scenes" / f"{seed}.jpg")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder that gets the class folders")
    parser.add_argument("--scenes", type=int, default=100, help="number of scenes (default 100)")
    options = parser.parse_args()
    for seed in range(FIRST_SEED, FIRST_SEED + options.scenes):
        if not (options.out / "scenes" / f"{seed}.jpg").exists():
            try:
                render_crops(seed, options.out)
            except RuntimeError as error:  # a scene in which the products do not fit
                print(f"{seed}: {error}", flush=True)


if __name__ == "__main__":
    main()
