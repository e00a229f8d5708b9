"""From PARAMETERS.py, what is kept with a data set and the command line to one checked `Parameters` object."""

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from helpers.base.errors import UserError
from helpers.base.words import nearest
from helpers.config.file import read_parameters_file
from helpers.config.kept import ToKeep, keep, kept_path, read_kept
from helpers.config.modest import require_modest
from helpers.config.schema import Parameters, both_thresholds, declared, parameter
from helpers.config.settings import as_text

Values = dict[str, Any]  # by the name of a parameter


def load(
    settings: Iterable[str] = (),
    source: Any = None,
    stored: Values | None = None,
    derive: Callable[[Parameters, Iterable[str]], Values] | None = None,
) -> Parameters:
    """Build the parameters of one run from its layers; of two that set a parameter, the later one counts.

    Args:
        settings: texts "name=value", as after --set.
        source: the module PARAMETERS, or anything with the same attributes.
        stored: values by name, those of a trained model.
        derive: what a data set says of itself where nobody names its classes: a function of the parameters (with
            `classes` of no meaning) and of the names of all blocks in PARAMETERS.py, maybe none for this data set.

    Raises:
        UserError: for an unknown name, a wrong type and a value out of range, naming it, what is allowed and the
            nearest known name.
    """
    settings, stored = list(settings), stored or {}
    source = read_parameters_file() if source is None else source
    defaults = {name: getattr(source, name) for name in declared() if hasattr(source, name)}
    given = dict(split(setting) for setting in settings)

    dataset = _merged(defaults, stored, given)["datasetName"]
    block = _known(source.datasets.get(dataset, {}) if isinstance(dataset, str) else {})
    kept = {} if stored else _kept(_merged(defaults, block, given), settings)
    preset = _preset(_merged(defaults, block, kept, stored, given)["preset"], getattr(source, "presets", {}))
    layers = [defaults, block, preset, kept, stored, given]

    if derive and "classes" not in _merged(*layers):
        unnamed = Parameters(both_thresholds(_merged({"classes": ("any",)}, *layers), defaults))
        layers.insert(1, derive(unnamed, source.datasets))
    params = Parameters(both_thresholds(_merged(*layers), defaults))
    _keep(params, [setting.partition("=")[0] for setting in settings if isinstance(setting, ToKeep)])
    return params


def split(setting: str) -> tuple[str, Any]:
    """The name and the checked value of a text "name=value"; raises `UserError`."""
    name, equals, value = setting.partition("=")
    item = parameter(name)
    if not equals:
        raise UserError(f"--set {name}: write it as {name}=VALUE; allowed: {item.words}")
    return name, item.checked(value)


def _merged(*layers: Values) -> Values:
    return {name: value for layer in layers for name, value in layer.items()}


def _known(layer: Values) -> Values:
    for name in layer:
        parameter(name)
    return layer


def _preset(name: str, presets: dict[str, Values]) -> Values:
    if name and name not in presets:
        raise UserError(f'preset = "{name}": there is none of this name{nearest(name, presets)}; {", ".join(presets)}')
    return _known(presets[name]) if name else {}


def _kept(values: Values, settings: list[str]) -> Values:
    """What is kept with the data set. values: those that say where it is."""
    root, folder, dataset = (
        parameter(name).checked(values[name]) for name in ("dataRootDir", "datasetFolder", "datasetName")
    )
    return read_kept(Path(root) / (folder or dataset), split, settings)


def _keep(params: Parameters, names: list[str]) -> None:
    """Keep these parameters with the data set."""
    if names:
        require_modest({name: getattr(params, name) for name in names}, kept_path(params.image_dir))
        keep(params.image_dir, {name: as_text(parameter(name), getattr(params, name)) for name in names})
