"""Files of published ROIs, as MATLAB writes them."""

import struct

import numpy as np
from scipy.io import savemat

NAMES = ("000005", "000007", "2008_000001")


BOXES = (np.array([[1, 1, 10, 20], [3, 5, 4, 6]]), np.array([[7, 2.5, 7, 2.5]]), np.zeros((0, 4)))


def cells(values, shape):
    array = np.empty(len(values), object)
    array[:] = [np.array(value) if isinstance(value, str) else value for value in values]
    return array.reshape(shape)


def write_mat(path, names=NAMES, boxes=BOXES, compressed=True, **more):
    """A file as of the release: `boxes` 1 x N, `images` N x 1."""
    content = {"boxes": cells(boxes, (1, -1)), "images": cells(names, (-1, 1)), **more}
    savemat(path, content, do_compression=compressed)
    return path


def element(kind, data, length=None):
    return struct.pack("<II", kind, len(data) if length is None else length) + data + bytes(-len(data) % 8)


def array(array_class, shape, data=b"", name=b"", length=None):
    head = element(6, struct.pack("<II", array_class, 0)) + element(5, struct.pack(f"<{len(shape)}i", *shape))
    return element(14, head + element(1, name) + data, length)
