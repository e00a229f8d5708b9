"""Protects the groups of PARAMETERS.py from being wrong: whatever parameter a step reads while it runs stands in its
record, in that of a step before it, or in the lists below, which say why it need not; no record holds a parameter that
its step does not read; and a change of any parameter stops the steps that it makes stale, and no other.
"""

import re

import pytest
from tiny import nn_params, run_steps, tiny_params

from helpers.artifacts.steps import DETECTIONS, FEATURES, INPUTS, ROIS, SVMS, TRAINING, expected_records, require
from helpers.base.errors import UserError
from helpers.config.schema import Parameters, declared

pytestmark = pytest.mark.slow

ANYWHERE = {
    "dataRootDir", "datasetFolder", "datasetName", "procRootDir", "resultsRootDir",  # where files are
    "classifier",  # part of the records' names
    "datasetLayout",  # part of the names of files
    "networkWeights",  # part of the weights' fingerprint
    # of engines that do not run here
    "ss_base_k", "ss_inc_k", "ss_opencvSigma", "ss_scale", "ss_sigma", "ss_minSize", "ss_kvals",
    "ss_max_merging_iterations",
}  # fmt: skip
UNRECORDED = {
    # how it is computed, with the same result; and whether there will be room for the files of step 3
    ROIS: {"parallel_backend", "parallel_address", "cntk_nrRois", "network", "network_contextFactor", "train_mirrored"},
    INPUTS: {"train_useDifficult"},  # of another layout
    FEATURES: {"seed", "network_device"},  # part of the weights' fingerprint; the same result
    SVMS: {"experimentName", "train_useDifficult"},  # part of the record's name; of another layout
    DETECTIONS: {"imageSet", "eval_overlapThreshold", "eval_use11Points"},  # the record's name; computed each time
    TRAINING: {  # the same result; of another layout; drawn, and read by nobody
        "network_device", "nn_cacheTrunk", "train_useDifficult", "vis_decisionThresholds",
    },
}  # fmt: skip


@pytest.fixture
def read(monkeypatch):
    """The names of the parameters that are read from now on."""
    names = set()

    def note(self, name):
        names.add(name)
        return object.__getattribute__(self, name)

    monkeypatch.setattr(Parameters, "__getattribute__", note, raising=False)
    return names


def require_complete(params, read, names, *steps):
    """What was read is what the records of these steps hold, which ran together. names: those that need not be."""
    recorded = {name for record in expected_records(params, steps[-1]).values() for name in record["parameters"]}
    own = {name for step in steps for name in params.used_by(step)}
    assert (read & declared().keys()) - recorded - ANYWHERE - names == set(), f"read by {steps}, and not recorded"
    assert own - read == set(), f"recorded by {steps}, and not read"
    assert own & (ANYWHERE | names) == set(), f"recorded by {steps}, so the lists above must not excuse it"


def test_records_hold_what_steps_1_to_5_read(tiny, read):
    params = tiny_params(tiny)
    for number, step in enumerate((ROIS, INPUTS, FEATURES, SVMS, DETECTIONS), start=1):
        read.clear()
        run_steps(params, number)
        require_complete(params, set(read), UNRECORDED[step], step)


def test_records_hold_what_training_reads(prepared, read):
    params = nn_params(prepared, nn_validationFraction=0.5, nn_learningRates="((1, 0.001),)")
    measured_with = {"nmsThreshold", "nms_boxVoting", "nms_votingOverlap", "nms_maxDetections", "eval_overlapThreshold"}
    assert measured_with <= set(params.used_by(TRAINING)), "they decide which weights are kept"
    read.clear()
    run_steps(params, 3)
    require_complete(params, set(read), UNRECORDED[TRAINING], TRAINING, FEATURES)


# --- each parameter, changed ---

SVM_CHAIN, NN_CHAIN = (ROIS, INPUTS, FEATURES, SVMS, DETECTIONS), (ROIS, INPUTS, TRAINING, FEATURES, DETECTIONS)
ELSEWHERE = {  # these make no file stale: with them other files are meant, which are not there
    "datasetName": ROIS, "datasetFolder": ROIS, "dataRootDir": ROIS, "procRootDir": ROIS, "datasetLayout": ROIS,
    "imageSet": DETECTIONS,
}  # fmt: skip
CHANGES = {"network": "resnet18", "networkWeights": "auto", "datasetFolder": "positive", "datasetLayout": "voc"}


def changed(params, name):
    """The parameters with another legal value of one of them; None where there is only one."""
    value, words = getattr(params, name), declared()[name].words
    numbers = [value * 0.9, value + 1, value - 1] if isinstance(value, int | float) else [3]
    nested = [value[:-1], value[::-1], (100, 10), value * 2] if isinstance(value, tuple) else []
    entries = [{key: number + 0.1 for key, number in value.items()}] if isinstance(value, dict) else []
    texts = [CHANGES[name]] if name in CHANGES else [*re.findall(r'"([\w-]+)"', words), f"{value}2", "/nowhere"]
    for candidate in [not value, *nested, *entries, *numbers, *texts]:
        try:
            other = params.replace(**{name: candidate})
        except UserError:
            continue
        if getattr(other, name) != value:
            return other
    return None


def first_stale(params, other, name, chain):
    """The step that a change makes stale, and what its refusal says; None for none."""
    if name in ELSEWHERE:
        return ELSEWHERE[name], "."
    if name == "classifier":
        return FEATURES if params.classifier == "nn" else TRAINING, "has no files"
    if name == "experimentName":
        return TRAINING if params.classifier == "nn" else SVMS, "has no files"
    if name in ("networkWeights", "seed") and SVMS in chain:  # random weights follow from the seed
        return FEATURES, "weights has changed"
    if name == "networkWeights":
        return TRAINING, "weights has changed"
    users = [step for step in chain if name in {*params.used_by(step), *other.used_by(step)}]
    return (users[0], f"{name} is .* now but was .* when {re.escape(users[0])} ran") if users else None


def require_exactly(params, chain, name):
    """The steps before the first stale one may be read, and no later one."""
    other = changed(params, name)
    if other is None:
        assert name == "svm_penality", f"{name}: no other legal value was found"
        return
    stale = first_stale(params, other, name, chain)
    if name == "classifier":
        chain = SVM_CHAIN if chain is NN_CHAIN else NN_CHAIN
    good = chain.index(stale[0]) if stale else len(chain)
    for step in chain[:good]:
        require(other, step)
    for step in chain[good:]:
        with pytest.raises(UserError, match=stale[1]):
            require(other, step)


@pytest.mark.parametrize("name", declared())
def test_a_change_stops_exactly_the_steps_that_it_makes_stale(tiny_finished, name):
    require_exactly(tiny_params(tiny_finished), SVM_CHAIN, name)


@pytest.mark.parametrize("name", declared())
def test_a_change_after_training_stops_exactly_the_steps_that_it_makes_stale(trained, name):
    require_exactly(nn_params(trained), NN_CHAIN, name)
