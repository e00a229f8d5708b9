"""Step 1: find the regions of each image that may hold an object.

    data/<dataset>/{positive,negative,testImages}/*.jpg  ->  proc/<dataset>/rois/<subdir>/<image>.roi.txt

PASCAL VOC's images get the ROIs that were published with Fast R-CNN, where tools/getData.py put them.
One ROI a row, `x1 TAB y1 TAB x2 TAB y2` in pixels of the image, most promising first: selective search, then the grid.
All images are worked on in parallel; interrupted runs continue with the images not yet done. What later steps need, the
network's weights and room on the disk, is looked at first.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

import sys
from functools import partial
from pathlib import Path, PurePosixPath

import cv2
from tqdm import tqdm

from fastRCNN.structures import Rois
from helpers.artifacts.roi_files import roi_path, write_rois
from helpers.artifacts.step_run import StepRun
from helpers.artifacts.steps import ROIS
from helpers.base.images import read_image
from helpers.base.parallel import in_parallel
from helpers.base.tables import counted
from helpers.config.schema import Parameters
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import list_images, published_files, require_images
from helpers.fetching.published_rois import PublishedRois
from helpers.fetching.weights import OutOfReach
from pipeline.needs import check_needs
from pipeline.parameters import run_step
from pipeline.regions import propose_rois


def compute_one(image: ImageFile, params: Parameters) -> Rois:
    """The ROIs of one image."""
    cv2.setNumThreads(1)  # the images are what runs in parallel
    return propose_rois(read_image(image.path), params)


def write_published(params: Parameters, outputs: dict[str, Path], todo: list[str], run: StepRun) -> list[str]:
    """Write the published ROIs of the images that have some; returns the others, for which step 1 finds its own."""
    missing = todo
    for path in published_files(params):
        published = PublishedRois(path)
        there = {key for key in missing if PurePosixPath(key).stem in published}
        for key in tqdm(sorted(there), desc="1 published ROIs", unit="image"):
            write_rois(outputs[key], Rois.of(published[PurePosixPath(key).stem].round()))
            run.wrote(outputs[key])
        missing = [key for key in missing if key not in there]
    if len(missing) < len(todo):
        print(f"{counted(len(todo) - len(missing), 'image')} with published ROIs, {len(missing)} with their own")
    return missing


def main(params: Parameters) -> dict[str, int]:
    """Write the ROIs of all images of the data set; returns the number of ROIs of each image computed in this run."""
    images = list_images(params)
    require_images(images, params, "positive", "testImages")
    try:
        check_needs(params)
    except OutOfReach as error:
        print(f"WARNING: step 3 will need what is missing now: {error}", file=sys.stderr)
    outputs = {image.key: roi_path(params.roi_dir, image) for image in images}
    counts = {}
    with StepRun(params, ROIS) as run:
        todo = run.start(outputs, "**/*.roi.txt")
        nr_done, todo = len(images) - len(todo), write_published(params, outputs, todo, run)
        wanted = set(todo)
        jobs = [image for image in images if image.key in wanted]
        compiled = params.roi_engine == "fast"  # it needs no processes of its own, which would take seconds to start
        results = in_parallel(partial(compute_one, params=params), jobs, params, "1 ROIs", threads=compiled)
        for key, rois in zip(todo, results, strict=True):
            write_rois(outputs[key], rois)  # not in the workers: those of a killed run would go on writing for a while
            run.wrote(outputs[key])
            counts[key] = len(rois)
        run.finish()
    print(f"{counted(len(images), 'image')}, {nr_done} of them already done: {params.roi_dir}")
    for key in (key for key, count in counts.items() if count == 0):
        print(f"WARNING: {key} has no ROI within the limits roi_min..., roi_max... of PARAMETERS.py")
    return counts


if __name__ == "__main__":
    run_step(main, __doc__)
