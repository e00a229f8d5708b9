"""Step 2: put ROIs and annotations of each image into the network's input files.

    rois/ and *.bboxes*.tsv  ->  proc/<dataset>/cntkFiles/{train,test}{.txt,.rois.txt,.roilabels.txt,.nrRois.txt}

An image gets at most `cntk_nrRois` ROIs, in the order of step 1: for training its ground-truth boxes first, which take
up to three quarters of them, so that there is always some background. Images with more objects than that are named.
Test images get no ground-truth boxes: what is evaluated must have been proposed. helpers/artifacts/cntk_files.py
describes the formats. Tells how many of the training images' ground-truth boxes the ROIs of step 1 frame, and what to
do where they are few.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

from collections import deque
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from fastRCNN.framing import Framing, join
from fastRCNN.targets import roi_class_ids
from helpers.artifacts.cntk_files import RoiInput, input_paths, write_inputs
from helpers.artifacts.roi_files import read_rois, roi_path
from helpers.artifacts.step_run import StepRun
from helpers.artifacts.steps import INPUTS
from helpers.base.images import image_size
from helpers.config.schema import Parameters
from helpers.dataset.caps import as_lines, over_rois
from helpers.dataset.image_files import ImageFile
from helpers.dataset.sources import IMAGE_SETS, list_images, load_training_ground_truth, require_images
from pipeline.diagnosis import describe_framing, frame_image
from pipeline.parameters import run_step
from pipeline.regions import select_rois


def look_at(image: ImageFile, is_training: bool, params: Parameters) -> tuple[RoiInput, Framing]:
    """The entry of one image, and which of its objects the ROIs of step 1 frame."""
    size, _ = image_size(image.path)
    proposals = read_rois(roi_path(params.roi_dir, image), size)
    truth = load_training_ground_truth(image, size, params)
    rois = select_rois(proposals, params, truth if is_training else None)
    class_ids = roi_class_ids(rois.boxes, truth, params.train_posOverlapThres)
    return RoiInput(image.key, size, rois, class_ids), frame_image(proposals, rois, truth, size, params)


def make_inputs(
    images: Sequence[ImageFile], image_set: str, framings: list[Framing], params: Parameters
) -> Iterator[RoiInput]:
    """Yield the entry of each image, and add its `Framing` to a list."""
    for image in tqdm(images, desc=f"2 inputs ({image_set})", unit="image"):
        entry, framing = look_at(image, image_set == "train", params)
        framings.append(framing)
        yield entry


def main(params: Parameters) -> dict[str, int]:
    """Write the input files of the training and the test images; returns image set -> number of images."""
    images = {image_set: list_images(params, subdirs) for image_set, subdirs in IMAGE_SETS.items()}
    require_images(images["train"], params, "positive")
    require_images(images["test"], params, "testImages")
    outputs = {path.name: path for image_set in images for path in input_paths(params.cntk_files_dir, image_set)}
    framings: dict[str, list[Framing]] = {image_set: [] for image_set in images}
    padded, nr_classes = (params.cntk_padWidth, params.cntk_padHeight), len(params.all_classes)
    with StepRun(params, INPUTS) as run:
        todo = run.start(outputs)
        for image_set, files in images.items():
            entries = make_inputs(files, image_set, framings[image_set], params)
            if todo:
                write_inputs(params.cntk_files_dir, image_set, entries, padded, params.cntk_nrRois, nr_classes)
            else:
                deque(entries, maxlen=0)  # what there is to say of the images is said every time
        run.finish()
    for image_set, files in images.items():
        objects = {image.key: len(framing.ranks) for image, framing in zip(files, framings[image_set], strict=True)}
        for line in as_lines(over_rois(objects, image_set == "train", params)):
            print(line)
    counts = {image_set: len(files) for image_set, files in images.items()}
    done = "" if todo else ", already done"
    print(f"{counts['train']} training and {counts['test']} test images{done}: {params.cntk_files_dir}")
    print("\n".join(describe_framing(join(framings["train"]), "train", params)))
    return counts


if __name__ == "__main__":
    run_step(main, __doc__)
