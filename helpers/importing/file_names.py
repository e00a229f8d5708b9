"""What imported images are called: names that every system can hold, unique in their folder."""

import os
import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from helpers.dataset.image_files import MAX_NAME_BYTES
from helpers.fetching.archives import RESERVED
from helpers.importing.merging import ImportedImage

IS_WINDOWS, IGNORES_CASE = os.name == "nt", sys.platform in ("win32", "cygwin", "darwin")
UNSAFE = re.compile(r'[<>:"|?*\\/]' if IS_WINDOWS else "/")  # letters that file names here must not have

Chosen = tuple[ImportedImage, str]  # an image, and the subdir where it goes
Taken = frozenset[tuple[str, str]]  # (subdir, `name_key` of a stem)


def file_names(chosen: Sequence[Chosen], taken: Taken = frozenset()) -> list[str]:
    """The new file name of each image: its own, and where several have the same one, with their folders before it.

    Stems are unique in each subdir, because "1.jpg" and "1.PNG" would share their annotations, and short enough for the
    files beside them. `taken` are names that must stay free.
    """
    groups = Counter((subdir, name_key(item.image.path.stem)) for item, subdir in chosen)
    used, names = set(taken), []
    for item, subdir in chosen:
        image = item.image
        suffix = image.examined.suffix
        alone = groups[subdir, name_key(image.path.stem)] == 1
        base = image.path.stem if alone else "_".join((*image.parts[:-1], image.path.stem))
        stem, number = safe_stem(base, suffix), 1
        while (subdir, name_key(stem)) in used:
            number += 1
            stem = safe_stem(base, f"_{number}{suffix}") + f"_{number}"
        used.add((subdir, name_key(stem)))
        names.append(stem + suffix)
    return names


def name_key(stem: str) -> str:
    """What two files here must not have in common: Windows and macOS take capital letters for small ones."""
    return unicodedata.normalize("NFC", stem).casefold() if IGNORES_CASE else stem


def safe_stem(name: str, rest: str = "") -> str:
    """A file name without suffix that this system can hold and the steps can write into text files.

    It is cut at a letter's border where it, with `rest` behind it, has more than `MAX_NAME_BYTES` bytes in UTF-8.
    """
    name = UNSAFE.sub("_", name).lstrip(".")  # files with a dot before their names are hidden
    name = "".join(letter if letter == " " or letter.isprintable() else "_" for letter in name)
    if IS_WINDOWS:
        name = f"_{name}" if RESERVED.fullmatch(name) else name.rstrip(". ")
    name = name if name.strip() else "image"
    return name.encode()[: MAX_NAME_BYTES - len(rest.encode())].decode(errors="ignore")


def is_possible_name(stem: str, name: str) -> bool:
    """Whether an image could keep its own name in the data set, with the suffix of `name`."""
    return safe_stem(stem, Path(name).suffix) == stem
