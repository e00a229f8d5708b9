"""Step 6: find the objects in images, every stage in memory.

    python3 6_scoreImage.py PATH [PATH ...]     images, folders or patterns such as 'photos/*.jpg'
    python3 6_scoreImage.py --demo N            N test images at random, with what is right, false and missed
    python3 6_scoreImage.py --model FILE PATH   with a network trained by step 3, which needs no other file,
                                                or with the .onnx file that 7_exportModel.py made of it

Prints one line of JSON per image (label, score and box of each detection, seconds of each stage) and writes the
annotated pictures to results/<dataset>/scored/. The classifier is the one that steps 1 to 4 trained with the same
parameters; on a test image it finds what 5_evaluate.py found (with SVMs, scores differ by some thousandths).
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

import json
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from fastRCNN.structures import GroundTruth
from helpers.artifacts.detection_files import detection_rows, prepare_to_write, write_detections
from helpers.base.ahead import one_ahead
from helpers.base.errors import UserError
from helpers.base.files import refuse_to_replace
from helpers.base.images import is_drawn, read_image, write_image
from helpers.base.script import run_script
from helpers.base.tables import counted
from helpers.config.command_line import argument_parser
from helpers.config.schema import Parameters
from helpers.config.types import Score, Whole, option
from helpers.dataset.image_files import ImageFile, refuse_bad_names
from helpers.dataset.photos import find_images, picture_paths
from helpers.drawing.demonstration import random_test_images
from pipeline.parameters import load_parameters
from pipeline.scoring import ProposedImage, ScoredImage, load_detector, model_settings, propose, score_proposed
from pipeline.stages import Detector
from pipeline.verdicts import Scored, draw_beside_ground_truth, draw_found


def check_outputs(
    pictures: Sequence[Path], detections_tsv: Path | None, inputs: Sequence[Path], is_named: bool
) -> None:
    """Raise `UserError` where an output would replace an input or, in a folder that was named, somebody's file."""
    refuse_to_replace([*pictures, *filter(None, [detections_tsv])], inputs)
    foreign = [picture for picture in pictures if is_named and picture.exists() and not is_drawn(picture)]
    if foreign:
        raise UserError(f"{foreign[0]}: is there already, and no picture of this script; name another folder")
    if detections_tsv:
        prepare_to_write(detections_tsv)


class Result(NamedTuple):
    """One of the images, its pixels and what was found in it."""

    path: Path
    image: np.ndarray
    scored: ScoredImage


class Proposed(NamedTuple):
    """An image that was read, its pixels, the seconds that took, and what the network is given."""

    image: np.ndarray
    read: float
    proposed: ProposedImage


def read_and_propose(path: Path, params: Parameters) -> Proposed | UserError:
    """The stages before the network; the error of an image that cannot be read."""
    start = time.perf_counter()
    try:
        image = read_image(path)
    except UserError as error:
        return error
    return Proposed(image, time.perf_counter() - start, propose(image, params))


def score_all(paths: Sequence[Path], detector: Detector, params: Parameters) -> Iterator[Result]:
    """Score image after image, reading and proposing the next one meanwhile; says on stderr which cannot be read, and
    leaves them out."""
    for path, ready in zip(paths, one_ahead(lambda path: read_and_propose(path, params), paths), strict=True):
        if isinstance(ready, UserError):
            print(f"ERROR: {ready}", file=sys.stderr)
            continue
        scored = score_proposed(ready.proposed, detector, params)
        seconds = {"read": ready.read, **scored.seconds}
        seconds["all"] = sum(seconds.values())
        yield Result(path, ready.image, replace(scored, seconds=seconds))


def describe_nothing(path: Path, scored: Scored, params: Parameters) -> str:
    """What to say of an image on which nothing reaches the threshold: how near the best one came to it."""
    best = scored.candidates.kept
    if not len(best):
        return f"NOTE: {path}: no ROI, and so nothing to be found"
    name, score = params.all_classes[best.class_ids[0]], best.scores[0]
    return (
        f"NOTE: {path}: nothing scores {scored.threshold:g} or more; the best is {name} with {score:.3f}, "
        f"see the picture and --threshold (or vis_decisionThresholds)"
    )


def show(result: Result, picture: Path, threshold: float, truth: GroundTruth | None, params: Parameters) -> None:
    """Print an image's line of JSON, and write its picture: with what is right and false where `truth` is known."""
    path, image, scored = result
    with_threshold = Scored(scored.candidates, threshold)
    shown = with_threshold.shown
    print(json.dumps({"image": str(path), **scored.as_json(shown, params.all_classes)}), flush=True)
    if truth is not None:
        write_image(picture, draw_beside_ground_truth(image, truth, with_threshold, path.name, params))
    else:
        write_image(picture, draw_found(image, with_threshold, params))
    if not len(shown):
        print(describe_nothing(path, with_threshold, params), file=sys.stderr)


def main(
    params: Parameters,
    patterns: Sequence[str],
    threshold: float | None = None,
    out: str | None = None,
    detections_tsv: str | None = None,
    model_file: str | None = None,
    demo: int = 0,
) -> int:
    """Score images, `demo` test images among them; returns the exit code: 1 if one could not be read, else 0."""
    truths: Mapping[Path, GroundTruth] = {}
    if demo:
        truths = {image.path: truth for image, truth in random_test_images(params, demo).items()}
    paths = list(dict.fromkeys([*find_images(patterns), *truths]))
    refuse_bad_names([ImageFile(path.parent, str(path)) for path in paths])
    pictures = dict(zip(paths, picture_paths(paths, Path(out or params.results_dir / "scored")), strict=True))
    model, table = (Path(name) if name else None for name in (model_file, detections_tsv))
    check_outputs(list(pictures.values()), table, [*paths, *filter(None, [model])], is_named=bool(out))
    detector = load_detector(params, model)
    threshold = params.vis_decisionThresholds[params.classifier] if threshold is None else threshold
    nr_scored = 0
    rows: list[str] = []
    for result in score_all(paths, detector, params):
        show(result, pictures[result.path], threshold, truths.get(result.path), params)
        candidates = result.scored.candidates
        listed = candidates.take(candidates.is_kept | (candidates.all.scores >= threshold))
        rows += detection_rows(str(result.path), listed, params.all_classes)
        nr_scored += 1
    print(f"{counted(nr_scored, 'picture')}: {pictures[paths[0]].parent}", file=sys.stderr)
    if table:
        write_detections(table, rows)
    return 1 if nr_scored < len(paths) else 0


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("paths", nargs="*", metavar="PATH", help="an image, a folder of images, or a pattern")
    parser.add_argument(
        "--demo",
        type=option("--demo", Whole[1, 10**6]),
        default=0,
        metavar="N",
        help="test images, at random (see `seed`)",
    )
    parser.add_argument(
        "--threshold", type=option("--threshold", Score), help="least score shown (default: vis_decisionThresholds)"
    )
    parser.add_argument("--out", metavar="FOLDER", help="where the pictures go (default: results/<dataset>/scored)")
    parser.add_argument("--detectionsTsv", metavar="FILE", help="write all detections in the format of 5_evaluate.py")
    parser.add_argument("--model", metavar="FILE", help="a model of step 3 or 7; its own parameters hold")
    options = parser.parse_args()
    if not options.paths and options.demo < 1:
        parser.error("name images, folders or patterns, or let --demo choose some")

    def run() -> int:
        stored = model_settings(Path(options.model), options.settings) if options.model else None
        params = load_parameters(options.settings, stored=stored)
        files = options.out, options.detectionsTsv, options.model
        return main(params, options.paths, options.threshold, *files, options.demo)

    run_script(run)
