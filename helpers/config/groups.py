"""Groups of parameters: which steps work with them, so that a step that used another value is noticed."""

from dataclasses import dataclass
from typing import Any


class StepName(str):
    """A step by the name of its script."""

    def when(self, **conditions: Any) -> "Use":
        """The step under conditions: a parameter has this value, one of these, or one that this function accepts."""
        return Use(self, tuple(conditions.items()))


ROIS = StepName("1_computeRois.py")
INPUTS = StepName("2_computeCntkInputs.py")
TRAINING = StepName("3_runNetwork.py (training)")  # with classifier "nn": the network's own training
FEATURES = StepName("3_runNetwork.py")
SVMS = StepName("4_trainSvm.py")
DETECTIONS = StepName("5_evaluate.py")


@dataclass(frozen=True)
class Use:
    """A step, and the conditions under which it works with the parameters of a group."""

    step: StepName
    conditions: tuple[tuple[str, Any], ...] = ()

    def holds(self, params: Any) -> bool:
        """Whether all conditions hold for these parameters."""
        return all(_agrees(getattr(params, name), wanted) for name, wanted in self.conditions)


def _agrees(value: Any, wanted: Any) -> bool:
    if callable(wanted):
        return bool(wanted(value))
    return value in (wanted if isinstance(wanted, tuple) else (wanted,))


class Group:
    """The parameters that follow in PARAMETERS.py, up to the next group.

    uses: the steps that work with them; without any, they change no file that later steps read. kept: whether a data
    set may keep them, which may come from anywhere; stored: whether a trained model holds them, and may set them.
    """

    def __init__(self, *uses: StepName | Use, kept: bool = True, stored: bool = True) -> None:
        self.uses = [use if isinstance(use, Use) else Use(use) for use in uses]
        self.kept, self.stored = kept, stored

    def is_used_by(self, step: str, params: Any) -> bool:
        """Whether a step works with the parameters of this group where these parameters are in force."""
        return any(use.step == step and use.holds(params) for use in self.uses)
