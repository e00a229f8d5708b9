"""Protects the lines that say why a step does not run: they name old and new value, and end with the very options that
fit to the files that are there.
"""

import json
import shlex

import pytest
import torch
import torchvision
from tiny import run_steps, tiny_params

from helpers.base.errors import UserError


def options_of(message):
    """The settings after the last --set of a message, as a shell understands them."""
    return shlex.split(message.rpartition("--set ")[2])


def test_messages_end_with_the_options_that_fit_to_what_is_there(finished):
    params = tiny_params(finished, roi_maxImgDim=120, classes="circle,big square", svm_C=0.5)
    with pytest.raises(UserError) as error:
        run_steps(params, 5)
    assert str(error.value) == (
        "roi_maxImgDim is 120 now but was 160 when 1_computeRois.py ran: run 1_computeRois.py again and the steps "
        "after it (python3 run.py --from 1), or set it back: --set roi_maxImgDim=160 classes=circle,square svm_C=0.01"
    )
    options = dict(option.split("=", 1) for option in options_of(str(error.value)))
    run_steps(params.replace(**options), 5)


def test_other_weights_are_named_with_the_option_that_brings_the_former_back(finished, tmp_path):
    first, second = tmp_path / "my first.pth", tmp_path / "second.pth"
    for seed, path in enumerate((first, second)):
        torch.manual_seed(seed)
        torch.save(torchvision.models.squeezenet1_1().state_dict(), path)
    run_steps(tiny_params(finished, networkWeights=first), 3)
    with pytest.raises(UserError) as error:
        run_steps(tiny_params(finished, networkWeights=second), 4)
    message = str(error.value)
    assert message.startswith("weights has changed since 3_runNetwork.py ran with --set ") and str(second) in message
    assert options_of(message) == [f"networkWeights={first}"]
    second.replace(first)
    with pytest.raises(UserError, match=r"run 3_runNetwork.py again .*, or put the former file back$"):
        run_steps(tiny_params(finished, networkWeights=first), 4)
    run_steps(tiny_params(finished), 3)
    with pytest.raises(UserError, match=r"or set it back: --set networkWeights=random seed=3$"):
        run_steps(tiny_params(finished, networkWeights=first), 4)


def test_parameters_of_another_engine_are_not_called_changed(finished):
    with pytest.raises(UserError, match=r"^roi_engine is 'grid' now but was 'fast' when .*: --set roi_engine="):
        run_steps(tiny_params(finished, roi_engine="grid"), 2)
    with pytest.raises(UserError, match=r"^roi_engine is 'dlib' now but was 'fast' when .*: --set roi_engine="):
        run_steps(tiny_params(finished, roi_engine="dlib"), 2)


@pytest.mark.slow
def test_a_record_of_another_version_names_what_it_does_not_have(finished):
    params = tiny_params(finished, svm_C=0.5)
    path = params.cntk_files_dir / "record_svm_parsed.json"
    record = json.loads(path.read_text())
    del record["parameters"]["network_roiBatchSize"]
    path.write_text(json.dumps(record))
    with pytest.raises(UserError) as error:
        run_steps(params, 5)
    assert str(error.value) == (
        f"{path}: of another version, it has no network_roiBatchSize: run 3_runNetwork.py again and the steps after it "
        "(python3 run.py --from 3)"
    )
    run_steps(params, 3, 4, 5)
