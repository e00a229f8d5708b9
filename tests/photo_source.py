"""Photos with a box each and a CSV file about them, for tests of tools/importAnnotations.py."""

import importAnnotations
import numpy as np
from PIL import Image

from pipeline.parameters import load_parameters


def pixels(seed=0, size=(100, 80)):
    """A picture of the roughness of a photo: uint8 RGB."""
    coarse = np.random.default_rng(seed).integers(20, 230, (7, 9, 3), dtype=np.uint8)
    return np.asarray(Image.fromarray(coarse).resize(size, Image.Resampling.BICUBIC))


def write_csv(folder, rows, header="filename,xmin,ymin,xmax,ymax,class"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "x.csv").write_text("\n".join([header, *(",".join(map(str, row)) for row in rows)]), encoding="utf-8")


def photos(folder, *names, box=(1, 1, 50, 50)):
    """Photos with a box of a cup each, as PNG or JPEG."""
    write_csv(folder, [(name, *box, "cup") for name in names])
    for seed, name in enumerate(names):
        Image.fromarray(pixels(seed)).save(folder / name)


def run(folder, dataset="new", form="csv", **options):
    params = load_parameters([f"dataRootDir={folder / 'data'}", "seed=3"])
    placed, notes = importAnnotations.main(params, form, folder / "source", dataset, **options)
    return {name: subdir for _, subdir, name in placed}, "\n".join(map(str, notes))
