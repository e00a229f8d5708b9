"""PASCAL VOC 2007, trained on trainval and tested on test: what was published, and what this code reaches.

    python3 tools/getData.py pascalVoc; python3 tools/getData.py selectiveSearch; python3 benchmarks/voc.py

Runs steps 1, 2, 3 and 5 for each row of the table and prints it as Markdown: published mAP (Fast R-CNN paper, table 6;
the original tutorial) and measured mAP, at 11 recalls as VOC 2007 has it, with the seconds of each step. What is done
already is kept, so a run that was broken off goes on. Rows may be chosen with --only.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

import importlib
import time
from dataclasses import dataclass

sys.path.insert(0, str(Path(__file__).resolve().parent))

from timing import announce

from helpers.base.errors import UserError
from helpers.base.script import run_script
from helpers.config.command_line import argument_parser
from helpers.dataset.sources import IMAGE_SETS, list_images
from helpers.fetching.published_rois import find_published
from pipeline.parameters import load_parameters

STEPS = ("1_computeRois", "2_computeCntkInputs", "3_runNetwork", "5_evaluate")


@dataclass(frozen=True)
class Row:
    """One detector: its title, the published mAP or None, and its settings."""

    title: str
    published: float | None
    settings: tuple


TUTORIAL = ("network=alexnet", "network_contextFactor=1.0", "nn_cacheTrunk=False")
ROWS = {
    "S-noBoxes": Row("Fast R-CNN S (AlexNet), no box regression", 0.522, ("preset=fastRcnnS", "boxRegression=False")),
    "S": Row("Fast R-CNN S (AlexNet)", 0.571, ("preset=fastRcnnS",)),
    "M": Row("Fast R-CNN M (VGG_CNN_M_1024)", 0.592, ("preset=fastRcnnM",)),
    "L": Row("Fast R-CNN L (VGG16)", 0.669, ("preset=fastRcnnL",)),
    "tutorial": Row(
        "original tutorial: AlexNet, 4000 ROIs",
        0.48,
        TUTORIAL,
    ),
    "default": Row("this code's defaults, 4000 ROIs", None, ()),
}


def run_row(name, settings):
    """Run the steps of a row: its mAP and the seconds of each step, 0 for what was done already."""
    row, seconds, result = ROWS[name], {}, None
    for step in STEPS:
        params = load_parameters(
            ["datasetName=pascalVoc", f"experimentName=voc_{name}", *row.settings, *settings]
        )  # anew for each step, as when it is run by hand
        start = time.perf_counter()
        result = importlib.import_module(step).main(params)
        seconds[step] = time.perf_counter() - start
    return result["mAP"], seconds


def describe_data(settings):
    """A line on what was there to train and to test on."""
    params = load_parameters(["datasetName=pascalVoc", *settings])
    counts = {image_set: len(list_images(params, parts)) for image_set, parts in IMAGE_SETS.items()}
    names = (*params.voc_trainSets, *params.voc_testSets)
    published = all(find_published(params.dataRootDir, *name.split("/")) for name in names) and params.voc_publishedRois
    rois = "the published Selective Search boxes" if published else f"ROIs of {params.roi_engine} and the grid"
    whole = " (VOC 2007 has 5011 and 4952)" if counts != {"train": 5011, "test": 4952} else ""
    return f"{counts['train']} images to train on, {counts['test']} to test on{whole}; {rois}"


def main(settings, names):
    """Run the rows and print the table after each; returns {name: mAP}."""
    announce()
    print(describe_data(settings))
    found, lines = {}, []
    for name in names:
        row = ROWS[name]
        found[name], seconds = run_row(name, settings)
        published = "" if row.published is None else f"{row.published:.3f}"
        hours = " | ".join(f"{seconds[step] / 3600:.2f}" for step in STEPS)
        lines.append(f"| {row.title} | {published} | {found[name]:.3f} | {hours} |")
        print("\n| | published mAP | this code | step 1, h | step 2, h | step 3, h | step 5, h |")
        print("|" + "---|" * 7)
        print("\n".join(lines), flush=True)
    return found


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    downloadable = [name for name in ROWS if name != "M"]
    parser.add_argument("--only", nargs="+", choices=ROWS, default=downloadable, metavar="ROW", help=", ".join(ROWS))
    options = parser.parse_args()

    def run():
        for setting in options.settings:
            if setting.startswith(("preset=", "experimentName=", "datasetName=")):
                raise UserError(f"--set {setting}: each row of the table sets this itself")
        main(options.settings, options.only)

    run_script(run)
