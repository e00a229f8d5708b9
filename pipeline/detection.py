"""Step 5 for one image: what the classifier says of ROIs, and the detections that follow. Needs no network."""

from dataclasses import dataclass

import numpy as np

from fastRCNN.box_regression import BoxRegressor
from fastRCNN.detection import candidates, suppress, vote
from fastRCNN.structures import Candidates, Rois, RoiScores
from fastRCNN.svm import LinearSvms
from helpers.artifacts.classifier_files import read_classifier
from helpers.base.images import Size
from helpers.config.schema import Parameters

VOTING_FLOOR = {"svm": -1.0, "nn": 0.0}  # the score of a clear negative: the margin, and no probability


def class_scores(probabilities: np.ndarray, offsets: np.ndarray, params: Parameters) -> RoiScores:
    """What `detect` takes, of what `predict` gives."""
    return RoiScores(probabilities[:, 1:], offsets if params.boxRegression else None)


@dataclass(frozen=True)
class Classifier:
    """Step 5: the trained SVMs and, unless `boxRegression` is off, the box regressor on the same scaled features."""

    svms: LinearSvms
    regressor: BoxRegressor | None

    def __call__(self, features: np.ndarray) -> RoiScores:
        """What they say of ROIs with these features (R, D)."""
        offsets = self.regressor.offsets(features, self.svms.scale) if self.regressor else None
        return RoiScores(self.svms.scores(features), offsets)

    def linear(self) -> tuple[np.ndarray, np.ndarray]:
        """The same as one linear function of features: weights (O, D) and biases (O,), of K scores and, where there is
        a regressor, 4 K offsets. `split` takes its results apart."""
        weights, biases = [self.svms.weights], [self.svms.biases]
        if self.regressor:
            nr_features = self.svms.weights.shape[1]
            weights.append(self.regressor.weights.transpose(0, 2, 1).reshape(-1, nr_features))
            biases.append(self.regressor.biases.ravel())
        return np.concatenate(weights) * np.float32(self.svms.scale), np.concatenate(biases)

    def split(self, outputs: np.ndarray) -> RoiScores:
        """Results of `linear` (R, O), of R ROIs."""
        nr_classes = len(self.svms.biases)
        offsets = outputs[:, nr_classes:].reshape(-1, nr_classes, 4) if self.regressor else None
        return RoiScores(outputs[:, :nr_classes], offsets)


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
