"""What every step is computed from, so that no step ever works on stale, changed or unfinished files.

Each step keeps a record beside its files (helpers/artifacts/records.py): the parameters it used, a fingerprint of each
file it read and wrote, and the record of the step before it. `require` stops a later step when an earlier one is
missing, unfinished, or was run with other parameters or other files, or when a file is not what it wrote, and names
what to run again. What a rerun has to do, helpers/artifacts/step_run.py decides.
"""

import hashlib
import json
from dataclasses import dataclass

from helpers.artifacts.locks import describe, is_held
from helpers.artifacts.records import changed_output, read_record
from helpers.base.errors import UserError
from helpers.base.files import fingerprint
from helpers.config.parameters import RULES
from helpers.config.settings import as_options
from helpers.dataset.sources import annotation_paths, list_images, published_files
from helpers.fetching.weights import weights_fingerprint

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
    """reads(params): the steps whose files it reads, the last one before it at the end; record(params): where its own
    record lies; parameters(params): names of those it depends on; inputs(params): name -> fingerprint of what it reads
    besides the files of steps."""

    reads: object
    record: object
    parameters: object
    inputs: object

    def before(self, params):
        """The step before it, or None."""
        return self.reads(params)[-1] if self.reads(params) else None


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


def _network_weights(params):
    return {"weights": weights_fingerprint(params)}


def _weights_options(params):
    """The options that choose these weights, for messages."""
    names = ("networkWeights", "seed") if params.networkWeights == "random" else ("networkWeights",)
    return as_options({name: getattr(params, name) for name in names}, RULES)


def trained_by(params):
    """The step that ends with a classifier."""
    return TRAINING if params.classifier == "nn" else SVMS


NETWORK_PARAMETERS = (
    "network", "network_roiPooling", "network_contextFactor", "network_maxShorterSide", "network_threads",
)  # fmt: skip


def _feature_parameters(params):
    names = ("experimentName",) if params.classifier == "nn" else (*NETWORK_PARAMETERS, "train_mirrored")
    return *names, "network_roiBatchSize"  # other numbers give other last digits


def _training_parameters(params):
    names = (
        *NETWORK_PARAMETERS, "seed", "train_mirrored", "boxRegression",
        "svd_rank", "nn_trainFromLayer", "nn_imagesPerBatch", "nn_roisPerImage", "nn_foregroundFraction",
        "nn_posOverlapThres", "nn_negOverlapMin", "nn_locationWeight", "nn_optimizer", "nn_learningRates",
        "nn_momentum", "nn_weightDecay", "nn_warmupIterations", "nn_clipNorm", "nn_validationFraction",
        "nn_validationEvery", "nn_patience",
    )  # fmt: skip
    if not params.nn_validationFraction:
        return names
    measured = ("nms_boxVoting", "nms_votingOverlap", "nms_maxDetections", "nmsThreshold", "eval_overlapThreshold")
    return (*names, *measured, "network_roiBatchSize")  # the best weights by that measure are kept


STEPS = {
    ROIS: Step(_always(), lambda params: params.roi_dir / "record.json", _roi_parameters, _image_fingerprints),
    INPUTS: Step(
        _always(ROIS),
        lambda params: params.cntk_files_dir / "record.json",
        _input_parameters,
        _annotation_fingerprints,
    ),
    TRAINING: Step(
        _always(INPUTS),
        lambda params: params.model_dir / f"record_{params.experimentName}.json",
        _training_parameters,
        _network_weights,
    ),
    FEATURES: Step(
        lambda params: (INPUTS, TRAINING) if params.classifier == "nn" else (INPUTS,),
        lambda params: params.cntk_files_dir / f"record_{params.classifier}_parsed.json",
        _feature_parameters,
        lambda params: {} if params.classifier == "nn" else _network_weights(params),
    ),
    SVMS: Step(
        _always(INPUTS, FEATURES),
        lambda params: params.svm_dir / f"record_{params.experimentName}.json",
        _always(
            "seed", "train_negOverlapThres", "svm_C", "svm_B", "svm_nrEpochs",
            "svm_retrainLimit", "svm_evictThreshold", "svm_posWeight", "svm_targetNorm", "svm_loss",
            "boxRegression", "boxRegression_minOverlap", "boxRegression_ridge",
        ),
        lambda params: {},
    ),
    DETECTIONS: Step(
        lambda params: (INPUTS, FEATURES) if params.classifier == "nn" else (INPUTS, FEATURES, SVMS),
        lambda params: params.detections_dir / f"record_{params.imageSet}_{params.classifier}.json",
        _always(
            "experimentName", "nmsThreshold", "nms_boxVoting", "nms_votingOverlap", "nms_maxDetections",
            "vis_decisionThresholds",
        ),
        lambda params: {},
    ),
}  # fmt: skip


def lock_name(params, name):
    """The name of a step's lock: one for each record."""
    path = STEPS[name].record(params).relative_to(params.proc_dir)
    return "-".join(path.with_suffix("").parts)


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
        notes = {"weights": _weights_options(params)} if "weights" in record["inputs"] else {}
        records[step] = {**record, "notes": notes, "id": before}
    return records


def require(params, *names):
    """Stop with a `UserError` unless the files of some steps may be read.

    names: steps of one chain, the last one after the others. Each of them and of those before it must have been
    completed with these parameters and input files, and what they wrote themselves must still be as they wrote it.
    """
    if not names:
        return
    expected = expected_records(params, names[-1])
    found = {}
    for step, record in expected.items():
        found[step] = _complete_record(params, step, expected)
        _same_inputs(found[step], record)
        if found[step]["before"] != record["before"]:
            raise UserError(f"{STEPS[step].before(params)} ran again after {step}: {_again(step)}")
    for name in names:
        _same_outputs(params, name, found[name])


def require_parameters(params, name):
    """The same for using what was trained on other images: the data set's own files need not be there any more."""
    chain = _chain(name, params)
    expected = {step: {"parameters": params.subset(STEPS[step].parameters(params))} for step in chain}
    before = None
    for step in chain:
        found = _complete_record(params, step, expected)
        if found["before"] != before:
            raise UserError(f"{STEPS[step].before(params)} ran again after {step}: {_again(step)}")
        if step in (TRAINING, FEATURES):
            notes = {"weights": _weights_options(params)}
            _same_inputs(found, {"step": step, "inputs": STEPS[step].inputs(params), "notes": notes})
        before = found["id"]
    _same_outputs(params, name, found)


def require_output(params, name):
    """The same for using what carries its own parameters: the step must have come to its end with any parameters, and
    its files must be as it wrote them."""
    _same_outputs(params, name, _complete_record(params, name, {name: {"parameters": {}}}))


def _again(name):
    return f"run {name} again and the steps after it (python3 run.py --from {name[0]})"


def _complete_record(params, name, expected):
    """The record of a complete step that ran with these parameters. expected: step -> what its record should be."""
    path = STEPS[name].record(params)
    found = read_record(path, name)
    if found is None:
        raise UserError(f"{path.parent} has no files of {name}: run {name} first")
    changed = _changed_parameters(found, expected[name])
    if changed:
        words = [f"{parameter} is {new!r} now but was {old!r}" for parameter, (old, new) in changed.items()]
        raise UserError(f"{', '.join(words)} when {name} ran: {_again(name)}{_set_back(params, expected)}")
    unknown = expected[name]["parameters"].keys() - found["parameters"].keys()
    if unknown:
        raise UserError(f"{path}: of another version, it has no {', '.join(sorted(unknown))}: {_again(name)}")
    if not found["complete"]:
        if is_held(params.proc_dir, lock_name(params, name)):
            who = describe(params.proc_dir, lock_name(params, name))
            raise UserError(f"{name} is running now, {who}: wait until it has finished")
        raise UserError(f"{name} has not finished: run it again, it continues where it stopped")
    return found


def _changed_parameters(found, expected):
    """Parameter -> (value in the record, value now) of those that differ."""
    old, new = found["parameters"], expected["parameters"]
    return {name: (old[name], value) for name, value in new.items() if name in old and old[name] != value}


def _set_back(params, expected):
    """The options that fit to the files that are there, those of later steps included."""
    values = {}
    for step, record in expected.items():
        found = read_record(STEPS[step].record(params), step)
        for name, (old, _) in _changed_parameters(found, record).items() if found else ():
            values.setdefault(name, old)
    return f", or set it back: {as_options(values, RULES)}" if values else ""


def _same_inputs(found, expected):
    name = expected["step"]
    for key in {**found["inputs"], **expected["inputs"]}:
        old, new = found["inputs"].get(key), expected["inputs"].get(key)
        if old == new:
            continue
        change = "was added" if old is None else "was removed" if new is None else "has changed"
        line = f"{key} {change} since {name} ran"
        former, now = found["notes"].get(key), expected["notes"].get(key)
        if former is None:
            raise UserError(f"{line}: {_again(name)}")
        back = "put the former file back" if former == now else f"set it back: {former}"
        raise UserError(f"{line} with {former} ({old}); it is {now} ({new}) now: {_again(name)}, or {back}")


def _same_outputs(params, name, found):
    path = STEPS[name].record(params)
    changed = changed_output(path, found)
    if changed:
        what = "has changed since" if changed.exists() else "is missing, which"
        after = " wrote it" if changed.exists() else " wrote"
        raise UserError(f"{changed}: {what} {name}{after}: run {name} again, which makes it anew")
