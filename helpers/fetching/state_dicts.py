"""Reading files of pre-trained weights safely: no code runs, and nothing unfolds to more than its file."""

import pickle
import zipfile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from helpers.base.errors import UserError
from helpers.base.files import require_file
from helpers.base.tensor_files import MOST_BYTES, require_finite, require_safetensors

READ_ERRORS = (  # what torch, safetensors and the restricted unpickler raise on bytes that are no weights
    OSError, RuntimeError, ValueError, EOFError, LookupError, AttributeError, SafetensorError, MemoryError,
    pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """Tensors by name from a .pth, .pt or .safetensors file, on the CPU, as float32.

    Nothing in the file is executed: pickles are read with torch's restricted unpickler.

    Raises:
        UserError: for a file that is broken or holds anything but tensors by name.
    """
    path = Path(path)
    if path.suffix.lower() == ".safetensors":
        require_safetensors(path, "file of weights", "a state dict is wanted")
    require_file(path, MOST_BYTES, "a state dict is wanted")
    try:
        if path.suffix.lower() == ".safetensors":
            state = load_file(path)
        else:
            _refuse_bombs(path)
            state = torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:  # torch's own message tells how to execute what is in the file
        raise UserError(
            f"{path}: not a readable file of weights (it is damaged, or holds more than tensors); "
            "a state dict is wanted, as torch.save(model.state_dict(), path) writes it"
        ) from error
    except READ_ERRORS as error:
        reason = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        raise UserError(f"{path}: not a readable file of weights ({reason}); a state dict is wanted") from error
    if not isinstance(state, dict) or not all(isinstance(value, torch.Tensor) for value in state.values()):
        raise UserError(f"{path}: holds something else than tensors by name; save model.state_dict()")
    size = path.stat().st_size
    for name, value in state.items():
        if value.device.type != "cpu" or value.layout != torch.strided or value.is_quantized or value.nbytes > size:
            raise UserError(f"{path}: tensor {str(name)[:99]} is larger than the file, or none of plain numbers")
    require_finite(state, path, "get or train the weights again")
    return {name: value.float() if value.is_floating_point() else value for name, value in state.items()}


def _refuse_bombs(path: Path) -> None:
    """torch.save stores every byte once; raises ValueError for an archive that would unfold to more than its size."""
    if zipfile.is_zipfile(path):
        with zipfile.ZipFile(path) as archive:
            entries = archive.infolist()
        if any(entry.compress_type != zipfile.ZIP_STORED for entry in entries):
            raise ValueError("a compressed archive")
        if sum(entry.file_size for entry in entries) > path.stat().st_size:
            raise ValueError("an archive that claims to hold more than it does")
