"""The stages of the pipeline, as functions of data and parameters: the scripts run them over files, step 6 in memory.

Here PARAMETERS' names meet the algorithm's settings. What was trained is what scores, because both call these.
"""

import math
import sys
from dataclasses import dataclass

import numpy as np
import torch

from fastRCNN.box_regression import BoxRegressor
from fastRCNN.boxes import mirror
from fastRCNN.detection import candidates, suppress, vote
from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.network import RoiNetwork
from fastRCNN.proposals import RoiSettings, TooManyRois, compute_rois
from fastRCNN.settings import settings_from
from fastRCNN.svd import compress
from fastRCNN.svm import LinearSvms, scaled
from helpers.artifacts.classifier_files import read_classifier
from helpers.artifacts.cntk_files import PaddedSquare
from helpers.artifacts.model_files import read_description, read_tensors
from helpers.base.errors import UserError
from helpers.base.images import fitted_size, image_size, scale_to_fit
from helpers.base.threads import require_threads
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import load_training_truth
from helpers.fetching.weights import get_weights, read_state_dict

DTYPES = {torch.float32: "F32", torch.int64: "I64"}  # as safetensors calls them
VOTING_FLOOR = {"svm": -1.0, "nn": 0.0}  # the score of a clear counterexample: the margin, and no probability


def roi_settings(params):
    """Step 1: how ROIs are computed."""
    return settings_from(RoiSettings, params)


def propose_rois(image, params):
    """Step 1 for one image: uint8 RGB (H, W, 3) -> ROIs (N, 4) int32 in its pixels, most promising first."""
    try:
        return compute_rois(image, roi_settings(params))
    except TooManyRois as error:
        raise UserError(f"{error}; lower grid_nrScales, or raise grid_stepRel") from error
    except ImportError as error:
        raise UserError(f'roi_engine = "{params.roi_engine}": {error}') from error


def padded_square(size, params):
    """Step 2: how an image of size (width, height) lies in the network's padded input."""
    return PaddedSquare(*size, params.cntk_padWidth, params.cntk_padHeight)


def choose_device(params):
    """Step 3: the GPU where there is one, else the CPU; `UserError` where the wanted one is not there."""
    available = {"cpu": True, "cuda": torch.cuda.is_available(), "mps": torch.backends.mps.is_available()}
    if params.network_device == "auto":
        return torch.device("cuda" if available["cuda"] else "cpu")
    if not available[params.network_device]:
        raise UserError(f'network_device = "{params.network_device}": there is none; "auto" or "cpu" works everywhere')
    return torch.device(params.network_device)


def use_threads(params):
    """Step 3: from now on torch computes with `network_threads` threads when this thread asks it to."""
    require_threads(params.network_threads)
    torch.set_num_threads(params.network_threads)


def describe_device(device):
    """What computes, in words."""
    return torch.cuda.get_device_name() if device.type == "cuda" else f"{device}, {torch.get_num_threads()} threads"


def build_network(params):
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


def _input_bounds(params):
    return params.cntk_padWidth, params.cntk_padHeight, params.network_maxShorterSide or math.inf


def prepare_image(image, params):
    """Step 3 before the network: uint8 RGB (H, W, 3) -> the image at input size, factors (x, y) to it."""
    return scale_to_fit(image, *_input_bounds(params))


def input_size(size, params):
    """The (width, height) that `prepare_image` scales an image of size (width, height) to."""
    return fitted_size(size, *_input_bounds(params))[0]


def input_factors(size, params):
    """The factors (x, y) of `prepare_image` for an image of size (width, height)."""
    return fitted_size(size, *_input_bounds(params))[1]


def describe_rois(network, prepared, rois, params):
    """Step 3 for one image: `prepare_image`, ROIs (R, 4) in its original pixels -> features (R, D) float16.

    float16 takes half the space on disk; step 6 rounds as well, so that both see the same numbers.
    """
    image, factors = prepared
    return network.features(image, np.asarray(rois) * (factors * 2), params.network_roiBatchSize)


def describe_mirrored(network, prepared, rois, width, params):
    """Step 3 for the mirror image of a training image: features of the mirrored ROIs (R, D), in the order of `rois`.

    width: of the original image in pixels. What is learned from 20 photos is learned from 40 (Fast R-CNN, section 2.3).
    """
    image, factors = prepared
    mirrored = image[:, ::-1].copy(), factors  # of one column, a view would keep its negative stride
    return describe_rois(network, mirrored, mirror(rois, width), params)


def training_rois(entry, params, mirrored=False):
    """Step 3 and 4: what is learned from an image's `RoiInput`, on the image or on its mirror image.

    Returns ROIs (R, 4) in pixels, (true boxes (G, 4), class ids (G,), excluded (G,)), and (width, height).
    """
    image = ImageFile(params.image_dir, entry.key)
    size, _ = image_size(image.path)
    rois = entry.pixel_rois(padded_square(size, params))
    boxes, class_ids, excluded = load_training_truth(image, size, params)
    if mirrored:
        rois, boxes = mirror(rois, size[0]), mirror(boxes, size[0])
    return rois, (boxes, class_ids, excluded), size


def predict(model, prepared, rois, params):
    """Step 3 with a trained network, for one image: probabilities (R, K + 1) and offsets (R, K, 4), float32."""
    image, factors = prepared
    return model.predict(image, np.asarray(rois) * (factors * 2), params.network_roiBatchSize)


def class_scores(probabilities, offsets, params):
    """What `detect` takes, of what `predict` gives."""
    return probabilities[:, 1:], offsets if params.boxRegression else None


def require_classes(description, params, path):
    """Raise `UserError` where a model was trained for other classes than those of the parameters."""
    made_for = description["parameters"].get("classes")
    if made_for != list(params.classes):
        names = ", ".join(map(str, made_for)) if isinstance(made_for, list) else made_for
        raise UserError(f"{path}: trained for {names}; the classes here are {', '.join(params.classes)}")


def _detector(params, path):
    """A `FastRcnn` of these parameters, untrained."""
    network = RoiNetwork(params.network, None, params.network_roiPooling, params.network_contextFactor)
    try:
        if params.svd_rank:
            compress(network.head, params.svd_rank, exact=False)
        return FastRcnn(network, len(params.classes))
    except ValueError as error:
        raise UserError(f"{path}: its parameters do not make a {params.network} detector: {error}") from error


def load_model(path, params):
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

    def __call__(self, features):
        """Features (R, D) -> scores (R, K) and offsets (R, K, 4) or None."""
        offsets = self.regressor.offsets(scaled(features, self.svms.scale)) if self.regressor else None
        return self.svms.scores(features), offsets


def detect(rois, scores, offsets, size, params):
    """Step 5 for one image: all candidates, best first, and a mask (N,) of the detections among them.

    Boxes of detections are already moved by voting, those of other candidates are not. rois (R, 4); scores (R, K);
    offsets (R, K, 4) or None; size: (width, height) of the image in pixels.
    """
    found = candidates(rois, scores, offsets, size, score_threshold=-np.inf)
    kept = suppress(found, params.nmsThreshold, params.max_detections)
    if params.nms_boxVoting:
        found = vote(found, kept, params.nms_votingOverlap, VOTING_FLOOR[params.classifier])
    return found, kept


def load_classifier(params):
    """Step 5: the classifier that step 4 trained."""
    svms, regression = read_classifier(params.svm_dir, params.experimentName, len(params.classes), params.boxRegression)
    return Classifier(LinearSvms(*svms), BoxRegressor(*regression) if regression else None)


class SvmDetector:
    """Steps 3 and 5 for one image after the other, with the SVMs of step 4."""

    def __init__(self, params):
        self.params, self.network, self.classifier = params, build_network(params), load_classifier(params)

    def score(self, prepared, rois):
        """`prepare_image` and ROIs (R, 4) in its original pixels -> what `detect` takes."""
        return self.classifier(describe_rois(self.network, prepared, rois, self.params))


class NnDetector:
    """The same with the network that step 3 trained. path: its file."""

    def __init__(self, path, params):
        self.params, self.model = params, load_model(path, params)

    def score(self, prepared, rois):
        """`prepare_image` and ROIs (R, 4) in its original pixels -> what `detect` takes."""
        return class_scores(*predict(self.model, prepared, rois, self.params), self.params)
