"""Step 3 with classifier "nn": training the network on the files of step 2, and the model that comes of it.

What pipeline/stages.py has for all, this module has for this step alone. fastRCNN/training.py has the algorithm; here
are its files: the maps of the frozen layers, checkpoints, curves, and the trained model, which needs no other file.
"""

import shutil
import sys
import time
from importlib.metadata import version
from pathlib import Path

import torch

from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.ranks import Ranks
from fastRCNN.settings import settings_from
from fastRCNN.svd import compress, full_layers
from fastRCNN.training import Measures, Trainer, TrainingSettings, measure_offsets
from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.model_files import model_path, write_checkpoint, write_model
from helpers.artifacts.training_log import TrainingLog
from helpers.base.errors import UserError
from helpers.base.fingerprints import arrays_are_whole
from helpers.config.schema import Parameters
from helpers.fetching.weights import weights_fingerprint
from pipeline.needs import first_layer, map_root, require_room_for_maps
from pipeline.stages import build_network
from pipeline.training_images import TrainingImages, Validation, split_validation

CHECKPOINT_SECONDS = 20  # time between checkpoints, at least
CHECKPOINT_VERSION = 2  # of what a checkpoint holds; one of another version is not gone on from
PROGRESS = ("epoch", "history", "best_map", "best_state", "bad_measurements")  # what a checkpoint holds of `Progress`


def training_settings(params: Parameters) -> TrainingSettings:
    """Knobs of `Trainer`."""
    location_weight = {} if params.boxRegression else {"location_weight": 0.0}
    return settings_from(TrainingSettings, params, **location_weight)


class Progress:
    """How far a training is: the next epoch, what was measured in each, and the best weights so far.

    A checkpoint holds all of it, and the `key` of the parameters and files that it belongs to.
    """

    def __init__(self, path: Path, key: str) -> None:
        self.path, self.key = path, f"{CHECKPOINT_VERSION} {key}"
        self.epoch, self.best_map, self.bad_measurements = 0, -1.0, 0
        self.history: list[Measures] = []
        self.best_state: dict[str, torch.Tensor] | None = None
        self.saved = time.monotonic()

    def resume(self, trainer: Trainer) -> bool:
        """Go on from the checkpoint, if there is one of the same key; tells whether."""
        if not self.path.exists():
            return False
        try:
            if not arrays_are_whole(self.path):  # torch writes the checksums of a zip file, and does not read them
                raise ValueError
            content = torch.load(self.path, map_location=trainer.model.device, weights_only=True)
            if content.pop("key") != self.key:
                return False
            trainer.load_state(content.pop("trainer"))
            self.__dict__.update({name: content[name] for name in PROGRESS})
        except Exception as error:  # whatever torch makes of a damaged file, the advice is the same
            raise UserError(f"{self.path}: not a readable checkpoint ({type(error).__name__}); delete it") from error
        return True

    def save(self, trainer: Trainer, at_once: bool = False) -> None:
        """Write the checkpoint, unless the last one is young."""
        if not at_once and time.monotonic() - self.saved < CHECKPOINT_SECONDS:
            return
        progress = {name: getattr(self, name) for name in ("key", *PROGRESS)}
        write_checkpoint(self.path, torch.save, {**progress, "trainer": trainer.state()})
        self.saved = time.monotonic()

    def note_map(self, mean: float, model: FastRcnn) -> None:
        """Keep the weights if they are the best so far."""
        if mean > self.best_map:
            self.best_map, self.bad_measurements = mean, 0
            self.best_state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        else:
            self.bad_measurements += 1


def train_network(params: Parameters, key: str, ranks: Ranks = Ranks()) -> FastRcnn:
    """Train, and write the model; returns it. key: of the parameters and files, see `Progress`."""
    layer, settings = first_layer(params), training_settings(params)
    model = FastRcnn(build_network(params), len(params.classes))
    try:
        trainer = Trainer(model, layer, settings, ranks)
    except ValueError as error:
        raise UserError(f"nn_imagesPerBatch = {params.nn_imagesPerBatch}: {error}") from error
    try:
        if params.svd_rank:
            full_layers(model.network.head, params.svd_rank)
    except ValueError as error:
        raise UserError(f"svd_rank = {params.svd_rank}: {error}") from error
    map_dir = map_root(params) / key
    entries, measured_on = split_validation(read_inputs(params, "train"), params)
    images = TrainingImages(entries, model.network, trainer.frozen, params, map_dir)
    validation = Validation(measured_on, params)
    if not measure_offsets(model, images.offsets()):
        raise UserError(f"{params.image_dir}: no training image has a box of a known class; nothing to learn from")
    if params.nn_cacheTrunk:
        if ranks.is_first:
            remove_maps(params, but=map_dir)
            require_room_for_maps(params, [params.image_dir / key for key in entries.keys])
        images.compute_maps(ranks)
    progress = Progress(params.model_dir / f"{params.experimentName}.checkpoint.pt", key)
    if progress.resume(trainer) and ranks.is_first:
        print(f"going on after epoch {progress.epoch}: {progress.path}", file=sys.stderr)
    run_epochs(trainer, images, validation, progress, params)
    if ranks.is_first:
        write_trained(model, progress, params)
        progress.path.unlink(missing_ok=True)
        remove_maps(params)
    ranks.wait()
    return model


def is_of_training(path: Path, params: Parameters) -> bool:
    """Whether a file in the models' folder is written by the training of this experiment."""
    names = ("safetensors", "last.safetensors", "checkpoint.pt")
    return path.name in [f"{params.experimentName}.{name}" for name in names] or map_root(params) in path.parents


def remove_maps(params: Parameters, but: Path | None = None) -> None:
    """Remove the cached maps of this experiment's former trainings, and of this one unless it is `but`."""
    for folder in map_root(params).glob("*") if but else [map_root(params)]:
        if folder != but:
            shutil.rmtree(folder, ignore_errors=True)


def run_epochs(
    trainer: Trainer, images: TrainingImages, validation: Validation, progress: Progress, params: Parameters
) -> None:
    """All epochs that are left, with measurements, checkpoints and curves; only the first process writes and shows."""
    nr_epochs, ranks = trainer.settings.schedule.nr_epochs, trainer.ranks
    log = TrainingLog(params, nr_epochs, -(-len(images) // params.nn_imagesPerBatch), progress.epoch, ranks.is_first)
    try:
        while progress.epoch < nr_epochs:
            if len(validation) and progress.bad_measurements >= params.nn_patience:
                log.say(f"stopped after epoch {progress.epoch}: the mAP has not grown for some time")
                break
            measures = trainer.train_epoch(progress.epoch, images, log.show_iteration)
            progress.epoch += 1
            measured = None
            if len(validation) and (progress.epoch % params.nn_validationEvery == 0 or progress.epoch == nr_epochs):
                mean, measured = validation.measure(trainer.model)
                measures["mAP"] = mean or 0.0
                progress.note_map(measures["mAP"], trainer.model)
            progress.history.append(measures)
            if ranks.is_first:
                log.note_epoch(progress.history, measured)
                progress.save(trainer, at_once=progress.epoch == nr_epochs)
    except FloatingPointError as error:
        raise UserError(str(error)) from error
    finally:
        log.close(progress.history)


def write_trained(model: FastRcnn, progress: Progress, params: Parameters) -> None:
    """Write the model: the best measured, or the last where nothing was; then the last lies beside it."""
    more = {"network": params.network, "weights": weights_fingerprint(params), "epochs": progress.epoch}
    versions = {"torch": torch.__version__, "torchvision": version("torchvision")}
    path = model_path(params)
    if progress.best_state is not None:
        write_model(path.with_name(f"{path.stem}.last.safetensors"), model.state_dict(), params, versions, **more)
        model.load_state_dict(progress.best_state)
    if params.svd_rank:
        compress(model.network.head, params.svd_rank)
    write_model(path, model.state_dict(), params, versions, **more)
