"""Step 3 with classifier "nn": training the network on the files of step 2, and the model that comes of it.

The part of stages.py that only this step runs. fastRCNN/training.py has the algorithm; here are its files: the maps of
the frozen layers, checkpoints, curves, and the trained model, which needs no other file.
"""

import shutil
import sys
import time

import numpy as np
import torch
import torchvision
from tqdm import tqdm

from fastRCNN.backbones import BACKBONES
from fastRCNN.boxes import mirror
from fastRCNN.evaluation import Truth, mean_ap, precision_recall
from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.ranks import Ranks
from fastRCNN.sampling import SamplingSettings
from fastRCNN.schedule import ScheduleSettings
from fastRCNN.svd import compress, full_layers
from fastRCNN.targets import fast_rcnn_targets
from fastRCNN.training import Example, Trainer, TrainingSettings, measure_offsets
from helpers.annotations import load_truth
from helpers.cntk_files import read_inputs
from helpers.dataset import ImageFile
from helpers.errors import UserError
from helpers.files import atomic_path
from helpers.images import fitted_size, image_size, read_image
from helpers.model_files import model_path, write_model
from helpers.training_log import TrainingLog
from helpers.weights import weights_fingerprint
from stages import build_network, class_scores, detect, padded_square, predict, prepare_image

CHECKPOINT_SECONDS = 20  # time between checkpoints, at least


def training_settings(params):
    """Knobs of `Trainer`."""
    sampling = SamplingSettings(params.nn_roisPerImage, params.nn_foregroundFraction, params.nn_negOverlapMin)
    schedule = ScheduleSettings(
        optimizer=params.nn_optimizer,
        learning_rates=params.nn_learningRates,
        momentum=params.nn_momentum,
        weight_decay=params.nn_weightDecay,
        warmup_iterations=params.nn_warmupIterations,
    )
    return TrainingSettings(
        sampling=sampling,
        schedule=schedule,
        images_per_batch=params.nn_imagesPerBatch,
        mirrored=params.train_mirrored,
        location_weight=params.nn_locationWeight if params.boxRegression else 0.0,
        clip_norm=params.nn_clipNorm,
        seed=params.seed,
    )


def first_layer(params):
    """The first layer that learns; raises `UserError` for a name that the network does not have."""
    backbone = BACKBONES[params.network]
    name = backbone.train_from if params.nn_trainFromLayer == "auto" else params.nn_trainFromLayer
    if name not in (*backbone.layers, "head"):
        raise UserError(
            f'nn_trainFromLayer = "{name}": {params.network} can learn from "head" or one of '
            f"{backbone.layers[0]} ... {backbone.layers[-1]} on"
        )
    return name


class TrainingImages:
    """Some of the training images as `Trainer` wants them. entries: list of `RoiInput`; network: a `RoiNetwork`."""

    def __init__(self, entries, network, frozen, params, map_dir):
        self.entries, self.network, self.frozen = entries, network, frozen
        self.params, self.map_dir = params, map_dir

    def __len__(self):
        return len(self.entries)

    def name(self, index):
        """What an image is called in messages."""
        return self.entries[index].key

    def rois_and_truth(self, index, mirrored=False):
        """ROIs (R, 4) in pixels of the image or mirror image, the true objects there, and the image's size."""
        image = ImageFile(self.params.image_dir, self.entries[index].key)
        size, _ = image_size(image.path)
        rois = self.entries[index].pixel_rois(padded_square(size, self.params))
        boxes, class_ids, excluded = load_truth(image, size, self.params)
        if mirrored:
            rois, boxes = mirror(rois, size[0]), mirror(boxes, size[0])
        return rois, (boxes, class_ids, excluded), size

    def targets(self, index, mirrored=False):
        """ROIs (R, 4), their `RoiTargets`, and the image's size."""
        rois, truth, size = self.rois_and_truth(index, mirrored)
        return rois, fast_rcnn_targets(rois, *truth, self.params.nn_posOverlapThres), size

    def offsets(self):
        """Offsets (N, 4) of all ROIs on objects."""
        found = [np.zeros((0, 4))]
        for index in range(len(self)):
            _, targets, _ = self.targets(index)
            found.append(targets.offsets[targets.labels > 0])
        return np.concatenate(found)

    def example(self, index, mirrored):
        """An `Example`, its map from disk where `nn_cacheTrunk` put it."""
        rois, targets, size = self.targets(index, mirrored)
        _, factors = fitted_size(size, self.params.cntk_padWidth, self.params.cntk_padHeight)
        path = self._map_path(index, mirrored)
        feature_map = np.load(path) if self.params.nn_cacheTrunk else self._compute_map(index, mirrored)
        feature_map = torch.from_numpy(feature_map)[None].contiguous(memory_format=torch.channels_last)
        return Example(feature_map, rois * np.float32(factors * 2), targets)

    def compute_maps(self, ranks):
        """Write the maps of all images and mirror images, each process its share, those that are not there yet."""
        flags = (False, True) if self.params.train_mirrored else (False,)
        views = [(index, mirrored) for index in range(len(self)) for mirrored in flags]
        for index, mirrored in tqdm(ranks.share(views), desc="3 frozen layers", unit="map", disable=not ranks.is_first):
            path = self._map_path(index, mirrored)
            if not path.exists():
                with atomic_path(path) as temporary:
                    np.save(temporary, self._compute_map(index, mirrored))
        ranks.wait()

    def _map_path(self, index, mirrored):
        return self.map_dir / f"{self.entries[index].key}{'.mirrored' if mirrored else ''}.npy"

    @torch.inference_mode()
    def _compute_map(self, index, mirrored):
        """(C, H, W) float16 of the frozen layers."""
        image, _ = prepare_image(read_image(self.params.image_dir / self.entries[index].key), self.params)
        image = np.ascontiguousarray(image[:, ::-1]) if mirrored else image
        feature_map = self.frozen(self.network.prepare(image))[0]
        return feature_map.clamp(-6e4, 6e4).to("cpu", torch.float16).contiguous().numpy()


class Validation:
    """Images held out of training, and the mAP of a model on them."""

    def __init__(self, images, params):
        self.images, self.params = images, params

    def __len__(self):
        return len(self.images)

    def measure(self, model):
        """mAP at `eval_overlapThreshold`, and (key, kept detections, truth) of each image. True boxes are no ROIs."""
        found = []
        for index, entry in enumerate(self.images.entries):
            rois, truth, size = self.images.rois_and_truth(index)
            rois = rois[entry.nr_truth :]
            prepared = prepare_image(read_image(self.params.image_dir / entry.key), self.params)
            scores = class_scores(*predict(model, prepared, rois, self.params), self.params)
            detections, kept = detect(rois, *scores, size, self.params)
            found.append((entry.key, detections.take(kept), Truth(*truth)))
        _, detections, truths = zip(*found, strict=True)
        ids = range(1, len(self.params.classes) + 1)
        threshold = self.params.eval_overlapThreshold
        return mean_ap([precision_recall(detections, truths, k, threshold).ap() for k in ids]), found


def split_validation(entries, params):
    """Entries to train on and entries to measure on: a seeded draw among those with objects."""
    annotated = [index for index, entry in enumerate(entries) if entry.nr_truth]
    count = round(params.nn_validationFraction * len(annotated))
    order = np.random.default_rng(params.seed).permutation(annotated)
    held_out = set(order[:count].tolist())
    kept = [entry for index, entry in enumerate(entries) if index not in held_out]
    return kept, [entries[index] for index in sorted(held_out)]


class Progress:
    """How far a training is: the next epoch, what was measured in each, and the best weights so far.

    A checkpoint holds all of it, and the `key` of the parameters and files that it belongs to.
    """

    def __init__(self, path, key):
        self.path, self.key = path, key
        self.epoch, self.history = 0, []
        self.best_map, self.best_state, self.bad_measurements = -1.0, None, 0
        self.saved = time.monotonic()

    def resume(self, trainer):
        """Go on from the checkpoint, if there is one of the same key; tells whether."""
        if not self.path.exists():
            return False
        try:
            content = torch.load(self.path, map_location=trainer.model.device, weights_only=True)
        except Exception as error:  # whatever torch makes of a damaged file, the advice is the same
            raise UserError(f"{self.path}: not a readable checkpoint ({type(error).__name__}); delete it") from error
        if content.pop("key") != self.key:
            return False
        trainer.load_state(content.pop("trainer"))
        self.__dict__.update(content)
        return True

    def save(self, trainer, at_once=False):
        """Write the checkpoint, unless the last one is young."""
        if not at_once and time.monotonic() - self.saved < CHECKPOINT_SECONDS:
            return
        names = ("key", "epoch", "history", "best_map", "best_state", "bad_measurements")
        with atomic_path(self.path) as temporary:
            torch.save({**{name: getattr(self, name) for name in names}, "trainer": trainer.state()}, temporary)
        self.saved = time.monotonic()

    def note_map(self, mean, model):
        """Keep the weights if they are the best so far."""
        if mean > self.best_map:
            self.best_map, self.bad_measurements = mean, 0
            self.best_state = {name: tensor.detach().clone() for name, tensor in model.state_dict().items()}
        else:
            self.bad_measurements += 1


def train_network(params, key, ranks=Ranks()):
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
    map_dir = params.model_dir / f"maps_{key}"
    entries, held_out = split_validation(list(read_inputs(params.cntk_files_dir, "train")), params)
    images = TrainingImages(entries, model.network, trainer.frozen, params, map_dir)
    validation = Validation(TrainingImages(held_out, model.network, trainer.frozen, params, map_dir), params)
    offsets = images.offsets()
    if not len(offsets):
        raise UserError(f"{params.image_dir}: no training image has a box of a known class; nothing to learn from")
    measure_offsets(model, offsets)
    if params.nn_cacheTrunk:
        if ranks.is_first:
            remove_maps(params, but=map_dir)
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


def remove_maps(params, but=None):
    """Remove the cached maps of this and of former trainings."""
    for folder in params.model_dir.glob("maps_*"):
        if folder != but:
            shutil.rmtree(folder, ignore_errors=True)


def run_epochs(trainer, images, validation, progress, params):
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
            found = None
            if len(validation) and (progress.epoch % params.nn_validationEvery == 0 or progress.epoch == nr_epochs):
                measures["mAP"], found = validation.measure(trainer.model)
                progress.note_map(measures["mAP"], trainer.model)
            progress.history.append(measures)
            if ranks.is_first:
                log.note_epoch(progress.history, found)
                progress.save(trainer, at_once=progress.epoch == nr_epochs)
    except FloatingPointError as error:
        raise UserError(str(error)) from error
    finally:
        log.close(progress.history)


def write_trained(model, progress, params):
    """Write the model: the best measured, or the last where nothing was; then the last lies beside it."""
    more = {"network": params.network, "weights": weights_fingerprint(params), "epochs": progress.epoch}
    versions = {"torch": torch.__version__, "torchvision": torchvision.__version__}
    path = model_path(params)
    if progress.best_state is not None:
        write_model(path.with_name(f"{path.stem}.last.safetensors"), model.state_dict(), params, versions, **more)
        model.load_state_dict(progress.best_state)
    if params.svd_rank:
        compress(model.network.head, params.svd_rank)
    write_model(path, model.state_dict(), params, versions, **more)
