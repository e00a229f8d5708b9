"""Photos to import, and the import of them."""

import importAnnotations
import numpy as np
from PIL import Image

from helpers.dataset.check import check_dataset
from pipeline.parameters import load_parameters


def photo(seed):
    """A picture of the roughness of a photo."""
    coarse = np.random.default_rng(seed).integers(20, 230, (7, 9, 3), dtype=np.uint8)
    return Image.fromarray(coarse).resize((100, 80), Image.Resampling.BICUBIC)


def save(path, picture, text=None, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    picture.save(path, **options)
    if text is not None:
        path.with_suffix(".txt").write_text(text)
    return path


BOX = "0 .5 .5 .2 .5\n"


def run(folder, form="yolo", dataset="new", source="source", **options):
    """Import from `source`: {file name: subdir}, all notes as one text, and step 0's errors."""
    params = load_parameters([f"dataRootDir={folder / 'data'}", "seed=3"])
    placed, notes = importAnnotations.main(params, form, folder / source, dataset, **options)
    report = check_dataset(load_parameters([f"dataRootDir={folder / 'data'}", f"datasetName={dataset}"]))
    errors = [str(problem) for problem in report.problems if problem.level == "error"]
    return {name: subdir for _, subdir, name in placed}, "\n".join(map(str, notes)), errors
