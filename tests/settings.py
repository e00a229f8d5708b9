"""Settings of the algorithm for tests: the defaults of PARAMETERS.py, or what stands here, and what a test changes."""

from dataclasses import replace
from types import SimpleNamespace

import PARAMETERS
from fastRCNN.settings import settings_from

OWN = {"seed": 0, "svm_C": 0.001, "nn_negOverlapMin": 0.1, "nn_learningRates": ((30, 0.001), (10, 0.0001))}
VALUES = SimpleNamespace(**{**vars(PARAMETERS), **OWN})


def settings(kind, **changes):
    """An object of a settings class with other values in some of its fields."""
    return replace(settings_from(kind, VALUES), **changes)
