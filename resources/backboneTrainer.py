"""How trainBackbone.py trains: the recipe, the network while it learns, and one pass over the photos after the other.

Nothing here reads a photo or writes weights; all that it leaves on disk is a checkpoint.
"""

import copy
import math
import os
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from photoFolders import disturb, normalise, random_crop
from torch import nn
from torch.nn import functional
from torchvision.models import squeezenet1_1


def knob(default, meaning):
    """A field of Recipe, and what --help says about it."""
    return field(default=default, metadata={"help": f"{meaning} (default {default})"})


@dataclass(frozen=True)
class Recipe:
    """What decides the weights, besides the photos."""

    epochs: int = knob(80, "passes over the photos")
    batchSize: int = knob(64, "photos a step")
    workers: int = knob(2, "threads that share a step's photos; each has batch statistics of its own")
    learningRate: float = knob(2e-3, "AdamW's highest rate, reached after the warm-up")
    weightDecay: float = knob(0.05, "AdamW's weight decay, on convolution weights only")
    minSize: int = knob(64, "side of the square crops in the first epoch, pixels")
    maxSize: int = knob(128, "side of the square crops in the last epoch, pixels")
    minArea: float = knob(0.2, "smallest share of a photo's area that a crop shows")
    mosaic: float = knob(0.5, "share of the steps that show 2x2 mosaics of crops")
    seed: int = knob(0, "seed of the first weights and of every random choice")

    def __post_init__(self):
        if self.epochs < 1 or self.workers < 1 or self.batchSize < 4 * self.workers:
            raise ValueError("epochs and workers must be at least 1, batchSize at least 4 per worker")
        if not 32 <= self.minSize <= self.maxSize:
            raise ValueError(f"minSize {self.minSize}, maxSize {self.maxSize}: 32 <= minSize <= maxSize is needed")
        if not (0 < self.minArea <= 1 and 0 <= self.mosaic <= 1):
            raise ValueError(f"minArea {self.minArea} must be in (0, 1], mosaic {self.mosaic} in [0, 1]")


def make_network(classes):
    """squeezenet1_1 with a batch norm after every convolution of `features`: without one, training is slow and frail.

    A trained batch norm is linear, so trainBackbone.py can hide it in the convolutions again.
    """
    network = squeezenet1_1(num_classes=classes)
    network.classifier[1].bias.requires_grad_(False)  # stays zero, see trainBackbone.folded_state
    for module in list(network.features.modules()):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Conv2d):
                nn.init.kaiming_normal_(child.weight, mode="fan_out", nonlinearity="relu")
                setattr(module, name, nn.Sequential(child, nn.BatchNorm2d(child.out_channels)))
    return network.to(memory_format=torch.channels_last)


def learning_rate(step, steps, recipe):
    """Linear warm-up over the first 5 % of the steps, then half a cosine down to zero."""
    warmup = max(1, steps // 20)
    if step < warmup:
        return recipe.learningRate * (step + 1) / warmup
    return recipe.learningRate * (1 + math.cos(math.pi * (step - warmup) / max(1, steps - warmup))) / 2


def crop_size(epoch, recipe):
    """Side of an epoch's crops, growing by steps of 16, the trunk's stride: small crops cost a quarter, and teach."""
    share = epoch / max(1, recipe.epochs - 1)
    return recipe.minSize + round((recipe.maxSize - recipe.minSize) * share / 16) * 16


def to_mosaic(images):
    """(4B, 3, S, S) to (B, 3, 2S, 2S): four images become the quadrants of one.

    A detector pools regions of a crowded photo, where a region's features also see its neighbours. Crops shown one by
    one have zero padding there instead; a mosaic (Bochkovskiy et al. 2020) whose quadrants are classified one by one
    teaches features that stay local.
    """
    top_left, top_right, bottom_left, bottom_right = images.chunk(4)
    return torch.cat([torch.cat([top_left, top_right], 3), torch.cat([bottom_left, bottom_right], 3)], 2)


def region_scores(maps, quadrants):
    """Score maps (B, N, h, w) to mean scores (B * quadrants ** 2, N), in the order that `to_mosaic` was given."""
    return functional.adaptive_avg_pool2d(maps.float(), quadrants).permute(2, 3, 0, 1).flatten(0, 2)


def set_gradients(network, photos, labels, size, mosaic, min_area, rng):
    """Forward and backward through `network` for a worker's photos (B of them); leaves `.grad`, returns the loss."""
    crops = np.stack([disturb(random_crop(photo, size, min_area, rng), rng) for photo in photos])
    images, quadrants = normalise(crops), 1  # (B, 3, S, S)
    if mosaic and len(images) % 4 == 0:
        images, quadrants = to_mosaic(images), 2  # (B/4, 3, 2S, 2S)
    # bfloat16 is faster on processors that multiply in it, and is emulated, slowly, on others
    with torch.autocast("cpu", torch.bfloat16, enabled=torch.ops.mkldnn._is_mkldnn_bf16_supported()):
        maps = network.classifier[1](network.features(images.contiguous(memory_format=torch.channels_last)))
    loss = functional.cross_entropy(region_scores(maps, quadrants), labels, label_smoothing=0.1)
    network.zero_grad()
    loss.backward()
    return loss.item()


class Trainer:
    """The network, one replica of it per worker, the running average of its weights, and the optimiser.

    Whole replicas in threads, each computing on one core, rather than all cores on every layer: the layers of this
    network are so small that cores would mostly wait for each other, most of all beside other programs.
    """

    def __init__(self, classes, recipe):
        torch.manual_seed(recipe.seed)
        self.recipe, self.classes = recipe, classes
        self.network = make_network(len(classes))
        self.average = copy.deepcopy(self.network)  # averaged weights generalise better, and need no last decay
        learned = [parameter for parameter in self.network.parameters() if parameter.requires_grad]
        kernels, others = [p for p in learned if p.ndim > 1], [p for p in learned if p.ndim == 1]
        self.optimizer = torch.optim.AdamW(
            [{"params": kernels, "weight_decay": recipe.weightDecay}, {"params": others, "weight_decay": 0.0}],
            lr=recipe.learningRate,
        )

    def train_epoch(self, epoch, photos, labels):
        """One pass over the photos in random order; returns the mean loss of its steps."""
        recipe, steps, total = self.recipe, len(photos) // self.recipe.batchSize, 0.0
        rng = np.random.default_rng([recipe.seed, epoch])  # a seed per epoch: a resumed run needs no generator's state
        order = rng.permutation(len(photos))
        replicas = [self.network.train()] + [copy.deepcopy(self.network) for _ in range(recipe.workers - 1)]
        with ThreadPoolExecutor(recipe.workers) as pool:
            for i in range(steps):
                mosaic = rng.random() < recipe.mosaic
                shares = np.array_split(order[i * recipe.batchSize : (i + 1) * recipe.batchSize], recipe.workers)
                jobs = [
                    pool.submit(
                        set_gradients,
                        replica,
                        [photos[j] for j in share],
                        labels[share],
                        crop_size(epoch, recipe),
                        mosaic,
                        recipe.minArea,
                        generator,
                    )
                    for replica, share, generator in zip(replicas, shares, rng.spawn(recipe.workers), strict=True)
                ]
                total += sum(job.result() for job in jobs) / recipe.workers
                self.step(epoch * steps + i, recipe.epochs * steps, replicas)
        return total / steps

    @torch.no_grad()
    def step(self, step, steps, replicas):
        """Update the weights from the replicas' mean gradient, then the other replicas and the running average."""
        shared = [[p for p in replica.parameters() if p.requires_grad] for replica in replicas]
        for parameter, *copies in zip(*shared, strict=True):
            parameter.grad = sum((c.grad for c in copies), parameter.grad) / len(replicas)
        nn.utils.clip_grad_norm_(shared[0], 5.0)
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate(step, steps, self.recipe)
        self.optimizer.step()
        for parameter, *copies in zip(*shared, strict=True):
            for other in copies:
                other.copy_(parameter)
        decay = min(0.999, (1 + step) / (10 + step))  # short at first, or the random start would linger
        values = self.network.state_dict()
        for name, mean in self.average.state_dict().items():
            mean.copy_(torch.lerp(mean, values[name], 1 - decay) if mean.is_floating_point() else values[name])

    def save_checkpoint(self, path, next_epoch):
        """Write everything `load_checkpoint` needs; never a half file."""
        content = {name: getattr(self, name).state_dict() for name in ("network", "average", "optimizer")}
        content.update(nextEpoch=next_epoch, recipe=asdict(self.recipe), classes=self.classes)
        torch.save(content, path.with_name(path.name + ".tmp"))
        os.replace(path.with_name(path.name + ".tmp"), path)

    def load_checkpoint(self, path):
        """Go on where a checkpoint stopped; returns the next epoch. Raises ValueError if it is another run's.

        The number of epochs may differ: the rest then follows the new schedule. Classes may have been added.
        """
        content = torch.load(path, weights_only=True)
        content["recipe"]["epochs"] = self.recipe.epochs
        if content["recipe"] != asdict(self.recipe) or not set(content["classes"]) <= set(self.classes):
            raise ValueError(f"{path}: made with other options or classes; resume with those, or without --resume")
        self.add_classes(content)
        for name in ("network", "average", "optimizer"):
            getattr(self, name).load_state_dict(content[name])
        return content["nextEpoch"]

    def add_classes(self, content):
        """Give a checkpoint rows for this run's classes: its own, elsewhere fresh weights and no moments yet."""
        classifier = self.network.classifier[1]
        fresh = classifier.weight.detach()  # (N, 512, 1, 1)
        rows = torch.tensor([self.classes.index(name) for name in content["classes"]])
        for state in (content["network"], content["average"]):
            state["classifier.1.weight"] = fresh.index_copy(0, rows, state["classifier.1.weight"])
            state["classifier.1.bias"] = classifier.bias.detach()  # zeros, see make_network
        learned = [parameter for group in self.optimizer.param_groups for parameter in group["params"]]
        index = next(i for i, parameter in enumerate(learned) if parameter is classifier.weight)
        moments = content["optimizer"]["state"].get(index, {})  # there are none before the first step
        for name in moments.keys() & {"exp_avg", "exp_avg_sq"}:
            moments[name] = torch.zeros_like(fresh).index_copy(0, rows, moments[name])
