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
from stages import build_network, describe_rois, padded_square


def read_ahead(entries, image_dir):
    """Yield (entry, its image), decoding the next image in another thread meanwhile."""
    with ThreadPoolExecutor(max_workers=1) as reader:
        waiting = None
        for entry in entries:
            coming = entry, reader.submit(read_image, image_dir / entry.key)
            if waiting:
                yield waiting[0], waiting[1].result()
            waiting = coming
        if waiting:
            yield waiting[0], waiting[1].result()


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
        for name, (entry, image) in zip(todo, read_ahead(jobs, params.image_dir), strict=True):
            rois = entry.pixel_rois(padded_square(image.shape[1::-1], params))
            write_arrays(outputs[name], arr_0=describe_rois(network, image, rois, params))
            bar.update()
        bar.close()
    run.finish()
    print(f"{len(todo)} images described, {len(outputs) - len(todo)} were already done: {params.cntk_files_dir}")
    return len(todo)


if __name__ == "__main__":
    run_step(main, __doc__)
