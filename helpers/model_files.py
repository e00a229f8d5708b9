"""A trained network in one file that needs no other: its tensors, and a description of what they are.

The file is safetensors, whose reader runs no code. Its header holds, as JSON: the format's name, the network, the
classes, all parameters that scoring depends on, and the versions that it was made with.
"""

import json
import os

from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from helpers.errors import UserError
from helpers.files import atomic_path
from helpers.parameters import RULES

FORMAT = "Fast R-CNN model 1"
NOT_STORED = (
    "rootDir", "dataRootDir", "procRootDir", "resultsRootDir", "networkWeights", "network_device", "network_threads",
    "parallel_backend", "parallel_address",
)  # fmt: skip


def model_path(params):
    """Where step 3 writes the model that it trained."""
    return params.model_dir / f"{params.experimentName}.safetensors"


def write_model(path, state, params, versions, **more):
    """Write the tensors by name, the parameters and whatever else describes the model. Never a half file."""
    stored = params.subset(name for name in RULES if name not in NOT_STORED)
    description = {"format": FORMAT, "parameters": stored, "versions": versions, **more}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    with atomic_path(path) as temporary:
        save_file(tensors, temporary, {"description": json.dumps(description, sort_keys=True)})


def read_description(path):
    """The description in a model's header; raises `UserError` for a file that is no model of this project."""
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("description", "")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); give a model that step 3 wrote") from None
    except SafetensorError as error:
        raise UserError(f"{path}: not a model that step 3 wrote, or damaged ({error})") from None
    return checked_description(text, path)


def checked_description(text, path):
    """The description of a model from its JSON; raises `UserError` where it is none of this project."""
    try:
        description = json.loads(text)
    except (ValueError, RecursionError):
        raise UserError(f"{path}: holds no description; not a model of this project, or damaged") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        found = description.get("format") if isinstance(description, dict) else description
        raise UserError(f'{path}: format {found!r}, this program reads "{FORMAT}"')
    if not isinstance(description.get("parameters"), dict):
        raise UserError(f"{path}: its header has no parameters; it is damaged")
    return description


def read_tensors(path):
    """All tensors of a model by name; raises `UserError` where one is unreadable or not finite."""
    try:
        with safe_open(path, "pt") as file:
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118, it is no dict
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: not a readable model ({error})") from None
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{path}: tensor {name} holds values that are not finite; train again")
    return tensors


def stored_settings(description, path):
    """The parameters of a model's header, unknown names refused: a dict for `load_parameters`."""
    unknown = [name for name in description["parameters"] if name not in RULES]
    if unknown:
        raise UserError(f"{path}: parameter {unknown[0]} is unknown here; the model is of another version")
    return description["parameters"]


def write_checkpoint(path, save, content):
    """Write what training needs to go on, with torch's `save`; never a half file."""
    with atomic_path(path) as temporary:
        save(content, os.fspath(temporary))
