"""A trained network in one file that needs no other: its tensors, and a description of what they are.

The file is safetensors, whose reader runs no code. Its header holds, as JSON: the format's name, the network, the
classes, all parameters that scoring depends on, and the versions that it was made with.
"""

import io
import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from safetensors import SafetensorError, safe_open

from helpers.base.errors import UserError
from helpers.base.files import atomic_path
from helpers.base.tensor_files import MOST_HEADER_BYTES, require_finite, require_safetensors
from helpers.base.words import shown
from helpers.config.schema import Parameters, declared

if TYPE_CHECKING:
    import torch

FORMAT = "Fast R-CNN model 1"
ADVICE = "give a model that step 3 wrote"

Description = dict[str, Any]  # what the header says, as JSON has it
Declared = tuple[str, tuple[int, ...]]  # of a tensor: dtype as safetensors calls it, and shape


def model_path(params: Parameters) -> Path:
    """Where step 3 writes the model that it trained."""
    return params.model_dir / f"{params.experimentName}.safetensors"


def write_model(
    path: Path, state: "Mapping[str, torch.Tensor]", params: Parameters, versions: Mapping[str, str], **more: Any
) -> None:
    """Write the tensors by name, the parameters and whatever else describes the model. Never a half file."""
    from safetensors.torch import save  # torch takes seconds

    stored = params.subset(item.name for item in declared().values() if item.group.stored)
    description = {"format": FORMAT, "parameters": stored, "versions": versions, **more}
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in state.items()}
    with atomic_path(path) as temporary:  # save_file has an error of its own for a full disk
        temporary.write_bytes(save(tensors, {"description": json.dumps(description, sort_keys=True)}))


def read_description(path: Path) -> Description:
    """The description in a model's header.

    Raises:
        UserError: for a file that is no model of this project.
    """
    require_safetensors(path, "model", ADVICE)
    try:
        with safe_open(path, "pt") as file:
            text = (file.metadata() or {}).get("description", "")
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); {ADVICE}") from None
    except SafetensorError as error:
        raise UserError(f"{path}: not a model that step 3 wrote, or damaged ({str(error)[:300]})") from None
    return checked_description(text, path)


def checked_description(text: str, path: Path) -> Description:
    """The description of a model from its JSON.

    Raises:
        UserError: where it is none of this project.
    """
    try:
        description = json.loads(text[:MOST_HEADER_BYTES])
    except (ValueError, RecursionError):
        raise UserError(f"{path}: holds no description; not a model of this project, or damaged") from None
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        found = description.get("format") if isinstance(description, dict) else description
        raise UserError(f'{path}: format {shown(found)}, this program reads "{FORMAT}"')
    if not isinstance(description.get("parameters"), dict):
        raise UserError(f"{path}: its header has no parameters; it is damaged")
    return description


def read_tensors(path: Path, expected: Mapping[str, Declared]) -> "dict[str, torch.Tensor]":
    """All tensors of a model by name.

    Args:
        expected: what the file must declare; it is compared before anything is read or allocated.

    Raises:
        UserError: where one is unreadable or not finite.
    """
    try:
        with safe_open(path, "pt") as file:
            _compare({name: _declared(file.get_slice(name)) for name in file.keys()}, expected, path)  # noqa: SIM118
            tensors = {name: file.get_tensor(name) for name in expected}
    except (OSError, SafetensorError) as error:
        raise UserError(f"{path}: not a readable model ({str(error)[:300]})") from None
    require_finite(tensors, path, "train again")
    return tensors


def _declared(tensor: Any) -> Declared:
    return tensor.get_dtype(), tuple(tensor.get_shape())


def _compare(found: Mapping[str, Declared], expected: Mapping[str, Declared], path: Path) -> None:
    for name in sorted(found.keys() ^ expected.keys()):
        raise UserError(f"{path}: tensor {name} is {'missing' if name in expected else 'not expected'}; {ADVICE}")
    for name, wanted in expected.items():
        if found[name] != wanted:
            raise UserError(f"{path}: tensor {name} is {found[name]}, {wanted} expected; {ADVICE}")


def stored_settings(description: Description, path: Path) -> dict[str, Any]:
    """The parameters of a model's header, each checked: a dict for `load_parameters`.

    A model sets what models store and nothing else: no folder, no device.
    """
    values = description["parameters"]
    known = declared()
    for name in values:
        if name not in known:
            raise UserError(f"{path}: parameter {name[:99]} is unknown here; the model is of another version")
        if not known[name].group.stored:
            raise UserError(f"{path}: sets {name} = {shown(values[name])}, which no model may; {ADVICE}")
    return {name: known[name].checked(value, f"{path}: its ") for name, value in values.items()}


def write_checkpoint(path: Path, save: Callable[[Any, io.BytesIO], Any], content: Mapping[str, Any]) -> None:
    """Write what training needs to go on, with torch's `save`; never a half file."""
    buffer = io.BytesIO()  # torch has an error of its own for a full disk
    save(content, buffer)
    with atomic_path(path) as temporary:
        temporary.write_bytes(buffer.getbuffer())
