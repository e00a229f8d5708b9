"""Train SqueezeNet 1.1 from scratch on folders of photos sorted by class, and save it as a small safetensors file.

    python resources/trainBackbone.py FOLDER [FOLDER ...] --heldOut FOLDER --out NAME.safetensors

Every folder holds one sub-folder per class with the photos of that class. The result is a state dict of torchvision's
`squeezenet1_1(num_classes=N)` in float16. A detector needs only its convolutions (`features`): they turn a photo into
a map in which a linear classifier can tell objects apart. So the recipe aims at features that transfer, not at the
last per cent of accuracy on the training classes. resources/squeezenet1_1-grocery.md is the account of one such run.

The same photos, options, machine and versions give the same bytes, with --resume after a stop, too. A stopped run may
also go on with more classes than it began with. backboneTrainer.py has the recipe, photoFolders.py reads the photos.
"""

import argparse
import json
import os
import sys
import time
from dataclasses import asdict, fields
from pathlib import Path

import torch
from backboneTrainer import Recipe, Trainer, crop_size
from photoFolders import MEAN, STD, find_classes, load_photos, normalise
from safetensors.torch import save
from torch import nn
from torchvision.models import squeezenet1_1

CHECKPOINT_EVERY = 5  # epochs


def folded_state(network):
    """The state dict of the plain squeezenet1_1 that computes what `network` computes in evaluation mode.

    Convolution, then norm, is ((w * x + b) - mean) * s + beta with s = gamma / sqrt(variance + eps): a convolution
    with weight w * s and bias (b - mean) * s + beta. And torchvision puts a ReLU on the class scores, with which 81
    classes hardly start to learn (measured: loss 4.12 after four epochs, 3.71 without), so backboneTrainer.py leaves it
    out. One constant added to all classes' scores changes no softmax, but lifts them over that ReLU: hence this bias.
    """
    weight = network.classifier[1].weight
    state = {"classifier.1.weight": weight, "classifier.1.bias": torch.full((len(weight),), 32.0)}
    for name, module in network.features.named_modules(prefix="features"):
        if isinstance(module, nn.Sequential) and len(module) == 2 and isinstance(module[1], nn.BatchNorm2d):
            convolution, norm = module
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            state[f"{name}.weight"] = convolution.weight * scale[:, None, None, None]
            state[f"{name}.bias"] = (convolution.bias - norm.running_mean) * scale + norm.bias
    return {name: state[name].detach().clone(memory_format=torch.contiguous_format) for name in sorted(state)}


@torch.no_grad()
def top1(state, photos, labels):
    """Share of the photos, each seen whole, that plain squeezenet1_1 with the state dict `state` names rightly."""
    network = squeezenet1_1(num_classes=len(state["classifier.1.bias"])).eval()
    network.load_state_dict({name: value.float() for name, value in state.items()}, strict=True)
    network.to(memory_format=torch.channels_last)
    predictions = [network(normalise(photo[None])).argmax().item() for photo in photos]
    return (torch.tensor(predictions) == labels).float().mean().item()


def write_weights(path, state, metadata):
    """Write float16 tensors and `metadata` (strings, they go into the header) as safetensors. Never a half file."""
    if not all(value.isfinite().all() for value in state.values()):
        raise ValueError("the trained weights do not fit into float16; try a lower --learningRate")
    content = save(state, metadata=metadata)
    # safetensors puts the header's entries in an order that changes from run to run: sort them
    end = 8 + int.from_bytes(content[:8], "little")
    header = json.dumps(json.loads(content[8:end]), sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    path.with_name(path.name + ".tmp").write_bytes(content[:8] + header.encode().ljust(end - 8) + content[end:])
    os.replace(path.with_name(path.name + ".tmp"), path)


def train(folders, held_out, out, recipe, resume=False):
    """Train on `folders`, write the weights to `out`; returns each epoch's mean loss, and the top-1 on `held_out`.

    The top-1 is None without a held-out folder. A checkpoint lies beside `out` while training. Raises ValueError for
    unusable input.
    """
    out, checkpoint = Path(out), Path(out).with_suffix(".checkpoint.pt")
    classes, short_side = find_classes(folders), recipe.maxSize * 3 // 2  # more pixels than crops can show
    photos, labels = load_photos(folders, classes, short_side)
    test = load_photos([held_out], classes, short_side) if held_out else None
    if len(photos) < recipe.batchSize:
        raise ValueError(f"{len(photos)} photos are fewer than a batch of {recipe.batchSize}")
    out.parent.mkdir(parents=True, exist_ok=True)
    trainer, first, losses = Trainer(classes, recipe), 0, []
    if resume and checkpoint.exists():
        first = trainer.load_checkpoint(checkpoint)
    print(f"{len(photos)} photos of {len(classes)} classes, epochs {first + 1} to {recipe.epochs}", flush=True)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # for each worker
    try:
        for epoch in range(first, recipe.epochs):
            start = time.perf_counter()
            losses.append(trainer.train_epoch(epoch, photos, labels))
            line = f"epoch {epoch + 1:3d}  crops {crop_size(epoch, recipe):3d} px  loss {losses[-1]:.3f}"
            if (epoch + 1) % CHECKPOINT_EVERY == 0:
                trainer.save_checkpoint(checkpoint, epoch + 1)
                line += f"  top-1 {top1(folded_state(trainer.average), *test):.3f}" if test else ""
            print(f"{line}  {time.perf_counter() - start:.1f} s", flush=True)
    finally:
        torch.set_num_threads(threads)
    state = {name: value.half() for name, value in folded_state(trainer.average).items()}
    accuracy = top1(state, *test) if test else None
    write_weights(
        out,
        state,
        {
            "architecture": "torchvision squeezenet1_1",
            "classes": json.dumps(classes),
            "mean": json.dumps(MEAN),
            "std": json.dumps(STD),
            "input": "RGB in [0, 1], normalised",
            "heldOutTop1": "" if accuracy is None else f"{accuracy:.4f}",
            "recipe": json.dumps(asdict(recipe)),
        },
    )
    checkpoint.unlink(missing_ok=True)
    return losses, accuracy


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folders", nargs="+", help="training photos: FOLDER/CLASS/PHOTO.jpg; folders are joined")
    parser.add_argument("--heldOut", help="photos for the top-1, laid out alike, never trained on")
    parser.add_argument("--out", required=True, help="the safetensors file to write")
    parser.add_argument("--resume", action="store_true", help="go on from the checkpoint of a stopped run")
    for option in fields(Recipe):
        parser.add_argument(f"--{option.name}", type=type(option.default), default=option.default, **option.metadata)
    options = parser.parse_args(arguments)
    try:
        recipe = Recipe(**{option.name: getattr(options, option.name) for option in fields(Recipe)})
        _, accuracy = train(options.folders, options.heldOut, options.out, recipe, options.resume)
    except ValueError as error:
        sys.exit(f"trainBackbone.py: {error}")
    print(f"wrote {options.out}" + (f", top-1 {accuracy:.3f}" if accuracy is not None else ""))


if __name__ == "__main__":
    main()
