"""What every step is computed from, so that no step ever works on stale or unfinished files.

Each step keeps a record beside its files: the parameters it used, a fingerprint of each file it read, and the record of
the step before it. `StepRun` decides what a rerun still has to do; `require` stops a later step when an earlier one is
missing, unfinished, or was run with other parameters or other files, and names what to run again.
"""

import hashlib
import json
from dataclasses import dataclass

from helpers.errors import UserError
from helpers.files import fingerprint, read_json, write_json
from helpers.sources import annotation_paths, list_images, published_files
from helpers.weights import weights_fingerprint

ROIS, INPUTS, FEATURES = "1_computeRois.py", "2_computeCntkInputs.py", "3_runNetwork.py"
TRAINING = "3_runNetwork.py (training)"  # with classifier "nn": the network's own training, before its features
SVMS, DETECTIONS = "4_trainSvm.py", "5_evaluate.py"

ENGINE_PARAMETERS = {
    "opencv-fast": ("ss_base_k", "ss_inc_k", "ss_opencvSigma"),
    "opencv-quality": ("ss_base_k", "ss_inc_k", "ss_opencvSigma"),
    "selectivesearch": ("ss_scale", "ss_sigma", "ss_minSize"),
    "dlib": ("ss_kvals", "ss_minSize", "ss_max_merging_iterations"),
    "grid": (),
}


@dataclass(frozen=True)
class Step:
    """before(params): the step whose files it reads, or None; record(params): where its own record lies;
    parameters(params): names of those it depends on; inputs(params): name -> fingerprint of what it reads besides the
    files of `before`."""

    before: object
    record: object
    parameters: object
    inputs: object


def _image_fingerprints(params):
    fingerprints = {image.key: fingerprint(image.path) for image in list_images(params)}
    published = published_files(params)
    return {**fingerprints, "published ROIs": fingerprint(*published) if published else "none"}


def _annotation_fingerprints(params):
    paths = annotation_paths(params)
    return {path.relative_to(params.image_dir).as_posix(): fingerprint(path) for path in paths}


def _roi_parameters(params):
    limits = ("roi_minDimRel", "roi_maxDimRel", "roi_minNrPixelsRel", "roi_maxNrPixelsRel", "roi_maxAspectRatio")
    grid = ("grid_nrScales", "grid_aspectRatios", "grid_downscaleRatioPerIteration", "grid_stepRel")
    search = ("roi_engine", "roi_maxImgDim", "ss_nmsThreshold", *ENGINE_PARAMETERS[params.roi_engine])
    return limits + grid + search


LAYOUT_PARAMETERS = {
    "folders": (),
    "voc": ("voc_trainSets", "voc_testSets", "train_useDifficult"),
    "coco": ("coco_trainSet", "coco_testSet", "coco_imagesWithout"),
}


def _input_parameters(params):
    shape = ("cntk_nrRois", "cntk_padWidth", "cntk_padHeight", "train_posOverlapThres")
    return ("classes", *LAYOUT_PARAMETERS[params.datasetLayout], *shape)


def _always(*names):
    return lambda params: names


def _after(step, with_nn=None):
    """The step before, which may be another one with classifier "nn"."""
    return lambda params: with_nn if with_nn and params.classifier == "nn" else step


def _network_weights(params):
    return {"weights": weights_fingerprint(params)}


def trained_by(params):
    """The step that ends with a classifier."""
    return TRAINING if params.classifier == "nn" else SVMS


NETWORK_PARAMETERS = ("network", "network_roiPooling", "network_contextFactor", "network_maxShorterSide")


def _feature_parameters(params):
    return ("experimentName",) if params.classifier == "nn" else (*NETWORK_PARAMETERS, "train_mirrored")


STEPS = {
    ROIS: Step(_after(None), lambda params: params.roi_dir / "record.json", _roi_parameters, _image_fingerprints),
    INPUTS: Step(
        _after(ROIS),
        lambda params: params.cntk_files_dir / "record.json",
        _input_parameters,
        _annotation_fingerprints,
    ),
    TRAINING: Step(
        _after(INPUTS),
        lambda params: params.model_dir / f"record_{params.experimentName}.json",
        _always(
            *NETWORK_PARAMETERS, "seed", "train_mirrored", "boxRegression",
            "svd_rank", "nn_trainFromLayer", "nn_imagesPerBatch", "nn_roisPerImage", "nn_foregroundFraction",
            "nn_posOverlapThres", "nn_negOverlapMin", "nn_locationWeight", "nn_optimizer", "nn_learningRates",
            "nn_momentum", "nn_weightDecay", "nn_warmupIterations", "nn_clipNorm", "nn_validationFraction",
            "nn_validationEvery", "nn_patience",
        ),
        _network_weights,
    ),
    FEATURES: Step(
        _after(INPUTS, with_nn=TRAINING),
        lambda params: params.cntk_files_dir / f"record_{params.classifier}_parsed.json",
        _feature_parameters,
        lambda params: {} if params.classifier == "nn" else _network_weights(params),
    ),
    SVMS: Step(
        _after(FEATURES),
        lambda params: params.svm_dir / f"record_{params.experimentName}.json",
        _always(
            "seed", "train_negOverlapThres", "svm_C", "svm_B", "svm_nrEpochs",
            "svm_retrainLimit", "svm_evictThreshold", "svm_posWeight", "svm_targetNorm", "svm_loss",
            "boxRegression", "boxRegression_minOverlap", "boxRegression_ridge",
        ),
        lambda params: {},
    ),
    DETECTIONS: Step(
        _after(SVMS, with_nn=FEATURES),
        lambda params: params.detections_dir / f"record_{params.imageSet}_{params.classifier}.json",
        _always(
            "experimentName", "nmsThreshold", "nms_boxVoting", "nms_votingOverlap", "nms_maxDetections",
            "vis_decisionThresholds",
        ),
        lambda params: {},
    ),
}  # fmt: skip


def _chain(name, params):
    """A step's name and those of all before it, first to last."""
    before = STEPS[name].before(params)
    return [*(_chain(before, params) if before else []), name]


def expected_records(params, name):
    """The records that a step and those before it leave when they run now: step -> dict, first to last.

    `id` of a record stands for the step and for all before it.
    """
    records, before = {}, None
    for step in _chain(name, params):
        record = {
            "step": step,
            "before": before,
            "parameters": params.subset(STEPS[step].parameters(params)),
            "inputs": STEPS[step].inputs(params),
        }
        before = hashlib.blake2b(json.dumps(record, sort_keys=True).encode(), digest_size=8).hexdigest()
        records[step] = {**record, "id": before}
    return records


class StepRun:
    """One run of a step: what is left to do, and the record of it.

    A killed run leaves its finished files and an unfinished record; the next run with the same parameters and inputs
    keeps those files and does the rest. Files made from anything else are removed before the first new one is written.
    """

    def __init__(self, params, name):
        self.record = expected_records(params, name)[name]
        self.path = STEPS[name].record(params)

    def start(self, outputs, pattern):
        """Mark the run as unfinished and remove what is out of date.

        outputs: name of a unit of work -> path of its file; a name that is also one of the step's inputs becomes out of
        date when that input changes; pattern: glob for all such files below the record's folder, those of former images
        among them. Returns the names whose files are still to be made.
        """
        before = read_json(self.path) if self.path.exists() else {}
        same = all(before.get(key) == self.record[key] for key in ("before", "parameters"))
        shared = [name for name in self.record["inputs"] if name not in outputs]
        same = same and all(before["inputs"].get(name) == self.record["inputs"][name] for name in shared)
        if before:
            write_json(self.path, {**before, "complete": False})
        name_of = {path: name for name, path in outputs.items()}
        for path in sorted(self.path.parent.glob(pattern)):  # temporary files of a killed run match as well
            name = name_of.get(path)
            if not (same and name and before["inputs"].get(name) == self.record["inputs"].get(name)):
                path.unlink()
        write_json(self.path, {**self.record, "complete": False})
        return [name for name, path in outputs.items() if not path.exists()]

    def finish(self):
        """Mark the step as done: later steps may read its files."""
        write_json(self.path, {**self.record, "complete": True})


def require(params, name):
    """Stop with a `UserError` unless a step, and each before it, was completed with these parameters and files."""
    for step, expected in expected_records(params, name).items():
        found, again = _record_with_parameters(params, step)
        _same_inputs(found, expected, step, again)
        if found["before"] != expected["before"]:
            raise UserError(f"{STEPS[step].before(params)} ran again after {step}: {again}")


def require_parameters(params, name):
    """The same for using what was trained on other images: the data set's own files need not be there any more."""
    before = None
    for step in _chain(name, params):
        found, again = _record_with_parameters(params, step)
        if found["before"] != before:
            raise UserError(f"{STEPS[step].before(params)} ran again after {step}: {again}")
        if step in (TRAINING, FEATURES):
            _same_inputs(found, {"inputs": STEPS[step].inputs(params)}, step, again)
        before = found["id"]


def _record_with_parameters(params, name):
    """The record of a complete step that ran with these parameters, and the advice to run it again."""
    path = STEPS[name].record(params)
    if not path.exists():
        raise UserError(f"{path.parent} has no files of {name}: run {name} first")
    found = read_json(path)
    again = f"run {name} again and the steps after it (python3 run.py --from {name[0]})"
    for parameter, value in params.subset(STEPS[name].parameters(params)).items():
        old = found["parameters"].get(parameter)
        if old != value:
            raise UserError(f"{parameter} is {value!r} now but was {old!r} when {name} ran: {again}, or set it back")
    if not found["complete"]:
        raise UserError(f"{name} has not finished: run it again, it continues where it stopped")
    return found, again


def _same_inputs(found, expected, name, again):
    for key in {**found["inputs"], **expected["inputs"]}:
        old, new = found["inputs"].get(key), expected["inputs"].get(key)
        if old != new:
            change = "was added" if old is None else "was removed" if new is None else "has changed"
            raise UserError(f"{key} {change} since {name} ran: {again}")
