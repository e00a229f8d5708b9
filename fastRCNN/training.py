"""Stochastic training of a Fast R-CNN (Fast R-CNN, section 2.3): two images per step, a few ROIs of each.

Every random choice follows from the seed, the epoch and the place in it, never from what was drawn before. So a run
that was broken off and taken up again ends with the same weights as one that was not.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol

import numpy as np
import torch
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from fastRCNN.fast_rcnn import FastRcnn, TrainedLayers, multi_task_loss
from fastRCNN.ranks import Ranks
from fastRCNN.sampling import SamplingSettings, sample_rois
from fastRCNN.schedule import ScheduleSettings, learning_rate, make_optimizer, set_learning_rate
from fastRCNN.settings import knob
from fastRCNN.targets import RoiTargets


@dataclass(frozen=True)
class TrainingSettings:
    """images_per_batch: of all processes together; mirrored: learn from mirror images as well; location_weight: lambda
    of the loss; clip_norm: greatest L2 norm of the gradient."""

    sampling: SamplingSettings
    schedule: ScheduleSettings
    images_per_batch: int = knob("nn_imagesPerBatch")
    mirrored: bool = knob("train_mirrored")
    location_weight: float = knob("nn_locationWeight")
    clip_norm: float = knob("nn_clipNorm")
    seed: int = knob("seed")


@dataclass(frozen=True)
class TrainingView:
    """An image or mirror image to learn from: map (1, C, H, W) of the frozen layers, ROIs (R, 4) in pixels of the
    network's input and what they should be."""

    feature_map: torch.Tensor
    rois: np.ndarray
    targets: RoiTargets

    def take(self, rows: np.ndarray) -> "TrainingView":
        """The same image with these of its ROIs."""
        targets = RoiTargets(self.targets.labels[rows], self.targets.overlaps[rows], self.targets.offsets[rows])
        return TrainingView(self.feature_map, self.rois[rows], targets)


class TrainingViews(Protocol):
    """What `Trainer` learns from: so many images, what each is called, and its view, mirrored or not."""

    def __len__(self) -> int: ...

    def name(self, index: int) -> str: ...

    def view(self, index: int, mirrored: bool) -> TrainingView: ...


Visit = tuple[int, bool]  # an image, and whether it is mirrored
Measures = dict[str, float]
MEASURES = ("loss", "classification loss", "box-regression loss", "accuracy", "foreground recall")


class Trainer:
    """Trains the layers of a model from `first_layer` on, on maps that come from those before, `frozen`.

    Call `measure_offsets` on the model before.
    """

    def __init__(self, model: FastRcnn, first_layer: str, settings: TrainingSettings, ranks: Ranks = Ranks()) -> None:
        if settings.images_per_batch % ranks.count:
            raise ValueError(
                f"{settings.images_per_batch} images per batch cannot be shared by {ranks.count} processes"
            )
        self.model, self.settings, self.ranks = model, settings, ranks
        self.layers = TrainedLayers(model, first_layer)
        self.frozen = self.layers.frozen
        self.optimizer = make_optimizer(self.layers, settings.schedule)
        self.parallel = DistributedDataParallel(self.layers) if ranks.count > 1 else self.layers

    def batches(self, epoch: int, nr_images: int) -> list[list[Visit]]:
        """What an epoch visits, by batches: every image once, the last batch filled up from the start."""
        random = np.random.default_rng([self.settings.seed, epoch])
        size = self.settings.images_per_batch
        order = random.permutation(nr_images)
        order = np.resize(order, -(-nr_images // size) * size)
        mirrored = random.random(len(order)) < (0.5 if self.settings.mirrored else 0.0)
        visits = list(zip(order.tolist(), mirrored.tolist(), strict=True))
        return [visits[i : i + size] for i in range(0, len(visits), size)]

    def train_epoch(
        self, epoch: int, images: TrainingViews, progress: Callable[[Measures], None] | None = None
    ) -> Measures:
        """One pass over the images; returns the means of `MEASURES`, equal in all processes.

        Args:
            progress: called with the measures of each iteration.

        Raises:
            FloatingPointError: naming the images, when the loss is not finite.
        """
        self.layers.train()
        batches, history = self.batches(epoch, len(images)), []
        for number, batch in enumerate(batches):
            iteration = epoch * len(batches) + number
            set_learning_rate(self.optimizer, learning_rate(iteration, len(batches), self.settings.schedule))
            share = self.ranks.share(list(enumerate(batch)))
            self._seed_dropout(iteration)
            views = [self._sample(images.view(*visit), iteration, place) for place, visit in share]
            measures = self._step(views, partial(_names, images, batch))
            history.append(measures)
            if progress:
                progress(measures)
        self.layers.eval()
        return dict(zip(MEASURES, self.ranks.mean(_mean_of(history)), strict=True))

    def _seed_dropout(self, iteration: int) -> None:
        """Dropout takes its numbers from torch's generator."""
        sequence = np.random.SeedSequence([self.settings.seed, iteration, self.ranks.rank])
        torch.manual_seed(int(sequence.generate_state(1)[0]))

    def _sample(self, view: TrainingView, iteration: int, place: int) -> TrainingView:
        """The view with the ROIs that this iteration looks at."""
        random = np.random.default_rng([self.settings.seed, iteration, place])
        return view.take(sample_rois(view.targets, self.settings.sampling, random))

    def _step(self, views: Sequence[TrainingView], names: Callable[[], str]) -> Measures:
        """One step down the gradient; returns its measures. names: tells what the images are called."""
        device, model = self.model.device, self.model
        maps = [view.feature_map.to(device, torch.float32) for view in views]
        rois = [torch.as_tensor(view.rois, dtype=torch.float32, device=device) for view in views]
        labels = torch.as_tensor(np.concatenate([view.targets.labels for view in views]), device=device)
        offsets = np.concatenate([view.targets.offsets for view in views])
        targets = (torch.as_tensor(offsets, dtype=torch.float32, device=device) - model.offset_mean) / model.offset_std
        with torch.autocast("cuda", torch.bfloat16, enabled=device.type == "cuda" and torch.cuda.is_bf16_supported()):
            logits, moved = self.parallel(maps, rois)
        logits, moved = logits.float(), moved.float()
        classification, regression = multi_task_loss(logits, moved, labels, targets, self.settings.location_weight)
        loss = classification + regression
        if not self._finite(loss):
            raise FloatingPointError(
                f"the loss is {loss.item()} at images {names()}: "
                "try lower learning rates, a longer warm-up, or look at these images' boxes"
            )
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        nn.utils.clip_grad_norm_(self.layers.parameters(), self.settings.clip_norm)
        self.optimizer.step()
        losses = [value.detach() for value in (loss, classification, regression)]
        return _measures(losses, logits.detach(), labels)

    def _finite(self, loss: torch.Tensor) -> bool:
        """Is it, in every process? All must stop together, or the others would wait for ever."""
        return bool(self.ranks.mean([float(torch.isfinite(loss))])[0] == 1)

    def state(self) -> dict[str, Any]:
        """What `load_state` needs to go on from here: tensors and numbers."""
        return {"model": self.model.state_dict(), "optimizer": self.optimizer.state_dict()}

    def load_state(self, state: Mapping[str, Any]) -> None:
        """Go on from a `state`; raises RuntimeError or ValueError for one of another network."""
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])


def measure_offsets(model: FastRcnn, offsets: Iterable[np.ndarray]) -> int:
    """Set mean and deviation of the model's offsets from those of all positives (section 2.3).

    Args:
        offsets: (n, 4) of each image; only their sums are held.

    Returns:
        The number of positives; without any, the model stays as it is.
    """
    count, mean, squares = 0, np.zeros(4), np.zeros(4)  # squares: summed squared distances to the mean, of each column
    for rows in offsets:
        if len(rows):
            own = np.mean(rows, axis=0, dtype=np.float64)
            total = count + len(rows)
            squares += ((rows - own) ** 2).sum(axis=0) + (own - mean) ** 2 * (count * len(rows) / total)
            mean += (own - mean) * (len(rows) / total)
            count = total
    if count:
        model.offset_mean.copy_(torch.as_tensor(mean))
        # of one positive, or of ROIs that fit perfectly, there is no deviation
        model.offset_std.copy_(torch.as_tensor(np.sqrt(squares / count)).clamp(min=1e-2))
    return count


def _names(images: TrainingViews, batch: Sequence[Visit]) -> str:
    return ", ".join(images.name(index) for index, _ in batch)


def _measures(losses: Sequence[torch.Tensor], logits: torch.Tensor, labels: torch.Tensor) -> Measures:
    """The numbers of `MEASURES`, losses the first three; foreground recall is NaN without foreground."""
    right = (logits.argmax(dim=1) == labels).float()
    values = (*losses, right.mean(), right[labels > 0].mean())
    return dict(zip(MEASURES, (float(value) for value in values), strict=True))


def _mean_of(history: Sequence[Measures]) -> list[float]:
    columns = ([measures[name] for measures in history] for name in MEASURES)
    return [float(np.nanmean(column)) if not np.isnan(column).all() else math.nan for column in columns]
