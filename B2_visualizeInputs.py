"""Look into step 2: draw the regions of interest (ROIs) and labels that the network's input files hold.

    cntkFiles/<imageSet>*.txt, images  ->  results/<dataset>/inputs/<imageSet>/<image>.jpg

Left the true boxes (training only: step 2 adds them) and all positive ROIs, coloured by class; right the first
background ROIs. A picture in which positive ROIs do not lie on their objects means wrong annotations or coordinates.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    from helpers.base.start import start

    start()

from dataclasses import replace

import numpy as np
from tqdm import tqdm

from helpers.artifacts.cntk_files import read_inputs
from helpers.artifacts.steps import INPUTS, require
from helpers.base.images import read_image, scale_to_fit, write_image
from helpers.base.tables import counted
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
from pipeline.stages import padded_square

PANEL_SIDE = 1200  # pixels of the longer side of each of the two images in a picture
NR_BACKGROUNDS = 20  # background ROIs that are drawn
TRUE = DrawnBox((), WHITE, "true box", width=1.2, dashed=True)


def draw_one(entry, image, params):
    """The picture of one entry of the input files: uint8 RGB. image: uint8 RGB (H, W, 3)."""
    rois = entry.pixel_rois(padded_square(image.shape[1::-1], params))
    names = drawable_names(params.all_classes)
    is_truth = np.arange(len(rois)) < entry.nr_truth
    positives = np.flatnonzero((entry.class_ids > 0) & ~is_truth)
    backgrounds = np.flatnonzero((entry.class_ids == 0) & ~is_truth)
    panel, factors = scale_to_fit(image, PANEL_SIDE, PANEL_SIDE)

    def draw(rows, width):
        boxes = [DrawnBox(tuple(rois[row]), class_color(entry.class_ids[row]), width=width) for row in rows]
        return [item.scaled(factors) for item in boxes]

    true_boxes = [
        replace(TRUE, box=tuple(rois[row]), caption=names[entry.class_ids[row]]).scaled(factors)
        for row in np.flatnonzero(is_truth)
    ]
    shown = backgrounds[:NR_BACKGROUNDS]
    panels = [draw_boxes(panel, draw(positives, 0.7) + true_boxes), draw_boxes(panel, draw(shown, 1.0))]
    titles = [
        f"{len(positives)} positive ROIs" + (f" and {entry.nr_truth} true boxes" if entry.nr_truth else ""),
        f"{len(backgrounds)} background ROIs, the first {len(shown)} of them drawn",
    ]
    classes = sorted({*entry.class_ids[entry.class_ids > 0].tolist()})
    legend = [DrawnBox((), class_color(class_id), names[class_id]) for class_id in classes]
    legend += [DrawnBox((), class_color(0), "background"), *([TRUE] if entry.nr_truth else [])]
    return side_by_side(panels, titles, f"{entry.key}: {counted(len(rois), 'ROI')}", legend)


def main(params):
    """Draw every image of `imageSet`; returns the paths of the pictures."""
    require(params, INPUTS)
    drawable_names(params.all_classes)  # before the bar: it says on stderr which are drawn as numbers
    folder = params.results_dir / "inputs" / params.imageSet
    remove_pictures(folder)
    paths = []
    for entry in tqdm(read_inputs(params.cntk_files_dir, params.imageSet), desc="B2 pictures", unit="image"):
        image = ImageFile(params.image_dir, entry.key)
        paths.append(picture_path(folder, image))
        write_image(paths[-1], draw_one(entry, read_image(image.path), params))
    print(f"{len(paths)} pictures: {folder}")
    return paths


if __name__ == "__main__":
    run_step(main, __doc__)
