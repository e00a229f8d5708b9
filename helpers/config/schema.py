"""What PARAMETERS.py declares, and the one frozen object that holds a checked value of each parameter."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from types import ModuleType
from typing import Any

from helpers.base.errors import UserError
from helpers.base.threads import physical_cores
from helpers.base.words import nearest
from helpers.config.file import read_parameters_file
from helpers.config.groups import Group
from helpers.config.labels import BACKGROUND, IGNORED_LABELS
from helpers.config.max_detections import max_detections
from helpers.config.types import allowed, check, checked

NOT_LESS = (  # pairs (a, b) with a <= b
    ("roi_minDimRel", "roi_maxDimRel"),
    ("roi_minNrPixelsRel", "roi_maxNrPixelsRel"),
    ("train_negOverlapThres", "train_posOverlapThres"),
    ("nn_negOverlapMin", "nn_posOverlapThres"),
)


@dataclass(frozen=True)
class Parameter:
    """A line of PARAMETERS.py: `name: kind = ...` in its group."""

    name: str
    kind: Any  # a type of helpers/config/types.py
    group: Group

    @property
    def words(self) -> str:
        """The allowed values."""
        return allowed(self.kind).words

    @property
    def modest(self) -> float | None:
        """The greatest value that a file of somebody else may ask for."""
        return allowed(self.kind).modest

    def check(self, value: object) -> Any:
        """A value in its final type.

        Raises:
            ValueError: for one that is not allowed.
        """
        return check(self.kind, value)

    def takes(self, value: object) -> bool:
        """Whether a value is allowed."""
        try:
            self.check(value)
        except ValueError:
            return False
        return True

    def checked(self, value: object, owner: str = "") -> Any:
        """The same with a `UserError` that names the parameter, and what it belongs to where that is not the user's."""
        return checked(owner + self.name, value, self.kind)


def declared() -> dict[str, Parameter]:
    """All parameters of PARAMETERS.py by name, in its order."""
    return _declared(read_parameters_file())


@lru_cache(maxsize=4)
def _declared(module: ModuleType) -> dict[str, Parameter]:
    found, group = {}, Group()
    for name, kind in inspect.get_annotations(module).items():
        if kind is Group:
            group = getattr(module, name)
        else:
            found[name] = Parameter(name, kind, group)
    return found


def parameter(name: str) -> Parameter:
    """A parameter by its name.

    Raises:
        UserError: for an unknown one.
    """
    known = declared()
    if name not in known:
        raise UserError(f'unknown parameter "{name[:99]}"{nearest(name, known)}; all are listed in PARAMETERS.py')
    return known[name]


def _folder(name: str) -> property:
    """A folder of intermediate files, or a file there."""
    return property(lambda params: params.proc_dir / name)


class Parameters:
    """All parameters as attributes, frozen, and the folders that follow from them."""

    def __init__(self, values: dict[str, Any]) -> None:
        """values: of every parameter.

        Raises:
            UserError: for one that is missing or not allowed.
        """
        self.__dict__.update(_checked(values))

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # as pickle and copy ask for it
            raise AttributeError(name)
        raise UserError(f"PARAMETERS.py: declares no {name}{nearest(name, self.__dict__)}; fetch the file again")

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"parameters are frozen: make a new object with replace({name}=...)")

    def replace(self, **changes: Any) -> "Parameters":
        """A copy with other values, checked in the same way."""
        for name in changes:
            parameter(name)
        return Parameters(both_thresholds({**self.__dict__, **changes}, self.__dict__))

    def subset(self, names: Iterable[str]) -> dict[str, Any]:
        """The named parameters as a dict of plain JSON values, for the records that steps keep."""
        return {
            name: _plain(self.max_detections if name == "nms_maxDetections" else self.__dict__[name]) for name in names
        }

    def used_by(self, step: str) -> list[str]:
        """The names of the parameters that a step works with where these are in force."""
        return [item.name for item in declared().values() if item.group.is_used_by(step, self)]

    @property
    def max_detections(self) -> int:
        """`nms_maxDetections` as a number, whatever it is."""
        return max_detections(self.nms_maxDetections, self.cntk_files_dir)

    @property
    def all_classes(self) -> tuple[str, ...]:
        """Class names with the background first, so that a class id is an index."""
        return (BACKGROUND, *self.classes)

    @property
    def image_dir(self) -> Path:
        """The folder of the data set."""
        return Path(self.dataRootDir) / (self.datasetFolder or self.datasetName)

    @property
    def proc_dir(self) -> Path:
        """The folder of intermediate files."""
        return Path(self.procRootDir) / self.datasetName

    @property
    def results_dir(self) -> Path:
        """The folder of tables, plots and pictures."""
        return Path(self.resultsRootDir) / self.datasetName

    roi_dir = _folder("rois")
    cntk_files_dir = _folder("cntkFiles")
    svm_dir = _folder("trainedSVMs")
    model_dir = _folder("models")
    detections_dir = _folder("detections")
    fingerprints_file = _folder(".fingerprints.json")  # of images, annotations and weights; may be deleted


def _plain(value: Any) -> Any:
    return [_plain(item) for item in value] if isinstance(value, tuple) else value


def both_thresholds(values: dict[str, Any], defaults: dict[str, Any]) -> dict[str, Any]:
    """One number for `vis_decisionThresholds` is that of the classifier in force; the other's is the default.

    Where the default is one number as well, it is that of both.
    """
    name = "vis_decisionThresholds"
    threshold, default = (parameter(name).checked(layer[name]) for layer in (values, defaults))
    if isinstance(threshold, dict):
        return values
    others = default if isinstance(default, dict) else {"svm": default, "nn": default}
    return {**values, name: {**others, values["classifier"]: threshold}}


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    result = {}
    for name, item in declared().items():
        if name not in values:
            raise UserError(f"PARAMETERS.py: gives {name} no value; correct it, or fetch the file again")
        result[name] = item.checked(values[name])
    for low, high in NOT_LESS:
        if result[low] > result[high]:
            raise UserError(f"{low} = {result[low]}: must not be greater than {high} = {result[high]}")
    _check_classes(result["classes"])
    if result["network_threads"] == "auto":
        result["network_threads"] = physical_cores()
    return result


def _check_classes(classes: tuple[str, ...]) -> None:
    if not classes:
        raise UserError("classes = (): name at least one class in the data set's block in PARAMETERS.py")
    for name in classes:
        if name in (BACKGROUND, *IGNORED_LABELS):
            raise UserError(f'classes: "{name}" has a meaning of its own and cannot be the name of a class')
        if classes.count(name) > 1:
            raise UserError(f'classes: "{name}" is listed twice')
