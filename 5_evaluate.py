"""Step 5: measure the detector on images with known boxes.

    {test,train}_{svm,nn}_parsed/, trainedSVMs/  ->  proc/<dataset>/detections/<imageSet>_<classifier>.tsv
                                                results/<dataset>/evaluation_<imageSet>_<classifier>{.json,.tsv,...png}
                                                results/<dataset>/comp4_det_<imageSet>_<class>.txt, for PASCAL VOC

Average precision (AP) of each class and its mean (mAP), PASCAL VOC's way, and COCO's AP over IoU 0.5 to 0.95. True
boxes that step 2 added to the training images' ROIs are never scored.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

import contextlib

import numpy as np
from tqdm import tqdm

from fastRCNN.confusion import confusion_matrix
from fastRCNN.evaluation import COCO_MAX_DETECTIONS, ClassOverlaps, Truth, mean_ap
from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.detection_files import detection_path, detection_rows, write_detections
from helpers.artifacts.feature_files import feature_path, read_features, read_predictions
from helpers.artifacts.step_run import StepRun
from helpers.artifacts.steps import DETECTIONS
from helpers.artifacts.voc_results import voc_results
from helpers.base.files import remove_temporary_files, write_json
from helpers.base.images import image_size
from helpers.base.tables import evaluation_table, format_table, write_table
from helpers.dataset.caps import as_lines, over_detections, over_rois
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import load_truth
from helpers.drawing.plots import plot_confusion, plot_precision_recall, write_figure
from pipeline.diagnosis import LOW_MAP, likely_causes
from pipeline.parameters import run_step
from pipeline.stages import class_scores, detect, load_classifier, padded_square


def reader_of_scores(params):
    """A function of the path of an image's file of step 3 and its number of ROIs: scores (R, K), offsets or None."""
    if params.classifier == "nn":
        return lambda path, count: class_scores(*read_predictions(path, count, len(params.classes)), params)
    classifier = load_classifier(params)
    return lambda path, count: classifier(read_features(path, count))


def detect_all(params):
    """Yield (image, detections before suppression, mask of those kept, truth) of each image of the image set."""
    read_scores = reader_of_scores(params)
    for index, entry in enumerate(read_inputs(params.cntk_files_dir, params.imageSet)):
        image = ImageFile(params.image_dir, entry.key)
        size, _ = image_size(image.path)
        path = feature_path(params.cntk_files_dir, params.imageSet, params.classifier, index)
        scores, offsets = read_scores(path, len(entry.rois))
        proposed = slice(entry.nr_truth, None)  # the true boxes come first
        rois = entry.pixel_rois(padded_square(size, params))[proposed]
        offsets = None if offsets is None else offsets[proposed]
        found, kept = detect(rois, scores[proposed], offsets, size, params)
        yield image, found, kept, Truth(*load_truth(image, size, params))


def measure(detections, truths, params):
    """AP of each class at the wanted IoU, at 0.7 and COCO's, their means, and the precision-recall curves.

    detections, truths: one entry an image. Returns (dict as in the JSON file, class name -> `Curve`).
    """
    curves, aps, aps_07, cocos = {}, {}, {}, {}
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
def result_files(params):
    """A function of an image's key and its detections that writes them as PASCAL VOC wants them, if it is VOC."""
    if params.datasetLayout == "voc":
        with voc_results(params.results_dir, params.classes, params.imageSet) as write_result:
            yield write_result
    else:
        yield lambda key, found: None


def find_and_write(params):
    """Write the detections of all images; returns those kept of each image, its truth, and {key: objects}."""
    drawn_from = params.vis_decisionThresholds[params.classifier]
    detections, truths, objects = [], [], {}

    def rows(write_result):
        for image, found, kept, truth in tqdm(detect_all(params), desc="5 detections", unit="image"):
            detections.append(found.take(kept))
            truths.append(truth)
            objects[image.key] = int((~truth.ignored).sum())
            write_result(image.key, detections[-1])
            listed = kept | (found.scores >= drawn_from)
            yield from detection_rows(image.key, found.take(listed), kept[listed], params.all_classes)

    with result_files(params) as write_result:
        write_detections(detection_path(params), rows(write_result))
    return detections, truths, objects


def main(params):
    """Evaluate `imageSet`; writes detections, table and plots and returns the content of the JSON file."""
    drawn_from = params.vis_decisionThresholds[params.classifier]
    stem = params.results_dir / f"evaluation_{params.imageSet}_{params.classifier}"
    results = f"comp4_det_{params.imageSet}_", stem.name
    with StepRun(params, DETECTIONS) as run:
        run.start({"detections": detection_path(params)}, keep=False)
        remove_temporary_files(params.results_dir, lambda path: path.name.startswith(results))
        detections, truths, objects = find_and_write(params)
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
    print_caps(objects, truths, params)
    if result["mAP"] is not None and result["mAP"] < LOW_MAP:
        print("\n".join(likely_causes(result, detections, truths, params)))
    print(f"table, curves and confusion matrix: {stem}*")
    return result


def print_report(table, curves, detections, params):
    """Print the table, and name the classes whose number says less than it seems to."""
    print(format_table(table))
    for class_id, (name, curve) in enumerate(curves.items(), start=1):
        if curve.nr_objects == 0:
            print(f"NOTE: no {params.imageSet} image shows {name}: it has no AP and is left out of the means")
        elif not any((found.class_ids == class_id).any() for found in detections):
            print(f"NOTE: {name} was never found: its AP is 0")


def print_caps(objects, truths, params):
    """Name the images with more objects than can be found; objects: {key: number}."""
    for found in (over_rois(objects, False, params), over_detections(objects, params.max_detections)):
        for line in as_lines(found):
            print(line)
    most = max((np.bincount(truth.class_ids[~truth.ignored]).max(initial=0) for truth in truths), default=0)
    if most > COCO_MAX_DETECTIONS:
        print(
            f"NOTE: an image shows {most} objects of one class; AP@0.5:0.95 looks at the {COCO_MAX_DETECTIONS} best "
            "detections of a class and image, as COCO defines it"
        )


if __name__ == "__main__":
    run_step(main, __doc__)
