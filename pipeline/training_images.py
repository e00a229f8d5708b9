"""Step 3 with classifier "nn": the images that the network is trained on, and those to measure it on.

What fastRCNN/training.py asks of them is read from the files of steps 1 and 2 just then, one image at a time.
"""

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from fastRCNN.boxes import scale
from fastRCNN.evaluation import mean_ap, precision_recall
from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.network import RoiNetwork
from fastRCNN.ranks import Ranks
from fastRCNN.structures import MeasuredImage, Rois
from fastRCNN.targets import RoiTargets, fast_rcnn_targets
from fastRCNN.training import TrainingView
from helpers.artifacts.cntk_files import InputFiles
from helpers.base.errors import UserError
from helpers.base.files import read_arrays, write_arrays
from helpers.base.fingerprints import arrays_are_whole
from helpers.base.images import read_image
from helpers.config.schema import Parameters
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import load_ground_truth
from pipeline.detection import class_scores, detect
from pipeline.regions import input_factors, training_rois
from pipeline.stages import predict, prepare_image


class TrainingImages:
    """Some of the training images as `Trainer` wants them, with the maps that its `frozen` layers compute.

    Nothing of an image is kept when the next one is asked for, so memory does not grow with their number.
    """

    def __init__(
        self, entries: InputFiles, network: RoiNetwork, frozen: nn.Module, params: Parameters, map_dir: Path
    ) -> None:
        self.entries, self.network, self.frozen = entries, network, frozen
        self.params, self.map_dir = params, map_dir

    def __len__(self) -> int:
        return len(self.entries)

    def name(self, index: int) -> str:
        """What an image is called in messages."""
        return self.entries[index].key

    def targets(self, index: int, mirrored: bool = False) -> tuple[Rois, RoiTargets]:
        """The ROIs of an image or mirror image, and what they should be."""
        rois, truth = training_rois(self.entries[index], self.params, mirrored)
        return rois, fast_rcnn_targets(rois.boxes, truth, self.params.nn_posOverlapThres)

    def offsets(self) -> Iterator[np.ndarray]:
        """Yield the offsets (n, 4) of the positive ROIs, image by image."""
        for index in range(len(self)):
            _, targets = self.targets(index)
            yield targets.offsets[targets.labels > 0]

    def view(self, index: int, mirrored: bool) -> TrainingView:
        """What is learned from an image or mirror image; its map comes from disk where `nn_cacheTrunk` put it."""
        rois, targets = self.targets(index, mirrored)
        factors = input_factors(self.entries[index].size, self.params)
        numbers = (self._read_map if self.params.nn_cacheTrunk else self._compute_map)(index, mirrored)
        feature_map = torch.from_numpy(numbers)[None].contiguous(memory_format=torch.channels_last)
        return TrainingView(feature_map, scale(rois.boxes, np.array(factors, np.float32)), targets)

    def compute_maps(self, ranks: Ranks) -> None:
        """Write the maps of all images and mirror images, each process its share, those that are not there yet."""
        flags = (False, True) if self.params.train_mirrored else (False,)
        views = [(index, mirrored) for index in range(len(self)) for mirrored in flags]
        for index, mirrored in tqdm(ranks.share(views), desc="3 frozen layers", unit="map", disable=not ranks.is_first):
            path = self._map_path(index, mirrored)
            if not (path.exists() and arrays_are_whole(path)):
                write_arrays(path, **{self._map_name(index, mirrored): self._compute_map(index, mirrored)})
        ranks.wait()

    def _map_name(self, index: int, mirrored: bool) -> str:
        return f"{self.entries[index].key}{'.mirrored' if mirrored else ''}"

    def _map_path(self, index: int, mirrored: bool) -> Path:
        return self.map_dir / f"{self._map_name(index, mirrored)}.npz"

    def _read_map(self, index: int, mirrored: bool) -> np.ndarray:
        """What `compute_maps` wrote; the array is called after the image, so that no other one takes its place."""
        path = self._map_path(index, mirrored)
        feature_map = read_arrays(path).get(self._map_name(index, mirrored))
        if feature_map is None or feature_map.ndim != 3 or not np.isfinite(feature_map).all():
            raise UserError(f"{path}: not the map of this image; delete {self.map_dir} and run 3_runNetwork.py again")
        return feature_map

    @torch.inference_mode()
    def _compute_map(self, index: int, mirrored: bool) -> np.ndarray:
        """(C, H, W) float16 of the frozen layers."""
        prepared = prepare_image(read_image(self.params.image_dir / self.entries[index].key), self.params)
        pixels = (prepared.mirrored() if mirrored else prepared).pixels
        feature_map = self.frozen(self.network.prepare(pixels))[0]
        return feature_map.clamp(-6e4, 6e4).to("cpu", torch.float16).contiguous().numpy()


class Validation:
    """Images that are not trained on, and the mAP of a model on them."""

    def __init__(self, entries: InputFiles, params: Parameters) -> None:
        self.entries, self.params = entries, params

    def __len__(self) -> int:
        return len(self.entries)

    def measure(self, model: FastRcnn) -> tuple[float | None, list[MeasuredImage]]:
        """mAP at `eval_overlapThreshold`, and what was found in each image. Ground-truth boxes are no ROIs here."""
        measured = []
        for entry in self.entries:
            rois = entry.rois.take(entry.rois.found)
            prepared = prepare_image(read_image(self.params.image_dir / entry.key), self.params)
            scored = class_scores(*predict(model, prepared, rois, self.params), self.params)
            kept = detect(rois, scored, entry.size, self.params).kept
            truth = load_ground_truth(ImageFile(self.params.image_dir, entry.key), entry.size, self.params)
            measured.append(MeasuredImage(entry.key, kept, truth))
        detections, truths = [image.detections for image in measured], [image.truth for image in measured]
        ids = range(1, len(self.params.classes) + 1)
        threshold = self.params.eval_overlapThreshold
        return mean_ap([precision_recall(detections, truths, k, threshold).ap() for k in ids]), measured


def split_validation(entries: InputFiles, params: Parameters) -> tuple[InputFiles, InputFiles]:
    """Entries to train on and entries to measure on, the latter chosen at random among the images with objects."""
    annotated = np.flatnonzero(entries.nr_ground_truth)
    count = round(params.nn_validationFraction * len(annotated))
    chosen = np.random.default_rng(params.seed).permutation(annotated)[:count]
    return entries.take(np.setdiff1d(np.arange(len(entries)), chosen)), entries.take(np.sort(chosen))
