"""The phone in front of the open refrigerator, and the Cycles settings that were measured to be enough."""

import math
from dataclasses import dataclass

import bpy
import numpy as np
from mathutils import Euler, Vector

FOCAL_OF_WIDTH = 1.048  # focal length / image width, estimated from a real phone photo of a refrigerator


@dataclass
class Camera:
    """world_to_camera (4, 4), looking along -z; focal length in pixels; image size in pixels."""

    world_to_camera: np.ndarray
    focal: float
    width: int
    height: int

    def project(self, points):
        """(N, 3) metres -> (N, 2) pixels, x right, y down, 0 at the upper left corner; and (N,) depth in metres."""
        p = points @ self.world_to_camera[:3, :3].T + self.world_to_camera[:3, 3]
        depth = -p[:, 2]
        pixels = self.focal * p[:, :2] / depth[:, None] * (1, -1) + (self.width / 2, self.height / 2)
        return pixels, depth


def place_camera(rng, width, height):
    """A hand-held position about 0.95 m before the opening, slightly above the middle shelf."""
    data = bpy.data.cameras.new("camera")
    thing = bpy.data.objects.new("camera", data)
    bpy.context.collection.objects.link(thing)
    bpy.context.scene.camera = thing
    zoom = rng.uniform(0.99, 1.07)
    data.sensor_fit, data.sensor_height = "VERTICAL", 36
    data.lens = 36 * FOCAL_OF_WIDTH * zoom * width / height
    thing.location = (rng.uniform(-0.17, 0.17), rng.uniform(-1.08, -0.87), rng.uniform(0.60, 0.88))
    aim = Vector((rng.uniform(-0.05, 0.05), 0.2, rng.uniform(0.455, 0.515)))
    roll = Euler((0, 0, math.radians(rng.gauss(0, 1.3)))).to_matrix()
    thing.rotation_euler = ((aim - thing.location).to_track_quat("-Z", "Y").to_matrix() @ roll).to_euler()
    bpy.context.view_layer.update()
    return Camera(np.array(thing.matrix_world.inverted()), FOCAL_OF_WIDTH * zoom * width, width, height)


def set_up_cycles(width, height, samples):
    """CPU path tracing, denoised, written as linear half-float EXR. Timings of these settings are in README.md."""
    scene = bpy.context.scene
    scene.render.engine = "CYCLES"
    scene.render.resolution_x, scene.render.resolution_y, scene.render.resolution_percentage = width, height, 100
    cycles = scene.cycles
    cycles.device = "CPU"
    cycles.samples, cycles.use_adaptive_sampling = samples, True
    cycles.adaptive_threshold, cycles.adaptive_min_samples = 0.06, 6
    cycles.max_bounces, cycles.diffuse_bounces, cycles.glossy_bounces = 10, 3, 3
    cycles.transmission_bounces, cycles.transparent_max_bounces = 8, 24
    cycles.caustics_reflective = cycles.caustics_refractive = False
    cycles.sample_clamp_indirect, cycles.blur_glossy = 3.0, 1.0
    cycles.use_light_tree = False
    cycles.use_denoising, cycles.denoiser = True, "OPENIMAGEDENOISE"
    cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO_NORMAL", "FAST"
    image = scene.render.image_settings
    image.file_format, image.color_mode, image.color_depth = "OPEN_EXR", "RGB", "16"


def render_linear(path):
    """Render the scene to an EXR file and return it as a float32 (H, W, 3) array of linear RGB."""
    bpy.context.scene.render.filepath = str(path)
    bpy.ops.render.render(write_still=True)
    image = bpy.data.images.load(str(path))
    image.colorspace_settings.name = "Non-Color"
    width, height = image.size
    pixels = np.empty(width * height * image.channels, np.float32)
    image.pixels.foreach_get(pixels)
    linear = pixels.reshape(height, width, image.channels)[::-1, :, :3].copy()  # Blender's first row is the lowest
    bpy.data.images.remove(image)
    return linear
