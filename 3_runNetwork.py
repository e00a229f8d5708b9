"""Step 3: describe every ROI by the features of a pre-trained network, or train the network and let it score them.

    cntkFiles/, images  ->  proc/<dataset>/cntkFiles/{train,test}_{svm,nn}_parsed/<imgIndex>.dat.npz
                            proc/<dataset>/models/<experiment>.safetensors, with classifier "nn"

With "svm", `arr_0` of each file has shape (ROIs of the image, features), float16, rows in the order of the input files;
`mirrored`, for training images, is the same of the mirror image. With "nn", `arr_0` holds K + 1 probabilities per ROI,
background first, and `offsets` 4 K numbers that move it, float32: half the digits would make equal scores of unequal
ones, and their order would change. The convolutions run once over the whole image. While one image is convolved, the
next is decoded and scaled, and the features of the one before are written.

    torchrun --nproc-per-node 2 3_runNetwork.py     trains with, and shares the images among, several processes
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch
from tqdm import tqdm

from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.network import RoiNetwork
from fastRCNN.ranks import Ranks, join_ranks, leave_ranks
from helpers.artifacts.cntk_files import RoiInput, read_inputs
from helpers.artifacts.feature_files import all_finite, feature_path
from helpers.artifacts.model_files import model_path
from helpers.artifacts.step_run import StepRun
from helpers.artifacts.steps import FEATURES, INPUTS, TRAINING, require
from helpers.base.ahead import one_ahead
from helpers.base.errors import UserError
from helpers.base.files import remove_temporary_files, write_arrays
from helpers.base.images import read_image
from helpers.config.schema import Parameters
from helpers.fetching.weights import get_weights
from pipeline.needs import output_bytes, require_room
from pipeline.parameters import run_step
from pipeline.stages import (
    NetworkInput,
    build_network,
    describe_mirrored,
    describe_rois,
    load_model,
    predict,
    prepare_image,
)
from pipeline.training import is_of_training, train_network


def read_prepared(entry: RoiInput, params: Parameters) -> NetworkInput:
    """An entry's image at the network's size."""
    return prepare_image(read_image(params.image_dir / entry.key), params)


def describe(
    network: RoiNetwork | FastRcnn, image_set: str, entry: RoiInput, prepared: NetworkInput, params: Parameters
) -> dict[str, np.ndarray]:
    """The arrays of an image's file."""
    rois = entry.rois
    if isinstance(network, FastRcnn):
        probabilities, offsets = predict(network, prepared, rois, params)
        return {"arr_0": probabilities, "offsets": offsets.reshape(len(rois), 4 * len(params.classes))}
    arrays = {"arr_0": describe_rois(network, prepared, rois, params)}
    if image_set == "train" and params.train_mirrored:
        arrays["mirrored"] = describe_mirrored(network, prepared, rois, entry.size[0], params)
    return arrays


class Job(NamedTuple):
    """An image to describe: its entry in the files of step 2, its image set, and the file to write."""

    entry: RoiInput
    image_set: str
    path: Path


def describe_all(
    network: RoiNetwork | FastRcnn, jobs: Iterable[Job], params: Parameters
) -> Iterator[tuple[Path, dict[str, np.ndarray]]]:
    """Yield path and arrays of each file, reading the next image meanwhile."""
    for job, prepared in one_ahead(lambda job: (job, read_prepared(job.entry, params)), jobs):
        arrays = describe(network, job.image_set, job.entry, prepared, params)
        refuse_infinite(arrays, job.entry.key)
        yield job.path, arrays


def refuse_infinite(arrays: Mapping[str, np.ndarray], key: str) -> None:
    """Raise `UserError` where the network gave numbers for an image that are not finite."""
    for name, array in arrays.items():
        if not all_finite(array):
            raise UserError(
                f"{key}: the network's {name} has values that are not finite; its weights are of no use, "
                "train the network again, or set networkWeights to other ones"
            )


def train(params: Parameters, ranks: Ranks) -> None:
    """Train the network, unless that is done."""
    with StepRun(params, TRAINING, ranks.is_first) as run:
        todo = ranks.from_first(run.start({"model": model_path(params)}))
        if ranks.is_first:
            remove_temporary_files(params.model_dir, lambda path: is_of_training(path, params))
            remove_temporary_files(params.results_dir, lambda path: path.stem == f"training_{params.experimentName}")
        if todo:
            train_network(params, run.record["id"], ranks)
        run.finish()
        ranks.wait()


def main(params: Parameters) -> int:
    """Write the files of all images that have none yet; returns how many were written."""
    ranks = join_ranks(os.environ, params.network_device != "cpu" and torch.cuda.is_available())
    require(params, INPUTS)
    if ranks.is_first:
        get_weights(params)  # downloaded now if need be, since the record holds their fingerprint
    ranks.wait()
    entries = {image_set: read_inputs(params, image_set) for image_set in ("train", "test")}
    if ranks.is_first:
        nr_rois = [int(images.nr_rois.sum()) for images in entries.values()]
        require_room(params, output_bytes(params, *nr_rois), f"{sum(nr_rois)} ROIs")
    if params.classifier == "nn":
        train(params, ranks)
    outputs = {
        (image_set, index): feature_path(params.cntk_files_dir, image_set, params.classifier, index)
        for image_set, images in entries.items()
        for index in range(len(images))
    }
    with StepRun(params, FEATURES, ranks.is_first) as run:
        todo = ranks.from_first(run.start(outputs, f"*_{params.classifier}_parsed/*.dat.npz"))
        share = ranks.share(todo)
        if share:
            network = load_model(model_path(params), params) if params.classifier == "nn" else build_network(params)
            bar = tqdm(total=len(share), desc="3 features", unit="image", disable=not ranks.is_first)
            jobs = (Job(entries[name][index], name, outputs[name, index]) for name, index in share)

            def write(made: tuple[Path, dict[str, np.ndarray]]) -> None:
                path, arrays = made
                write_arrays(path, **arrays)
                run.wrote(path)  # at once: what is not noted is done again after a kill

            for _ in one_ahead(write, describe_all(network, jobs, params)):
                bar.update()
            bar.close()
        ranks.wait()
        run.finish()
    if ranks.is_first:
        print(f"{len(todo)} images described, {len(outputs) - len(todo)} were already done: {params.cntk_files_dir}")
    return len(todo)


if __name__ == "__main__":
    run_step(main, __doc__)
    leave_ranks()
