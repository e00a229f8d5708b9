"""Step 3: describe every ROI by the features of a pre-trained network.

    cntkFiles/, images  ->  proc/<dataset>/cntkFiles/{train,test}_svm_parsed/<imgIndex>.dat.npz

`arr_0` of each file has shape (ROIs of the image, features), float16, rows in the order of the input files. The
convolutions run once over the whole image. While one image is convolved, the next is decoded and scaled.
"""

from concurrent.futures import ThreadPoolExecutor

from tqdm import tqdm

from helpers.cntk_files import feature_path, read_inputs
from helpers.files import write_arrays
from helpers.images import read_image
from helpers.parameters import run_step
from helpers.steps import FEATURES, INPUTS, StepRun, require
from helpers.weights import get_weights
from stages import build_network, describe_rois, padded_square, prepare_image


def read_entry(entry, params):
    """An entry's ROIs (R, 4) in pixels of the image, and the image at the network's size."""
    image = read_image(params.image_dir / entry.key)
    return entry.pixel_rois(padded_square(image.shape[1::-1], params)), prepare_image(image, params)


def read_ahead(entries, params):
    """Yield `read_entry` of each entry, working on the next one in another thread meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting = None
        for entry in entries:
            coming = reader.submit(read_entry, entry, params)
            if waiting:
                yield waiting.result()
            waiting = coming
        if waiting:
            yield waiting.result()


def main(params):
    """Write the features of all images that have none yet; returns how many were written."""
    require(params, INPUTS)
    get_weights(params)  # downloaded now if need be, since the record holds their fingerprint
    entries, outputs = {}, {}
    for image_set in ("train", "test"):
        for index, entry in enumerate(read_inputs(params.cntk_files_dir, image_set)):
            entries[image_set, index] = entry
            outputs[image_set, index] = feature_path(params.cntk_files_dir, image_set, params.classifier, index)
    run = StepRun(params, FEATURES)
    todo = run.start(outputs, f"*_{params.classifier}_parsed/*.dat.npz")
    if todo:
        network = build_network(params)
        bar = tqdm(total=len(todo), desc="3 features", unit="image")
        jobs = (entries[name] for name in todo)
        for name, (rois, prepared) in zip(todo, read_ahead(jobs, params), strict=True):
            write_arrays(outputs[name], arr_0=describe_rois(network, prepared, rois, params))
            bar.update()
        bar.close()
    run.finish()
    print(f"{len(todo)} images described, {len(outputs) - len(todo)} were already done: {params.cntk_files_dir}")
    return len(todo)


if __name__ == "__main__":
    run_step(main, __doc__)
