"""Protects the records from being incomplete and from holding too much: whatever parameter a step reads while it runs
stands in its record, in that of a step before it, or in the list below, which says why it need not; and a step's
record holds no parameter that the step does not read.
"""

import pytest
from conftest import nn_params, run_steps, tiny_params

from helpers.artifacts.steps import DETECTIONS, FEATURES, INPUTS, ROIS, SVMS, TRAINING, expected_records
from helpers.config.schema import Parameters, declared

ELSEWHERE = {
    "where files are": {"dataRootDir", "datasetFolder", "datasetName", "procRootDir", "resultsRootDir"},
    "part of the record's name": {"classifier", "imageSet", "experimentName"},
    "how it is computed, with the same result": {
        "parallel_backend", "parallel_address", "network_device", "nn_cacheTrunk",
    },
    "part of the weights' fingerprint": {"networkWeights", "seed"},
    "not for the files that later steps read": {"eval_overlapThreshold", "eval_use11Points"},
    "part of the layout's own parameters": {"datasetLayout", "train_useDifficult"},
    "of other engines": {"ss_scale", "ss_sigma", "ss_minSize", "ss_kvals", "ss_max_merging_iterations"},
    "for messages about caps": {"nms_maxDetections"},
}  # fmt: skip
FINE = set().union(*ELSEWHERE.values())
AHEAD = {"cntk_nrRois", "network", "network_contextFactor", "train_mirrored"}  # step 1 looks for step 3's room


@pytest.fixture
def read(monkeypatch):
    """The names of the parameters that are read from now on."""
    names = set()

    def note(self, name):
        names.add(name)
        return object.__getattribute__(self, name)

    monkeypatch.setattr(Parameters, "__getattribute__", note, raising=False)
    return names


def recorded(params, step):
    return {name for record in expected_records(params, step).values() for name in record["parameters"]}


def test_every_parameter_that_steps_1_to_5_read_is_recorded(tiny, read):
    params = tiny_params(tiny)
    for number, step in enumerate((ROIS, INPUTS, FEATURES, SVMS, DETECTIONS), start=1):
        known = recorded(params, step) | (AHEAD if step == ROIS else set())
        read.clear()
        run_steps(params, number)
        assert (read & declared().keys()) - known - FINE == set(), step
        assert set(params.used_by(step)) - read == set(), step


def test_every_parameter_that_training_reads_is_recorded(prepared, read):
    params = nn_params(prepared, nn_validationFraction=0.5, nn_learningRates="((1, 0.001),)")
    known = recorded(params, FEATURES)
    read.clear()
    run_steps(params, 3)
    measured_with = {"nmsThreshold", "nms_boxVoting", "nms_votingOverlap", "nms_maxDetections", "eval_overlapThreshold"}
    assert measured_with <= known, "they decide which weights are kept"
    only_drawn = {"vis_decisionThresholds"}
    assert (read & declared().keys()) - known - FINE - only_drawn == set()
    assert {*params.used_by(TRAINING), *params.used_by(FEATURES)} - read == set()
