"""List the categories of a COCO data set: python3 tools/listCocoCategories.py [--set datasetName=coco]

Number and name of each category, and how many images and boxes show it, of those to train on and of those to test on.
Names and numbers are what `coco_categories` in PARAMETERS.py takes. Crowds are not counted.
"""

if __name__ == "__main__":  # before packages are imported, which takes seconds
    import find_project  # noqa: F401, I001 (it makes the next line possible)
    from helpers.base.start import start

    start()

from collections import Counter

from helpers.base.errors import UserError
from helpers.base.script import run_script
from helpers.base.tables import counted, format_table
from helpers.config.command_line import argument_parser
from helpers.config.schema import Parameters
from helpers.dataset.layouts.coco import CocoFile, annotation_file, read_coco
from pipeline.parameters import load_parameters


def count(content: CocoFile) -> tuple[Counter[str], Counter[str]]:
    """Images and boxes of each category name in a `CocoFile`: two Counters."""
    images: Counter[str] = Counter()
    boxes: Counter[str] = Counter()
    for record in content.records.values():
        names = [item.label for item in record.objects if not item.ignored]
        boxes.update(names)
        images.update(set(names))
    return images, boxes


def main(params: Parameters) -> list[list[str]]:
    """Print the table; returns its rows."""
    if params.datasetLayout != "coco":
        layout = params.datasetLayout
        raise UserError(f'datasetName = "{params.datasetName}": its datasetLayout is "{layout}", not "coco"')
    image_sets = params.coco_trainSet, params.coco_testSet
    contents = [read_coco(annotation_file(params, image_set)) for image_set in image_sets]
    columns = [column for content in contents for column in count(content)]
    head = ["name", "number", *(f"{part}, {what}" for part in image_sets for what in ("images", "boxes"))]
    rows = [
        [name, str(number), *(str(column[name]) for column in columns)]
        for number, name in sorted(contents[0].categories.items())
    ]
    print(format_table([head, *rows]))
    sizes = (
        f"{counted(len(content.records), 'image')} in {part}"
        for content, part in zip(contents, image_sets, strict=True)
    )
    print(f"{len(rows)} categories; {', '.join(sizes)}")
    return rows


if __name__ == "__main__":
    parser = argument_parser(__doc__, keeps=False)
    options = parser.parse_args()
    # any categories: those in PARAMETERS.py may be the ones that are wrong
    run_script(lambda: main(load_parameters(["datasetName=coco", *options.settings, "coco_categories="])) and None)
