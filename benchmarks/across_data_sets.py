"""A detector trained on one data set, tested on another: SVMs of rendered images on photos, say.

    python3 benchmarks/across_data_sets.py --trainSet datasetName=groceryDemo --set datasetName=grocery

Parameters after --set hold for both, those after --trainSet for the training set only. It is trained on all annotated
and negative images of the one and tested on the test images and on all annotated images of the other.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
if __name__ == "__main__":  # whichever Python this is
    from helpers.base.start import require_python

    require_python()

sys.path.insert(0, str(Path(__file__).resolve().parent))

from cross_validation import describe, measure, score, train

from helpers.base.errors import UserError
from helpers.base.script import run_script
from helpers.base.tables import format_table, number
from helpers.config.command_line import argument_parser
from helpers.formats.own_layout import TEST_SUBDIRS
from pipeline.parameters import load_parameters


def main(arguments):
    params = load_parameters(arguments.settings)
    source = load_parameters([*arguments.settings, *arguments.train_settings])
    if source.classes != params.classes:
        raise UserError(f"{source.datasetName} has other classes than {params.datasetName}: nothing can be compared")
    classifier = train(describe(source), source)
    annotated = [image for image in describe(params) if len(image.truth[0])]
    table = [["trained on " + source.datasetName, "images", "mAP@0.5", "mAP@0.7", "AP@0.5:0.95"]]
    for name, images in (
        ("test images", [image for image in annotated if image.key.startswith(TEST_SUBDIRS)]),
        ("all annotated images", annotated),
    ):
        measures = measure([score(classifier, image, params) for image in images], images, params)
        table.append([f"{params.datasetName}, {name}", str(len(images)), *map(number, measures)])
    print(f"{params.network}, weights {params.networkWeights}, {params.cntk_nrRois} ROIs")
    print(format_table(table))


if __name__ == "__main__":
    parser = argument_parser(__doc__)
    parser.add_argument(
        "--trainSet", nargs="+", default=[], metavar="NAME=VALUE", dest="train_settings", required=True,
        help="parameters of the data set to train on",
    )  # fmt: skip
    options = parser.parse_args()
    run_script(lambda: main(options))
