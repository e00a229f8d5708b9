"""Protects the parameters against values of any type and size: each ends in the one line that says what is allowed, and
no rule lets a number pass that a step could not compute with."""

from types import SimpleNamespace
from typing import get_args, get_origin

import pytest

import PARAMETERS
from helpers.base.errors import UserError, ending
from helpers.config.schema import declared
from helpers.config.types import parts
from pipeline.parameters import load_parameters

NOWHERE = [  # what no parameter takes, whatever its type
    "9" * 5000, "[" * 5000 + "]" * 5000, "-" * 50_000 + "1", "1" + "0" * 90_000, "caf\udce9", "a\nb", "\x00",
]  # fmt: skip
NO_NUMBERS = [
    "{[]:1}", "9" * 400, "1e400", "nan", "-inf", "1j", "True", "None", "", "'", "\\", "b'1'", "{}", "()", "[[[1]]]",
    "((1, 1e308),)", "{'svm': nan, 'nn': 1}", "set()", "0x" + "f" * 400, "lambda: 1",
]  # fmt: skip


def message(name, value):
    with pytest.raises(UserError) as caught:
        load_parameters([f"{name}={value}"])
    line, code = ending(caught.value)
    assert code == 1 and "\n" not in line and len(line) < 900
    return line


@pytest.mark.parametrize("name", declared())
def test_no_parameter_takes_just_anything(name):
    kind = declared()[name].kind
    origin = kind.__origin__
    numeric = origin in (int, float) or get_origin(origin) in (tuple, dict) and ... not in get_args(origin)
    wrong = [*NOWHERE, *(NO_NUMBERS if numeric else [])]
    longest = bound(kind, "max_length") if origin is str else 0
    for value in wrong:
        if len(value) > longest or not value.isalnum():  # the path of a folder may be long
            assert f"{name}" in message(name, value)


@pytest.mark.parametrize(
    "setting",
    [
        "ss_base_k=1e18", "ss_inc_k=1e300", "ss_opencvSigma=1e300", "ss_opencvSigma=1e-300", "ss_sigma=1e300",
        "ss_minSize=1e300", "ss_kvals=1,2,1e9", "nn_imagesPerBatch=1e18", "nn_weightDecay=1e300", "svm_B=1e300",
        "nn_learningRates=((1,1e308),)", "boxRegression_ridge=1e-300", "svd_rank=1e30", "nms_maxDetections=1e300",
        "vis_decisionThresholds=1e300", "vis_decisionThresholds=nan", "grid_downscaleRatioPerIteration=1.0000001",
    ],
)  # fmt: skip
def test_numbers_that_no_step_can_compute_with(setting):
    name, value = setting.split("=")
    assert "must be" in message(name, value)


def bound(kind, name):
    """The value of a constraint of a type, such as "le"."""
    found = [getattr(item, name, None) for data in kind.__metadata__ for item in (data, *getattr(data, "metadata", ()))]
    return next(value for value in found if value is not None)


@pytest.mark.parametrize("name", declared())
def test_every_type_has_an_upper_bound(name):
    for part in parts(declared()[name].kind):
        if part.__origin__ in (int, float):
            assert bound(part, "le") <= 2**32
        elif part.__origin__ is str or get_origin(part.__origin__) is tuple and ... in get_args(part.__origin__):
            assert bound(part, "max_length") <= 4096


def test_one_threshold_is_that_of_the_classifier_in_force():
    before = load_parameters().vis_decisionThresholds
    assert load_parameters(["vis_decisionThresholds=-0.7"]).vis_decisionThresholds == {**before, "svm": -0.7}
    params = load_parameters(["classifier=nn", "vis_decisionThresholds=0.25"])
    assert params.vis_decisionThresholds == {**before, "nn": 0.25}
    assert params.replace(vis_decisionThresholds=0.5).vis_decisionThresholds == {**before, "nn": 0.5}
    assert params.replace(vis_decisionThresholds="{'svm': 1, 'nn': 2}").vis_decisionThresholds == {"svm": 1, "nn": 2}
    with pytest.raises(UserError, match="^vis_decisionThresholds = 'x': must be "):
        params.replace(vis_decisionThresholds="x")


def test_a_default_of_one_threshold_is_that_of_both_classifiers():
    source = SimpleNamespace(**{**vars(PARAMETERS), "vis_decisionThresholds": 0.25})
    assert load_parameters([], source).vis_decisionThresholds == {"svm": 0.25, "nn": 0.25}
    params = load_parameters(["classifier=nn", "vis_decisionThresholds=0.5"], source)
    assert params.vis_decisionThresholds == {"svm": 0.25, "nn": 0.5}
