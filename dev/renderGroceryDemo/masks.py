"""Which pixels belong to which product, from the renderer: one sample a pixel, flat numbers instead of colours."""

from contextlib import contextmanager
from dataclasses import dataclass

import bpy
import numpy as np
from materials import Graph
from PIL import Image


@dataclass(frozen=True)
class Annotation:
    """Box x1, y1, x2, y2 in pixels, 0-based, x2 and y2 exclusive; visible: pixels seen / pixels if nothing hid it."""

    name: str
    box: tuple
    visible: float


@contextmanager
def number_rendering():
    """All surfaces glow with their object number / 255, unfiltered and undithered; clear parts are left out."""
    scene = bpy.context.scene
    cycles, view, image, world = (
        scene.cycles,
        scene.view_settings,
        scene.render.image_settings,
        scene.world.node_tree.nodes["Background"].inputs[1],
    )
    settings = [
        (cycles, "samples", 1),
        (cycles, "use_denoising", False),
        (cycles, "use_adaptive_sampling", False),
        (cycles, "pixel_filter_type", "BOX"),
        (cycles, "filter_width", 0.01),
        (view, "look", "None"),
        (view, "view_transform", "Raw"),
        (view, "exposure", 0),
        (scene.render, "dither_intensity", 0),
        (image, "file_format", "PNG"),
        (image, "color_mode", "RGB"),
        (image, "color_depth", "8"),
        (world, "default_value", 0),
    ]  # the sky would show as a number
    before = [(owner, key, getattr(owner, key)) for owner, key, _ in settings]
    hidden = [thing for thing in bpy.data.objects if thing.get("see_through")]
    g = Graph("number")
    number = g.node("ObjectInfo", output="Object Index")
    bpy.context.view_layer.material_override = g.finish(
        g.node("Emission", Color=(1, 1, 1), Strength=g.math("DIVIDE", number, 255.0))
    )
    for owner, key, value in settings:
        setattr(owner, key, value)
    for thing in hidden:
        thing.hide_render = True
    try:
        yield
    finally:
        bpy.context.view_layer.material_override = None
        for owner, key, value in before:
            setattr(owner, key, value)
        for thing in hidden:
            thing.hide_render = False


def render_numbers(path):
    """(H, W) uint8 of object numbers; 0 where no numbered object is in front."""
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    with Image.open(path) as image:
        return np.array(image)[..., 0]


def count_alone(product, path):
    """Pixels of one product with everything else hidden."""
    others = [
        thing
        for thing in bpy.data.objects
        if thing.type == "MESH" and thing not in product.parts and not thing.hide_render
    ]
    for thing in others:
        thing.hide_render = True
    count = int((render_numbers(path) > 0).sum())
    for thing in others:
        thing.hide_render = False
    return count


def annotate(products, path):
    """products: list of Product in place -> list of Annotation, in the same order; box None where nothing shows.

    Clear plastic of the refrigerator hides nothing; glass and film that belong to a product are part of it.
    """
    annotations = []
    for index, product in enumerate(products, 1):
        product.number(index)
    with number_rendering():
        numbers = render_numbers(path)
        for index, product in enumerate(products, 1):
            ys, xs = np.nonzero(numbers == index)
            if len(xs) == 0:
                annotations.append(Annotation(product.name, None, 0.0))
                continue
            box = (int(xs.min()), int(ys.min()), int(xs.max()) + 1, int(ys.max()) + 1)
            annotations.append(Annotation(product.name, box, len(xs) / count_alone(product, path)))
    return annotations
