"""A trained network as an ONNX file, which programs without torch can run; it needs no other file.

The file carries the same description as the model that step 3 wrote (helpers/artifacts/model_files.py), as JSON in its
metadata. The packages onnx and onnxruntime are optional, so they are imported where they are needed.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from helpers.artifacts.model_files import Description, checked_description
from helpers.base.errors import UserError
from helpers.base.files import atomic_path, require_file

MOST_BYTES = 10**9
STANDARD = ("", "ai.onnx")  # the domains of ONNX's own operators: others may be anybody's code
ADVICE = "give a file that 7_exportModel.py wrote"


def is_onnx(path: str | Path) -> bool:
    """Whether a model's file is ONNX, by its name."""
    return Path(path).suffix.lower() == ".onnx"


def import_onnx() -> Any:
    """The package onnx, which reads and writes files; `UserError` where it is not installed."""
    try:
        import onnx
    except ImportError as error:
        raise _not_installed(error) from error
    return onnx


def import_onnxruntime() -> Any:
    """The package onnxruntime, which computes; `UserError` where it is not installed."""
    try:
        import onnxruntime
    except ImportError as error:
        raise _not_installed(error) from error
    return onnxruntime


def _not_installed(error: ImportError) -> UserError:
    return UserError(f"ONNX files need packages that are missing ({error}): pip install -r requirements-export.txt")


def write_onnx(path: Path, data: bytes, description: Description) -> None:
    """Write a serialised ONNX graph together with the description of the model. Never a half file."""
    onnx = import_onnx()
    model = onnx.load_model_from_string(data)
    onnx.helper.set_model_props(model, {"description": json.dumps(description, sort_keys=True)})
    with atomic_path(path) as temporary:
        temporary.write_bytes(model.SerializeToString())


def read_onnx(path: Path) -> tuple[Description, bytes]:
    """The description in an ONNX file, and the serialised graph: nothing in it refers to another file.

    Raises:
        UserError: for a file that is not readable, that keeps tensors in other files (a path in there could name any
            file of this machine), that computes with other operators than ONNX's own, or that is no model of this
            project.
    """
    onnx = import_onnx()
    require_file(path, MOST_BYTES, ADVICE)
    try:
        model = onnx.load_model_from_string(Path(path).read_bytes())
    except OSError as error:
        raise UserError(f"{path}: cannot be read ({error.strerror or error}); {ADVICE}") from None
    except Exception as error:  # protobuf's kinds of errors differ among its versions
        raise UserError(f"{path}: not an ONNX file, or damaged ({type(error).__name__}); {ADVICE}") from None
    model.DiscardUnknownFields()  # what was not looked at is not run either
    for message in _messages(model):
        if isinstance(message, onnx.TensorProto) and (message.external_data or message.data_location):
            raise UserError(f"{path}: keeps tensor {message.name!r} in another file, which is never read; {ADVICE}")
        if getattr(message, "op_type", "") and message.domain not in STANDARD:
            name = f"{message.domain}.{message.op_type}"[:99]
            raise UserError(f"{path}: computes with {name!r}, which is no operator of ONNX; {ADVICE}")
        if isinstance(message, (onnx.SparseTensorProto, onnx.FunctionProto)):
            raise UserError(f"{path}: holds a {type(message).__name__}, which is never run; {ADVICE}")
    texts = [entry.value for entry in model.metadata_props if entry.key == "description"]
    return checked_description(texts[0] if texts else "", path), model.SerializeToString()


def _messages(message: Any) -> Iterator[Any]:
    """A protobuf message and all that it is made of."""
    yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for child in [value] if hasattr(value, "ListFields") else value:
                yield from _messages(child)
