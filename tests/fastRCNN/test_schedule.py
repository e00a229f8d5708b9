"""Protects how fast the network learns: the rate of each iteration, and which weights learn faster or decay.

Every number follows from the settings by hand. A rate that is off by one epoch or biases that decay raise no error.
"""

import pytest
import torch
from settings import settings as settings_of
from torch import nn

from fastRCNN.schedule import ScheduleSettings, learning_rate, make_optimizer, set_learning_rate


def rates(iterations, per_epoch, pairs, warmup):
    settings = settings_of(ScheduleSettings, learning_rates=pairs, warmup_iterations=warmup)
    return [learning_rate(iteration, per_epoch, settings) for iteration in iterations]


# --- the rate ---


def test_warm_up_by_hand():
    # three iterations of warm-up: a quarter, a half, three quarters, and then the rate itself
    assert rates(range(6), 10, ((1, 0.4),), 3) == pytest.approx([0.1, 0.2, 0.3, 0.4, 0.4, 0.4])
    assert rates(range(3), 10, ((1, 0.4),), 0) == [0.4, 0.4, 0.4]


def test_steps_of_the_rate():
    # two epochs of three iterations at 0.1, one at 0.01, one at 0.5
    found = rates(range(12), 3, ((2, 0.1), (1, 0.01), (1, 0.5)), 0)
    assert found == [0.1] * 6 + [0.01] * 3 + [0.5] * 3


def test_a_warm_up_longer_than_the_first_step():
    # one iteration an epoch: 1/5 of 0.1, 2/5 of 0.1, 3/5 of 1, 4/5 of 1, 1
    assert rates(range(5), 1, ((2, 0.1), (3, 1.0)), 4) == pytest.approx([0.02, 0.04, 0.6, 0.8, 1.0])


def test_number_of_epochs():
    assert settings_of(ScheduleSettings, learning_rates=((30, 0.001), (10, 0.0001))).nr_epochs == 40
    assert settings_of(ScheduleSettings).nr_epochs == sum(
        epochs for epochs, _ in settings_of(ScheduleSettings).learning_rates
    )


# --- the weights ---


def two_layers():
    """A frozen and a trained layer."""
    module = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 2))
    module[0].requires_grad_(False)
    with torch.no_grad():
        module[1].weight.copy_(torch.tensor([[1.0, -2.0], [3.0, -4.0]]))
        module[1].bias.copy_(torch.tensor([5.0, -6.0]))
    return module


def step(module, optimizer, rate):
    """One step whose gradient is 0.5 at every weight."""
    set_learning_rate(optimizer, rate)
    for parameter in module.parameters():
        parameter.grad = torch.full_like(parameter, 0.5)
    optimizer.step()


@pytest.mark.parametrize("name", ["sgd", "adamw"])
def test_groups(name):
    module = two_layers()
    optimizer = make_optimizer(module, settings_of(ScheduleSettings, optimizer=name, weight_decay=0.3, momentum=0.8))
    set_learning_rate(optimizer, 0.25)
    weights, biases = optimizer.param_groups
    assert [id(parameter) for parameter in weights["params"]] == [id(module[1].weight)]
    assert [id(parameter) for parameter in biases["params"]] == [id(module[1].bias)]
    assert (weights["lr"], biases["lr"]) == (0.25, 0.5)
    assert (weights["weight_decay"], biases["weight_decay"]) == (0.3, 0)
    assert isinstance(optimizer, {"sgd": torch.optim.SGD, "adamw": torch.optim.AdamW}[name])
    assert all((group["momentum"] if name == "sgd" else group["betas"][0]) == 0.8 for group in (weights, biases))


def test_two_steps_of_sgd_by_hand():
    module = two_layers()
    frozen = module[0].weight.clone()
    optimizer = make_optimizer(module, settings_of(ScheduleSettings, momentum=0.5, weight_decay=0.1))
    step(module, optimizer, 0.01)
    # the weight 1: 0.5 + 0.1 * 1 = 0.6, times 0.01; the bias 5: 0.5, times 0.02
    assert module[1].weight[0, 0].item() == pytest.approx(1 - 0.006)
    assert module[1].bias[0].item() == pytest.approx(5 - 0.01)
    step(module, optimizer, 0.02)
    # the weight 0.994: 0.5 * 0.6 + 0.5 + 0.0994 = 0.8994, times 0.02; the bias: 0.25 + 0.5, times 0.04
    assert module[1].weight[0, 0].item() == pytest.approx(0.994 - 0.017988)
    assert module[1].bias[0].item() == pytest.approx(4.99 - 0.03)
    assert torch.equal(module[0].weight, frozen)


def test_a_step_of_adamw_by_hand():
    module = two_layers()
    optimizer = make_optimizer(module, settings_of(ScheduleSettings, optimizer="adamw", weight_decay=0.1))
    step(module, optimizer, 0.01)
    # its first step is the rate itself, whatever the gradient; decay is a part 0.01 * 0.1 of the weight
    assert module[1].weight.flatten().tolist() == pytest.approx(
        [value * (1 - 0.001) - 0.01 for value in (1, -2, 3, -4)], abs=1e-6
    )
    assert module[1].bias.tolist() == pytest.approx([5 - 0.02, -6 - 0.02], abs=1e-6)


def test_an_unknown_optimizer_is_named():
    with pytest.raises(ValueError, match='optimizer "adam": must be "sgd" or "adamw"'):
        make_optimizer(two_layers(), settings_of(ScheduleSettings, optimizer="adam"))
