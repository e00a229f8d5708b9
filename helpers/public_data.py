"""The public data sets that getData.py can get: where they are, which files they need, how to tell them from others.

For each there are three functions: `..._archives(folder, source)` returns the archives, downloaded into `folder`
unless there is a `source`; `..._member(name)` says where a member of an archive belongs in the data set, None for
nowhere; `..._trouble(folder)` says what is wrong with the data set in a folder, None if nothing is. Further files in
the folder do not matter.
"""

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from helpers.download import download, verify

GROCERY_URL = "https://github.com/Azure/ObjectDetectionUsingCntk/archive/master.zip"
# The archive is packed anew for each download, so its own hash says nothing. This is the hash of the files' hashes:
# find * -type f | LC_ALL=C sort | xargs sha256sum | sha256sum
GROCERY_SHA256 = "95241615b40ed745551fd3f75876446d7e1a64a9bab39af5db437774f31a3a9d"
GROCERY_IMAGES = {
    "positive": (0, 2, 3, 4, 6, 7, 8, 9, 11, 12, 13, 14, 17, 18, 19, 21, 22, 23, 24, 26),
    "testImages": (5, 10, 15, 20, 25),
    "negative": (1, 2, 3, 4, 5),  # without annotations
}
GROCERY_FILES = sorted(
    f"{folder}/{number}{suffix}"
    for folder, numbers in GROCERY_IMAGES.items()
    for number in numbers
    for suffix in ((".jpg",) if folder == "negative" else (".jpg", ".bboxes.tsv", ".bboxes.labels.tsv"))
)  # 80 names

VOC_URL = "http://host.robots.ox.ac.uk/pascal/VOC/voc2007/"
VOC_ARCHIVES = {  # file name: bytes, SHA-256
    "VOCtrainval_06-Nov-2007.tar": (460032000, "7d8cd951101b0957ddfd7a530bdc8a94f06121cfc1e511bb5937e973020c7508"),
    "VOCtest_06-Nov-2007.tar": (451020800, "6836888e2e01dca84577a849d339fa4f73e1e4f135d312430c4856b5609b4892"),
}


def grocery_archives(folder, source):
    """The archive to unpack: `source`, or the original repository's, downloaded into `folder`."""
    path = Path(folder, "ObjectDetectionUsingCntk-master.zip")
    return [source or download(GROCERY_URL, path, describe="the original tutorial with its photos")]


def grocery_member(name):
    """Where an archive's member belongs in the data set's folder, or None for what is not wanted."""
    name = re.sub(r"^(.*/)?grocery/", "", name)
    return name if name in GROCERY_FILES else None


def grocery_trouble(folder):
    """What is wrong with an unpacked data set, as a sentence; None where it is the original's to the byte."""
    missing = [name for name in GROCERY_FILES if not (folder / name).is_file()]
    if missing:
        return f"{len(missing)} of {len(GROCERY_FILES)} files are missing, such as {missing[0]}"
    rows = []
    for name in GROCERY_FILES:
        content = (folder / name).read_bytes()
        if name.endswith(".tsv"):
            content = content.replace(b"\r\n", b"\n")  # a git checkout under Windows has these line ends
        rows.append(f"{hashlib.sha256(content).hexdigest()}  {name}\n")
    digest = hashlib.sha256("".join(rows).encode()).hexdigest()
    if digest != GROCERY_SHA256:
        return f"the files are not the original's: expected the fingerprint {GROCERY_SHA256}, got {digest}"
    return None


def voc_archives(folder, source):
    """The archives to unpack: those in `source` (or that folder itself), or downloads into `folder`."""
    if source is None:
        for name, (size, sha256) in VOC_ARCHIVES.items():
            download(VOC_URL + name, Path(folder, name), sha256=sha256, size=size, describe="PASCAL VOC 2007")
        return [Path(folder, name) for name in VOC_ARCHIVES]
    archives = [source / name for name in VOC_ARCHIVES if (source / name).is_file()]
    for archive in archives:
        size, sha256 = VOC_ARCHIVES[archive.name]
        verify(archive, sha256=sha256, size=size)
    return archives or [source]


def voc_member(name):
    """Where an archive's member belongs below VOC2007, or None for what is not wanted."""
    name = re.sub(r"^(.*/)?VOC2007/", "", name)
    kinds = r"Annotations/[\w-]+\.xml|ImageSets/Main/[\w-]+\.txt|JPEGImages/[\w-]+\.jpg"  # no masks of segmentation
    return name if re.fullmatch(kinds, name) else None


def voc_trouble(folder):
    """What is missing in an unpacked VOC2007, as a sentence; None where images and annotations are complete."""
    for part in ("trainval", "test"):
        path = folder / "ImageSets" / "Main" / f"{part}.txt"
        names = path.read_text(encoding="utf-8", errors="replace").split() if path.is_file() else ()
        if not names:
            return f"ImageSets/Main/{part}.txt is missing or empty (trainval and test come in one archive each)"
        for name in names:
            if not re.fullmatch(r"[\w-]{1,100}", name):
                return f"ImageSets/Main/{part}.txt has the row {name[:100]!a}, which is no name of an image"
            for file in (f"Annotations/{name}.xml", f"JPEGImages/{name}.jpg"):
                if not (folder / file).is_file():
                    return f"{file} is missing, which ImageSets/Main/{part}.txt names"
    return None


@dataclass(frozen=True)
class PublicData:
    """A data set that `getData.py` fetches: where it goes, and the functions that find, sort and check its files."""

    folder: str  # below dataRootDir
    archives: Callable
    member: Callable
    trouble: Callable
    max_bytes: int  # unpacked; a few times what it is


PUBLIC_DATA = {
    "grocery": PublicData("grocery", grocery_archives, grocery_member, grocery_trouble, 2**28),
    "pascalVoc": PublicData("VOCdevkit/VOC2007", voc_archives, voc_member, voc_trouble, 2**31),
}
