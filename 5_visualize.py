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

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from fastRCNN.structures import Candidates, Detections, GroundTruth
from fastRCNN.threshold_table import (
    ThresholdCounts,
    class_curves,
    count_by_threshold,
    lowest_threshold,
    round_thresholds,
)
from helpers.artifacts.detection_files import detection_path, read_detections
from helpers.artifacts.locks import alone
from helpers.artifacts.steps import DETECTIONS, lock_name, require
from helpers.base.errors import UserError
from helpers.base.files import remove_temporary_files
from helpers.base.images import image_size, read_image, scale_to_fit, write_image
from helpers.base.tables import counted, format_table, number, write_table
from helpers.config.schema import Parameters
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import IMAGE_SETS, list_images, load_ground_truth
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
    PANEL_SIDE,
    Scored,
    ground_truth_boxes,
    judge,
    judged_boxes,
    near_boxes,
    verdict_legend,
)


def read_all(params: Parameters) -> Iterator[tuple[ImageFile, Candidates, GroundTruth]]:
    """Yield each image of the image set, what was detected in it and its ground truth, read one after the other."""
    path, nothing = detection_path(params), Candidates()
    listed = read_detections(path, params.all_classes)
    key, candidates = next(listed, (None, nothing))
    for image in list_images(params, IMAGE_SETS[params.imageSet]):
        truth = load_ground_truth(image, image_size(image.path)[0], params)
        if image.key == key:
            yield image, candidates, truth
            key, candidates = next(listed, (None, nothing))
        else:
            yield image, nothing, truth
    if key is not None:
        raise UserError(f"{path}: {key} is not where the data set has it; run 5_evaluate.py again")


def draw_one(image: ImageFile, candidates: Candidates, truth: GroundTruth, params: Parameters) -> np.ndarray:
    """The picture of one image: before | after non-maximum suppression, uint8 RGB."""
    scored = Scored(candidates, params.vis_decisionThresholds[params.classifier])
    before = candidates.all.take(candidates.all.scores >= scored.threshold)
    judged = judge(scored.shown, truth, params)
    panel, factors = scale_to_fit(read_image(image.path), PANEL_SIDE, PANEL_SIDE)
    names = drawable_names(params.all_classes)

    def draw(items: Sequence[DrawnBox]) -> np.ndarray:
        return draw_boxes(panel, [item.scaled(factors) for item in items])

    thin = [replace(item, caption="", width=0.7) for item in detection_boxes(before, names)]
    near = near_boxes(scored, names, params)
    right = near + ground_truth_boxes(judged, names) + judged_boxes(judged, names)
    panels = [draw(thin[::-1]), draw(right)]  # the best ones on top
    titles = [
        f"before non-maximum suppression: {counted(len(before), 'box')}",
        f"after: {judged}",
    ]
    classes = sorted({*before.class_ids.tolist(), *truth.counted.class_ids.tolist()})
    legend = [DrawnBox((), class_color(class_id), names[class_id]) for class_id in classes]
    heading = f"{image.key}: {params.classifier} score {scored.threshold:g} or more"
    return side_by_side(panels, titles, heading, legend + verdict_legend(truth, near))


def threshold_rows(counts: ThresholdCounts, classes: Sequence[str]) -> list[list[str]]:
    """The table as text: counts, precision and recall of all classes together, then of each class."""
    head = ["score from", "detections", "right", "precision", "recall"]
    table = [head + [f"{name} {measure}" for name in classes for measure in ("precision", "recall")]]
    columns = [counts.detections.sum(axis=0), counts.right.sum(axis=0)]
    ratios = [*counts.pooled(), *(row for pair in zip(*counts.by_class(), strict=True) for row in pair)]
    for column, threshold in enumerate(counts.thresholds):
        cells = [number(None if np.isnan(ratio[column]) else ratio[column]) for ratio in ratios]
        table.append([f"{threshold:g}", *(str(values[column]) for values in columns), *cells])
    return table


def measure_thresholds(
    detections: Sequence[Detections], truths: Sequence[GroundTruth], params: Parameters
) -> tuple[ThresholdCounts, float | None]:
    """Write and print the table; returns its counts and the lowest threshold with the wanted precision."""
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


def main(params: Parameters) -> tuple[ThresholdCounts, float | None, list[Path]]:
    """Draw up to `vis_maxPictures` images of the image set and measure thresholds on all of them.

    Returns the counts, the lowest threshold with the wanted precision, and the paths of the pictures.
    """
    name = f"{params.imageSet}_{params.classifier}"
    with alone(params.proc_dir, f"visualizations-{name}", "5_visualize.py", [lock_name(params, DETECTIONS)]):
        require(params, DETECTIONS)
        drawable_names(params.all_classes)  # before the bar: it says on stderr which are drawn as numbers
        return draw_and_measure(params)


def draw_and_measure(params: Parameters) -> tuple[ThresholdCounts, float | None, list[Path]]:
    """Pictures and threshold table, of detections that nobody replaces meanwhile; returns what `main` does."""
    nr_images = len(list_images(params, IMAGE_SETS[params.imageSet]))
    nr_pictures = min(params.vis_maxPictures, nr_images)
    drawn = {number * nr_images // nr_pictures for number in range(nr_pictures)}  # evenly spread over all
    folder = params.results_dir / "visualizations" / f"{params.imageSet}_{params.classifier}"
    remove_pictures(folder)
    remove_temporary_files(folder, lambda path: True)
    remove_temporary_files(params.results_dir, lambda path: path.name == f"thresholds_{folder.name}.tsv")
    paths, detections, truths = [], [], []
    bar = tqdm(read_all(params), desc="5 pictures", unit="image", total=nr_images)
    for index, (image, candidates, truth) in enumerate(bar):
        detections.append(candidates.kept)
        truths.append(truth)
        if index in drawn:
            paths.append(picture_path(folder, image))
            write_image(paths[-1], draw_one(image, candidates, truth, params))
    counts, lowest = measure_thresholds(detections, truths, params)
    of_all = f" of {nr_images} images, evenly spread (vis_maxPictures)" if nr_pictures < nr_images else ""
    print(f"{nr_pictures} pictures{of_all}: {folder}")
    return counts, lowest, paths


if __name__ == "__main__":
    run_step(main, __doc__)
