"""Render the example images: python render.py --out data/groceryDemo

Writes positive/, testImages/ and negative/ with NAME.jpg, NAME.bboxes.tsv and NAME.bboxes.labels.tsv. An image that
is already there is skipped, so a broken-off run goes on where it stopped. Same seeds, same bytes.
"""

import argparse
import os
import random
import resource
import tempfile
from pathlib import Path

import bpy
from cabinet import build_cabinet
from camera import place_camera, render_linear, set_up_cycles
from layout import arrange, choose_names, fill_drawers
from masks import annotate
from phone import photograph
from products import BUILDERS, CLASSES
from refrigerator_model import draw_refrigerator
from shelves import build_shelves
from surroundings import build_surroundings, draw_lighting

FOLDERS = {"positive": range(1, 21), "testImages": range(21, 26), "negative": range(26, 31)}
SIZE = (750, 1000)  # width and height in pixels
MIN_VISIBLE = 0.40  # objects of which less is to be seen are labelled EXCLUDE
JPEG_QUALITY = 90
# Images whose first scene looked wrong were taken again with another seed: image number -> take.
RETAKES = {}


def seed_of(number):
    return 1000 * RETAKES.get(number, 0) + number


def build_scene(seed, negative):
    """Fill Blender's scene -> (annotated and other products, model, lighting, camera, random generator)."""
    rng = random.Random(seed)
    bpy.ops.wm.read_factory_settings(use_empty=True)
    model = draw_refrigerator(rng)
    lighting = draw_lighting(rng, model.lamp)
    build_cabinet(model, lighting, rng)
    build_shelves(model)
    build_surroundings(model, lighting, rng)
    camera = place_camera(rng, *SIZE)  # always in full size, so that a small preview shows the same layout

    def build(name):
        return BUILDERS[name](rng)

    fill_drawers(model, camera, rng, build)
    products = [build(name) for name in choose_names(rng, negative)]
    return products, model, lighting, camera, rng


def acceptable(annotations):
    """Is every class to be seen well enough to be labelled, and every annotated object at least a little?"""
    labelled = {a.name for a in annotations if a.visible >= MIN_VISIBLE}
    return labelled == set(CLASSES) and all(a.visible > 0.12 for a in annotations)


def lay_out(products, model, camera, rng, negative, scratch):
    """Arrange the products until the masks of the renderer agree with the layout's estimate -> annotations."""
    for _ in range(6):
        spots = arrange(products, model, camera, rng)
        if negative:
            return []
        annotations = annotate([s.product for s in spots if s.product.name in CLASSES], scratch / "numbers.png")
        if acceptable(annotations):
            return annotations
    raise RuntimeError("a class stays hidden: take another seed")


def write_text(path, text):
    temporary = path.with_suffix(".part")
    temporary.write_text(text)
    os.replace(temporary, path)


def write_annotations(folder, number, annotations):
    boxes = ["\t".join(map(str, a.box)) for a in annotations]
    names = [a.name if a.visible >= MIN_VISIBLE else "EXCLUDE" for a in annotations]
    write_text(folder / f"{number}.bboxes.tsv", "\n".join(boxes) + "\n")
    write_text(folder / f"{number}.bboxes.labels.tsv", "\n".join(names) + "\n")


def render_one(folder, number, options):
    """Build, lay out, annotate and photograph one image; the JPEG comes last, so its presence means: all done."""
    negative = folder.name == "negative"
    width, height = options.size
    seed = options.seed if options.seed is not None else seed_of(number)
    products, model, lighting, camera, rng = build_scene(seed, negative)
    set_up_cycles(width, height, options.samples)
    bpy.context.scene.cycles.seed = seed
    with tempfile.TemporaryDirectory() as scratch:
        annotations = lay_out(products, model, camera, rng, negative, Path(scratch))
        picture = photograph(render_linear(Path(scratch) / "linear.exr"), rng, lighting.lamp_colour)
    folder.mkdir(parents=True, exist_ok=True)
    if not negative:
        write_annotations(folder, number, annotations)
    temporary = folder / f"{number}.part"
    picture.save(temporary, "JPEG", quality=JPEG_QUALITY, optimize=True)
    os.replace(temporary, folder / f"{number}.jpg")
    return annotations


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, required=True, help="folder that gets positive/, testImages/, negative/")
    parser.add_argument("--only", type=int, nargs="*", help="numbers of the images to render (default: all 30)")
    parser.add_argument("--size", type=int, nargs=2, default=SIZE, help="width and height in pixels")
    parser.add_argument("--samples", type=int, default=12, help="paths a pixel")
    parser.add_argument("--seed", type=int, help="use this seed in place of the image's own, to try out a retake")
    options = parser.parse_args()
    for name, numbers in FOLDERS.items():
        for number in numbers:
            folder = options.out / name
            if (options.only and number not in options.only) or (folder / f"{number}.jpg").exists():
                continue
            before = resource.getrusage(resource.RUSAGE_SELF)
            annotations = render_one(folder, number, options)
            after = resource.getrusage(resource.RUSAGE_SELF)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            hidden = ", ".join(f"{a.name} {a.visible:.2f}" for a in annotations if a.visible < 0.9)
            print(
                f"{name}/{number}.jpg  {seconds:.0f} CPU seconds  {len(annotations)} boxes  partly hidden: {hidden}",
                flush=True,
            )


if __name__ == "__main__":
    main()
