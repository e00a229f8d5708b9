"""Step 5: measure the detector on images with ground truth.

    {test,train}_{svm,nn}_parsed/, trainedSVMs/  ->  proc/<dataset>/detections/<imageSet>_<classifier>.tsv
                                                results/<dataset>/evaluation_<imageSet>_<classifier>{.json,.tsv,...png}
                                                results/<dataset>/comp4_det_<imageSet>_<class>.txt, for PASCAL VOC

Average precision (AP) of each class and its mean (mAP), PASCAL VOC's way, and COCO's AP over IoU 0.5 to 0.95. Ground
truth that step 2 added to the training images' ROIs is never scored.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from tqdm import tqdm

from fastRCNN.confusion import confusion_matrix
from fastRCNN.evaluation import COCO_MAX_DETECTIONS, ClassOverlaps, Curve, mean_ap
from fastRCNN.structures import Candidates, Detections, GroundTruth, MeasuredImage, RoiScores
from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.detection_files import detection_path, detection_rows, write_detections
from helpers.artifacts.feature_files import feature_path, read_features, read_predictions
from helpers.artifacts.step_run import StepRun
from helpers.artifacts.steps import DETECTIONS
from helpers.artifacts.voc_results import voc_results
from helpers.base.files import remove_temporary_files, write_json
from helpers.base.tables import evaluation_table, format_table, write_table
from helpers.config.schema import Parameters
from helpers.dataset.caps import as_lines, over_detections, over_rois
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import load_ground_truth
from helpers.drawing.plots import plot_confusion, plot_precision_recall, write_figure
from pipeline.detection import class_scores, detect, load_classifier
from pipeline.diagnosis import LOW_MAP, likely_causes
from pipeline.parameters import run_step


class EvaluatedImage(NamedTuple):
    """An image, what was detected in it before and after suppression, and its ground truth."""

    image: ImageFile
    candidates: Candidates
    truth: GroundTruth


def reader_of_scores(params: Parameters) -> Callable[[Path, int], RoiScores]:
    """A function of the path of an image's file of step 3 and its number of ROIs."""
    if params.classifier == "nn":
        return lambda path, count: class_scores(*read_predictions(path, count, len(params.classes)), params)
    classifier = load_classifier(params)
    return lambda path, count: classifier(read_features(path, count))


def detect_all(params: Parameters) -> Iterator[EvaluatedImage]:
    """Yield each image of the image set."""
    read_scores = reader_of_scores(params)
    for index, entry in enumerate(read_inputs(params, params.imageSet)):
        image, rois = ImageFile(params.image_dir, entry.key), entry.rois
        path = feature_path(params.cntk_files_dir, params.imageSet, params.classifier, index)
        scored = read_scores(path, len(rois)).take(rois.found)
        candidates = detect(rois.take(rois.found), scored, entry.size, params)
        yield EvaluatedImage(image, candidates, load_ground_truth(image, entry.size, params))


def measure(
    detections: Sequence[Detections], truths: Sequence[GroundTruth], params: Parameters
) -> tuple[dict[str, Any], dict[str, Curve]]:
    """AP of each class at the wanted IoU, at 0.7 and COCO's, their means, and the precision-recall curves.

    Args:
        detections: one entry per image, as truths.

    Returns:
        The content of the JSON file, and class name -> curve.
    """
    curves: dict[str, Curve] = {}
    aps: dict[str, float | None] = {}
    aps_07, cocos = aps.copy(), aps.copy()
    for class_id, name in enumerate(params.classes, start=1):
        overlaps = ClassOverlaps(detections, truths, class_id)
        curves[name] = overlaps.curve(params.eval_overlapThreshold)
        aps[name] = curves[name].ap(params.eval_use11Points)
        aps_07[name] = overlaps.curve(0.7).ap(params.eval_use11Points)
        cocos[name] = overlaps.coco_ap()
    result = {
        "mAP": mean_ap(aps.values()),
        "AP": aps,
        "mAP_0.7": mean_ap(aps_07.values()),
        "AP_0.7": aps_07,
        "cocoAP50_95": mean_ap(cocos.values()),
        "cocoAP50_95_byClass": cocos,
        "nrObjects": {name: curve.nr_objects for name, curve in curves.items()},
        "nrImages": len(truths),
        "overlapThreshold": params.eval_overlapThreshold,
        "use11Points": params.eval_use11Points,
    }
    return result, curves


@contextlib.contextmanager
def result_files(params: Parameters) -> Iterator[Callable[[str, Detections], None]]:
    """A function of an image's key and its detections that writes them as PASCAL VOC wants them, if it is VOC."""
    if params.datasetLayout == "voc":
        with voc_results(params.results_dir, params.classes, params.imageSet) as write_result:
            yield write_result
    else:
        yield lambda key, found: None


def find_and_write(params: Parameters) -> list[MeasuredImage]:
    """Write the detections of all images; returns what suppression kept of each."""
    drawn_from = params.vis_decisionThresholds[params.classifier]
    measured: list[MeasuredImage] = []

    def rows(write_result: Callable[[str, Detections], None]) -> Iterator[str]:
        for image, candidates, truth in tqdm(detect_all(params), desc="5 detections", unit="image"):
            measured.append(MeasuredImage(image.key, candidates.kept, truth))
            write_result(image.key, measured[-1].detections)
            listed = candidates.is_kept | (candidates.all.scores >= drawn_from)
            yield from detection_rows(image.key, candidates.take(listed), params.all_classes)

    with result_files(params) as write_result:
        write_detections(detection_path(params), rows(write_result))
    return measured


def main(params: Parameters) -> dict[str, Any]:
    """Evaluate `imageSet`; writes detections, table and plots and returns the content of the JSON file."""
    drawn_from = params.vis_decisionThresholds[params.classifier]
    stem = params.results_dir / f"evaluation_{params.imageSet}_{params.classifier}"
    results = f"comp4_det_{params.imageSet}_", stem.name
    with StepRun(params, DETECTIONS) as run:
        run.start({"detections": detection_path(params)}, keep=False)
        remove_temporary_files(params.results_dir, lambda path: path.name.startswith(results))
        measured = find_and_write(params)
        detections, truths = [image.detections for image in measured], [image.truth for image in measured]
        result, curves = measure(detections, truths, params)
        confusion = confusion_matrix(detections, truths, len(params.classes), drawn_from, params.eval_overlapThreshold)
        table = evaluation_table(result)
        write_json(stem.with_suffix(".json"), result)
        write_table(stem.with_suffix(".tsv"), table)
        write_figure(stem.with_name(stem.name + "_precisionRecall.png"), plot_precision_recall(curves, result["AP"]))
        write_figure(
            stem.with_name(stem.name + "_confusion.png"), plot_confusion(confusion, params.all_classes, drawn_from)
        )
        run.finish()
    print_report(table, curves, detections, params)
    print_caps(measured, params)
    if result["mAP"] is not None and result["mAP"] < LOW_MAP:
        print("\n".join(likely_causes(result, detections, truths, params)))
    print(f"table, curves and confusion matrix: {stem}*")
    return result


def print_report(
    table: Sequence[Sequence[str]], curves: Mapping[str, Curve], detections: Sequence[Detections], params: Parameters
) -> None:
    """Print the table, and name the classes whose number says less than it seems to."""
    print(format_table(table))
    for class_id, (name, curve) in enumerate(curves.items(), start=1):
        if curve.nr_objects == 0:
            print(f"NOTE: no {params.imageSet} image shows {name}: it has no AP and does not count in the means")
        elif not any((found.class_ids == class_id).any() for found in detections):
            print(f"NOTE: {name} was never found: its AP is 0")


def print_caps(measured: Sequence[MeasuredImage], params: Parameters) -> None:
    """Name the images with more objects than can be found."""
    objects = {image.key: len(image.truth.counted) for image in measured}
    for found in (over_rois(objects, False, params), over_detections(objects, params.max_detections)):
        for line in as_lines(found):
            print(line)
    most = max((np.bincount(image.truth.counted.class_ids).max(initial=0) for image in measured), default=0)
    if most > COCO_MAX_DETECTIONS:
        print(
            f"NOTE: an image shows {most} objects of one class; AP@0.5:0.95 looks at the {COCO_MAX_DETECTIONS} best "
            "detections of a class and image, as COCO defines it"
        )


if __name__ == "__main__":
    run_step(main, __doc__)
