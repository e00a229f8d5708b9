"""The stages of the pipeline, as functions of data and parameters: the scripts run them over files, step 6 in memory.

Here PARAMETERS' names meet the algorithm's settings. What was trained is what scores, because both call these.
"""

import math
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch

from fastRCNN import boxes as box_ops
from fastRCNN.box_regression import BoxRegressor
from fastRCNN.detection import candidates, suppress, vote
from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.network import RoiNetwork
from fastRCNN.proposals import RoiSettings, TooManyRois, compute_rois
from fastRCNN.settings import settings_from
from fastRCNN.structures import Candidates, GroundTruth, Origin, Rois, RoiScores
from fastRCNN.svd import compress
from fastRCNN.svm import LinearSvms, scaled
from helpers.artifacts.classifier_files import read_classifier
from helpers.artifacts.cntk_files import RoiInput
from helpers.artifacts.model_files import read_description, read_tensors
from helpers.base.errors import UserError
from helpers.base.images import Size, fitted_size, scale_to_fit
from helpers.base.threads import require_threads
from helpers.config.schema import Parameters
from helpers.dataset.caps import max_ground_truth
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import load_training_ground_truth
from helpers.fetching.weights import get_weights, read_state_dict

DTYPES = {torch.float32: "F32", torch.int64: "I64"}  # as safetensors calls them
VOTING_FLOOR = {"svm": -1.0, "nn": 0.0}  # the score of a clear negative: the margin, and no probability


def roi_settings(params: Parameters) -> RoiSettings:
    """Step 1: how ROIs are computed."""
    return settings_from(RoiSettings, params)


def propose_rois(image: np.ndarray, params: Parameters) -> Rois:
    """Step 1 for one image, uint8 RGB (H, W, 3): all its ROIs, most promising first."""
    try:
        return compute_rois(image, roi_settings(params))
    except TooManyRois as error:
        raise UserError(f"{error}; lower grid_nrScales, or raise grid_stepRel") from error
    except ImportError as error:
        raise UserError(f'roi_engine = "{params.roi_engine}": {error}') from error


def select_rois(proposals: Rois, params: Parameters, truth: GroundTruth | None = None) -> Rois:
    """Step 2 for one image: the ROIs that are used, at most `cntk_nrRois`.

    For training, the ground truth comes first, up to three quarters of them (`truth`): what is evaluated must have been
    proposed.
    """
    added = GroundTruth() if truth is None else truth.counted.take(slice(max_ground_truth(params.cntk_nrRois)))
    return Rois.of(added.boxes, Origin.GROUND_TRUTH).then(proposals).take(slice(params.cntk_nrRois))


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


def _input_bounds(params: Parameters) -> tuple[int, int, float]:
    return params.cntk_padWidth, params.cntk_padHeight, params.network_maxShorterSide or math.inf


def prepare_image(image: np.ndarray, params: Parameters) -> NetworkInput:
    """Step 3 before the network, for an image uint8 RGB (H, W, 3)."""
    return NetworkInput(*scale_to_fit(image, *_input_bounds(params)))


def input_size(size: Size, params: Parameters) -> Size:
    """The (width, height) that `prepare_image` scales an image of size (width, height) to."""
    return fitted_size(size, *_input_bounds(params))[0]


def input_factors(size: Size, params: Parameters) -> tuple[float, float]:
    """The factors (x, y) of `prepare_image` for an image of size (width, height)."""
    return fitted_size(size, *_input_bounds(params))[1]


def describe_rois(network: RoiNetwork, prepared: NetworkInput, rois: Rois, params: Parameters) -> np.ndarray:
    """Step 3 for one image: features of its ROIs (R, D) float16.

    float16 takes half the space on disk; step 6 rounds as well, so that both see the same numbers.
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


def training_rois(entry: RoiInput, params: Parameters, mirrored: bool = False) -> tuple[Rois, GroundTruth]:
    """Step 3 and 4: what is learned from an image's entry, on the image or on its mirror image."""
    truth = load_training_ground_truth(ImageFile(params.image_dir, entry.key), entry.size, params)
    if mirrored:
        width = entry.size[0]
        return entry.rois.mirrored(width), truth.mirrored(width)
    return entry.rois, truth


def predict(model: FastRcnn, prepared: NetworkInput, rois: Rois, params: Parameters) -> tuple[np.ndarray, np.ndarray]:
    """Step 3 with a trained network, for one image: probabilities (R, K + 1) and offsets (R, K, 4), float32."""
    return model.predict(prepared.pixels, prepared.place(rois.boxes), params.network_roiBatchSize)


def class_scores(probabilities: np.ndarray, offsets: np.ndarray, params: Parameters) -> RoiScores:
    """What `detect` takes, of what `predict` gives."""
    return RoiScores(probabilities[:, 1:], offsets if params.boxRegression else None)


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
    return model.to(device)


@dataclass(frozen=True)
class Classifier:
    """Step 5: the trained SVMs and, unless `boxRegression` is off, the box regressor on the same scaled features."""

    svms: LinearSvms
    regressor: BoxRegressor | None

    def __call__(self, features: np.ndarray) -> RoiScores:
        """What they say of ROIs with these features (R, D)."""
        offsets = self.regressor.offsets(scaled(features, self.svms.scale)) if self.regressor else None
        return RoiScores(self.svms.scores(features), offsets)


def detect(rois: Rois, scored: RoiScores, size: Size, params: Parameters) -> Candidates:
    """Step 5 for one image of this size: everything that was scored, and what non-maximum suppression kept of it.

    Boxes of kept detections are already moved by voting, those of other candidates are not.
    """
    found = candidates(rois.boxes, scored.scores, scored.offsets, size, score_threshold=-np.inf)
    kept = suppress(found, params.nmsThreshold, params.max_detections)
    if params.nms_boxVoting:
        found = vote(found, kept, params.nms_votingOverlap, VOTING_FLOOR[params.classifier])
    return Candidates(found, kept)


def load_classifier(params: Parameters) -> Classifier:
    """Step 5: the classifier that step 4 trained."""
    svms, regression = read_classifier(params.svm_dir, params.experimentName, len(params.classes), params.boxRegression)
    return Classifier(LinearSvms(*svms), BoxRegressor(*regression) if regression else None)


class Detector(Protocol):
    """Steps 3 and 5 for one image after the other."""

    def score(self, prepared: NetworkInput, rois: Rois) -> RoiScores:
        """What it says of an image's ROIs, which are in pixels of the original image."""


class SvmDetector:
    """A `Detector` of the SVMs of step 4."""

    def __init__(self, params: Parameters) -> None:
        self.params, self.network, self.classifier = params, build_network(params), load_classifier(params)

    def score(self, prepared: NetworkInput, rois: Rois) -> RoiScores:
        """See `Detector`."""
        return self.classifier(describe_rois(self.network, prepared, rois, self.params))


class NnDetector:
    """A `Detector` of the network that step 3 trained. path: its file."""

    def __init__(self, path: Path, params: Parameters) -> None:
        self.params, self.model = params, load_model(path, params)

    def score(self, prepared: NetworkInput, rois: Rois) -> RoiScores:
        """See `Detector`."""
        return class_scores(*predict(self.model, prepared, rois, self.params), self.params)
