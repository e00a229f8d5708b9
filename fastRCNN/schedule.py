"""How fast to learn: the optimiser's groups of weights, and its rate at each iteration."""

from dataclasses import dataclass
from typing import Any

import torch
from torch import nn

from fastRCNN.settings import knob


@dataclass(frozen=True)
class ScheduleSettings:
    """optimizer: "sgd" or "adamw"; learning_rates: pairs (epochs, rate), one after the other; momentum and weight_decay
    of the optimiser; warmup_iterations: the rate grows linearly up to its value over the first so many."""

    optimizer: str = knob("nn_optimizer")
    learning_rates: tuple[tuple[int, float], ...] = knob("nn_learningRates")
    momentum: float = knob("nn_momentum")
    weight_decay: float = knob("nn_weightDecay")
    warmup_iterations: int = knob("nn_warmupIterations")

    @property
    def nr_epochs(self) -> int:
        return sum(epochs for epochs, _ in self.learning_rates)


def make_optimizer(module: nn.Module, settings: ScheduleSettings) -> torch.optim.Optimizer:
    """An optimiser of the module's trained weights: biases learn twice as fast and do not decay (section 2.3).

    Raises:
        ValueError: for an unknown optimiser.
    """
    if settings.optimizer not in ("sgd", "adamw"):
        raise ValueError(f'optimizer "{settings.optimizer}": must be "sgd" or "adamw"')
    trained = [parameter for parameter in module.parameters() if parameter.requires_grad]
    groups: list[dict[str, Any]] = [
        {"params": [p for p in trained if p.ndim > 1], "weight_decay": settings.weight_decay, "factor": 1.0},
        {"params": [p for p in trained if p.ndim == 1], "weight_decay": 0.0, "factor": 2.0},
    ]
    if settings.optimizer == "adamw":
        return torch.optim.AdamW(groups, lr=1.0, betas=(settings.momentum, 0.999))
    return torch.optim.SGD(groups, lr=1.0, momentum=settings.momentum)


def learning_rate(iteration: int, iterations_per_epoch: int, settings: ScheduleSettings) -> float:
    """The rate of an iteration, both counted from 0."""
    rates = [rate for epochs, rate in settings.learning_rates for _ in range(epochs)]
    return rates[iteration // iterations_per_epoch] * min(1.0, (iteration + 1) / (settings.warmup_iterations + 1))


def set_learning_rate(optimizer: torch.optim.Optimizer, rate: float) -> None:
    """Set the rate of every group, times its factor."""
    for group in optimizer.param_groups:
        group["lr"] = rate * group["factor"]
