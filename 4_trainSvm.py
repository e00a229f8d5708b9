"""Step 4: train one linear SVM a class, and a regression that moves ROIs onto the object.

    train_svm_parsed/, annotations  ->  proc/<dataset>/trainedSVMs/svm{weights,bias,feature_scale}_<experiment>.txt
                                        proc/<dataset>/trainedSVMs/boxregression_<experiment>.npz

A ROI that overlaps an object of a class well is an example, one that overlaps none a counterexample, the rest is left
out. The files of an image are read when needed, so memory does not grow with the number of images.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

import numpy as np

from fastRCNN.box_regression import train_box_regressor
from fastRCNN.settings import settings_from
from fastRCNN.svm import SvmSettings, TrainingImage, scaled, train_svms
from fastRCNN.targets import regression_targets, svm_targets
from helpers.artifacts.classifier_files import classifier_paths, write_classifier
from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.feature_files import feature_path, read_features
from helpers.artifacts.step_run import StepRun
from helpers.artifacts.steps import SVMS
from helpers.base.errors import UserError
from helpers.base.tables import counted
from pipeline.parameters import run_step
from pipeline.stages import Classifier, training_rois


class TrainingSet:
    """The training images' ROIs, read from disk one image at a time: a sequence of `TrainingImage`.

    With `train_mirrored` it has twice the length: every image, then every mirror image.
    """

    def __init__(self, params):
        self.params = params
        self.entries = read_inputs(params.cntk_files_dir, "train")

    def __len__(self):
        return len(self.entries) * (2 if self.params.train_mirrored else 1)

    def __getitem__(self, index):
        if not 0 <= index < len(self):
            raise IndexError(index)  # which ends an iteration
        return TrainingImage(self.features(index), self.targets(index))

    def targets(self, index):
        """(R, K), see `svm_targets`."""
        rois, truth = self.rois_and_truth(index)
        overlaps = self.params.train_posOverlapThres, self.params.train_negOverlapThres
        return svm_targets(rois, *truth, len(self.params.classes), *overlaps)

    def features(self, index):
        """(R, D) float16."""
        mirrored, row = divmod(index, len(self.entries))
        path = feature_path(self.params.cntk_files_dir, "train", "svm", row)
        return read_features(path, int(self.entries.nr_rois[row]), "mirrored" if mirrored else "arr_0")

    def rois_and_truth(self, index):
        """ROIs (R, 4) in pixels of the image or mirror image, and its true boxes, class ids and excluded flags."""
        mirrored, row = divmod(index, len(self.entries))
        rois, truth, _ = training_rois(self.entries[row], self.params, bool(mirrored))
        return rois, truth


def train_regressor(images, svms, params):
    """The box regressor, from all ROIs that overlap an object by `boxRegression_minOverlap` or more."""

    def targets(index):
        rois, truth = images.rois_and_truth(index)
        rows, boxes, class_ids = regression_targets(rois, *truth, params.boxRegression_minOverlap)
        return rows, (rois[rows], boxes, class_ids - 1)

    nr_classes, nr_features = svms.weights.shape
    by_image = [np.bincount(targets(index)[1][2], minlength=nr_classes) for index in range(len(images))]
    counts = np.stack(by_image).astype(np.int32)  # (images, K)

    def samples(class_ids):
        for index in np.flatnonzero(counts[:, class_ids].any(axis=1)).tolist():
            rows, found = targets(index)
            yield scaled(images.features(index)[rows], svms.scale), *found

    try:
        return train_box_regressor(samples, counts.sum(axis=0), nr_features, params.boxRegression_ridge)
    except np.linalg.LinAlgError:
        raise UserError(
            f"boxRegression_ridge = {params.boxRegression_ridge:g}: too small where ROIs are alike; set a greater one"
        ) from None


def main(params):
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
        write_classifier(params.svm_dir, params.experimentName, svms, regressor, params.classes)
        run.finish()
    print(f"{counted(len(params.classes), 'SVM')} on {svms.weights.shape[1]} features: {params.svm_dir}")
    return Classifier(svms, regressor)


if __name__ == "__main__":
    run_step(main, __doc__)
