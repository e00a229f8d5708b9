"""The one configuration object: PARAMETERS.py, the data set's block and the command line, checked and frozen."""

import os
from pathlib import Path

from helpers.base.errors import UserError
from helpers.base.threads import physical_cores
from helpers.config.caps import MOST_ROIS, max_detections
from helpers.config.kept_parameters import ToKeep, keep, kept_path, read_kept
from helpers.config.modest import require_modest
from helpers.config.parameters_file import read_parameters_file
from helpers.config.rules import Choice, Either, Entries, Flag, Number, Row, Several, Text, checked, nearest, whole
from helpers.config.settings import as_text

BACKGROUND = "__background__"  # class 0
EXCLUDED_LABELS = ("EXCLUDE", "UNDECIDED")  # boxes that are neither positive nor negative
ROI_ENGINES = ("opencv-fast", "opencv-quality", "selectivesearch", "dlib", "grid")
NETWORKS = ("alexnet", "vgg_cnn_m_1024", "vgg16", "squeezenet1_1", "resnet18", "resnet50", "mobilenet_v3_large")

_NAME = Text(r"[\w-]+", "letters, digits, - and _")
_FOLDER = Text(r".+", "the path of a folder", 4096)
_FRACTION = Number(0, 1)
_POSITIVE = Number(1e-6, 1e6)  # a weight; what lies beyond is no longer computed with exactly
THRESHOLD = Number(-1e9, 1e9)  # of scores
_VOC_SET = Text(r"[\w-]+/[\w-]+", "YEAR/LIST, such as VOC2007/trainval")

RULES = {
    "datasetName": _NAME,
    "preset": Text(r"\w*", "the name of one of the presets in PARAMETERS.py, or nothing"),
    "datasetLayout": Choice(("folders", "voc", "coco")),
    "datasetFolder": Text(r"[\w-]*", "the name of a folder below dataRootDir, or nothing"),
    "classes": Several(Text(r"[^\t\r\n,]+", "a class name without tabs and commas")),
    "classifier": Choice(("svm", "nn")),
    "imageSet": Choice(("test", "train")),
    "experimentName": _NAME,
    "seed": whole(0, 2**32 - 1),
    "rootDir": _FOLDER,
    "dataRootDir": _FOLDER,
    "procRootDir": _FOLDER,
    "resultsRootDir": _FOLDER,
    "parallel_backend": Choice(("loky", "threading", "dask", "ray")),
    "parallel_address": Text(r"\S*", "the address of a scheduler, or nothing"),
    "voc_trainSets": Several(_VOC_SET, least=1),
    "voc_testSets": Several(_VOC_SET, least=1),
    "voc_publishedRois": Flag(),
    "coco_trainSet": _NAME,
    "coco_testSet": _NAME,
    "coco_categories": Several(Either(whole(1, 10**9), Text(r".+", "a category's name"))),
    "coco_imagesWithout": Choice(("negative", "leaveOut")),
    "roi_engine": Choice(ROI_ENGINES),
    "roi_maxImgDim": whole(20, 10_000),
    "roi_minDimRel": _FRACTION,
    "roi_maxDimRel": _FRACTION,
    "roi_minNrPixelsRel": _FRACTION,
    "roi_maxNrPixelsRel": _FRACTION,
    "roi_maxAspectRatio": Number(1, 1000),
    "ss_nmsThreshold": _FRACTION,
    "ss_minSize": whole(1, 1_000_000),
    "ss_scale": Number(0.001, 1_000_000),
    "ss_sigma": Number(0, 100),
    "ss_kvals": Row((whole(1, 1_000_000), whole(1, 1_000_000), whole(1, 100))),
    "ss_max_merging_iterations": whole(1, 1000),
    "ss_base_k": whole(1, 1_000_000),
    "ss_inc_k": whole(1, 1_000_000),
    "ss_opencvSigma": Number(0.01, 100),
    "grid_nrScales": whole(0, 30),
    "grid_aspectRatios": Several(Number(0.001, 1000), most=100),
    "grid_downscaleRatioPerIteration": Number(1.01, 100),
    "grid_stepRel": Number(0.05, 1),
    "network": Choice(NETWORKS),
    "networkWeights": Text(r".+", '"auto", "bundled", "random" or the path of a file'),
    "network_roiPooling": Choice(("auto", "align", "max")),
    "network_contextFactor": Number(1, 10),
    "network_device": Choice(("auto", "cpu", "cuda", "mps")),
    "network_threads": Either(Choice(("auto",)), whole(1, 1024)),
    "network_roiBatchSize": whole(1, 100_000),
    "cntk_nrRois": whole(1, MOST_ROIS),
    "cntk_padWidth": whole(32, 10_000),
    "cntk_padHeight": whole(32, 10_000),
    "network_maxShorterSide": whole(0, 10_000),
    "train_posOverlapThres": _FRACTION,
    "train_negOverlapThres": _FRACTION,
    "train_useDifficult": Flag(),
    "train_mirrored": Flag(),
    "svm_C": _POSITIVE,
    "svm_B": _POSITIVE,
    "svm_nrEpochs": whole(1, 10_000),
    "svm_retrainLimit": whole(1, 10**9),
    "svm_evictThreshold": Number(-1e9, -1),
    "svm_posWeight": Either(Choice(("balanced",)), _POSITIVE),
    "svm_targetNorm": _POSITIVE,
    "svm_penality": Choice(("l2",)),
    "svm_loss": Choice(("l1", "l2")),
    "boxRegression": Flag(),
    "boxRegression_minOverlap": Number(0, 1, above=True),
    "boxRegression_ridge": _POSITIVE,
    "nn_trainFromLayer": Text(r"[\w.]+", '"auto", "head" or the name of a layer of the trunk'),
    "nn_imagesPerBatch": whole(1, 10_000),
    "nn_roisPerImage": whole(1, 100_000),
    "nn_foregroundFraction": _FRACTION,
    "nn_posOverlapThres": Number(0, 1, above=True),
    "nn_negOverlapMin": _FRACTION,
    "nn_locationWeight": Number(0, 1000),
    "nn_optimizer": Choice(("sgd", "adamw")),
    "nn_learningRates": Several(Row((whole(1, 100_000), Number(0, 100, above=True))), least=1),
    "nn_momentum": Number(0, 0.9999),
    "nn_weightDecay": Number(0, 1),
    "nn_warmupIterations": whole(0, 10**9),
    "nn_clipNorm": _POSITIVE,
    "nn_validationFraction": Number(0, 0.9),
    "nn_validationEvery": whole(1, 100_000),
    "nn_patience": whole(1, 100_000),
    "nn_cacheTrunk": Flag(),
    "svd_rank": Several(whole(1, 100_000), most=10),
    "nmsThreshold": _FRACTION,
    "nms_boxVoting": Flag(),
    "nms_votingOverlap": Number(0, 1, above=True),
    "nms_maxDetections": Either(Choice(("auto",)), whole(1, 1_000_000)),
    "vis_decisionThresholds": Either(Entries(("svm", "nn"), THRESHOLD), THRESHOLD),
    "vis_maxPictures": whole(1, 10**9),
    "eval_overlapThreshold": Number(0, 1, above=True),
    "eval_use11Points": Flag(),
    "eval_wantedPrecision": _FRACTION,
}
NOT_LESS = (  # pairs (a, b) with a <= b
    ("roi_minDimRel", "roi_maxDimRel"),
    ("roi_minNrPixelsRel", "roi_maxNrPixelsRel"),
    ("train_negOverlapThres", "train_posOverlapThres"),
    ("nn_negOverlapMin", "nn_posOverlapThres"),
)


def _folder(name):
    """A folder of intermediate files."""
    return property(lambda params: params.proc_dir / name)


class Parameters:
    """All parameters as attributes, frozen, and the folders that follow from them."""

    def __init__(self, values):
        self.__dict__.update(values)

    def __setattr__(self, name, value):
        raise AttributeError(f"parameters are frozen: make a new object with replace({name}=...)")

    def replace(self, **changes):
        """A copy with other values, checked in the same way."""
        for name in changes:
            _known(name)
        return Parameters(_checked(_both_thresholds({**self.__dict__, **changes}, self.__dict__)))

    def subset(self, names):
        """The named parameters as a dict of plain JSON values, for the records that steps keep."""
        return {
            name: _plain(self.max_detections if name == "nms_maxDetections" else self.__dict__[name]) for name in names
        }

    @property
    def max_detections(self):
        """`nms_maxDetections` as a number, whatever it is."""
        return max_detections(self.nms_maxDetections, self.cntk_files_dir)

    @property
    def all_classes(self):
        """Class names with the background first, so that a class id is an index."""
        return (BACKGROUND, *self.classes)

    @property
    def image_dir(self):
        return Path(self.dataRootDir) / (self.datasetFolder or self.datasetName)

    @property
    def proc_dir(self):
        return Path(self.procRootDir) / self.datasetName

    @property
    def results_dir(self):
        return Path(self.resultsRootDir) / self.datasetName

    roi_dir = _folder("rois")
    cntk_files_dir = _folder("cntkFiles")
    svm_dir = _folder("trainedSVMs")
    model_dir = _folder("models")
    detections_dir = _folder("detections")


def _plain(value):
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def load_parameters(settings=(), source=None, stored=None):
    """Build the parameters of one run.

    settings: texts "name=value", as after --set; source: the module PARAMETERS or anything with the same attributes;
    stored: values by name that count more than PARAMETERS and less than `settings`, those of a trained model.
    Raises `UserError` for an unknown name, a wrong type and a value out of range, naming it, what is allowed and the
    nearest known name.
    """
    source = read_parameters_file(RULES) if source is None else source
    chosen = dict(_split(setting) for setting in settings)
    defaults = {name: getattr(source, name) for name in RULES if hasattr(source, name)}
    stored = stored or {}
    dataset = {**defaults, **stored, **chosen}["datasetName"]
    block = source.datasets.get(dataset) if isinstance(dataset, str) else None
    values = {**defaults, **(block or {}), **stored, **chosen}
    kept = {} if stored else _kept(values, settings)
    layers = {**(block or {}), **_preset({**values, **kept, **chosen}.get("preset", ""), source), **kept}
    for name in layers:
        _known(name)
    values = {**defaults, **layers, **stored, **chosen}
    if "classes" not in values:
        derived = _derived_block(Parameters(_checked({**values, "classes": ("any",)})), block, source.datasets)
        values = {**defaults, **derived, **layers, **stored, **chosen}
    params = Parameters(_checked(_both_thresholds(values, defaults)))
    to_keep = [_split(setting)[0] for setting in settings if isinstance(setting, ToKeep)]
    if to_keep:
        require_modest({name: getattr(params, name) for name in to_keep}, kept_path(params.image_dir))
        keep(params.image_dir, {name: as_text(RULES[name], getattr(params, name)) for name in to_keep})
    return params


def _kept(values, settings):
    """What is kept with the data set, see helpers/config/kept_parameters.py. values: what is known before."""
    names = ("dataRootDir", "datasetFolder", "datasetName")
    root, folder, dataset = (checked(name, values[name], RULES[name]) for name in names)
    return read_kept(Path(os.path.abspath(os.path.expanduser(root))) / (folder or dataset), _split, settings)


def _both_thresholds(values, defaults):
    """One number for `vis_decisionThresholds` is that of the classifier in force."""
    threshold = values["vis_decisionThresholds"]
    if isinstance(threshold, dict):
        return values
    return {**values, "vis_decisionThresholds": {**defaults["vis_decisionThresholds"], values["classifier"]: threshold}}


def _preset(name, source):
    """Values by name of a preset; of "" none."""
    presets = getattr(source, "presets", {})
    if name and name not in presets:
        raise UserError(f'preset = "{name}": there is none of this name{nearest(name, presets)}; {", ".join(presets)}')
    return presets[name] if name else {}


def _derived_block(params, block, known):
    """What a data set says of itself for which PARAMETERS.py names no classes, see helpers/dataset/derived.py."""
    from helpers.dataset.derived import derive_block  # it needs the readers of annotations, which need this module

    if block is None and not params.image_dir.is_dir():
        folders = sorted(path.parent.name for path in Path(params.dataRootDir).glob("*/positive"))
        known = list(dict.fromkeys([*known, *folders]))
        raise UserError(
            f'datasetName = "{params.datasetName}": there is no folder {params.image_dir}, and no block of this name '
            f"in PARAMETERS.py{nearest(params.datasetName, known)}; known: {', '.join(known)}"
        )
    return derive_block(params)


def _split(setting):
    name, equals, value = setting.partition("=")
    _known(name)
    if not equals:
        raise UserError(f"--set {name}: write it as {name}=VALUE; allowed: {RULES[name].describe()}")
    return name, checked(name, value, RULES[name])


def _known(name):
    if name not in RULES:
        raise UserError(f'unknown parameter "{name[:99]}"{nearest(name, RULES)}; all are listed in PARAMETERS.py')


def _checked(values):
    result = {name: checked(name, value, RULES[name]) for name, value in values.items()}
    for low, high in NOT_LESS:
        if result[low] > result[high]:
            raise UserError(f"{low} = {result[low]}: must not be greater than {high} = {result[high]}")
    _check_classes(result["classes"])
    for name in ("rootDir", "dataRootDir", "procRootDir", "resultsRootDir"):
        result[name] = os.path.abspath(os.path.expanduser(result[name]))
    if result["network_threads"] == "auto":
        result["network_threads"] = physical_cores()
    return result


def _check_classes(classes):
    if not classes:
        raise UserError("classes = (): name at least one class in the data set's block in PARAMETERS.py")
    for name in classes:
        if name in (BACKGROUND, *EXCLUDED_LABELS):
            raise UserError(f'classes: "{name}" has a meaning of its own and cannot be the name of a class')
        if classes.count(name) > 1:
            raise UserError(f'classes: "{name}" is listed twice')
