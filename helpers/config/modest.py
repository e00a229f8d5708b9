"""What a file that may come from anywhere, a model or a data set, may ask this machine for by its parameters."""

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from helpers.base.errors import UserError
from helpers.config.schema import parameter

MOST_PIXELS = 6 * 10**6  # of the network's input: cntk_padWidth * cntk_padHeight


def require_modest(values: Mapping[str, Any], path: Path | str, settings: Iterable[str] = ()) -> None:
    """Raise `UserError` where the checked parameters of a file ask for more than a file may by itself.

    Args:
        settings: those of the command line ("name=value"), which count more than the file's.
    """
    asked = {name: value for name, value in values.items() if name not in {text.partition("=")[0] for text in settings}}
    for name, value in asked.items():
        most = parameter(name).modest
        if most is not None and isinstance(value, (int, float)) and value > most:
            raise UserError(f"{path}: its {name} = {value}, at most {most} unless you --set {name}={value}")
    width, height = asked.get("cntk_padWidth", 0), asked.get("cntk_padHeight", 0)
    if width * height > MOST_PIXELS:
        raise UserError(
            f"{path}: its cntk_padWidth * cntk_padHeight = {width * height}, at most {MOST_PIXELS} unless you "
            f"--set cntk_padWidth={width}"
        )
