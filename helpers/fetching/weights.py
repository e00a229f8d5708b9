"""Files with pre-trained weights: finding them, downloading torchvision's, reading them safely."""

import hashlib
import os
import pickle
import re
import zipfile
from pathlib import Path

import torch
import torchvision
from safetensors import SafetensorError
from safetensors.torch import load_file

from helpers.base.errors import UserError
from helpers.base.files import require_file
from helpers.base.fingerprints import remembered_fingerprints
from helpers.base.tensor_files import MOST_BYTES, require_finite, require_safetensors
from helpers.config.schema import Parameters
from helpers.fetching.download import download

READ_ERRORS = (  # what torch, safetensors and the restricted unpickler raise on bytes that are no weights
    OSError, RuntimeError, ValueError, EOFError, LookupError, AttributeError, SafetensorError, MemoryError,
    pickle.UnpicklingError, zipfile.BadZipFile,
)  # fmt: skip
RESOURCES = Path(__file__).resolve().parents[2] / "resources"


def torchvision_url(network: str) -> str:
    """Where torchvision publishes its ImageNet weights of a network; the file name ends in the hash's beginning.

    Raises:
        UserError: for a network that is not torchvision's.
    """
    if network not in torchvision.models.list_models():
        raise UserError(
            f'networkWeights = "auto": torchvision has no weights of {network}; set networkWeights to a file'
        )
    return torchvision.models.get_model_weights(network)["IMAGENET1K_V1"].url


def auto_candidates(network: str) -> list[Path]:
    """The places where "auto" looks for weights, in order: resources/, then torch's download cache."""
    name = torchvision_url(network).rsplit("/", 1)[-1]
    return [RESOURCES / name, Path(torch.hub.get_dir()) / "checkpoints" / name]


def find_weights(params: Parameters) -> Path | None:
    """The path of the weights' file, or None where they are random or not on this machine yet.

    Raises:
        UserError: for a path that does not exist.
    """
    if params.networkWeights == "random":
        return None
    if params.networkWeights == "bundled":
        return _bundled(params.network)
    if params.networkWeights == "auto":
        return next((path for path in auto_candidates(params.network) if path.is_file()), None)
    path = Path(os.path.expanduser(params.networkWeights))
    if not path.is_file():
        raise UserError(f'networkWeights = "{path}": no such file; give a .pth or .safetensors file, or "auto"')
    return path


def _bundled(network: str) -> Path:
    """The network that ships with the project, see the model card beside it."""
    path = RESOURCES / f"{network}-grocery.safetensors"
    if not path.is_file():
        shipped = ", ".join(file.name.split("-")[0] for file in sorted(RESOURCES.glob("*-grocery.safetensors")))
        raise UserError(f'networkWeights = "bundled": none for {network}, only for {shipped}; try "auto"')
    return path


def weights_fingerprint(params: Parameters) -> str:
    """What tells these weights from others: a hash of the file, or the seed of random ones."""
    if params.networkWeights == "random":
        return f"random weights, seed {params.seed}"
    path = find_weights(params)
    return remembered_fingerprints([path], params.fingerprints_file)[path] if path else "not on this machine"


class OutOfReach(UserError):
    """Weights cannot be downloaded now, and perhaps later."""


def get_weights(params: Parameters) -> Path | None:
    """The path of the weights' file, downloaded if need be; None for random weights. Raises `OutOfReach`."""
    path = find_weights(params)
    if path is None and params.networkWeights == "auto":
        url = torchvision_url(params.network)
        path = auto_candidates(params.network)[-1]
        try:
            download(url, path, sha256_prefix=_hash_prefix(path))
        except UserError as error:
            raise OutOfReach(
                f"no ImageNet weights for {params.network}: {error} or into {RESOURCES}, or --set "
                f"networkWeights=FILE to one of your own. {_without_network(params.network)}"
            ) from error
    elif path is not None and params.networkWeights == "auto":
        _check_hash(path)
    return path


def _without_network(network: str) -> str:
    """What else there is for somebody who cannot download, in words."""
    if (RESOURCES / f"{network}-grocery.safetensors").is_file():
        return "Without a network connection --set networkWeights=bundled works, a small network in this repository"
    return "Without a network connection --set network=squeezenet1_1 networkWeights=bundled works"


def _hash_prefix(path: Path) -> str | None:
    match = re.search(r"-([0-9a-f]{8,})\.pth$", path.name)
    return match[1] if match else None


def _check_hash(path: Path) -> None:
    prefix, digest = _hash_prefix(path), hashlib.sha256(path.read_bytes()).hexdigest()
    if prefix and not digest.startswith(prefix):
        raise UserError(f"{path}: damaged, its SHA-256 is {digest[:8]}..., not {prefix}...; delete it and run again")


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
