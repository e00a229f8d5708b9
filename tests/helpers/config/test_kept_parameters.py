"""Protects the parameters that are kept with a data set: what was set once holds for every script from then on, is
shown, and gives way to --set; a data set of somebody else can set nothing that concerns this machine.
"""

import importlib
import os
import shlex
import subprocess
import sys

import pytest
from project import ROOT
from tiny import run_steps, tiny_params

import PARAMETERS
from helpers.base.errors import UserError
from helpers.config.command_line import argument_parser
from helpers.config.kept import ToKeep, kept_path
from helpers.config.schema import declared
from helpers.config.settings import as_options, as_text
from pipeline.parameters import load_parameters

NOT_KEPT = [item.name for item in declared().values() if not item.group.kept]


@pytest.fixture
def cups(tmp_path):
    """The settings that find a data set "cups", and its folder."""
    folder = tmp_path / "data" / "cups"
    folder.mkdir(parents=True)
    return [f"dataRootDir={tmp_path / 'data'}", "datasetName=cups", "classes=cup"], folder


def write(folder, text):
    kept_path(folder).write_text(text, encoding="utf-8")


def test_what_is_kept_counts_more_than_the_block_and_less_than_set(cups, capsys):
    settings, folder = cups
    write(folder, "# chosen on a Sunday\n\ncntk_nrRois=1000\n  svm_C = 0.5  \nnn_learningRates=((3, 0.1), (1, 0.01))\n")
    params = load_parameters([*settings, "svm_C=0.25"])
    assert (params.cntk_nrRois, params.svm_C, params.nn_learningRates) == (1000, 0.25, ((3, 0.1), (1, 0.01)))
    shown = capsys.readouterr().err
    assert shown == f"{kept_path(folder)}: cntk_nrRois=1000, svm_C=0.5, nn_learningRates=((3, 0.1), (1, 0.01))\n"
    load_parameters(settings)
    assert capsys.readouterr().err == "", "shown once"


def test_a_block_and_a_preset_give_way(tmp_path):
    for name in ("grocery", "groceryDemo"):
        (tmp_path / name).mkdir()
    write(tmp_path / "grocery", "roi_minDimRel=0.05\npreset=fastRcnnS\nnetwork_maxShorterSide=400\n")
    params = load_parameters([f"dataRootDir={tmp_path}", "datasetName=grocery"])
    assert (params.roi_minDimRel, params.network_maxShorterSide) == (0.05, 400)
    assert params.network == PARAMETERS.presets["fastRcnnS"].get("network", params.network)
    assert params.nn_roisPerImage == 64 and params.classifier == "nn"
    assert load_parameters([f"dataRootDir={tmp_path}"]).roi_minDimRel == 0.03, "another data set"
    stored = {"datasetName": "grocery", "classes": ["a"], "roi_minDimRel": 0.2}
    assert load_parameters([f"dataRootDir={tmp_path}"], stored=stored).roi_minDimRel == 0.2, "a model says it all"


@pytest.mark.parametrize(
    ("row", "words"),
    [
        ("cntk_nrRois=many", "cntk_nrRois = 'many': must be a whole number"), ("cntk_nrRois", "write it as"),
        ("cntk_nrRoi=3", 'unknown parameter "cntk_nrRoi", did you mean "cntk_nrRois"?'), ("=3", "unknown parameter"),
        ("svm_C=0.5", "svm_C stands in an earlier row as well"), ("import os", "unknown parameter"),
        *((f"{name}=a", "does not belong") for name in NOT_KEPT if name.endswith(("Dir", "Name", "Folder"))),
        ("network_device=cpu", "does not belong to a data set"), ("network_threads=9", "does not belong to a data set"),
        ("parallel_backend=dask", "does not belong to a data set"),
    ],
)  # fmt: skip
def test_a_wrong_row_is_named(cups, row, words):
    settings, folder = cups
    write(folder, f"svm_C = 0.5\n{row}\n")
    with pytest.raises(UserError) as error:
        load_parameters(settings)
    assert str(error.value).startswith(f"{kept_path(folder)}, row 2: ") and words in str(error.value)


def test_a_file_that_is_no_list_is_named(cups):
    settings, folder = cups
    kept_path(folder).write_bytes(b"#" * 200_000)
    with pytest.raises(UserError, match="parameters.txt: has more than 100000 bytes"):
        load_parameters(settings)
    kept_path(folder).write_bytes(b"svm_C=\xff\n")
    with pytest.raises(UserError, match="parameters.txt: not UTF-8 text"):
        load_parameters(settings)
    kept_path(folder).unlink()
    kept_path(folder).mkdir()
    with pytest.raises(UserError, match="parameters.txt: is no file"):
        load_parameters(settings)


def test_keep_writes_what_set_says(cups, tmp_path, monkeypatch, capsys):
    settings, folder = cups
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my weights.pth").write_bytes(b"")
    write(folder, "# mine\nsvm_C=0.5\nseed=4\n")
    new = ["svm_C=0.125", "networkWeights=my weights.pth", "nn_learningRates=(10,0.001),(4,0.0001)", "classifier=svm"]
    arguments = argument_parser("").parse_args(["--set", *settings, *new, "--keep"])
    assert set(vars(arguments)) == {"settings"}
    load_parameters(arguments.settings)
    assert kept_path(folder).read_text().splitlines() == [
        "# mine", "seed=4", "classes=cup", "svm_C=0.125", f"networkWeights={tmp_path / 'my weights.pth'}",
        "nn_learningRates=((10, 0.001), (4, 0.0001))", "classifier=svm",
    ]  # fmt: skip
    assert "NOTE: not kept with the data set: dataRootDir\n" in capsys.readouterr().err
    again = load_parameters(settings[:2])
    assert (again.classes, again.svm_C, again.seed) == (("cup",), 0.125, 4)
    with pytest.raises(SystemExit):
        argument_parser("").parse_args(["--keep"])


def test_what_is_wrong_is_not_kept(cups):
    settings, folder = cups
    with pytest.raises(UserError):
        load_parameters([*settings, ToKeep("svm_C=-1")])
    assert not kept_path(folder).exists()


@pytest.mark.parametrize("value", ["cntk_padWidth=10000", "cntk_nrRois=100000", "roi_maxImgDim=9000"])
def test_a_data_set_asks_for_no_more_than_is_modest(cups, value):
    settings, folder = cups
    name = value.partition("=")[0]
    with pytest.raises(UserError, match=f"parameters.txt: its {name} = .+, at most .+ unless you --set {value}"):
        load_parameters([*settings, ToKeep(value)])
    assert not kept_path(folder).exists()
    write(folder, value)
    with pytest.raises(UserError, match=f"parameters.txt: its {name} = "):
        load_parameters(settings)
    assert getattr(load_parameters([*settings, value]), name) == int(value.partition("=")[2])


@pytest.mark.parametrize("name", list(declared()))
def test_every_parameter_survives_as_text(name):
    values = [getattr(PARAMETERS, name)] if hasattr(PARAMETERS, name) else []
    values += [block[name] for block in (*PARAMETERS.datasets.values(), *PARAMETERS.presets.values()) if name in block]
    for value in [*values, *((("red apple", "Käse", "1"),) if name == "classes" else ())]:
        checked = declared()[name].check(value)
        text = as_text(declared()[name], checked)
        assert declared()[name].check(text) == checked
        [option] = shlex.split(as_options({name: checked}).removeprefix("--set "))
        assert option == f"{name}={text}"


@pytest.mark.slow
def test_scripts_and_steps_keep_and_use_it(tiny):
    params = tiny_params(tiny)
    roots = [f"{name}RootDir={tiny / name}" for name in ("data", "proc", "results")]
    kept = ["networkWeights=random", "cntk_nrRois=50", "classes=circle,square", "roi_engine=grid"]
    command = [sys.executable, ROOT / "1_computeRois.py", "--set", "datasetName=tiny", *roots, *kept, "--keep"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ})
    assert done.returncode == 0, done.stderr
    assert kept_path(params.image_dir).read_text().splitlines() == kept
    plain = load_parameters(["datasetName=tiny", *roots])
    assert plain.cntk_nrRois == 50
    run_steps(plain, 2)
    report = importlib.import_module("0_checkDataset").main(plain)
    assert not any("parameters.txt" in str(problem) for problem in getattr(report, "problems", ()))
