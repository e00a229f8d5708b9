"""What PARAMETERS.py need not say of a data set, because its files do: the classes, and the limits of ROIs.

With it, any folder in the right layout runs by `--set datasetName=NAME` alone, and COCO by its categories alone.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from helpers.base.errors import UserError
from helpers.base.images import image_size
from helpers.base.words import nearest
from helpers.config.schema import Parameters
from helpers.dataset.sources import LAYOUTS, derive_classes, read_annotation
from helpers.dataset.summary import LIMITS, relative_sizes


def derive_unnamed(params: Parameters, blocks: Iterable[str]) -> dict[str, Any]:
    """What a data set says of itself for which nobody names the classes, as `derive_block`.

    Args:
        blocks: the names of all blocks in PARAMETERS.py.

    Raises:
        UserError: where there is neither a block nor a folder.
    """
    if params.datasetName not in blocks and not params.image_dir.is_dir():
        folders = sorted(path.parent.name for path in Path(params.dataRootDir).glob("*/positive"))
        known = list(dict.fromkeys([*blocks, *folders]))
        raise UserError(
            f'datasetName = "{params.datasetName}": there is no folder {params.image_dir}, and no block of this name '
            f"in PARAMETERS.py{nearest(params.datasetName, known)}; known: {', '.join(known)}"
        )
    return derive_block(params)


def derive_block(params: Parameters) -> dict[str, Any]:
    """Values by name for a data set whose classes PARAMETERS.py does not name: them, and limits that fit the boxes.

    The limits come from the images to train on alone, never from the test images. What is wrong with single images and
    rows, step 0 says.

    Raises:
        UserError: where no class is found.
    """
    classes = derive_classes(params)
    params = params.replace(classes=classes)
    found = [np.zeros((0, 4))]
    for image in LAYOUTS[params.datasetLayout].list_images(params, ("positive",)):
        try:
            size, _ = image_size(image.path)
        except UserError:
            continue  # step 0 names it, and step 1 stops
        annotation, _ = read_annotation(image, size, params)
        found.append(relative_sizes(annotation.boxes[~annotation.ignored()], size))
    sizes = np.concatenate(found)
    limits = {limit.parameter: limit.fitting(sizes) for limit in LIMITS} if len(sizes) else {}
    return {"classes": classes, **limits}


def block_as_text(name: str, block: dict[str, Any]) -> str:
    """The lines to paste into PARAMETERS.py."""
    lines = [f'    "{name}": dict(', *(f"        {key}={value!r}," for key, value in block.items()), "    ),"]
    return "\n".join(lines)
