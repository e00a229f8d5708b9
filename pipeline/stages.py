"""Step 3 for one image: the network, what it says of ROIs, and detectors that step 6 runs in memory.

What was trained is what scores, because both call these functions and those of regions.py and detection.py.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch

from fastRCNN import boxes as box_ops
from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.network import RoiNetwork
from fastRCNN.structures import Rois, RoiScores
from fastRCNN.svd import compress
from helpers.artifacts.model_files import read_description, read_tensors
from helpers.base.errors import UserError
from helpers.base.images import scale_to_fit
from helpers.base.threads import require_threads
from helpers.config.schema import Parameters
from helpers.fetching.state_dicts import read_state_dict
from helpers.fetching.weights import get_weights
from pipeline.detection import class_scores, load_classifier
from pipeline.engines import use_engine
from pipeline.regions import input_bounds

DTYPES = {torch.float32: "F32", torch.int64: "I64"}  # as safetensors calls them


def choose_device(params: Parameters) -> torch.device:
    """Step 3: the GPU where there is one, else the CPU; `UserError` where the wanted one is not there."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if params.network_device == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")
    if not available[params.network_device]:
        raise UserError(f'network_device = "{params.network_device}": there is none; "auto" or "cpu" works everywhere')
    return torch.device(params.network_device)


def use_threads(params: Parameters) -> None:
    """Step 3: from now on torch computes with `network_threads` threads when this thread asks it to."""
    require_threads(params.network_threads)
    torch.set_num_threads(params.network_threads)


def describe_device(device: torch.device) -> str:
    """What computes, in words."""
    return torch.cuda.get_device_name() if device.type == "cuda" else f"{device}, {torch.get_num_threads()} threads"


def build_network(params: Parameters) -> RoiNetwork:
    """Step 3: the network with its weights on its device, in evaluation mode; says on stderr which they are."""
    device, path = choose_device(params), get_weights(params)
    use_threads(params)
    torch.manual_seed(params.seed)  # for random weights
    try:
        state = None if path is None else read_state_dict(path)
        network = RoiNetwork(params.network, state, params.network_roiPooling, params.network_contextFactor).to(device)
    except ValueError as error:
        raise UserError(f"{path}: {error}") from error
    print(f"network {params.network}, weights {path or 'random'}, on {describe_device(device)}", file=sys.stderr)
    use_engine(network, params)
    return network


@dataclass(frozen=True)
class NetworkInput:
    """An image at the network's size: pixels, uint8 RGB (H, W, 3), and the factors (x, y) that it was scaled by."""

    pixels: np.ndarray
    factors: tuple[float, float]

    def place(self, boxes: np.ndarray) -> np.ndarray:
        """Boxes (R, 4) in pixels of the original image, in those of the network's input."""
        return box_ops.scale(boxes, self.factors)

    def mirrored(self) -> Self:
        """The mirror image."""
        return type(self)(self.pixels[:, ::-1].copy(), self.factors)  # of one column, a view keeps its negative stride


def prepare_image(image: np.ndarray, params: Parameters) -> NetworkInput:
    """Step 3 before the network, for an image uint8 RGB (H, W, 3)."""
    return NetworkInput(*scale_to_fit(image, *input_bounds(params)))


def describe_rois(network: RoiNetwork, prepared: NetworkInput, rois: Rois, params: Parameters) -> np.ndarray:
    """Step 3 for one image: features of its ROIs (R, D) float16.

    float16 takes half the space on disk.
    """
    return network.features(prepared.pixels, prepared.place(rois.boxes), params.network_roiBatchSize)


def describe_mirrored(
    network: RoiNetwork, prepared: NetworkInput, rois: Rois, width: int, params: Parameters
) -> np.ndarray:
    """Step 3 for the mirror image of a training image: features of the mirrored ROIs (R, D), in the order of `rois`.

    Args:
        width: of the original image in pixels. What is learned from 20 photos is learned from 40 (Fast R-CNN, section
            2.3).
    """
    return describe_rois(network, prepared.mirrored(), rois.mirrored(width), params)


def predict(model: FastRcnn, prepared: NetworkInput, rois: Rois, params: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Step 3 with a trained network, for one image: probabilities (R, K + 1) and offsets (R, K, 4), float32."""
    return model.predict(prepared.pixels, prepared.place(rois.boxes), params.network_roiBatchSize)


def require_classes(description: Mapping[str, Any], params: Parameters, path: Path) -> None:
    """Raise `UserError` where a model was trained for other classes than those of the parameters."""
    made_for = description["parameters"].get("classes")
    if made_for != list(params.classes):
        names = ", ".join(map(str, made_for)) if isinstance(made_for, list) else made_for
        raise UserError(f"{path}: trained for {names}; the classes here are {', '.join(params.classes)}")


def _detector(params: Parameters, path: Path) -> FastRcnn:
    """A `FastRcnn` of these parameters, untrained."""
    network = RoiNetwork(params.network, None, params.network_roiPooling, params.network_contextFactor)
    try:
        if params.svd_rank:
            compress(network.head, params.svd_rank, exact=False)
        return FastRcnn(network, len(params.classes))
    except ValueError as error:
        raise UserError(f"{path}: its parameters do not make a {params.network} detector: {error}") from error


def load_model(path: Path, params: Parameters) -> FastRcnn:
    """The network that step 3 trained, on its device, in evaluation mode; says on stderr which it is."""
    require_classes(read_description(path), params, path)
    with torch.device("meta"):  # names and shapes only: the file must fit before anything is allocated
        expected = {
            name: (DTYPES[value.dtype], tuple(value.shape))
            for name, value in _detector(params, path).state_dict().items()
        }
    tensors, device = read_tensors(path, expected), choose_device(params)
    use_threads(params)
    model = _detector(params, path)
    model.load_state_dict(tensors)
    print(f"network {params.network}, trained: {path}, on {describe_device(device)}", file=sys.stderr)
    model.to(device)
    use_engine(model.network, params)
    return model


class Detector(Protocol):
    """Steps 3 and 5 for one image after the other."""

    def score(self, prepared: NetworkInput, rois: Rois) -> RoiScores:
        """What it says of an image's ROIs, which are in pixels of the original image."""


class SvmDetector:
    """A `Detector` of the SVMs of step 4."""

    def __init__(self, params: Parameters) -> None:
        self.params, self.network, self.classifier = params, build_network(params), load_classifier(params)
        self.weights, self.biases = (torch.from_numpy(a).to(self.network.device) for a in self.classifier.linear())

    def score(self, prepared: NetworkInput, rois: Rois) -> RoiScores:
        """See `Detector`."""
        boxes, at_once = prepared.place(rois.boxes), self.params.network_roiBatchSize
        outputs = self.network.linear(prepared.pixels, boxes, self.weights, self.biases, at_once)
        return self.classifier.split(outputs.cpu().numpy())


class NnDetector:
    """A `Detector` of the network that step 3 trained. path: its file."""

    def __init__(self, path: Path, params: Parameters) -> None:
        self.params, self.model = params, load_model(path, params)

    def score(self, prepared: NetworkInput, rois: Rois) -> RoiScores:
        """See `Detector`."""
        return class_scores(*predict(self.model, prepared, rois, self.params), self.params)
