"""Look into step 2: draw the regions of interest (ROIs) and labels that the network's input files hold.

    cntkFiles/<imageSet>*.txt, images  ->  results/<dataset>/inputs/<imageSet>/<image>.jpg

Left the ground-truth boxes (training only: step 2 adds them) and all positive ROIs, coloured by class; right the first
background ROIs. A picture in which positive ROIs do not lie on their objects means wrong annotations or coordinates.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from helpers.artifacts.cntk_files import RoiInput, read_inputs
from helpers.artifacts.steps import INPUTS, require
from helpers.base.images import read_image, scale_to_fit, write_image
from helpers.base.tables import counted
from helpers.config.schema import Parameters
from helpers.dataset.image_files import ImageFile
from helpers.drawing.boxes import (
    WHITE,
    DrawnBox,
    class_color,
    draw_boxes,
    picture_path,
    remove_pictures,
    side_by_side,
)
from helpers.drawing.fonts import drawable_names
from pipeline.parameters import run_step

PANEL_SIDE = 1200  # pixels of the longer side of each of the two images in a picture
NR_BACKGROUNDS = 20  # background ROIs that are drawn
GROUND_TRUTH = DrawnBox((), WHITE, "ground truth", width=1.2, dashed=True)


def draw_one(entry: RoiInput, image: np.ndarray, params: Parameters) -> np.ndarray:
    """The picture of one entry of the input files: uint8 RGB. image: uint8 RGB (H, W, 3)."""
    rois, names = entry.rois, drawable_names(params.all_classes)
    positives = np.flatnonzero((entry.class_ids > 0) & rois.found)
    backgrounds = np.flatnonzero((entry.class_ids == 0) & rois.found)
    added = np.flatnonzero(~rois.found)
    panel, factors = scale_to_fit(image, PANEL_SIDE, PANEL_SIDE)

    def draw(rows: Iterable[int], width: float) -> list[DrawnBox]:
        boxes = [DrawnBox(tuple(rois.boxes[row]), class_color(entry.class_ids[row]), width=width) for row in rows]
        return [item.scaled(factors) for item in boxes]

    ground_truth = [
        replace(GROUND_TRUTH, box=tuple(rois.boxes[row]), caption=names[entry.class_ids[row]]).scaled(factors)
        for row in added
    ]
    shown = backgrounds[:NR_BACKGROUNDS]
    panels = [draw_boxes(panel, draw(positives, 0.7) + ground_truth), draw_boxes(panel, draw(shown, 1.0))]
    titles = [
        f"{len(positives)} positive ROIs" + (f" and {len(added)} ground-truth boxes" if len(added) else ""),
        f"{len(backgrounds)} background ROIs, the first {len(shown)} of them drawn",
    ]
    classes = sorted({*entry.class_ids[entry.class_ids > 0].tolist()})
    legend = [DrawnBox((), class_color(class_id), names[class_id]) for class_id in classes]
    legend += [DrawnBox((), class_color(0), "background"), *([GROUND_TRUTH] if len(added) else [])]
    return side_by_side(panels, titles, f"{entry.key}: {counted(len(rois), 'ROI')}", legend)


def main(params: Parameters) -> list[Path]:
    """Draw every image of `imageSet`; returns the paths of the pictures."""
    require(params, INPUTS)
    drawable_names(params.all_classes)  # before the bar: it says on stderr which are drawn as numbers
    folder = params.results_dir / "inputs" / params.imageSet
    remove_pictures(folder)
    paths = []
    for entry in tqdm(read_inputs(params, params.imageSet), desc="B2 pictures", unit="image"):
        image = ImageFile(params.image_dir, entry.key)
        paths.append(picture_path(folder, image))
        write_image(paths[-1], draw_one(entry, read_image(image.path), params))
    print(f"{len(paths)} pictures: {folder}")
    return paths


if __name__ == "__main__":
    run_step(main, __doc__)
