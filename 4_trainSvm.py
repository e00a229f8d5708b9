"""Step 4: train one linear SVM per class, and a regression that moves ROIs onto the object.

    train_svm_parsed/, annotations  ->  proc/<dataset>/trainedSVMs/svm{weights,bias,feature_scale}_<experiment>.txt
                                        proc/<dataset>/trainedSVMs/boxregression_<experiment>.npz

A ROI that overlaps an object of a class well is a positive, one that overlaps none a negative, the others are neither.
The files of an image are read when needed, so memory does not grow with the number of images.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from fastRCNN.box_regression import BoxRegressor, FramedRois, train_box_regressor
from fastRCNN.settings import settings_from
from fastRCNN.structures import GroundTruth, Rois
from fastRCNN.svm import LinearSvms, SvmSettings, scaled, train_svms
from fastRCNN.targets import regression_targets, svm_targets
from helpers.artifacts.classifier_files import Regression, Svms, classifier_paths, write_classifier
from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.feature_files import MappedFeatures, feature_path
from helpers.artifacts.step_run import StepRun
from helpers.artifacts.steps import SVMS
from helpers.base.errors import UserError
from helpers.base.tables import counted
from helpers.config.schema import Parameters
from pipeline.detection import Classifier
from pipeline.parameters import run_step
from pipeline.regions import training_rois

HELD_BYTES = 2**26  # of targets that are computed once instead of in every round


class TrainingSet:
    """The training images' ROIs, read from disk one image at a time.

    With `train_mirrored` it has twice the length: every image, then every mirror image.
    """

    def __init__(self, params: Parameters) -> None:
        self.params = params
        self.entries = read_inputs(params, "train")
        self.files = MappedFeatures()
        self._targets: dict[int, np.ndarray] = {}  # those of the first images

    def __len__(self) -> int:
        return len(self.entries) * (2 if self.params.train_mirrored else 1)

    def __getitem__(self, index: int) -> "ImageOnDisk":
        return ImageOnDisk(self, index)

    def __iter__(self) -> "Iterator[ImageOnDisk]":
        return (self[index] for index in range(len(self)))

    def targets(self, index: int) -> np.ndarray:
        """(R, K), see `svm_targets`."""
        if index in self._targets:
            return self._targets[index]
        rois, truth = self.rois_and_truth(index)
        overlaps = self.params.train_posOverlapThres, self.params.train_negOverlapThres
        targets = svm_targets(rois.boxes, truth, len(self.params.classes), *overlaps)
        if (len(self._targets) + 1) * targets.nbytes <= HELD_BYTES:
            self._targets[index] = targets
        return targets

    def features(self, index: int) -> np.ndarray:
        """(R, D) float16."""
        mirrored, row = divmod(index, len(self.entries))
        path = feature_path(self.params.cntk_files_dir, "train", "svm", row)
        return self.files.read(path, int(self.entries.nr_rois[row]), "mirrored" if mirrored else "arr_0")

    def rois_and_truth(self, index: int) -> tuple[Rois, GroundTruth]:
        """The ROIs of an image or mirror image, and its ground truth."""
        mirrored, row = divmod(index, len(self.entries))
        return training_rois(self.entries[row], self.params, bool(mirrored))


@dataclass(frozen=True)
class ImageOnDisk:
    """An image of a `TrainingSet`, of which only what is asked for is read or computed."""

    images: TrainingSet
    index: int

    @property
    def features(self) -> np.ndarray:
        """(R, D) float16."""
        return self.images.features(self.index)

    @property
    def targets(self) -> np.ndarray:
        """(R, K), see `svm_targets`."""
        return self.images.targets(self.index)


class RegressionSet:
    """The training images' ROIs that box regression learns from, and how many of each class (K,) there are."""

    def __init__(self, images: TrainingSet, scale: float, params: Parameters) -> None:
        self.images, self.scale, self.params = images, scale, params
        by_image = []
        for index in range(len(images)):
            _, _, objects = self.framed(index)
            by_image.append(np.bincount(objects.class_ids, minlength=len(params.all_classes))[1:])
        self._by_image = np.stack(by_image).astype(np.int32)  # (images, K)
        self.counts = self._by_image.sum(axis=0)

    def framed(self, index: int) -> tuple[np.ndarray, np.ndarray, GroundTruth]:
        """The ROIs of an image that frame an object: their rows (n,), their boxes (n, 4), and these n objects."""
        rois, truth = self.images.rois_and_truth(index)
        rows, objects = regression_targets(rois.boxes, truth, self.params.boxRegression_minOverlap)
        return rows, rois.boxes[rows], objects

    def samples(self, class_ids: Sequence[int]) -> Iterator[FramedRois]:
        """Those of the images that show one of the classes, see `train_box_regressor`."""
        shows = self._by_image[:, np.asarray(class_ids) - 1].any(axis=1)
        for index in np.flatnonzero(shows).tolist():
            rows, boxes, objects = self.framed(index)
            yield FramedRois(scaled(self.images.features(index)[rows], self.scale), boxes, objects)


def train_regressor(images: TrainingSet, svms: LinearSvms, params: Parameters) -> BoxRegressor:
    """The box regressor, from all ROIs that overlap an object by `boxRegression_minOverlap` or more."""
    learned = RegressionSet(images, svms.scale, params)
    try:
        return train_box_regressor(learned.samples, learned.counts, svms.weights.shape[1], params.boxRegression_ridge)
    except np.linalg.LinAlgError:
        raise UserError(
            f"boxRegression_ridge = {params.boxRegression_ridge:g}: too small where ROIs are alike; set a greater one"
        ) from None


def main(params: Parameters) -> Classifier:
    """Train on the features of step 3 and write the classifier; returns it."""
    if params.classifier != "svm":
        raise UserError(f'classifier = "{params.classifier}": only "svm" needs this step, go on with 5_evaluate.py')
    with StepRun(params, SVMS) as run:
        run.start({path.name: path for path in classifier_paths(params.svm_dir, params.experimentName)}, keep=False)
        images = TrainingSet(params)
        if not any((images.targets(index) > 0).any() for index in range(len(images))):
            raise UserError(f"{params.image_dir}: no training image has a box of a known class; nothing to learn from")
        svms = train_svms(images, settings_from(SvmSettings, params), progress=lambda line: print(f"  {line}"))
        regressor = train_regressor(images, svms, params) if params.boxRegression else None
        numbers = Svms(svms.weights, svms.biases, svms.scale)
        regression = Regression(regressor.weights, regressor.biases) if regressor else None
        write_classifier(params.svm_dir, params.experimentName, numbers, regression, params.classes)
        run.finish()
    print(f"{counted(len(params.classes), 'SVM')} on {svms.weights.shape[1]} features: {params.svm_dir}")
    return Classifier(svms, regressor)


if __name__ == "__main__":
    run_step(main, __doc__)
