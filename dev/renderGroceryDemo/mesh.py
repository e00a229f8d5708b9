"""Meshes: tubes lofted through rings of points, turned profiles, rounded boxes and quads.

Lengths are metres; x points right, y away from the camera, z up. A ring is an (N, 3) array that runs
counter-clockwise seen from above and starts at the back (+y), so that texture coordinate u = 0.5 is the front of a
product and the seam of its label is out of sight.
"""

import math

import bpy
import numpy as np
from mathutils import Matrix


def add_mesh(name, vertices, faces, material, uvs=None, smooth=True):
    """Link a mesh object into the scene. vertices (V, 3); faces: lists of indices; uvs one (u, v) per face corner."""
    mesh = bpy.data.meshes.new(name)
    mesh.from_pydata([tuple(vertex) for vertex in vertices], [], faces)
    if uvs is not None:
        layer = mesh.uv_layers.new(name="UVMap")
        layer.data.foreach_set("uv", np.asarray(uvs, np.float32).ravel())
    mesh.materials.append(material)
    if smooth:
        mesh.shade_smooth()
    mesh.update()
    thing = bpy.data.objects.new(name, mesh)
    bpy.context.collection.objects.link(thing)
    return thing


def loft(name, rings, material, cap_first=True, cap_last=True, heights=None, flip=False, sharp_degrees=None):
    """Skin over M rings of N points each.

    Texture: u is the relative length along the longest ring, v follows `heights` (M values, default 0..1).
    """
    ring_count, n = len(rings), len(rings[0])
    rings = np.asarray(rings, float)
    vertices = rings.reshape(-1, 3)
    v = np.linspace(0, 1, ring_count) if heights is None else heights
    steps = np.linalg.norm(np.roll(rings, -1, axis=1) - rings, axis=2)  # (M, N)
    longest = steps[steps.sum(1).argmax()]
    u = np.concatenate([[0], np.cumsum(longest) / longest.sum()])
    faces, uvs = [], []
    for j in range(ring_count - 1):
        for i in range(n):
            k = (i + 1) % n
            face = [j * n + i, j * n + k, (j + 1) * n + k, (j + 1) * n + i]
            corners = [(u[i], v[j]), (u[i + 1], v[j]), (u[i + 1], v[j + 1]), (u[i], v[j + 1])]
            faces.append(face[::-1] if flip else face)
            uvs += corners[::-1] if flip else corners
    for wanted, j in ((cap_first, 0), (cap_last, ring_count - 1)):
        if wanted:
            face = [j * n + i for i in range(n)]
            faces.append(face[::-1] if (j == 0) != flip else face)
            uvs += [(-1, -1)] * n  # outside every label
    thing = add_mesh(name, vertices, faces, material, uvs)
    if sharp_degrees:
        thing.data.set_sharp_from_angle(angle=math.radians(sharp_degrees))
    return thing


def spline(points, steps=6):
    """Catmull-Rom curve through (M, 2) control points; a doubled point makes a sharp edge. -> (K, 2)."""
    p = np.asarray(points, float)
    curve = []
    for i in range(len(p) - 1):
        p1, p2 = p[i], p[i + 1]
        if np.allclose(p1, p2):
            continue
        p0 = p[i - 1] if i > 0 else p1
        p3 = p[i + 2] if i + 2 < len(p) else p2
        for t in np.linspace(0, 1, steps, endpoint=False):
            curve.append(
                0.5
                * (2 * p1 + (p2 - p0) * t + (2 * p0 - 5 * p1 + 4 * p2 - p3) * t**2 + (3 * p1 - p0 - 3 * p2 + p3) * t**3)
            )
    curve.append(p[-1])
    return np.array(curve)


def ring_angles(n):
    """Angles from the front, starting at the back: -pi .. pi, n of them."""
    return np.arange(n) / n * 2 * math.pi - math.pi


def circle(radius, z, n=64):
    """Ring; radius a number or an (n,) array."""
    t = ring_angles(n)
    return np.stack([radius * np.sin(t), -radius * np.cos(t), np.full(n, z)], 1)


def squircle(half_x, half_y, z, power=3.2, n=72):
    """Ring between an ellipse (power 2) and a rectangle (power large): the section of a squeeze bottle."""
    t = ring_angles(n)
    s, c = np.sin(t), -np.cos(t)
    k = (np.abs(s) ** power + np.abs(c) ** power) ** (-1 / power)
    return np.stack([half_x * s * k, half_y * c * k, np.full(n, z)], 1)


def rounded_rectangle(half_x, half_y, radius, z, corner_steps=6, side_steps=1):
    """Ring with arcs at the corners; sides are cut into `side_steps` pieces so that they can be deformed."""
    radius = min(radius, half_x * 0.999, half_y * 0.999)
    x, y = half_x - radius, half_y - radius
    corners = []
    for centre_x, centre_y, start in ((x, -y, -90), (x, y, 0), (-x, y, 90), (-x, -y, 180)):
        for k in range(corner_steps + 1):
            angle = math.radians(start + 90 * k / corner_steps)
            corners.append((centre_x + radius * math.cos(angle), centre_y + radius * math.sin(angle)))
    points = []
    for i, corner in enumerate(corners):
        p, q = np.array(corner), np.array(corners[(i + 1) % len(corners)])
        pieces = side_steps if i % (corner_steps + 1) == corner_steps else 1
        points += [p + (q - p) * k / pieces for k in range(pieces)]
    return np.concatenate([points, np.full((len(points), 1), z)], 1)


def turned(name, profile, material, n=64, steps=6, cap_first=True, cap_last=True, ridges=None, smooth_profile=True):
    """Body of revolution. profile (M, 2) of (radius, z), bottom first; v is 0 at the lowest z, 1 at the highest.

    ridges = (count, depth, z0, z1) corrugates the radius between two heights, as on a screw cap.
    """
    curve = spline(profile, steps) if smooth_profile else np.asarray(profile, float)
    z = curve[:, 1]
    rings = []
    for r, height in curve:
        radius = max(r, 1e-5)
        if ridges and ridges[2] <= height <= ridges[3]:
            radius = radius + ridges[1] * np.sin(ring_angles(n) * ridges[0])
        rings.append(circle(radius, height, n))
    return loft(name, rings, material, cap_first, cap_last, (z - z.min()) / max(z.max() - z.min(), 1e-9))


def box(name, size, radius, material, at=(0, 0, 0), rotation=None, corner_steps=4):
    """Solid box with rounded edges; size (x, y, z), centred on `at`, rotation an Euler or None."""
    half_x, half_y, half_z = (s / 2 for s in size)
    radius = min(radius, half_x * 0.99, half_y * 0.99, half_z * 0.99)
    rings = []
    for side in (-1, 1):
        for k in range(corner_steps + 1):
            angle = math.pi / 2 * k / corner_steps
            angle = angle if side < 0 else math.pi / 2 - angle
            inset = radius * (1 - math.sin(angle))
            z = side * (half_z - radius * (1 - math.cos(angle)))
            rings.append(rounded_rectangle(half_x - inset, half_y - inset, max(radius - inset, 1e-4), z, corner_steps))
    thing = loft(name, rings, material)
    thing.matrix_world = Matrix.Translation(at) @ (rotation.to_matrix().to_4x4() if rotation else Matrix())
    return thing


def quad(name, corners, material):
    """Flat rectangle; four (x, y, z) corners: lower left, lower right, upper right, upper left of its texture."""
    return add_mesh(name, corners, [(0, 1, 2, 3)], material, [(0, 0), (1, 0), (1, 1), (0, 1)], smooth=False)
