"""What a product is to the rest of the generator: some mesh parts that move together, and how it may rest."""

from dataclasses import dataclass, field

import bpy
import numpy as np

STANDS = "stands"  # only upright: tub, carton, punnet
STANDS_OR_LIES = "stands or lies"  # bottles
LIES = "lies"  # only on its side: cucumber
ROLLS = "rolls"  # produce: any attitude that is at rest


@dataclass
class Product:
    """Built around the middle of its bottom at the origin, front towards -y; parts[0] is the body with the weight."""

    name: str
    parts: list
    rests: str = STANDS
    shows_front: bool = True  # upright, its label mostly faces the viewer
    base: list = field(init=False)  # matrix of each part as built
    points: np.ndarray = field(init=False)

    def __post_init__(self):
        self.base = [part.matrix_world.copy() for part in self.parts]
        self.points = np.concatenate([part_points(part) for part in self.parts])

    def move(self, matrix):
        """Put the product, as built, through a 4x4 matrix."""
        for part, base in zip(self.parts, self.base, strict=True):
            part.matrix_world = matrix @ base

    def number(self, index):
        """Give all parts the number under which the mask render shows them; 0 is background."""
        for part in self.parts:
            part.pass_index = index

    def remove(self):
        for part in self.parts:
            bpy.data.objects.remove(part)

    def centre_of_mass(self):
        """(3,) centre of the body's volume, from the signed tetrahedra that its triangles span with the origin."""
        mesh = self.parts[0].data
        mesh.calc_loop_triangles()
        triangles = np.empty(len(mesh.loop_triangles) * 3, np.int32)
        mesh.loop_triangles.foreach_get("vertices", triangles)
        a, b, c = part_points(self.parts[0])[triangles.reshape(-1, 3)].transpose(1, 0, 2)
        volume = np.einsum("ij,ij->i", a, np.cross(b, c))
        return (volume[:, None] * (a + b + c)).sum(0) / (4 * volume.sum())


def part_points(part):
    """(V, 3) vertices of a part as built, in metres."""
    points = np.empty(len(part.data.vertices) * 3, np.float32)
    part.data.vertices.foreach_get("co", points)
    matrix = np.array(part.matrix_world)
    return points.reshape(-1, 3) @ matrix[:3, :3].T + matrix[:3, 3]
