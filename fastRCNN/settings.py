"""Knobs of the algorithm as frozen dataclasses, each field filled from the parameter whose name it gives.

A settings class has no defaults: PARAMETERS.py has them, once.
"""

from dataclasses import field, fields, is_dataclass
from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Settings = TypeVar("Settings", bound="DataclassInstance")


def knob(parameter: str) -> Any:
    """A field that the parameter of this name fills."""
    return field(metadata={"parameter": parameter})


def settings_from(kind: type[Settings], params: object, **given: Any) -> Settings:
    """An object of a settings class, and of those that it holds.

    Args:
        kind: a dataclass whose fields are knobs or, in turn, settings.
        params: has the parameters as attributes.
        given: values of fields that count instead.
    """
    for item in fields(kind):
        if item.name not in given:
            if isinstance(item.type, type) and is_dataclass(item.type):
                given[item.name] = settings_from(item.type, params)
            else:
                given[item.name] = getattr(params, item.metadata["parameter"])
    return kind(**given)
