"""Why a detector finds little: numbers from the files of the steps, and what they say should be tried.

Step 2 tells which ground-truth boxes the ROIs frame, step 5 the likeliest causes of a low mAP.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from fastRCNN.boxes import scale
from fastRCNN.evaluation import ClassOverlaps, mean_ap
from fastRCNN.framing import FRAMED_IOU, Framing, frame, join
from fastRCNN.structures import Detections, GroundTruth, Rois
from helpers.artifacts.roi_files import read_rois, roi_path
from helpers.base.files import read_json
from helpers.base.images import Size, image_size
from helpers.base.tables import counted
from helpers.config.schema import Parameters
from helpers.dataset.sources import IMAGE_SETS, list_images, load_training_ground_truth
from pipeline.regions import input_factors, roi_settings, select_rois

ENOUGH_FRAMED = 0.9  # the share of ground-truth boxes that the ROIs should frame
LOW_MAP = 0.3  # below this, step 5 looks for causes
ENOUGH_BOXES = 10  # of a class to learn from
SMALL = 24  # pixels of the network's input: a cell of its feature map is 16 of them
LOOSE_IOU = 0.3
MORE_ROIS = (200, 500, 1000, 2000, 4000)


def frame_image(proposals: Rois, selected: Rois, truth: GroundTruth, size: Size, params: Parameters) -> Framing:
    """The `Framing` of an image's ground truth by its ROIs of step 1, of which `select_rois` takes the first ones.

    Args:
        selected: what it gave.
        size: of the image.
    """
    return frame(proposals.boxes, truth, int(selected.found.sum()), size, roi_settings(params).limits)


def frame_images(image_set: str, params: Parameters) -> Framing:
    """The `Framing` of all images of "train" or "test"; reads the files of step 1."""
    framings = []
    for image in list_images(params, IMAGE_SETS[image_set]):
        size, _ = image_size(image.path)
        truth = load_training_ground_truth(image, size, params)
        proposals = read_rois(roi_path(params.roi_dir, image), size)
        selected = select_rois(proposals, params, truth if image_set == "train" else None)
        framings.append(frame_image(proposals, selected, truth, size, params))
    return join(framings)


def describe_framing(framing: Framing, image_set: str, params: Parameters) -> list[str]:
    """What step 2 and B1 say of it: lines, the last ones a warning with the remedy where many boxes are not framed."""
    lines = [f"ROIs frame {_count(framing, image_set)} at IoU {FRAMED_IOU:g}"]
    if framing.share() >= ENOUGH_FRAMED or not len(framing.ranks):
        return lines
    lines.append(f"WARNING: what no ROI frames is hardly learned or found: {framing_remedy(framing, params)}")
    classes = {name: framing.of_class(class_id) for class_id, name in enumerate(params.all_classes)}
    shares = {name: own for name, own in classes.items() if len(own.ranks)}
    worse = [name for name, own in shares.items() if own.share() < framing.share() - 0.15]
    if worse:
        listed = sorted(worse, key=lambda name: shares[name].share())
        lines.append(f"         much worse than the others: {', '.join(f'{n} {_count(shares[n])}' for n in listed)}")
    return lines


def framing_remedy(framing: Framing, params: Parameters) -> str:
    """What makes more boxes framed, by what keeps the others from it."""
    lost = ~framing.framed
    outside = int((lost & ~framing.within).sum())
    if 2 * outside >= lost.sum():
        return (
            f"{outside} of the {lost.sum()} that are not framed break the limits of ROI sizes (roi_minDimRel and "
            "others); 0_checkDataset.py prints limits that fit"
        )
    best = framing.share(np.iinfo(np.int64).max)
    for count in MORE_ROIS:
        if count > params.cntk_nrRois and framing.share(count) >= min(ENOUGH_FRAMED, best) and best > framing.share():
            return f"--set cntk_nrRois={count} would frame {framing.share(count):.2f} of all (now {params.cntk_nrRois})"
    finer = min(2 * params.roi_maxImgDim, 1000)
    tries = [f"roi_maxImgDim={finer}"] if finer > params.roi_maxImgDim else []
    tries += [f"cntk_nrRois={max(2000, 2 * params.cntk_nrRois)}"]
    return f"the proposals miss them; look closer, from step 1 on, with --set {' '.join(tries)}"


def _count(framing: Framing, image_set: str = "") -> str:
    kind = {"train": " training boxes", "test": " test boxes", "": ""}[image_set]
    return f"{framing.framed.sum()} of {len(framing.ranks)}{kind} ({framing.share():.2f})"


@dataclass(frozen=True)
class Cause:
    """A reason for a low mAP; lost: what it may cost, a rough number in [0, 1]; text: its numbers, and the remedy."""

    lost: float
    text: str


def likely_causes(
    result: Mapping[str, Any], detections: Sequence[Detections], truths: Sequence[GroundTruth], params: Parameters
) -> list[str]:
    """The two causes of a low mAP that the files speak for most: lines to print.

    Args:
        result: what step 5 measured.
        detections: one entry per image of `imageSet`, as truths.
    """
    trained = frame_images("train", params)
    candidates = [
        _not_framed(trained, params),
        _random_weights(params),
        _few_boxes(trained, params),
        _small_objects(truths, params),
        _loose_boxes(result, detections, truths, params),
        _unlike_images(trained, params),
    ]
    causes = sorted((cause for cause in candidates if cause and cause.lost > 0.05), key=lambda cause: -cause.lost)
    lines = [f"mAP is below {LOW_MAP:g}. The likeliest causes:"]
    lines += [f"  {number}. {cause.text}" for number, cause in enumerate(causes[:2], start=1)]
    return lines + ["  See also docs/troubleshooting.md"]


def _not_framed(trained: Framing, params: Parameters) -> Cause:
    tested = frame_images(params.imageSet, params) if params.imageSet != "train" else trained
    share = min(trained.share(), tested.share())
    counts = _count(trained, "train") + ("" if tested is trained else f" and {_count(tested, 'test')}")
    worst = trained if trained.share() <= tested.share() else tested
    remedy = framing_remedy(worst, params) if share < 1 else ""
    return Cause(1 - share, f"the ROIs frame {counts} at IoU {FRAMED_IOU:g}: {remedy}")


def _random_weights(params: Parameters) -> Cause | None:
    if params.networkWeights != "random":
        return None
    return Cause(0.9, "networkWeights=random: the network has learned nothing yet; use auto or a file")


def _few_boxes(trained: Framing, params: Parameters) -> Cause | None:
    counts = {name: int((trained.class_ids == k).sum()) for k, name in enumerate(params.classes, start=1)}
    few = {name: count for name, count in sorted(counts.items(), key=lambda item: item[1]) if count < ENOUGH_BOXES}
    if not few:
        return None
    lost = sum(1 - count / ENOUGH_BOXES for count in few.values()) / len(counts)
    listed = ", ".join(f"{name} {count}" for name, count in list(few.items())[:5]) + (", ..." if len(few) > 5 else "")
    return Cause(
        lost,
        f"classes with fewer than {ENOUGH_BOXES} training boxes: {len(few)} of {len(counts)} ({listed}); annotate more",
    )


def _small_objects(truths: Sequence[GroundTruth], params: Parameters) -> Cause | None:
    """truths: of the images of `imageSet`, in their order."""
    found = [np.zeros(0)]
    for image, truth in zip(list_images(params, IMAGE_SETS[params.imageSet]), truths, strict=True):
        factors = input_factors(image_size(image.path)[0], params)
        boxes = scale(truth.counted.boxes, factors)
        found.append((boxes[:, 2:] - boxes[:, :2]).min(axis=1, initial=np.inf))
    sides = np.concatenate(found)
    small = int((sides < SMALL).sum())
    if not small:
        return None
    remedy = f"--set cntk_padWidth={2 * params.cntk_padWidth} cntk_padHeight={2 * params.cntk_padHeight}"
    return Cause(
        0.7 * small / len(sides),
        f"objects narrower than {SMALL} pixels of the network's input: {small} of {len(sides)} (the smallest "
        f"{sides.min():.0f}); {remedy}",
    )


def _loose_boxes(
    result: Mapping[str, Any], detections: Sequence[Detections], truths: Sequence[GroundTruth], params: Parameters
) -> Cause:
    overlaps = [ClassOverlaps(detections, truths, class_id) for class_id in range(1, len(params.classes) + 1)]
    loose = mean_ap([item.curve(LOOSE_IOU).ap(params.eval_use11Points) for item in overlaps]) or 0
    return Cause(
        loose - result["mAP"],
        f"boxes sit loosely: at IoU {LOOSE_IOU:g} mAP is {loose:.3f}; draw ground-truth boxes tightly, "
        "propose more ROIs (cntk_nrRois), leave boxRegression on",
    )


def _unlike_images(trained: Framing, params: Parameters) -> Cause:
    images = len([image for image in list_images(params, IMAGE_SETS["train"]) if image.subdir == "positive"])
    learned = f"{counted(images, 'photo')} with {counted(len(trained.ranks), 'box')}"
    text = f"{learned} to learn from may show too little of what test images show"
    path = params.results_dir / f"evaluation_train_{params.classifier}.json"
    known = read_json(path).get("mAP") if path.exists() else None
    if known is not None and params.imageSet == "test":
        return Cause(0.2 if known >= 0.6 else 0.06, f"{text} (on the training images mAP was {known:.3f}): add photos")
    return Cause(0.1, f"{text}: add photos; 5_evaluate.py --set imageSet=train tells how well they were learned")
