"""Step 3 with classifier "nn": the images that the network is trained on, and those held out to measure it on.

What fastRCNN/training.py asks of them is read from the files of steps 1 and 2 just then, one image at a time.
"""

import numpy as np
import torch
from tqdm import tqdm

from fastRCNN.evaluation import Truth, mean_ap, precision_recall
from fastRCNN.targets import fast_rcnn_targets
from fastRCNN.training import Example
from helpers.base.errors import UserError
from helpers.base.files import arrays_are_whole, read_arrays, write_arrays
from helpers.base.images import read_image
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import load_truth
from pipeline.stages import class_scores, detect, input_factors, predict, prepare_image, training_rois


class TrainingImages:
    """Some of the training images as `Trainer` wants them. entries: sequence of `RoiInput`; network: a `RoiNetwork`.

    Nothing of an image is kept when the next one is asked for, so memory does not grow with their number.
    """

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
        return training_rois(self.entries[index], self.params, mirrored)

    def targets(self, index, mirrored=False):
        """ROIs (R, 4), their `RoiTargets`, and the image's size."""
        rois, truth, size = self.rois_and_truth(index, mirrored)
        return rois, fast_rcnn_targets(rois, *truth, self.params.nn_posOverlapThres), size

    def offsets(self):
        """Yield the offsets (n, 4) of the ROIs on objects, image by image."""
        for index in range(len(self)):
            _, targets, _ = self.targets(index)
            yield targets.offsets[targets.labels > 0]

    def example(self, index, mirrored):
        """An `Example`, its map from disk where `nn_cacheTrunk` put it."""
        rois, targets, size = self.targets(index, mirrored)
        factors = input_factors(size, self.params)
        feature_map = (self._read_map if self.params.nn_cacheTrunk else self._compute_map)(index, mirrored)
        feature_map = torch.from_numpy(feature_map)[None].contiguous(memory_format=torch.channels_last)
        return Example(feature_map, rois * np.float32(factors * 2), targets)

    def compute_maps(self, ranks):
        """Write the maps of all images and mirror images, each process its share, those that are not there yet."""
        flags = (False, True) if self.params.train_mirrored else (False,)
        views = [(index, mirrored) for index in range(len(self)) for mirrored in flags]
        for index, mirrored in tqdm(ranks.share(views), desc="3 frozen layers", unit="map", disable=not ranks.is_first):
            path = self._map_path(index, mirrored)
            if not (path.exists() and arrays_are_whole(path)):
                write_arrays(path, **{self._map_name(index, mirrored): self._compute_map(index, mirrored)})
        ranks.wait()

    def _map_name(self, index, mirrored):
        return f"{self.entries[index].key}{'.mirrored' if mirrored else ''}"

    def _map_path(self, index, mirrored):
        return self.map_dir / f"{self._map_name(index, mirrored)}.npz"

    def _read_map(self, index, mirrored):
        """What `compute_maps` wrote; the array is called after the image, so that no other one takes its place."""
        path = self._map_path(index, mirrored)
        feature_map = read_arrays(path).get(self._map_name(index, mirrored))
        if feature_map is None or feature_map.ndim != 3 or not np.isfinite(feature_map).all():
            raise UserError(f"{path}: not the map of this image; delete {self.map_dir} and run 3_runNetwork.py again")
        return feature_map

    @torch.inference_mode()
    def _compute_map(self, index, mirrored):
        """(C, H, W) float16 of the frozen layers."""
        image, _ = prepare_image(read_image(self.params.image_dir / self.entries[index].key), self.params)
        image = image[:, ::-1].copy() if mirrored else image
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
            rois, _, size = self.images.rois_and_truth(index)
            rois = rois[entry.nr_truth :]
            prepared = prepare_image(read_image(self.params.image_dir / entry.key), self.params)
            scores = class_scores(*predict(model, prepared, rois, self.params), self.params)
            detections, kept = detect(rois, *scores, size, self.params)
            truth = load_truth(ImageFile(self.params.image_dir, entry.key), size, self.params)
            found.append((entry.key, detections.take(kept), Truth(*truth)))
        _, detections, truths = zip(*found, strict=True)
        ids = range(1, len(self.params.classes) + 1)
        threshold = self.params.eval_overlapThreshold
        return mean_ap([precision_recall(detections, truths, k, threshold).ap() for k in ids]), found


def split_validation(entries, params):
    """`InputFiles` to train on and `InputFiles` to measure on: a seeded draw among the images with objects."""
    annotated = np.flatnonzero(entries.nr_truth)
    count = round(params.nn_validationFraction * len(annotated))
    held_out = np.random.default_rng(params.seed).permutation(annotated)[:count]
    return entries.take(np.setdiff1d(np.arange(len(entries)), held_out)), entries.take(np.sort(held_out))
