"""A tiny data set that is drawn here, parameters that fit it, and files that many tests make."""

import importlib
import io
import struct
import tarfile
import zlib

import numpy as np
from PIL import Image, ImageDraw

from helpers.dataset.annotations import write_annotation
from pipeline.parameters import load_parameters

WIDTH, HEIGHT = 160, 120
# "triangle" belongs to no class: something that is not to be found
TINY_IMAGES = {
    "positive/1.jpg": ("circle", "square", "triangle"),
    "positive/2.JPG": ("square", "circle", "triangle"),
    "positive/3.png": ("triangle", "circle", "square"),
    "positive/10.jpeg": ("circle", "triangle", "square"),
    "negative/1.jpg": ("triangle",),
    "testImages/1.jpg": ("square", "triangle", "circle"),
    "testImages/2.png": ("circle", "square"),
}
COLOURS = {"circle": (210, 60, 40), "square": (40, 90, 200), "triangle": (60, 160, 60)}


def draw_image(shapes, seed):
    """A picture of shapes on a rough background: uint8 RGB (120, 160, 3), and the box of each shape (N, 4) int."""
    random = np.random.default_rng(seed)
    coarse = Image.fromarray(random.integers(90, 200, (6, 8, 3), dtype=np.uint8))
    picture = np.asarray(coarse.resize((WIDTH, HEIGHT), Image.Resampling.BICUBIC)).astype(int)
    picture = picture + random.integers(-12, 13, (HEIGHT, WIDTH, 1))  # grain
    image = Image.fromarray(np.clip(picture, 0, 255).astype(np.uint8))
    draw, boxes = ImageDraw.Draw(image), []
    for column, shape in enumerate(shapes):  # one in each third of the width, so that they do not overlap
        width, height = (int(side) for side in random.integers(28, 44, 2))
        x1 = 53 * column + int(random.integers(2, 52 - width))
        y1 = int(random.integers(2, HEIGHT - height - 2))
        box = (x1, y1, x1 + width, y1 + height)  # right and lower border are not part of the shape
        inside = (x1, y1, x1 + width - 1, y1 + height - 1)
        if shape == "circle":
            draw.ellipse(inside, fill=COLOURS[shape])
        elif shape == "square":
            draw.rectangle(inside, fill=COLOURS[shape])
        else:
            draw.polygon([(x1, inside[3]), (x1 + width // 2, y1), inside[2:]], fill=COLOURS[shape])
        boxes.append(box)
    return np.asarray(image), np.array(boxes)


def draw_data_set(folder):
    """Draw the images of `TINY_IMAGES` and their annotations into a folder."""
    for seed, (key, shapes) in enumerate(TINY_IMAGES.items()):
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        image, boxes = draw_image(shapes, seed)
        Image.fromarray(image).save(path, quality=95)
        if not key.startswith("negative"):
            labelled = [row for row, shape in enumerate(shapes) if shape != "triangle"]
            write_annotation(path, boxes[labelled], [shapes[row] for row in labelled])


def forged_png(width, height):
    """Bytes of a PNG that claims a size and holds no pixels."""

    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits a channel, RGB
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", b"") + chunk(b"IEND", b"")


def tar_of(files, root, mode="w"):
    """Bytes of a tar archive of files, name below `root` -> content."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode=mode) as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(root + name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


def tiny_params(folder, **overrides):
    """Parameters for the tiny data set in `folder/data/tiny`; results go to `folder/proc`, `folder/results`."""
    values = {
        "datasetName": "tiny",
        "classes": "circle,square",
        "dataRootDir": folder / "data",
        "procRootDir": folder / "proc",
        "resultsRootDir": folder / "results",
        "network": "squeezenet1_1",
        "networkWeights": "random",
        "network_device": "cpu",
        "network_threads": 1,
        "cntk_nrRois": 60,
        "cntk_padWidth": 160,
        "cntk_padHeight": 160,
        "roi_maxImgDim": 160,
        "roi_minDimRel": 0.1,
        "roi_maxDimRel": 0.5,
        **overrides,
    }
    return load_parameters([f"{name}={value}" for name, value in values.items()])


def run_steps(params, *numbers):
    """Run steps by their numbers, through the `main` of their scripts; returns what the last one returned."""
    names = {
        1: "1_computeRois", 2: "2_computeCntkInputs", 3: "3_runNetwork", 4: "4_trainSvm", 5: "5_evaluate",
    }  # fmt: skip
    result = None
    for number in numbers:
        result = importlib.import_module(names[number]).main(params)
    return result


def nn_params(folder, **overrides):
    """The same for training the network itself, a little."""
    return tiny_params(folder, **{"classifier": "nn", "nn_learningRates": "((3, 0.001), (1, 0.0001))", **overrides})
