"""Protects training itself: that it learns what is drawn in an image, that a broken-off run ends like an undisturbed
one to the last bit, that the seed decides everything, and that it stops where numbers are no longer finite.

Images are drawn in memory, see drawn_images.py, and weights are random: nothing is read or written.
"""

import io
import math

import numpy as np
import pytest
import torch
from drawn_images import CLASS_IDS, DrawnImages, quick_settings, small_model
from tiny import HEIGHT, WIDTH

from fastRCNN import training
from fastRCNN.detection import candidates, suppress
from fastRCNN.evaluation import precision_recall
from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.network import RoiNetwork
from fastRCNN.ranks import Ranks
from fastRCNN.sampling import sample_rois
from fastRCNN.training import MEASURES, Trainer, measure_offsets


def prepared(model, layer, settings, count=3):
    """A trainer and its images."""
    trainer = Trainer(model, layer, settings)
    images = DrawnImages(count, model.network, trainer.frozen)
    measure_offsets(model, images.offsets())
    return trainer, images


def weights(model):
    """A copy of every tensor of a model."""
    return {name: tensor.clone() for name, tensor in model.state_dict().items()}


def changed(before, after):
    return {name for name in before if not torch.equal(before[name], after[name])}


# --- does it learn? ---


@pytest.mark.slow
def test_one_image_is_learnt_by_heart():
    torch.manual_seed(0)
    model = FastRcnn(RoiNetwork("squeezenet1_1"), len(CLASS_IDS))
    settings = quick_settings(
        images_per_batch=1,
        mirrored=False,
        sampling={"rois_per_image": 64},
        schedule={"optimizer": "adamw", "learning_rates": ((100, 0.003), (60, 0.0003)), "warmup_iterations": 20},
    )
    trainer, images = prepared(model, "head", settings, count=1)
    losses = [trainer.train_epoch(epoch, images)["loss"] for epoch in range(settings.schedule.nr_epochs)]
    assert losses[0] > 1 and np.mean(losses[-5:]) < 0.1
    rois, truth = images.rois[0], images.truths[0]
    probabilities, offsets = model.predict(images.pixels[0], rois, 500)
    found = candidates(rois, probabilities[:, 1:], offsets, (WIDTH, HEIGHT), 0.05)
    kept = found.take(suppress(found, 0.3, 100))
    for class_id in CLASS_IDS.values():
        for threshold in (0.5, 0.75):  # no ROI is exact: the offsets have learnt as well
            assert precision_recall([kept], [truth], class_id, threshold).ap() == 1


def test_only_the_layers_that_learn_change():
    model = small_model()
    trainer, images = prepared(model, "features.9", quick_settings())
    before = weights(model)
    measures = trainer.train_epoch(0, images)
    frozen = {name for name in before if name.startswith("network.trunk.shallow") or name.startswith("offset_")}
    assert changed(before, weights(model)) == set(before) - frozen
    assert not any(module.training for module in model.modules())
    assert tuple(measures) == MEASURES and all(math.isfinite(value) for value in measures.values())


def test_measures():
    model = small_model()
    trainer, images = prepared(model, "head", quick_settings(images_per_batch=1, mirrored=False), count=2)
    images.truths[0] = images.truths[0].take(slice(0))  # an image without objects
    steps = []
    measures = trainer.train_epoch(0, images, steps.append)
    assert len(steps) == 2 and all(tuple(step) == MEASURES for step in steps)
    first = steps[0]  # the outputs are still near 0: three classes are equally likely
    assert first["classification loss"] == pytest.approx(math.log(3), abs=0.1)
    assert all(
        step["loss"] == pytest.approx(step["classification loss"] + step["box-regression loss"], rel=1e-5)
        for step in steps
    )
    for name in MEASURES[:4]:
        assert measures[name] == pytest.approx((steps[0][name] + steps[1][name]) / 2)
    # foreground recall has no meaning without objects, and the epoch's is that of the other image
    negative, positive = sorted(steps, key=lambda step: step["box-regression loss"])
    assert negative["box-regression loss"] == 0 and math.isnan(negative["foreground recall"])
    assert measures["foreground recall"] == positive["foreground recall"]


def test_without_weight_the_offsets_do_not_learn():
    model = small_model()
    settings = quick_settings(location_weight=0.0, schedule={"weight_decay": 0.0})
    trainer, images = prepared(model, "head", settings)
    before = weights(model)
    assert trainer.train_epoch(0, images)["box-regression loss"] == 0
    assert not {"box_offsets.weight", "box_offsets.bias"} & changed(before, weights(model))


def test_an_image_that_teaches_nothing_is_no_obstacle():
    model = small_model()
    settings = quick_settings(images_per_batch=1, schedule={"weight_decay": 0.0})
    trainer, images = prepared(model, "features.9", settings, count=1)
    images.rois[0] = images.rois[0][:0]
    before = weights(model)
    assert trainer.train_epoch(0, images)["loss"] == 0
    assert not changed(before, weights(model))


# --- which images, in which order ---


def test_every_image_once_an_epoch():
    trainer = Trainer(small_model(), "head", quick_settings(images_per_batch=2))
    batches = trainer.batches(0, 5)
    visited = [index for batch in batches for index, _ in batch]
    assert [len(batch) for batch in batches] == [2, 2, 2]
    assert sorted(visited[:5]) == [0, 1, 2, 3, 4] and visited[5] == visited[0]  # filled up from the start
    assert len(trainer.batches(0, 4)) == 2
    assert trainer.batches(0, 5) == batches != trainer.batches(1, 5)


def test_fewer_images_than_a_batch():
    (batch,) = Trainer(small_model(), "head", quick_settings(images_per_batch=4)).batches(0, 1)
    assert [index for index, _ in batch] == [0, 0, 0, 0]


def test_an_image_that_fills_up_a_batch_is_sampled_anew(monkeypatch):
    model, drawn = small_model(), []

    def remember(*arguments):
        drawn.append(sample_rois(*arguments))
        return drawn[-1]

    monkeypatch.setattr(training, "sample_rois", remember)
    trainer, images = prepared(model, "head", quick_settings(images_per_batch=2), count=1)
    trainer.train_epoch(0, images)
    assert len(drawn) == 2 and drawn[0].tolist() != drawn[1].tolist()


def test_half_of_the_images_are_mirrored_or_none():
    for mirrored, low, high in ((True, 0.4, 0.6), (False, 0, 0)):
        trainer = Trainer(small_model(), "head", quick_settings(mirrored=mirrored))
        flags = [flag for epoch in range(40) for batch in trainer.batches(epoch, 10) for _, flag in batch]
        assert low <= np.mean(flags) <= high


def test_an_epoch_visits_its_batches():
    model = small_model()
    trainer, images = prepared(model, "head", quick_settings())
    for epoch in (0, 3):
        images.visits.clear()
        trainer.train_epoch(epoch, images)
        assert images.visits == [visit for batch in trainer.batches(epoch, 3) for visit in batch]


def test_a_batch_that_processes_cannot_share():
    with pytest.raises(ValueError, match="3 images per batch cannot be shared by 2 processes"):
        Trainer(small_model(), "head", quick_settings(images_per_batch=3), Ranks(0, 2))


# --- the same again ---


def run(seed=0, epochs=range(4), state=None, model_seed=0, optimizer="sgd"):
    """Train with dropout and mirrored images; returns the trainer. state: what to go on from, as bytes of a file."""
    model = small_model(model_seed, dropout=0.5)
    settings = quick_settings(seed=seed, schedule={"optimizer": optimizer})
    trainer = Trainer(model, "features.9", settings)
    images = DrawnImages(3, model.network, trainer.frozen)
    if state is None:
        measure_offsets(model, images.offsets())
        images.maps.clear()
    else:
        trainer.load_state(torch.load(io.BytesIO(state), weights_only=True))
    torch.manual_seed(77 + len(epochs))  # nothing may depend on what was drawn before
    for epoch in epochs:
        trainer.train_epoch(epoch, images)
    assert len({mirrored for _, mirrored in images.visits}) == 2
    return trainer


def saved(trainer):
    file = io.BytesIO()
    torch.save(trainer.state(), file)
    return file.getvalue()


@pytest.mark.slow
@pytest.mark.parametrize("optimizer", ["sgd", "adamw"])
def test_broken_off_and_taken_up_again_is_undisturbed(optimizer):
    undisturbed = run(optimizer=optimizer)
    state = saved(run(epochs=(0, 1), optimizer=optimizer))
    # the second run starts as another network, all of whose weights are replaced
    resumed = run(epochs=(2, 3), optimizer=optimizer, state=state, model_seed=5)
    assert not changed(weights(undisturbed.model), weights(resumed.model))
    assert saved(undisturbed) == saved(resumed)  # the optimiser's momentum as well


def test_the_seed_decides():
    first, second, other = (weights(run(seed=seed, epochs=(0,)).model) for seed in (3, 3, 4))
    assert not changed(first, second)
    assert {"class_scores.weight", "box_offsets.weight", "network.head.2.weight"} <= changed(first, other)


def test_a_state_of_another_network_is_refused():
    state = Trainer(small_model(), "head", quick_settings()).state()
    torch.manual_seed(0)
    other = Trainer(FastRcnn(RoiNetwork("squeezenet1_1"), 5), "head", quick_settings())
    with pytest.raises(RuntimeError, match="class_scores"):
        other.load_state(state)
    with pytest.raises(ValueError):  # the same network, more layers that learn
        Trainer(small_model(), "features.9", quick_settings()).load_state(state)


# --- large gradients and broken numbers ---


def one_step(clip_norm):
    """What a step at rate 1 subtracts from the weights, and half of what it subtracts from biases: the gradient."""
    model = small_model()
    schedule = {"learning_rates": ((1, 1.0),), "warmup_iterations": 0, "momentum": 0.0, "weight_decay": 0.0}
    trainer, images = prepared(model, "head", quick_settings(clip_norm=clip_norm, schedule=schedule), count=2)
    before = weights(model)
    trainer.train_epoch(0, images)
    names = [name for name, _ in model.named_parameters() if not name.startswith("network.trunk")]
    steps = [before[name] - model.state_dict()[name] for name in names]
    return torch.cat([(step if step.ndim > 1 else step / 2).flatten() for step in steps])


def test_a_gradient_is_clipped_to_its_greatest_norm():
    free, clipped = one_step(1e6), one_step(0.01)
    assert free.norm() > 0.1
    assert clipped.norm().item() == pytest.approx(0.01, rel=1e-2)
    assert torch.cosine_similarity(free, clipped, dim=0) > 0.999  # shorter, in the same direction


@pytest.mark.parametrize("images_per_batch", [1, 2])
def test_a_loss_that_is_not_finite_names_the_images(images_per_batch):
    model = small_model()
    settings = quick_settings(images_per_batch=images_per_batch, mirrored=False)
    trainer, images = prepared(model, "head", settings, count=4)
    images.maps[2, False] = images.maps[2, False] * math.nan
    with pytest.raises(FloatingPointError) as caught:
        trainer.train_epoch(0, images)
    batch = next(batch for batch in trainer.batches(0, 4) if (2, False) in batch)
    named = [images.name(index) for index in range(4) if images.name(index) in str(caught.value)]
    assert named == sorted(images.name(index) for index, _ in batch) and len(named) == images_per_batch
    assert "the loss is nan" in str(caught.value) and "learning rates" in str(caught.value)
    # the weights are still those of the last good step
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


# --- the offsets' own scale ---


def test_offsets_are_normalised_by_those_of_all_objects():
    model = small_model()
    offsets = np.random.default_rng(0).normal([0.1, -0.2, 0, 2], [0.5, 1, 0.1, 0.3], (50, 4))
    parts = [offsets[:1], offsets[1:1], offsets[1:40], offsets[40:]]  # of images with 1, 0, 39 and 10 ROIs on objects
    assert measure_offsets(model, iter(parts)) == 50
    assert model.offset_mean.numpy() == pytest.approx(offsets.mean(axis=0), abs=1e-6)
    assert model.offset_std.numpy() == pytest.approx(offsets.std(axis=0), abs=1e-6)


def test_offsets_of_one_object_and_of_none():
    model = small_model()
    assert measure_offsets(model, [np.zeros((0, 4))]) == measure_offsets(model, []) == 0
    assert model.offset_mean.tolist() == [0] * 4 and model.offset_std.tolist() == [1] * 4
    assert measure_offsets(model, [np.array([[0.1, 0.2, 0.3, -0.4]])]) == 1
    assert model.offset_mean.tolist() == pytest.approx([0.1, 0.2, 0.3, -0.4])
    assert model.offset_std.tolist() == pytest.approx([0.01] * 4)  # nothing is divided by zero


def test_training_asks_for_normalised_offsets(monkeypatch):
    model, asked = small_model(), []
    real = training.multi_task_loss
    monkeypatch.setattr(training, "multi_task_loss", lambda *values: (asked.append(values[2:4]), real(*values))[1])
    trainer, images = prepared(model, "head", quick_settings(images_per_batch=1, mirrored=False), count=1)
    model.offset_mean += 0.5  # far from zero, so that it matters
    mean, std = model.offset_mean.clone(), model.offset_std.clone()
    trainer.train_epoch(0, images)
    true = np.concatenate(list(images.offsets()))  # (n, 4)
    rows = np.concatenate([(targets[labels > 0] * std + mean).numpy() for labels, targets in asked])
    assert len(rows) > 0
    assert np.abs(rows[:, None] - true[None]).max(axis=2).min(axis=1).max() < 1e-5, "each is the offset of some ROI"
