"""Images to train on that need no files: drawn in memory, with ROIs around their objects and beside them."""

import numpy as np
import torch
from settings import settings
from tiny import HEIGHT, WIDTH, draw_image
from torch import nn

from fastRCNN.boxes import as_boxes, clip, mirror
from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.network import RoiNetwork
from fastRCNN.sampling import SamplingSettings
from fastRCNN.schedule import ScheduleSettings
from fastRCNN.structures import GroundTruth
from fastRCNN.targets import fast_rcnn_targets
from fastRCNN.training import TrainingSettings, TrainingView

SHAPES = ("circle", "square", "triangle")
CLASS_IDS = {"circle": 1, "square": 2}  # a triangle is background
POSITIVE_OVERLAP = 0.5


class DrawnImages:
    """Images as `Trainer` wants them, each with one circle, one square and one triangle.

    network: prepares the pixels; frozen: the layers that compute the maps, which are kept. `visits` lists all calls of
    `view`.
    """

    def __init__(self, count, network, frozen):
        self.network, self.frozen = network, frozen
        self.maps, self.visits = {}, []
        self.pixels, self.truths, self.rois = [], [], []
        for seed in range(count):
            random = np.random.default_rng(seed)
            shapes = random.permutation(SHAPES).tolist()
            pixels, boxes = draw_image(shapes, seed)
            known = [row for row, shape in enumerate(shapes) if shape in CLASS_IDS]
            self.pixels.append(pixels.copy())  # Pillow's is read-only
            class_ids = np.array([CLASS_IDS[shapes[row]] for row in known])
            self.truths.append(GroundTruth(as_boxes(boxes[known]), class_ids, np.zeros(len(known), bool)))
            self.rois.append(_propose(as_boxes(boxes), random))

    def __len__(self):
        return len(self.pixels)

    def name(self, index):
        return f"drawn/{index}.png"

    def view(self, index, mirrored):
        """A `TrainingView`; the network's input has the size of the image."""
        self.visits.append((index, mirrored))
        rois, truth, pixels = self.rois[index], self.truths[index], self.pixels[index]
        if mirrored:
            rois, truth, pixels = mirror(rois, WIDTH), truth.mirrored(WIDTH), pixels[:, ::-1]
        if (index, mirrored) not in self.maps:
            with torch.no_grad():
                self.maps[index, mirrored] = self.frozen(self.network.prepare(pixels))
        return TrainingView(self.maps[index, mirrored], rois, fast_rcnn_targets(rois, truth, POSITIVE_OVERLAP))

    def offsets(self):
        """Offsets (n, 4) of the positive ROIs, a list with one entry per image."""
        targets = [self.view(index, False).targets for index in range(len(self))]
        self.visits.clear()
        return [target.offsets[target.labels > 0] for target in targets]


def _propose(boxes, random):
    """ROIs (R, 4) float32: ten around each shape, none of them exact, and forty anywhere."""
    sizes = np.tile(boxes[:, 2:] - boxes[:, :2], 2)
    near = [boxes + random.uniform(-0.15, 0.15, boxes.shape) * sizes for _ in range(10)]
    corners = random.uniform(0, [WIDTH - 30, HEIGHT - 30], (40, 2))
    anywhere = np.hstack([corners, corners + random.uniform(20, 60, (40, 2))])
    return clip(np.concatenate([*near, anywhere]), WIDTH, HEIGHT)


def small_model(seed=0, dropout=0.0):
    """A `FastRcnn` of two classes: SqueezeNet's trunk, random, and a head of one thin layer."""
    torch.manual_seed(seed)
    network = RoiNetwork("squeezenet1_1")
    network.head = nn.Sequential(nn.Flatten(), nn.Dropout(dropout), nn.Linear(768 * 9, 12), nn.ReLU())
    return FastRcnn(network, len(CLASS_IDS))


def quick_settings(**changes):
    """`TrainingSettings` of four short epochs; `sampling` and `schedule` may be given as dicts."""
    sampling = settings(SamplingSettings, **{"rois_per_image": 16, **changes.pop("sampling", {})})
    schedule = {"learning_rates": ((3, 0.01), (1, 0.001)), "warmup_iterations": 2, **changes.pop("schedule", {})}
    return settings(TrainingSettings, sampling=sampling, schedule=settings(ScheduleSettings, **schedule), **changes)
