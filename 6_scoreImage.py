"""Step 6: find the objects in images, every stage in memory.

    python3 6_scoreImage.py PATH [PATH ...]     images, folders or patterns such as 'photos/*.jpg'
    python3 6_scoreImage.py --demo N            N test images at random, with what is right, false and missed
    python3 6_scoreImage.py --model FILE PATH   with a network trained by step 3, which needs no other file,
                                                or with the .onnx file that 7_exportModel.py made of it

Prints one line of JSON an image (label, score and box of each detection, seconds of each stage) and writes the
annotated pictures to results/<dataset>/scored/. The classifier is the one that steps 1 to 4 trained with the same
parameters; on a test image it finds exactly what 5_evaluate.py found.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

import glob
import json
import os
import sys
import time
from pathlib import Path

from helpers.artifacts.detection_files import detection_rows, prepare_to_write, write_detections
from helpers.artifacts.model_files import model_path, read_description, stored_settings
from helpers.artifacts.onnx_files import is_onnx, read_onnx
from helpers.artifacts.steps import require_parameters, trained_by
from helpers.base.errors import UserError
from helpers.base.files import refuse_to_replace
from helpers.base.images import is_drawn, read_image, write_image
from helpers.base.script import run_script
from helpers.base.tables import counted
from helpers.config.command_line import argument_parser
from helpers.config.modest import require_modest
from helpers.config.types import Score, Whole, option
from helpers.dataset.image_files import ImageFile, is_image, natural_order, refuse_bad_names
from helpers.drawing.demonstration import draw_lots
from pipeline.onnx_detector import OnnxDetector
from pipeline.parameters import load_parameters
from pipeline.stages import NnDetector, SvmDetector, detect, prepare_image, propose_rois
from pipeline.verdicts import Scored, draw_beside_truth, draw_found


def find_images(patterns):
    """Image paths from files, folders (the images in them) and patterns; raises `UserError` for one without images."""
    found = {}
    for pattern in patterns:
        path = Path(os.path.expanduser(pattern))
        if path.is_dir():
            paths = sorted(filter(is_image, path.iterdir()), key=lambda file: natural_order(file.name))
        elif path.is_file():
            paths = [path]
        else:
            paths = list(filter(is_image, map(Path, sorted(expand(path), key=natural_order))))
        if not paths:
            raise UserError(f"{pattern}: no image there; give a file, a folder with .jpg or .png files, or a pattern")
        found.update(dict.fromkeys(paths))
    return list(found)


def expand(pattern):
    """Names that a pattern matches; its beginning that exists is no pattern, as in "photos [2024]/*.jpg"."""
    known = next(folder for folder in (*pattern.parents, Path()) if folder.exists())
    return glob.glob(os.path.join(glob.escape(str(known)), pattern.relative_to(known)), recursive=True)


def score_image(image, detector, params):
    """All stages for one image, uint8 RGB (H, W, 3): detections, the mask of those kept, seconds of each stage."""
    clock = [time.perf_counter()]
    rois = propose_rois(image, params)[: params.cntk_nrRois]
    clock.append(time.perf_counter())
    scores = detector.score(prepare_image(image, params), rois)
    clock.append(time.perf_counter())
    found, kept = detect(rois, *scores, image.shape[1::-1], params)
    clock.append(time.perf_counter())
    stages = ("rois", "network", "detections")
    return found, kept, {name: clock[i + 1] - clock[i] for i, name in enumerate(stages)}


def as_json(path, image, shown, seconds, params):
    """One image's result as a line of JSON: numbers are numbers, boxes are [x1, y1, x2, y2] in pixels."""
    detections = [
        {
            "label": params.all_classes[class_id],
            "score": round(float(score), 4),
            "box": [round(float(x), 1) for x in box],
        }
        for box, score, class_id in zip(shown.boxes, shown.scores, shown.class_ids, strict=True)
    ]
    return json.dumps(
        {
            "image": str(path),
            "width": image.shape[1],
            "height": image.shape[0],
            "seconds": {name: round(value, 3) for name, value in seconds.items()},
            "detections": detections,
        }
    )


def picture_paths(paths, folder):
    """Where each annotated picture goes: by the image's name, numbered where two images have the same name."""
    taken, result = set(), []
    for path in paths:
        name, number = f"{path.stem}.jpg", 2
        while name.lower() in taken:
            name, number = f"{path.stem}_{number}.jpg", number + 1
        taken.add(name.lower())
        result.append(folder / name)
    return result


def model_settings(path, settings=()):
    """The parameters that a model's file holds, of step 3 or 7: a dict for `load_parameters`.

    settings: those of the command line, which count more.
    """
    stored = stored_settings(read_onnx(path)[0] if is_onnx(path) else read_description(path), path)
    require_modest(stored, path, settings)
    return stored


def load_detector(params, model_file=None):
    """The detector that steps 1 to 4 trained with these parameters, or the one in a file of step 3 or 7."""
    if model_file:
        return (OnnxDetector if is_onnx(model_file) else NnDetector)(model_file, params)
    require_parameters(params, trained_by(params))
    return NnDetector(model_path(params), params) if params.classifier == "nn" else SvmDetector(params)


def describe_nothing(path, scored, params):
    """What to say of an image on which nothing reaches the threshold: how near the best one came to it."""
    best = scored.found.take(scored.kept)
    if not len(best):
        return f"NOTE: {path}: no ROI, and so nothing to be found"
    name, score = params.all_classes[best.class_ids[0]], best.scores[0]
    return (
        f"NOTE: {path}: nothing scores {scored.threshold:g} or more; the best is {name} with {score:.3f}, "
        f"see the picture and --threshold (or vis_decisionThresholds)"
    )


def main(params, patterns, threshold=None, out=None, detections_tsv=None, model_file=None, demo=0):
    """Score images, `demo` test images among them; returns the exit code: 1 if one could not be read, else 0."""
    truth_of = {image.path: truth for image, truth in draw_lots(params, demo).items()} if demo else {}
    paths = list(dict.fromkeys([*find_images(patterns), *truth_of]))
    refuse_bad_names([ImageFile(path.parent, str(path)) for path in paths])
    pictures = picture_paths(paths, Path(out or params.results_dir / "scored"))
    refuse_to_replace([*pictures, *filter(None, [detections_tsv])], [*paths, *filter(None, [model_file])])
    foreign = [picture for picture in pictures if out and picture.exists() and not is_drawn(picture)]
    if foreign:
        raise UserError(f"{foreign[0]}: is there already, and no picture of this script; name another folder")
    if detections_tsv:
        prepare_to_write(Path(detections_tsv))
    detector = load_detector(params, model_file)
    threshold = params.vis_decisionThresholds[params.classifier] if threshold is None else threshold
    failed, rows = 0, []
    for path, picture in zip(paths, pictures, strict=True):
        start = time.perf_counter()
        try:
            image = read_image(path)
        except UserError as error:
            print(f"ERROR: {error}", file=sys.stderr)
            failed += 1
            continue
        seconds = {"read": time.perf_counter() - start}
        found, kept, stages = score_image(image, detector, params)
        seconds = {**seconds, **stages, "all": time.perf_counter() - start}
        scored = Scored(found, kept, threshold)
        shown = scored.shown
        print(as_json(path, image, shown, seconds, params), flush=True)
        if path in truth_of:
            picture_of = draw_beside_truth(image, truth_of[path], scored, path.name, params)
        else:
            picture_of = draw_found(image, scored, params)
        write_image(picture, picture_of)
        if not len(shown):
            print(describe_nothing(path, scored, params), file=sys.stderr)
        listed = kept | (found.scores >= threshold)
        rows += detection_rows(str(path), found.take(listed), kept[listed], params.all_classes)
    print(f"{counted(len(paths) - failed, 'picture')}: {pictures[0].parent}", file=sys.stderr)
    if detections_tsv:
        write_detections(Path(detections_tsv), rows)
    return 1 if failed else 0


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
        parser.error("name images, folders or patterns, or let --demo draw some")

    def run():
        stored = model_settings(options.model, options.settings) if options.model else None
        params = load_parameters(options.settings, stored=stored)
        files = options.out, options.detectionsTsv, options.model
        return main(params, options.paths, options.threshold, *files, options.demo)

    run_script(run)
