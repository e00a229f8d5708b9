"""Fast R-CNN: the network of network.py with two outputs, one that classifies a ROI and one that moves it."""

from collections.abc import Sequence
from typing import Self

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fastRCNN.network import RoiNetwork
from fastRCNN.trunks import cut_to_train

Outputs = tuple[torch.Tensor, torch.Tensor]  # logits (R, K + 1), background first; normalised offsets (R, K, 4)


class FastRcnn(nn.Module):
    """Trunk, ROI pooling, head and two sibling outputs (Fast R-CNN, section 2.1).

    nr_classes: K, without the background. The outputs' weights come from torch's generator. `offset_mean` and
    `offset_std` (4,) are those of the offsets that it was trained on; see `predict`.
    """

    offset_mean: torch.Tensor
    offset_std: torch.Tensor

    def __init__(self, network: RoiNetwork, nr_classes: int) -> None:
        super().__init__()
        self.network = network
        with torch.inference_mode():
            side = 4 * network.backbone.stride
            pixels = torch.zeros(1, 3, side, side, device=network.device)
            nr_features = network(pixels, torch.zeros(1, 4, device=network.device)).shape[1]
        self.class_scores = nn.Linear(nr_features, nr_classes + 1)
        self.box_offsets = nn.Linear(nr_features, 4 * nr_classes)
        nn.init.normal_(self.class_scores.weight, std=0.01)  # section 2.3
        nn.init.normal_(self.box_offsets.weight, std=0.001)
        nn.init.zeros_(self.class_scores.bias)
        nn.init.zeros_(self.box_offsets.bias)
        self.register_buffer("offset_mean", torch.zeros(4))
        self.register_buffer("offset_std", torch.ones(4))
        self.to(network.device)
        self.eval()

    @property
    def device(self) -> torch.device:
        return self.network.device

    def outputs(self, features: torch.Tensor) -> Outputs:
        """What the two layers make of features (R, D)."""
        return self.class_scores(features), self.box_offsets(features).unflatten(1, (-1, 4))

    def forward(self, image: torch.Tensor, rois: torch.Tensor) -> Outputs:
        """Normalised image (1, 3, H, W) and rois (R, 4) in its pixels -> as `outputs`."""
        return self.outputs(self.network(image, rois))

    @torch.inference_mode()
    def predict(self, image: np.ndarray, rois: np.ndarray, batch_size: int) -> tuple[np.ndarray, np.ndarray]:
        """Score the ROIs of one image.

        Args:
            image: uint8 RGB (H, W, 3), scaled to the network's input.
            rois: (R, 4) in its pixels.
            batch_size: ROIs that go through the head at once.

        Returns:
            Probabilities (R, K + 1) and the offsets of `boxes.decode` (R, K, 4), float32.
        """
        weights = torch.cat([self.class_scores.weight, self.box_offsets.weight])
        biases = torch.cat([self.class_scores.bias, self.box_offsets.bias])
        outputs = self.network.linear(image, rois, weights, biases, batch_size)
        nr_scores = self.class_scores.out_features
        probabilities = outputs[:, :nr_scores].softmax(dim=1)
        offsets = outputs[:, nr_scores:].unflatten(1, (-1, 4)) * self.offset_std + self.offset_mean
        return probabilities.cpu().numpy(), offsets.cpu().numpy()


class TrainedLayers(nn.Module):
    """The layers of a `FastRcnn` from one on: what training runs, again and again, and what gradients reach.

    first: a name of `Backbone.layers`, or "head" for a frozen trunk. `frozen` holds the layers before. Batch norm keeps
    its statistics and weights: a batch of two images is too small to learn them from.
    """

    def __init__(self, model: FastRcnn, first: str) -> None:
        super().__init__()
        frozen, self.trunk = cut_to_train(model.network.trunk, model.network.backbone.layers, first)
        self._outside = model, frozen  # in a tuple, so that torch does not take them for modules of this one
        self.head = model.network.head
        self.class_scores, self.box_offsets = model.class_scores, model.box_offsets
        model.requires_grad_(False)
        self.requires_grad_(True)
        for module in self.modules():
            if isinstance(module, nn.modules.batchnorm._BatchNorm):
                module.requires_grad_(False)

    @property
    def frozen(self) -> nn.Module:
        return self._outside[1]

    def train(self, mode: bool = True) -> Self:
        """Only dropout has a training mode here."""
        for module in self.modules():
            module.training = mode and isinstance(module, nn.Dropout)
        return self

    def forward(self, maps: Sequence[torch.Tensor], rois: Sequence[torch.Tensor]) -> Outputs:
        """For each image a map of the frozen layers (1, C, H, W) and rois (R, 4) -> as `FastRcnn.outputs`, joined."""
        model = self._outside[0]
        features = [
            model.network.on_map(self.trunk(feature_map).float(), boxes)
            for feature_map, boxes in zip(maps, rois, strict=True)
        ]
        return model.outputs(torch.cat(features))


def multi_task_loss(
    logits: torch.Tensor,
    offsets: torch.Tensor,
    labels: torch.Tensor,
    targets: torch.Tensor,
    location_weight: float,
    beta: float = 1.0,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Classification loss and box-regression loss of N ROIs (Fast R-CNN, section 2.3, equations 1 to 3).

    Args:
        logits: (N, K + 1).
        offsets: (N, K, 4), normalised.
        labels: (N,) int64, 0 for background.
        targets: (N, 4), normalised offsets, of which only the rows of positives count.
        location_weight: lambda.
        beta: where smooth L1 turns from a parabola into a line.

    Returns:
        Cross-entropy and location_weight * smooth L1, both averages over all N, and 0 where N is 0.
    """
    count = max(1, len(labels))
    classification = functional.cross_entropy(logits, labels, reduction="sum") / count
    positives = torch.nonzero(labels > 0).squeeze(1)
    moved = offsets[positives, labels[positives] - 1]  # (P, 4)
    regression = functional.smooth_l1_loss(moved, targets[positives], beta=beta, reduction="sum") / count
    return classification, location_weight * regression
