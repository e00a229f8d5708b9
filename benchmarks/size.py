"""How large a data set may be: python3 benchmarks/size.py [--images 500 1000 2000] [--rois 4000] [--photos FOLDER]

Runs the steps that read and write files at the size of PASCAL VOC 2007 (10,000 images, 4000 ROIs each, 20 classes),
each in a process of its own, and prints its time, the most memory it held and the disk it filled. Memory must not grow
with the number of images. Then it measures single images and says how long all of VOC would take one core.

Synthetic are the images (noise, 64 x 48 pixels), boxes, ROIs, features (32 numbers per ROI, which tell the class) and
detections; the steps that handle them are the real ones, with 2 rounds of mining in step 4 and 20 pictures. They work
in a temporary folder, which takes about half a MB per image, and is removed at the end.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import contextlib
import importlib
import os
import tempfile
import time
from multiprocessing import get_all_start_methods, get_context

import numpy as np
from PIL import Image
from tqdm import tqdm

from benchmarks.timing import announce, in_fresh_process, one_thread, peak_memory, spread
from fastRCNN.boxes import as_boxes
from fastRCNN.fast_rcnn import FastRcnn
from fastRCNN.structures import Candidates, Detections, Rois
from fastRCNN.svm import LinearSvms, scaled
from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.feature_files import feature_path, read_features
from helpers.artifacts.roi_files import roi_path, write_rois
from helpers.artifacts.step_run import StepRun
from helpers.artifacts.steps import FEATURES, ROIS, SVMS
from helpers.base.files import write_arrays
from helpers.base.images import read_image
from helpers.base.memory import keep_freed_memory
from helpers.base.script import run_script
from helpers.base.tables import format_table
from helpers.config.command_line import argument_parser
from helpers.dataset.annotations import write_annotation
from helpers.dataset.image_files import ImageFile, is_image
from helpers.dataset.sources import IMAGE_SETS, list_images, load_ground_truth
from pipeline.detection import class_scores, detect
from pipeline.parameters import load_parameters
from pipeline.regions import propose_rois
from pipeline.stages import build_network, describe_rois, predict, prepare_image

NR_CLASSES, NR_FEATURES = 20, 32
WIDTH, HEIGHT = 64, 48
VOC_TRAIN, VOC_TEST = 5011, 4952
PASSES = 12  # over all features in step 4: feature scale, counts, and about ten rounds of mining
GB = 1e9
METHOD = "forkserver" if "forkserver" in get_all_start_methods() else "spawn"


def small_parameters(folder, nr_rois, settings=()):
    """Parameters of the synthetic data set."""
    places = [f"{name}RootDir={folder}/{name}" for name in ("data", "proc", "results")]
    classes = ",".join(f"class{index}" for index in range(1, NR_CLASSES + 1))
    fixed = [f"classes={classes}", "datasetName=size", "networkWeights=random", "classifier=svm", "imageSet=test"]
    quick = [f"cntk_nrRois={nr_rois}", "svm_nrEpochs=2", "train_mirrored=False", "vis_maxPictures=20"]
    return load_parameters([*settings, *places, *fixed, *quick, "datasetLayout=folders"])


# --- what is synthetic ---


def random_boxes(random, count, width=WIDTH, height=HEIGHT):
    """Whole-number boxes (count, 4), at least 8 pixels wide and high."""
    corners = random.integers(0, [width - 8, height - 8], (count, 2))
    return np.hstack([corners, random.integers(corners + 8, [width + 1, height + 1])])


def make_data_set(params, nr_images):
    """Images with one to four boxes, and what step 1 would have written."""
    for number in range(nr_images):
        random = np.random.default_rng(number)
        image = ImageFile(params.image_dir, f"{('positive', 'testImages')[number % 2]}/{number}.jpg")
        image.path.parent.mkdir(parents=True, exist_ok=True)
        noise = Image.fromarray(random.integers(0, 256, (12, 16, 3), dtype=np.uint8))
        noise.resize((WIDTH, HEIGHT)).save(image.path)
        count = int(random.integers(1, 5))
        boxes = random_boxes(random, count)
        write_annotation(image.path, boxes, random.choice(params.classes, count))
        near = np.clip(np.repeat(boxes, 10, axis=0) + random.integers(-1, 2, (10 * count, 4)), 0, [WIDTH, HEIGHT] * 2)
        rois = np.concatenate([near, random_boxes(random, params.cntk_nrRois)])
        write_rois(roi_path(params.roi_dir, image), Rois.of(rois))
    complete(params, ROIS)


def make_features(params):
    """What step 3 would have written for the training images: noise, and the class of those on an object."""
    random = np.random.default_rng(0)
    for index, entry in enumerate(read_inputs(params, "train")):
        features = random.normal(size=(len(entry.rois), NR_FEATURES)).astype(np.float16)
        features[np.arange(len(features)), entry.class_ids] += np.where(entry.class_ids > 0, 8, 0).astype(np.float16)
        write_arrays(feature_path(params.cntk_files_dir, "train", "svm", index), arr_0=features)
    complete(params, FEATURES)


def invent_detections(params):
    """What `detect_all` of step 5 yields, without network: 300 candidates per image, a third of them kept."""
    for number, image in enumerate(list_images(params, IMAGE_SETS[params.imageSet])):
        random = np.random.default_rng(number)
        truth = load_ground_truth(image, (WIDTH, HEIGHT), params)
        right = random.integers(0, len(truth.boxes), 300)
        is_near = random.random(300) < 0.1
        boxes = np.where(is_near[:, None], truth.boxes[right], random_boxes(random, 300))
        class_ids = np.where(is_near, truth.class_ids[right], random.integers(1, NR_CLASSES + 1, 300))
        scores = (random.normal(size=300) + is_near).astype(np.float32)
        found = Detections(as_boxes(boxes), scores, class_ids).by_score()
        yield image, Candidates(found, np.arange(300) % 3 == 0), truth


def complete(params, step):
    """Leave the record that a step leaves."""
    run = StepRun(params, step)
    run.start({})
    run.finish()


# --- the steps ---


def run_script_of(name, params):
    """A step's `main`, without what it prints."""
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        importlib.import_module(name).main(params)


def read_all_inputs(params, nr_images):
    for image_set in IMAGE_SETS:
        for _ in read_inputs(params, image_set):
            pass


def evaluate(params, nr_images):
    complete(params, SVMS)
    importlib.import_module("5_evaluate").detect_all = invent_detections
    run_script_of("5_evaluate", params)


STAGES = {
    "imports alone": lambda params, nr_images: None,
    "(making images and ROIs)": make_data_set,
    "0_checkDataset.py": lambda params, nr_images: run_script_of("0_checkDataset", params),
    "2_computeCntkInputs.py": lambda params, nr_images: run_script_of("2_computeCntkInputs", params),
    "reading the files of step 2": read_all_inputs,
    "(making features)": lambda params, nr_images: make_features(params),
    "4_trainSvm.py": lambda params, nr_images: run_script_of("4_trainSvm", params),
    "5_evaluate.py": evaluate,
    "5_visualize.py": lambda params, nr_images: run_script_of("5_visualize", params),
}


def run_stage(name, params, nr_images):
    """Seconds of a stage by the clock and of the processor, and the most memory that its process held, in GB."""
    keep_freed_memory()  # as the scripts do
    start, start_of_work = time.perf_counter(), time.process_time()
    STAGES[name](params, nr_images)
    return time.perf_counter() - start, time.process_time() - start_of_work, peak_memory()


def disk_used(folder):
    """Bytes of all files below a folder."""
    return sum(path.stat().st_size for path in Path(folder).rglob("*") if path.is_file())


def measure_stages(nr_images, nr_rois, settings):
    """Stage -> (seconds, seconds of the processor, peak GB, GB written), on a data set that is removed at the end."""
    measured, before = {}, 0
    with tempfile.TemporaryDirectory() as folder:
        params = small_parameters(folder, nr_rois, settings)
        for name in tqdm(STAGES, desc=f"{nr_images} images", unit="stage"):
            measures = in_fresh_process(run_stage, name, params, nr_images, method=METHOD)
            after = disk_used(folder)
            measured[name] = *measures, (after - before) / GB
            line = (
                f"{name}: {measures[0]:.0f} s, {measures[2]:.2f} GB of memory, {(after - before) / GB:.2f} GB written"
            )
            tqdm.write(line, file=sys.stderr)  # what there is of the table when a long run is broken off
            before = after
    return measured


# --- one image, and all of VOC ---


def photos_or_noise(folder, count=3):
    """A few photos of a folder, or noise of 500 x 375 pixels: list of uint8 RGB (H, W, 3)."""
    if folder:
        return [read_image(path) for path in spread(sorted(filter(is_image, Path(folder).rglob("*"))), count)]
    random = np.random.default_rng(0)
    noise = [Image.fromarray(random.integers(0, 256, (47, 63, 3), dtype=np.uint8)) for _ in range(count)]
    return [np.asarray(image.resize((500, 375))) for image in noise]


class Watch:
    """Median seconds of the processor for the parts of a work that is done several times."""

    def __init__(self):
        self.seconds, self.last = {}, time.process_time()

    def lap(self, name):
        """Time since the last lap."""
        now = time.process_time()
        self.seconds.setdefault(name, []).append(now - self.last)
        self.last = time.process_time()

    def medians(self):
        return {name: float(np.median(values)) for name, values in self.seconds.items()}


def measure_images(photos, nr_rois, params, folder):
    """(part -> median seconds per image, bytes of an image's features and of its predictions)."""
    one_thread()
    network = build_network(params)
    model, watch, random = FastRcnn(network, NR_CLASSES), Watch(), np.random.default_rng(0)
    path = Path(folder) / "features.npz"
    for pixels in photos_or_noise(photos):
        size = pixels.shape[1::-1]
        watch.lap("-")
        found = propose_rois(pixels, params)
        watch.lap("rois")
        rois = found.then(Rois.of(random_boxes(random, max(nr_rois - len(found), 0), *size))).take(slice(nr_rois))
        prepared = prepare_image(pixels, params)
        watch.lap("-")
        features = describe_rois(network, prepared, rois, params)
        write_arrays(path, arr_0=features)
        watch.lap("features")
        svms = LinearSvms(random.normal(size=(NR_CLASSES, features.shape[1])).astype(np.float32), np.zeros(1), 0.01)
        watch.lap("-")
        scaled(read_features(path, nr_rois), 0.01) @ svms.weights.T
        watch.lap("pass")
        probabilities, offsets = predict(model, prepared, rois, params)
        watch.lap("predictions")
        detect(rois, class_scores(probabilities, offsets, params), size, params)
        watch.lap("detections")
    return watch.medians(), path.stat().st_size, probabilities.nbytes + offsets.nbytes


def voc_table(measured, seconds, feature_bytes, prediction_bytes, nr_images):
    """The rows of the prediction. measured: of `measure_stages`; seconds: of `measure_images`."""
    images, views = VOC_TRAIN + VOC_TEST, 2 * VOC_TRAIN + VOC_TEST  # mirror images are trained on as well
    inputs, scored = measured["2_computeCntkInputs.py"], measured["5_evaluate.py"][1] / (nr_images / 2)
    rows = [
        ("1 ROIs", images * seconds["rois"], images * measured["(making images and ROIs)"][3] / nr_images),
        ("2 inputs", images * inputs[1] / nr_images, images * inputs[3] / nr_images),
        ('3 features, classifier "svm"', views * seconds["features"], views * feature_bytes / GB),
        ('3 predictions, classifier "nn"', images * seconds["predictions"], images * prediction_bytes / GB),
        (f"4 SVMs, {PASSES} passes", PASSES * 2 * VOC_TRAIN * seconds["pass"], 0),
        ("5 detections and measures", VOC_TEST * (seconds["detections"] + scored), VOC_TEST * 0.02 / 1000),
    ]
    head = ["VOC 2007, predicted", "hours of one core", "disk GB"]
    return [head, *([name, f"{total / 3600:.2f}", f"{disk:.1f}"] for name, total, disk in rows)]


def main(arguments):
    announce()
    if METHOD == "forkserver":  # imports once for all stages
        get_context(METHOD).set_forkserver_preload(["benchmarks.size", "helpers.drawing.plots"])
    for nr_images in arguments.images:
        measured = measure_stages(nr_images, arguments.rois, arguments.settings)
        table = [
            [
                f"{nr_images} images, {arguments.rois} ROIs",
                "seconds",
                "of the processor",
                "peak memory GB",
                "written GB",
            ]
        ]
        table += [
            [name, f"{row[0]:.1f}", f"{row[1]:.1f}", f"{row[2]:.2f}", f"{row[3]:.2f}"] for name, row in measured.items()
        ]
        print(format_table(table) + "\n", flush=True)
    kind = f"photos of {arguments.photos}" if arguments.photos else "noise of 500 x 375 pixels"
    for_voc = ["datasetName=pascalVoc", "networkWeights=random", f"cntk_nrRois={arguments.rois}"]
    params = load_parameters([*arguments.settings, *for_voc])
    with tempfile.TemporaryDirectory() as folder:
        found = in_fresh_process(measure_images, arguments.photos, arguments.rois, params, folder, method=METHOD)
    print(f"Single images: 3 {kind}, {arguments.rois} ROIs, network {params.network} with random weights")
    print(format_table(voc_table(measured, *found, arguments.images[-1])))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument("--images", nargs="+", type=int, default=[10_000], help="images, half for training")
    parser.add_argument("--rois", type=int, default=4000, help="ROIs per image (default 4000)")
    parser.add_argument("--photos", metavar="FOLDER", help="measure single images on photos from here, not on noise")
    options = parser.parse_args()
    run_script(lambda: main(options))
