"""Protects the parameters: which of several values counts, that a mistake is named with its remedy instead of being
ignored or guessed at, and that reading PARAMETERS.py changes nothing."""

import ast
import importlib
import json
import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from project import ROOT

import PARAMETERS
from helpers.base.errors import UserError
from helpers.config.command_line import argument_parser
from helpers.config.schema import NOT_LESS, declared
from helpers.config.types import Above, Choice, Either, Entries, Flag, Number, Row, Several, Text, Whole, allowed, check
from pipeline.parameters import load_parameters

UNSET = {"classes"}  # has no default: every data set's block names its classes


def source(**changes):
    """PARAMETERS with other values."""
    values = {name: value for name, value in vars(PARAMETERS).items() if not name.startswith("__")}
    return SimpleNamespace(**{**values, **changes})


# --- which value counts ----------------------------------------------------------------------------------------------


def test_command_line_beats_data_set_block_beats_default():
    blocks = {"shop": {"classes": ("milk",), "cntk_nrRois": 300, "svm_C": 0.5}, "empty": {"classes": ("milk",)}}
    settings = source(datasetName="shop", datasets=blocks, cntk_nrRois=100, svm_C=0.1, seed=7)
    params = load_parameters(["svm_C=0.25"], settings)
    assert (params.seed, params.cntk_nrRois, params.svm_C) == (7, 300, 0.25)
    # the command line also says whose block counts
    params = load_parameters(["datasetName=empty"], settings)
    assert (params.datasetName, params.cntk_nrRois, params.svm_C) == ("empty", 100, 0.1)


def test_a_trained_model_beats_PARAMETERS_and_not_the_command_line():
    blocks = {"shop": {"classes": ("milk",), "cntk_nrRois": 300, "svm_C": 0.5, "nms_maxDetections": 30}}
    settings = source(datasetName="shop", datasets=blocks, cntk_nrRois=100, svm_C=0.1, nms_maxDetections=10, seed=7)
    stored = {"svm_C": 0.75, "nms_maxDetections": 60}
    params = load_parameters(["nms_maxDetections=90"], settings, stored)
    # PARAMETERS, the data set's block, the model, the command line
    assert (params.seed, params.cntk_nrRois, params.svm_C, params.nms_maxDetections) == (7, 300, 0.75, 90)


def test_a_trained_model_says_whose_block_counts():
    blocks = {"shop": {"classes": ("milk",), "svm_C": 0.5}, "farm": {"classes": ("egg",), "svm_C": 0.25}}
    settings = source(datasetName="shop", datasets=blocks, svm_C=0.1)
    params = load_parameters([], settings, {"datasetName": "farm"})
    assert (params.datasetName, params.classes, params.svm_C) == ("farm", ("egg",), 0.25)
    params = load_parameters(["datasetName=shop"], settings, {"datasetName": "farm", "classes": ["hen"]})
    assert (params.datasetName, params.classes, params.svm_C) == ("shop", ("hen",), 0.5)
    # it needs no block of its name when it knows its classes
    params = load_parameters([], settings, {"datasetName": "gone", "classes": ["a", "b"]})
    assert (params.datasetName, params.classes, params.svm_C) == ("gone", ("a", "b"), 0.1)
    with pytest.raises(UserError, match="svm_C = 0: must be a number from 1e-06"):
        load_parameters([], settings, {"svm_C": 0})


def test_stored_parameters_survive_json():
    params = load_parameters(["nn_learningRates=(3, 0.1), (2, 0.01)", "classifier=nn"])
    stored = json.loads(json.dumps(params.subset(declared())))
    assert load_parameters([], stored=stored).subset(declared()) == params.subset(declared())
    assert load_parameters([], stored=stored).nn_learningRates == ((3, 0.1), (2, 0.01))


def test_the_later_of_two_settings_counts():
    assert load_parameters(["seed=1", "seed=2"]).seed == 2


def test_text_of_the_command_line_becomes_the_right_type():
    params = load_parameters(
        ["classes=red apple, pear", "cntk_nrRois=2e3", "boxRegression=false", "grid_aspectRatios=1,2", "svm_B=3",
         "ss_kvals=(1, 2, 3)", "vis_decisionThresholds={'svm': 1, 'nn': 0.5}", "svm_posWeight=2", "seed= 4"]
    )  # fmt: skip
    assert params.classes == ("red apple", "pear") and params.all_classes == ("__background__", "red apple", "pear")
    assert params.cntk_nrRois == 2000 and isinstance(params.cntk_nrRois, int)
    assert params.boxRegression is False
    assert params.grid_aspectRatios == (1.0, 2.0) and params.ss_kvals == (1, 2, 3)
    assert params.svm_B == 3.0 and isinstance(params.svm_B, float)
    assert params.vis_decisionThresholds == {"svm": 1.0, "nn": 0.5}
    assert params.svm_posWeight == 2.0 and params.seed == 4


@pytest.mark.parametrize(
    "text", ["((60, 0.001), (20, 1e-4))", "(60, 0.001), (20, 0.0001)", "[[6e1, 1e-3], [20, 1e-4]]"]
)
def test_learning_rates_as_text(text):
    params = load_parameters([f"nn_learningRates={text}"])
    assert params.nn_learningRates == ((60, 0.001), (20, 0.0001))
    assert [type(value) for value in params.nn_learningRates[0]] == [int, float]


def test_learning_rates_as_tuples():
    params = load_parameters([], source(nn_learningRates=((5, 0.1), [2, 1])))
    assert params.nn_learningRates == ((5, 0.1), (2, 1.0))
    with pytest.raises(UserError, match=r"nn_learningRates = \(5, 0.1\): must be 1 or more values separated by commas"):
        load_parameters([], source(nn_learningRates=(5, 0.1)))


def test_a_value_may_hold_an_equals_sign():
    assert load_parameters(["networkWeights=/a=b/c.pth"]).networkWeights == "/a=b/c.pth"


def test_a_data_set_without_block_needs_classes_only(tmp_path):
    params = load_parameters(["datasetName=new", "classes=a,b", f"procRootDir={tmp_path}"])
    assert params.classes == ("a", "b")
    assert params.proc_dir == tmp_path / "new" and params.roi_dir == tmp_path / "new" / "rois"


def test_set_takes_several_values_and_may_be_repeated():
    arguments = argument_parser("x").parse_args(["--set", "seed=1", "svm_C=2", "--set", "svm_B=3"])
    assert arguments.settings == ["seed=1", "svm_C=2", "svm_B=3"]


# --- mistakes --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ("cntk_nrROI=5", ['unknown parameter "cntk_nrROI"', 'did you mean "cntk_nrRois"?', "PARAMETERS.py"]),
        ("NMSTHRESHOLD=0.3", ['unknown parameter "NMSTHRESHOLD"', 'did you mean "nmsThreshold"?']),
        ("qqqq=5", ['unknown parameter "qqqq"; all are listed in PARAMETERS.py']),
        ("image_dir=/tmp", ['unknown parameter "image_dir"']),  # an attribute, but none to be set
        ("seed", ["--set seed", "seed=VALUE", "a whole number from 0"]),
        ("cntk_nrRois=many", ["cntk_nrRois = 'many'", "a whole number from 1 to 100000"]),
        ("cntk_nrRois=0", ["cntk_nrRois = '0'", "a whole number from 1 to 100000"]),
        ("cntk_nrRois=200.5", ["cntk_nrRois = '200.5'", "a whole number"]),
        ("svm_C=0", ["svm_C = '0'", "a number from 1e-06"]),
        ("svm_C=nan", ["svm_C = 'nan'", "a number from 1e-06"]),
        ("nmsThreshold=1.5", ["nmsThreshold = '1.5'", "a number from 0 to 1"]),
        ("seed=True", ["seed = 'True'", "a whole number"]),
        ("boxRegression=1", ["boxRegression = '1'", "True or False"]),
        ("classifier=svn", ["classifier = 'svn'", 'one of "svm", "nn"']),
        (
            "roi_engine=",
            ["roi_engine = ''", '"fast", "opencv-fast", "opencv-quality", "selectivesearch", "dlib", "grid"'],
        ),
        ("experimentName=a/b", ["experimentName = 'a/b'", "letters, digits, - and _"]),
        ("datasetName=../grocery", ["../grocery"]),
        ("datasetName=grocary", ['datasetName = "grocary"', 'did you mean "grocery"?', "known: "]),
        ("ss_kvals=1,2", ["ss_kvals = '1,2'", "3 values: a whole"]),
        ("vis_decisionThresholds={'svm':1}", ["vis_decisionThresholds", "'nn': ..."]),
        ("classes=", ["classes = ()", "at least one class"]),
        ("classes=a,b,a", ['"a" is listed twice']),
        ("classes=a,EXCLUDE", ['"EXCLUDE" has a meaning of its own']),
        ("classes=__background__", ['"__background__" has a meaning of its own']),
        ("roi_minDimRel=0.9 roi_maxDimRel=0.5", ["roi_minDimRel = 0.9", "greater than roi_maxDimRel = 0.5"]),
        ("train_negOverlapThres=0.8 train_posOverlapThres=0.6", ["train_negOverlapThres = 0.8", "Thres = 0.6"]),
        ("nn_learningRates=60,0.001", ["nn_learningRates = '60,0.001'", "2 values: a whole number from 1 to"]),
        ("nn_learningRates=((0,0.1),)", ["nn_learningRates = '((0,0.1),)'", "a number above 0"]),
        ("nn_learningRates=((2,0),)", ["nn_learningRates = '((2,0),)'"]),
        ("nn_learningRates=()", ["nn_learningRates = '()'", "1 or more values"]),
        ("svm_evictThreshold=0", ["svm_evictThreshold = '0'", "to -1"]),
    ],
)
def test_a_mistake_is_named_in_one_line(settings, words):
    with pytest.raises(UserError) as error:
        load_parameters(settings.split())
    assert all(word in str(error.value) for word in words), str(error.value)
    assert "\n" not in str(error.value)


def test_a_mistake_in_PARAMETERS_is_named_as_well():
    with pytest.raises(UserError, match="svm_C = 'x': must be a number from 1e-06"):
        load_parameters([], source(svm_C="x"))
    with pytest.raises(UserError, match='unknown parameter "svm_c", did you mean "svm_C"'):
        load_parameters([], source(datasetName="a", datasets={"a": {"classes": ("x",), "svm_c": 1}}))
    with pytest.raises(UserError, match="name at least one class"):
        load_parameters([], source(datasetName="a", datasets={"a": {"classes": ()}}))


# --- the object ------------------------------------------------------------------------------------------------------


def test_parameters_are_frozen_and_replace_checks():
    params = load_parameters()
    with pytest.raises(AttributeError, match=r"replace\(seed=...\)"):
        params.seed = 5
    other = params.replace(seed=5, classes=("a",))
    assert (other.seed, other.all_classes) == (5, ("__background__", "a")) and params.seed == PARAMETERS.seed
    with pytest.raises(UserError, match="seed = -1: must be a whole number"):
        params.replace(seed=-1)
    with pytest.raises((UserError, KeyError), match="sead"):
        params.replace(sead=1)


def test_subset_is_plain_json():
    params = load_parameters()
    assert params.subset(["classes", "svm_C"]) == {"classes": list(params.classes), "svm_C": params.svm_C}


# --- PARAMETERS.py itself --------------------------------------------------------------------------------------------


def test_every_parameter_but_the_classes_has_a_default():
    assert {name for name in declared() if not hasattr(PARAMETERS, name)} == UNSET
    assert {name for pair in NOT_LESS for name in pair} <= set(declared())


@pytest.mark.parametrize("dataset", PARAMETERS.datasets)
def test_every_default_and_every_block_is_allowed(dataset):
    load_parameters([f"datasetName={dataset}", "classes=any"])  # COCO's come from its files


def test_every_parameter_is_explained_where_it_is_set():
    text = (ROOT / "PARAMETERS.py").read_text(encoding="utf-8")
    assert unexplained(text) == []
    # each of them is noticed
    lines = text.splitlines()
    for node in declarations(text):
        left = lines.copy()
        for row in [node.lineno - 1, *_comment_above(lines, node)]:
            left[row] = left[row].split("  #")[0] if row == node.lineno - 1 else ""
        assert node.target.id in unexplained("\n".join(left))


def declarations(text):
    """The lines of PARAMETERS.py that declare a parameter, as nodes."""
    nodes = [node for node in ast.parse(text).body if isinstance(node, ast.AnnAssign)]
    return [node for node in nodes if not node.target.id.startswith("_")]


def _comment_above(lines, node):
    """The rows of the comment that ends right above a line."""
    rows, row = [], node.lineno - 2
    while lines[row].startswith("# ") and not lines[row].startswith("# ---"):
        rows, row = [*rows, row], row - 1
    return rows


def unexplained(text):
    """The parameters without a comment of their own: behind the line, or right above it."""
    lines = text.splitlines()
    return [
        node.target.id
        for node in declarations(text)
        if "#" not in lines[node.lineno - 1] and not _comment_above(lines, node)
    ]


def test_importing_PARAMETERS_does_nothing_else(tmp_path):
    # in another folder, in a fresh interpreter: prints nothing, writes nothing, and does not wait seconds for torch
    code = "import sys, PARAMETERS; print({'torch', 'torchvision', 'sklearn', 'matplotlib'} & sys.modules.keys())"
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1"}
    run = subprocess.run([sys.executable, "-c", code], cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (run.returncode, run.stdout, run.stderr) == (0, "set()\n", "")
    assert list(tmp_path.iterdir()) == []


def test_folders_do_not_depend_on_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    params = load_parameters([], importlib.reload(PARAMETERS))
    assert Path(params.rootDir) == ROOT
    assert params.image_dir == ROOT / "data" / params.datasetName
    # a relative folder on the command line means the shell's current folder, as everywhere
    assert load_parameters(["dataRootDir=x"]).dataRootDir == str(tmp_path / "x")
    assert load_parameters(["dataRootDir=~/x"]).dataRootDir == str(Path.home() / "x")


# --- the rules -------------------------------------------------------------------------------------------------------

FRACTION, COUNT = Number[0, 1], Whole[1, 1000]


@pytest.mark.parametrize(
    ("rule", "value", "result"),
    [
        (FRACTION, 0, 0.0), (FRACTION, 1, 1.0), (FRACTION, "0.5", 0.5), (FRACTION, " 5e-1 ", 0.5),
        (Above[0, 9], 1e-9, 1e-9), (Number[-5, -1], "-1", -1.0),
        (Whole[1, 5], 5, 5), (Whole[1, 5], 5.0, 5), (COUNT, "1e3", 1000), (Whole[0, 10_000], "1_000", 1000),
        (Choice["a", "b"], "b", "b"),
        (Flag, True, True), (Flag, "TRUE", True), (Flag, " false ", False),
        (Text[r"[\w-]+", ""], "exp-1", "exp-1"),
        (Several[COUNT], "1, 2", (1, 2)), (Several[COUNT], [1, 2], (1, 2)), (Several[COUNT], "[1, 2]", (1, 2)),
        (Several[Number[0, 9]], "(3,)", (3.0,)), (Several[Text[".+", ""]], "", ()),
        (Several[COUNT, 1], "4", (4,)), (Several[COUNT, 2], (4, 5, 6), (4, 5, 6)),
        (Row[COUNT, FRACTION], "(3, 0.5)", (3, 0.5)), (Row[COUNT, FRACTION], "3, 1", (3, 1.0)),
        (Row[COUNT, FRACTION], [3, "0.5"], (3, 0.5)), (Row[Flag, Choice["a"]], (True, "a"), (True, "a")),
        (Entries[("a", "b"), FRACTION], "{'b': 1, 'a': 0}", {"a": 0.0, "b": 1.0}),
        (Either[Choice["balanced"], Number[0, 9]], "balanced", "balanced"),
        (Either[Choice["balanced"], Number[0, 9]], "2", 2.0),
    ],
)  # fmt: skip
def test_rules_accept(rule, value, result):
    checked = check(rule, value)
    assert checked == result and type(checked) is type(result)


@pytest.mark.parametrize(
    ("rule", "value"),
    [
        (FRACTION, -0.001), (FRACTION, 1.001), (FRACTION, float("nan")), (FRACTION, float("inf")), (FRACTION, "inf"),
        (FRACTION, True), (FRACTION, None), (FRACTION, "abc"), (FRACTION, ""), (FRACTION, "__import__('os')"),
        (FRACTION, [0.5]), (Above[0, 9], 0), (Whole[1, 5], 1.5), (Whole[1, 5], 6), (Whole[1, 5], "0"),
        (COUNT, 1e999), (Choice["a", "b"], "A"), (Choice["a", "b"], None), (Flag, 1), (Flag, "yes"),
        (Text[r"[\w-]+", ""], "a b"), (Text[r"[\w-]+", ""], ""), (Text[r"[\w-]+", ""], "a\n"), (Text[".+", ""], 5),
        (Several[COUNT], "1,x"), (Several[COUNT], 5), (Several[COUNT, 0, 2], "1,2,3"), (Several[COUNT], "1,,2"),
        (Several[COUNT, 1], ""), (Several[COUNT, 1], ()), (Several[COUNT, 2], "4"),
        (Row[COUNT, FRACTION], "3"), (Row[COUNT, FRACTION], (3,)), (Row[COUNT, FRACTION], (3, 0.5, 1)),
        (Row[COUNT, FRACTION], (0.5, 3)), (Row[COUNT, FRACTION], (3, 1.5)), (Row[COUNT, FRACTION], None),
        (Row[COUNT, FRACTION], "ab"), (Row[COUNT, FRACTION], {3: 0.5}),
        (Entries[("a", "b"), FRACTION], {"a": 0}), (Entries[("a",), FRACTION], {"a": 2}),
        (Entries[("a",), FRACTION], "a"), (Either[Choice["balanced"], Number[0, 9]], "unbalanced"),
    ],
)  # fmt: skip
def test_rules_refuse(rule, value):
    with pytest.raises(ValueError):
        check(rule, value)


def test_every_rule_says_what_it_wants():
    assert allowed(FRACTION).words == "a number from 0 to 1"
    assert allowed(Whole[1, 10]).words == "a whole number from 1 to 10"
    assert allowed(Above[0, 9]).words == "a number above 0 and up to 9"
    assert allowed(Choice["a", "b"]).words == 'one of "a", "b"'
    assert allowed(Several[COUNT]).words == "values separated by commas, each a whole number from 1 to 1000"
    assert allowed(Several[FRACTION, 2]).words == "2 or more values separated by commas, each a number from 0 to 1"
    assert allowed(Row[COUNT, FRACTION]).words == "2 values: a whole number from 1 to 1000, a number from 0 to 1"
    assert allowed(Either[Flag, FRACTION]).words == "True or False, or a number from 0 to 1"
    assert allowed(Entries[("a", "b"), FRACTION]).words == "{'a': ..., 'b': ...}, each a number from 0 to 1"
    assert all(item.words for item in declared().values())
