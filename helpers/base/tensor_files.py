"""What must hold of any file of tensors, models and weights alike, before it is used."""

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from helpers.base.errors import UserError
from helpers.base.files import require_file

if TYPE_CHECKING:  # torch takes seconds
    from torch import Tensor

MOST_BYTES = 4 * 10**9  # of a file with a network; VGG16 has 0.6
MOST_HEADER_BYTES = 5 * 10**6


def require_safetensors(path: Path, kind: str, advice: str) -> None:
    """Raise `UserError` for a file that is too large, or whose header is, before anything of it is read."""
    require_file(path, MOST_BYTES, advice)
    with open(path, "rb") as file:
        if int.from_bytes(file.read(8), "little") > MOST_HEADER_BYTES:
            raise UserError(f"{path}: not a readable {kind} (its header is too long); {advice}")


def require_finite(tensors: Mapping[str, "Tensor"], path: Path, advice: str) -> None:
    """Raise `UserError` where a tensor holds NaN or infinite values, naming it."""
    for name, tensor in tensors.items():
        if tensor.is_floating_point() and not tensor.isfinite().all():
            raise UserError(f"{path}: tensor {name} holds values that are not finite; {advice}")
