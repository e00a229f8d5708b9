"""Step 5, second part: look at what was found, and choose the score from which on detections are worth showing.

    detections/<imageSet>_<classifier>.tsv  ->  results/<dataset>/visualizations/<imageSet>_<classifier>/<image>.jpg
                                                results/<dataset>/thresholds_<imageSet>_<classifier>.tsv

Each picture shows the detections before and after non-maximum suppression, with what is false and what was missed, and
faintly those just below the threshold. The table lists precision and recall by score threshold, of all classes together
and of each class. Of large image sets, `vis_maxPictures` images are drawn; the table is of all.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

from dataclasses import replace

import numpy as np
from tqdm import tqdm

from fastRCNN.detection import Detections
from fastRCNN.evaluation import Truth
from fastRCNN.threshold_table import class_curves, count_by_threshold, lowest_threshold, round_thresholds
from helpers.artifacts.detection_files import detection_path, read_detections
from helpers.artifacts.locks import alone
from helpers.artifacts.steps import DETECTIONS, lock_name, require
from helpers.base.errors import UserError
from helpers.base.files import remove_temporary_files
from helpers.base.images import image_size, read_image, scale_to_fit, write_image
from helpers.base.tables import counted, format_table, number, write_table
from helpers.dataset.sources import IMAGE_SETS, list_images, load_truth
from helpers.drawing.boxes import (
    DrawnBox,
    class_color,
    detection_boxes,
    draw_boxes,
    picture_path,
    remove_pictures,
    side_by_side,
)
from helpers.drawing.fonts import drawable_names
from pipeline.parameters import run_step
from pipeline.verdicts import (
    EXCLUDED,
    FALSE,
    MISSED,
    NEAR,
    PANEL_SIDE,
    TRUE,
    Scored,
    describe,
    judge,
    judged_boxes,
    near_boxes,
    true_boxes,
)


def read_all(params):
    """Yield (image, `Detections`, kept (N,), `Truth`) of each image of the image set, read one after the other."""
    path = detection_path(params)
    listed = read_detections(path, params.all_classes)
    nothing = np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int64), np.zeros(0, bool)
    key, columns = next(listed, (None, None))
    for image in list_images(params, IMAGE_SETS[params.imageSet]):
        *found, kept = columns if image.key == key else nothing
        if image.key == key:
            key, columns = next(listed, (None, None))
        truth = Truth(*load_truth(image, image_size(image.path)[0], params))
        yield image, Detections(*found), kept, truth
    if key is not None:
        raise UserError(f"{path}: {key} is not where the data set has it; run 5_evaluate.py again")


def draw_one(image, found, kept, truth, params):
    """The picture of one image: before | after non-maximum suppression, uint8 RGB."""
    threshold = params.vis_decisionThresholds[params.classifier]
    shown = found.scores >= threshold
    before, after = found.take(shown), found.take(shown & kept)
    verdicts, missed = judge(after, truth, len(params.classes), params.eval_overlapThreshold)
    panel, factors = scale_to_fit(read_image(image.path), PANEL_SIDE, PANEL_SIDE)
    names = drawable_names(params.all_classes)

    def draw(items):
        return draw_boxes(panel, [item.scaled(factors) for item in items])

    candidates = detection_boxes(before.boxes, before.scores, before.class_ids, names)
    candidates = [replace(item, caption="", width=0.7) for item in candidates[::-1]]  # the best ones on top
    judged = judged_boxes(after, verdicts, names)
    near = near_boxes(Scored(found, kept, threshold), names, params)
    panels = [draw(candidates), draw(near + true_boxes(truth, missed, names) + judged)]
    titles = [
        f"before non-maximum suppression: {counted(len(before), 'box')}",
        f"after: {describe(verdicts, missed)}",
    ]
    classes = sorted({*before.class_ids.tolist(), *truth.class_ids[~truth.ignored].tolist()})
    legend = [DrawnBox((), class_color(class_id), names[class_id]) for class_id in classes]
    legend += [TRUE, MISSED, FALSE, *([EXCLUDED] if truth.ignored.any() else []), *([NEAR] if near else [])]
    heading = f"{image.key}: {params.classifier} score {threshold:g} or more"
    return side_by_side(panels, titles, heading, legend)


def threshold_rows(counts, classes):
    """The table as text: counts, precision and recall of all classes together, then of each class."""
    head = ["score from", "detections", "right", "precision", "recall"]
    table = [head + [f"{name} {measure}" for name in classes for measure in ("precision", "recall")]]
    columns = [counts.detections.sum(axis=0), counts.right.sum(axis=0)]
    ratios = [*counts.pooled(), *(row for pair in zip(*counts.by_class(), strict=True) for row in pair)]
    for column, threshold in enumerate(counts.thresholds):
        cells = [number(None if np.isnan(ratio[column]) else ratio[column]) for ratio in ratios]
        table.append([f"{threshold:g}", *(str(values[column]) for values in columns), *cells])
    return table


def measure_thresholds(detections, truths, params):
    """Write and print the table; returns its `ThresholdCounts` and the lowest threshold with the wanted precision."""
    curves = class_curves(detections, truths, len(params.classes), params.eval_overlapThreshold)
    drawn_from = params.vis_decisionThresholds[params.classifier]
    counts = count_by_threshold(curves, np.union1d(round_thresholds(curves), np.float32(drawn_from)))
    table = threshold_rows(counts, params.classes)
    path = params.results_dir / f"thresholds_{params.imageSet}_{params.classifier}.tsv"
    write_table(path, table)
    print(f"All classes together, {counted(counts.nr_objects.sum(), 'object')}; each class: {path}")
    print(format_table([row[:5] for row in table]))
    lowest = lowest_threshold(curves, params.eval_wantedPrecision)
    if lowest is None:
        print(f"No threshold reaches a precision of {params.eval_wantedPrecision:g} (eval_wantedPrecision)")
    else:
        precision, recall = (values[0] for values in count_by_threshold(curves, [lowest]).pooled())
        print(
            f"{lowest:g} is the lowest threshold with a precision of {params.eval_wantedPrecision:g} or more: "
            f"precision {precision:.3f}, recall {recall:.3f}."
        )
        if lowest != drawn_from:
            setting = f"--set vis_decisionThresholds={lowest:g} --keep"
            print(f"To show only what reaches it, run 5_evaluate.py and this script again with  {setting}")
    return counts, lowest


def main(params):
    """Draw up to `vis_maxPictures` images of the image set and measure thresholds on all of them.

    Returns (counts, lowest threshold or None, paths).
    """
    name = f"{params.imageSet}_{params.classifier}"
    with alone(params.proc_dir, f"visualizations-{name}", "5_visualize.py", [lock_name(params, DETECTIONS)]):
        require(params, DETECTIONS)
        drawable_names(params.all_classes)  # before the bar: it says on stderr which are drawn as numbers
        return draw_and_measure(params)


def draw_and_measure(params):
    """Pictures and threshold table, of detections that nobody replaces meanwhile; returns what `main` does."""
    nr_images = len(list_images(params, IMAGE_SETS[params.imageSet]))
    nr_pictures = min(params.vis_maxPictures, nr_images)
    drawn = {number * nr_images // nr_pictures for number in range(nr_pictures)}  # evenly spread over all
    folder = params.results_dir / "visualizations" / f"{params.imageSet}_{params.classifier}"
    remove_pictures(folder)
    remove_temporary_files(folder, lambda path: True)
    remove_temporary_files(params.results_dir, lambda path: path.name == f"thresholds_{folder.name}.tsv")
    paths, detections, truths = [], [], []
    for index, (image, found, kept, truth) in enumerate(
        tqdm(read_all(params), desc="5 pictures", unit="image", total=nr_images)
    ):
        detections.append(found.take(kept))
        truths.append(truth)
        if index in drawn:
            paths.append(picture_path(folder, image))
            write_image(paths[-1], draw_one(image, found, kept, truth, params))
    counts, lowest = measure_thresholds(detections, truths, params)
    of_all = f" of {nr_images} images, evenly spread (vis_maxPictures)" if nr_pictures < nr_images else ""
    print(f"{nr_pictures} pictures{of_all}: {folder}")
    return counts, lowest, paths


if __name__ == "__main__":
    run_step(main, __doc__)
