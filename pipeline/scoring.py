"""Every stage for one image in memory, from its pixels to detections: what 6_scoreImage.py runs.

A detector is the one that steps 1 to 4 trained with the same parameters, or one in a file that needs no other. On a
test image it finds what 5_evaluate.py found, because both call the same stages. Scores of SVMs differ by some
thousandths: step 3 rounds features to float16 on their way to the disk, and here nothing is rounded.
"""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from fastRCNN.structures import Candidates, Detections, Rois
from helpers.artifacts.model_files import model_path, read_description, stored_settings
from helpers.artifacts.onnx_files import is_onnx, read_onnx
from helpers.artifacts.steps import require_parameters, trained_by
from helpers.config.modest import require_modest
from helpers.config.schema import Parameters
from pipeline.detection import detect
from pipeline.onnx_detector import OnnxDetector
from pipeline.regions import propose_rois, select_rois
from pipeline.stages import Detector, NetworkInput, NnDetector, SvmDetector, prepare_image


@dataclass(frozen=True)
class ScoredImage:
    """What was found in an image, its size (width, height) in pixels, and the seconds of each stage."""

    candidates: Candidates
    size: tuple[int, int]
    seconds: dict[str, float]

    def as_json(self, shown: Detections, all_classes: tuple[str, ...]) -> dict[str, Any]:
        """Some of its detections for JSON: numbers are numbers, boxes are [x1, y1, x2, y2] in pixels."""
        detections = [
            {
                "label": all_classes[class_id],
                "score": round(float(score), 4),
                "box": [round(float(x), 1) for x in box],
            }
            for box, score, class_id in zip(shown.boxes, shown.scores, shown.class_ids, strict=True)
        ]
        seconds = {name: round(value, 3) for name, value in self.seconds.items()}
        return {"width": self.size[0], "height": self.size[1], "seconds": seconds, "detections": detections}


@dataclass(frozen=True)
class ProposedImage:
    """An image before the network: its size (width, height) in pixels, ROIs, the network's input, and the seconds of
    each stage."""

    size: tuple[int, int]
    rois: Rois
    prepared: NetworkInput
    seconds: dict[str, float]


def propose(image: np.ndarray, params: Parameters) -> ProposedImage:
    """The stages before the network for one image, uint8 RGB (H, W, 3)."""
    start = time.perf_counter()
    rois = select_rois(propose_rois(image, params), params)
    proposed = time.perf_counter()
    prepared = prepare_image(image, params)
    seconds = {"rois": proposed - start, "scale": time.perf_counter() - proposed}
    return ProposedImage((image.shape[1], image.shape[0]), rois, prepared, seconds)


def score_proposed(image: ProposedImage, detector: Detector, params: Parameters) -> ScoredImage:
    """The network and the stages after it."""
    start = time.perf_counter()
    scored = detector.score(image.prepared, image.rois)
    after = time.perf_counter()
    candidates = detect(image.rois, scored, image.size, params)
    seconds = {**image.seconds, "network": after - start, "detections": time.perf_counter() - after}
    return ScoredImage(candidates, image.size, seconds)


def score_image(image: np.ndarray, detector: Detector, params: Parameters) -> ScoredImage:
    """All stages for one image, uint8 RGB (H, W, 3)."""
    return score_proposed(propose(image, params), detector, params)


def model_settings(path: Path, settings: Iterable[str] = ()) -> dict[str, Any]:
    """The parameters that a model's file holds, of step 3 or 7: for `load_parameters`.

    Args:
        settings: those of the command line, which count more.
    """
    stored = stored_settings(read_onnx(path)[0] if is_onnx(path) else read_description(path), path)
    require_modest(stored, path, settings)
    return stored


def load_detector(params: Parameters, model_file: Path | None = None) -> Detector:
    """The detector that steps 1 to 4 trained with these parameters, or the one in a file of step 3 or 7."""
    if model_file:
        return (OnnxDetector if is_onnx(model_file) else NnDetector)(model_file, params)
    require_parameters(params, trained_by(params))
    return NnDetector(model_path(params), params) if params.classifier == "nn" else SvmDetector(params)
