"""Protects the two outputs of Fast R-CNN: their loss, their first weights, what they predict, and which layers learn.

A loss that is divided by another number, an offset taken from the neighbour class or a layer that does not learn raises
no error, it only makes the detector worse. The loss is compared with torchvision's, the layers that learn with the
names of torchvision's parameters. Weights are random.
"""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn
from torchvision import models
from torchvision.models.detection.roi_heads import fastrcnn_loss

from fastRCNN.backbones import BACKBONES
from fastRCNN.fast_rcnn import FastRcnn, TrainedLayers, multi_task_loss
from fastRCNN.network import RoiNetwork

IMAGE = np.random.default_rng(0).integers(0, 256, (64, 80, 3), dtype=np.uint8)
ROIS = np.array([[0, 0, 80, 64], [20, 10, 60, 40.5], [3, 30, 50, 62]], np.float32)
NR_CLASSES = 2


@pytest.fixture(scope="module")
def squeezenet():
    torch.manual_seed(1)
    return FastRcnn(RoiNetwork("squeezenet1_1"), NR_CLASSES)


# --- the loss ---


def both_losses(labels, nr_classes=3, location_weight=1.0, seed=0):
    """(naming, moving) and their gradients (logits, offsets), ours and torchvision's, on random outputs."""
    torch.manual_seed(seed)
    labels = torch.as_tensor(labels, dtype=torch.int64)
    logits = torch.randn(len(labels), nr_classes + 1)
    offsets = torch.randn(len(labels), nr_classes, 4)
    targets = torch.randn(len(labels), 4)
    results = []
    for is_ours in (True, False):
        inputs = logits.clone().requires_grad_(), offsets.clone().requires_grad_()
        if is_ours:
            naming, moving = multi_task_loss(*inputs, labels, targets, location_weight, beta=1 / 9)
        else:
            # torchvision has offsets of the background as well, which nobody uses
            with_background = torch.cat([torch.full((len(labels), 1, 4), 77.0), inputs[1]], dim=1).flatten(1)
            naming, moving = fastrcnn_loss(inputs[0], with_background, [labels], [targets])
            moving = location_weight * moving
        (naming + moving).backward()
        results.append((torch.stack([naming, moving]).detach(), inputs[0].grad, inputs[1].grad))
    return results


@pytest.mark.parametrize(
    "labels", [[0, 3, 0, 1, 2, 2, 0, 1], [0, 0, 0, 0, 0], [1, 2, 3, 3], [2], [0]], ids=lambda labels: str(labels)
)
@pytest.mark.parametrize("location_weight", [1.0, 2.5, 0.0])
def test_loss_is_torchvisions(labels, location_weight):
    ours, theirs = both_losses(labels, location_weight=location_weight)
    for found, expected in zip(ours, theirs, strict=True):
        assert (found - expected).abs().max() < 1e-6
    assert (ours[0][1] > 0) == (any(labels) and location_weight > 0)  # only objects are moved


def test_loss_by_hand():
    # two ROIs: the first of class 2, whose offsets are off by 0.5 and 3; the second is background
    logits = torch.zeros(2, 3)
    offsets = torch.tensor([[[9.0, 9, 9, 9], [0.5, 0, 0, 3]], [[9, 9, 9, 9], [9, 9, 9, 9]]])
    naming, moving = multi_task_loss(logits, offsets, torch.tensor([2, 0]), torch.zeros(2, 4), 1.0)
    assert naming.item() == pytest.approx(np.log(3))
    # smooth L1 is 0.5 * 0.5 ** 2 = 0.125 and 3 - 0.5 = 2.5; two ROIs share them
    assert moving.item() == pytest.approx((0.125 + 2.5) / 2)


def test_loss_of_no_roi_is_nothing():
    logits, offsets = torch.zeros(0, 4, requires_grad=True), torch.zeros(0, 3, 4, requires_grad=True)
    naming, moving = multi_task_loss(logits, offsets, torch.zeros(0, dtype=torch.int64), torch.zeros(0, 4), 1.0)
    assert (naming.item(), moving.item()) == (0, 0)
    (naming + moving).backward()


# --- new layers and what they predict ---


def test_first_weights(squeezenet):
    scores, offsets = squeezenet.class_scores, squeezenet.box_offsets
    assert scores.weight.shape == (NR_CLASSES + 1, 6912) and offsets.weight.shape == (4 * NR_CLASSES, 6912)
    for layer, deviation in ((scores, 0.01), (offsets, 0.001)):  # Fast R-CNN, section 2.3
        weight = layer.weight.detach()
        assert weight.std().item() == pytest.approx(deviation, rel=0.05)
        assert abs(weight.mean().item()) < 0.05 * deviation
        assert (layer.bias == 0).all()
    assert (squeezenet.offset_mean == 0).all() and (squeezenet.offset_std == 1).all()
    assert not any(module.training for module in squeezenet.modules())


@pytest.fixture
def trained_looking(squeezenet):
    """A model whose probabilities and offsets differ from ROI to ROI, with offsets that were normalised."""
    torch.manual_seed(2)
    model = FastRcnn(squeezenet.network, NR_CLASSES)
    for layer in (model.class_scores, model.box_offsets):
        nn.init.normal_(layer.weight, std=0.03)
        nn.init.normal_(layer.bias)
    model.offset_mean.copy_(torch.tensor([0.1, -0.2, 0.3, -0.4]))
    model.offset_std.copy_(torch.tensor([0.5, 0.25, 2.0, 3.0]))
    return model


def test_predict_is_softmax_and_offsets_in_their_own_scale(trained_looking):
    model = trained_looking
    with torch.no_grad():
        features = model.network(model.network.prepare(IMAGE), torch.tensor(ROIS)).double().numpy()
    logits = features @ model.class_scores.weight.detach().double().numpy().T + model.class_scores.bias.detach().numpy()
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    raw = features @ model.box_offsets.weight.detach().double().numpy().T + model.box_offsets.bias.detach().numpy()
    expected = raw.reshape(len(ROIS), NR_CLASSES, 4) * [0.5, 0.25, 2.0, 3.0] + [0.1, -0.2, 0.3, -0.4]
    probabilities, offsets = model.predict(IMAGE, ROIS, 500)
    assert probabilities.shape == (3, NR_CLASSES + 1) and offsets.shape == (3, NR_CLASSES, 4)
    assert probabilities.dtype == offsets.dtype == np.float32
    assert probabilities == pytest.approx(odds / odds.sum(axis=1, keepdims=True), abs=1e-5)
    assert offsets == pytest.approx(expected, abs=1e-3)
    assert np.abs(probabilities[0] - probabilities[1]).max() > 0.01  # there is something to compare


def test_predict_in_batches_is_the_same(trained_looking):
    whole = trained_looking.predict(IMAGE, ROIS, 500)
    for batch_size in (1, 2, 3):
        parts = trained_looking.predict(IMAGE, ROIS, batch_size)
        assert all(part == pytest.approx(all_at_once, abs=1e-4) for part, all_at_once in zip(parts, whole, strict=True))


def test_predict_without_rois(squeezenet):
    probabilities, offsets = squeezenet.predict(IMAGE, np.zeros((0, 4)), 500)
    assert probabilities.shape == (0, NR_CLASSES + 1) and offsets.shape == (0, NR_CLASSES, 4)


# --- which layers learn ---


def model_and_names(name, change=lambda plain: None):
    """A `FastRcnn` on torchvision's model, and that model, whose parameters have torchvision's names."""
    torch.manual_seed(0)
    plain = getattr(models, name)()
    change(plain)
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(BACKBONES, name, replace(BACKBONES[name], build=lambda: plain))
        return FastRcnn(RoiNetwork(name), NR_CLASSES), plain


def learners(plain, wanted):
    """Names of the parameters in these layers, but for those of batch norm, and the outputs' own."""
    norms = [name for name, module in plain.named_modules() if isinstance(module, nn.BatchNorm2d)]
    names = [name for name, _ in plain.named_parameters() if name.rpartition(".")[0] not in norms]
    inside = {name for name in names if any(name.startswith(f"{layer}.") for layer in wanted)}
    outputs = {f"{layer}.{kind}" for layer in ("class_scores", "box_offsets") for kind in ("weight", "bias")}
    return inside | outputs


def features(first, last):
    return [f"features.{index}" for index in range(first, last + 1)]


@pytest.mark.parametrize(
    ("name", "first", "wanted"),
    [
        ("squeezenet1_1", "head", []),
        ("squeezenet1_1", "features.9", features(9, 12)),  # the deep level alone
        ("squeezenet1_1", "features.4", features(4, 12)),  # part of the shallow level as well
        ("squeezenet1_1", "features.0", features(0, 12)),
        ("resnet18", "head", ["layer4"]),
        ("resnet18", "layer3", ["layer3", "layer4"]),
        ("resnet18", "bn1", ["layer1", "layer2", "layer3", "layer4"]),
        ("resnet18", "conv1", ["conv1", "layer1", "layer2", "layer3", "layer4"]),
    ],
)
def test_gradients_reach_exactly_the_layers_that_learn(name, first, wanted):
    model, plain = model_and_names(name)
    layers = TrainedLayers(model, first).train()
    feature_map = layers.frozen(model.network.prepare(IMAGE))
    logits, offsets = layers([feature_map], [torch.tensor(ROIS[:2])])
    with torch.no_grad():
        whole = model(model.network.prepare(IMAGE), torch.tensor(ROIS[:2]))
    for found, expected in zip((logits, offsets), whole, strict=True):
        assert (found - expected).abs().max() < 1e-5
    (logits.square().sum() + offsets.square().sum()).backward()
    names = {id(parameter): f"{layer}.{kind}" for layer, part in (
        ("class_scores", model.class_scores), ("box_offsets", model.box_offsets)
    ) for kind, parameter in part.named_parameters()}  # fmt: skip
    names |= {id(parameter): parameter_name for parameter_name, parameter in plain.named_parameters()}
    reached = {names[id(parameter)] for parameter in model.parameters() if parameter.grad is not None}
    assert reached == learners(plain, wanted)
    assert all(parameter.grad.abs().max() > 0 for parameter in model.parameters() if parameter.grad is not None)
    # what the optimiser gets is the same set
    assert {names[id(parameter)] for parameter in layers.parameters() if parameter.requires_grad} == reached


def test_an_unknown_layer_is_refused(squeezenet):
    with pytest.raises(ValueError):
        TrainedLayers(squeezenet, "features.10")  # the trunk's second level cannot be cut


def test_batch_norm_neither_learns_nor_counts():
    model, plain = model_and_names("resnet18")
    buffers = {name: tensor.clone() for name, tensor in plain.named_buffers()}
    layers = TrainedLayers(model, "conv1")
    pixels, rois = model.network.prepare(IMAGE), torch.tensor(ROIS[:2])
    with torch.no_grad():
        before = layers.eval()([pixels], [rois])
        while_training = layers.train()([pixels], [rois])
    assert all(torch.equal(*pair) for pair in zip(before, while_training, strict=True))
    assert buffers and all(torch.equal(tensor, buffers[name]) for name, tensor in plain.named_buffers())


def thin_classifier(plain):
    plain.classifier[1], plain.classifier[4] = nn.Linear(9216, 20), nn.Linear(20, 10)


def test_dropout_is_active_in_training_only():
    model, _ = model_and_names("alexnet", thin_classifier)
    layers = TrainedLayers(model, "head")
    with torch.no_grad():
        feature_map = layers.frozen(model.network.prepare(IMAGE))

    def logits(seed):
        torch.manual_seed(seed)
        with torch.no_grad():
            return layers([feature_map], [torch.tensor(ROIS)])[0]

    assert torch.equal(logits(1), logits(2))
    layers.train()
    assert torch.equal(logits(1), logits(1)) and not torch.equal(logits(1), logits(2))
    layers.eval()
    assert torch.equal(logits(1), logits(2)) and not any(module.training for module in model.modules())


def test_images_are_joined_in_order_and_may_have_no_roi(squeezenet):
    layers = TrainedLayers(squeezenet, "features.9").train()
    with torch.no_grad():
        maps = [layers.frozen(squeezenet.network.prepare(image)) for image in (IMAGE, IMAGE[::-1], IMAGE[:40])]
    rois = [torch.tensor(ROIS[:1]), torch.zeros(0, 4), torch.tensor(ROIS[1:])]
    joined = layers(maps, rois)
    alone = [layers(maps[index : index + 1], rois[index : index + 1]) for index in range(3)]
    for found, parts in zip(joined, zip(*alone, strict=True), strict=True):
        assert found.shape[0] == 3 and (found - torch.cat(parts)).abs().max() < 1e-5
    logits, offsets = alone[1]  # an image without ROIs is no obstacle, and teaches nothing
    (logits.sum() + offsets.sum()).backward()
    assert all(not parameter.grad.any() for parameter in layers.parameters() if parameter.grad is not None)
