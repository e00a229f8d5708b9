"""The public data sets that tools/getData.py can get: where they are, which files they need, how to tell them from
others.

For each there are three functions: `..._archives(folder, source)` returns the archives, downloaded into `folder`
unless there is a `source`; `..._member(name)` says where a member of an archive belongs in the data set, None for
nowhere; `..._trouble(folder)` says what is wrong with the data set in a folder, None if nothing is. Further files in
the folder do not matter.
"""

import hashlib
import re
import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from helpers.base.errors import UserError
from helpers.fetching.download import download, verify
from helpers.fetching.published_rois import FOLDER, count_published

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
VOC_ARCHIVES = {  # file name: bytes, SHA-256 [those of 2007 and 2012: tensorflow/datasets, url_checksums/voc.txt]
    "VOCtrainval_06-Nov-2007.tar": (460032000, "7d8cd951101b0957ddfd7a530bdc8a94f06121cfc1e511bb5937e973020c7508"),
    "VOCtest_06-Nov-2007.tar": (451020800, "6836888e2e01dca84577a849d339fa4f73e1e4f135d312430c4856b5609b4892"),
}
VOC2012_URL = "http://host.robots.ox.ac.uk/pascal/VOC/voc2012/"
VOC2012_ARCHIVES = {
    "VOCtrainval_11-May-2012.tar": (1999639040, "e14f763270cf193d0b5f74b169f44157a4b0c6efa708f4dd0ff78ee691763bcb"),
}

SELECTIVE_SEARCH_NAME = "selective_search_data.tgz"  # about 0.5 GB
SELECTIVE_SEARCH_URLS = (  # that of the release's script from 2015 on, and the one before; mirrors come and go
    f"https://dl.dropboxusercontent.com/s/orrt7o6bp6ae0tc/{SELECTIVE_SEARCH_NAME}",
    f"http://www.cs.berkeley.edu/~rbg/fast-rcnn-data/{SELECTIVE_SEARCH_NAME}",
)
# All that is published: rbgirshick/fast-rcnn, data/scripts/fetch_selective_search_data.sh. Neither the number of bytes
# nor a better hash is. MD5 notices damage and a mix-up; a file that its author had prepared to match another one it
# would not (see helpers/fetching/download.py). What protects in that case is that nothing in the archive is believed or
# run: helpers/fetching/archives.py unpacks only the names below, helpers/fetching/matlab_files.py reads only numbers
# and texts.
SELECTIVE_SEARCH_MD5 = "7078c1db87a7851b31966b96774cd9b9"
SELECTIVE_SEARCH_IMAGES = {"voc_2007_trainval.mat": 5011, "voc_2007_test.mat": 4952}  # those that must be there


def grocery_archives(folder: Path, source: Path | None) -> list[Path]:
    """The archive to unpack: `source`, or the original repository's, downloaded into `folder`."""
    path = Path(folder, "ObjectDetectionUsingCntk-master.zip")
    return [source or download(GROCERY_URL, path, describe="the original tutorial with its photos")]


def grocery_member(name: str) -> str | None:
    """Where an archive's member belongs in the data set's folder, or None for what is not wanted."""
    name = re.sub(r"^(.*/)?grocery/", "", name)
    return name if name in GROCERY_FILES else None


def grocery_trouble(folder: Path) -> str | None:
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


def voc_archives(folder: Path, source: Path | None) -> list[Path]:
    """The archives to unpack: those in `source` (or that folder itself), or downloads into `folder`."""
    return _voc_archives(folder, source, VOC_URL, VOC_ARCHIVES)


def voc2012_archives(folder: Path, source: Path | None) -> list[Path]:
    """The same of VOC 2012: one archive with training and validation. Its test annotations are not public."""
    return _voc_archives(folder, source, VOC2012_URL, VOC2012_ARCHIVES)


def _voc_archives(folder: Path, source: Path | None, url: str, known: dict[str, tuple[int, str]]) -> list[Path]:
    if source is None:
        for name, (size, sha256) in known.items():
            download(url + name, Path(folder, name), sha256=sha256, size=size, describe=f"PASCAL VOC {name[-8:-4]}")
        return [Path(folder, name) for name in known]
    archives = [source / name for name in known if (source / name).is_file()]
    for archive in archives:
        size, sha256 = known[archive.name]
        verify(archive, sha256=sha256, size=size)
    return archives or [source]


def voc_member(name: str, year: str = "2007") -> str | None:
    """Where an archive's member belongs below VOC<year>, or None for what is not wanted."""
    name = re.sub(rf"^(.*/)?VOC{year}/", "", name)
    kinds = r"Annotations/[\w-]+\.xml|ImageSets/Main/[\w-]+\.txt|JPEGImages/[\w-]+\.jpg"  # no masks of segmentation
    return name if re.fullmatch(kinds, name) else None


def voc_trouble(folder: Path, parts: tuple[str, ...] = ("trainval", "test")) -> str | None:
    """What is missing in an unpacked VOC folder, as a sentence; None where images and annotations are complete."""
    for part in parts:
        path = folder / "ImageSets" / "Main" / f"{part}.txt"
        names = path.read_text(encoding="utf-8", errors="replace").split() if path.is_file() else ()
        if not names:
            together = " (trainval and test come in one archive each)" if len(parts) > 1 else ""
            return f"ImageSets/Main/{part}.txt is missing or empty{together}"
        for name in names:
            if not re.fullmatch(r"[\w-]{1,100}", name):
                return f"ImageSets/Main/{part}.txt has the row {name[:100]!a}, which is no name of an image"
            for file in (f"Annotations/{name}.xml", f"JPEGImages/{name}.jpg"):
                if not (folder / file).is_file():
                    return f"{file} is missing, which ImageSets/Main/{part}.txt names"
    return None


def selective_search_archives(folder: Path, source: Path | None) -> list[Path]:
    """The archive to unpack: `source` or the one in it, or a download into `folder` from the first address that works.

    The release's own archive is checked by its MD5; any other source only by what is in it (`..._trouble`).
    """
    if source is not None:
        source = source / SELECTIVE_SEARCH_NAME if (source / SELECTIVE_SEARCH_NAME).is_file() else source
        if source.name == SELECTIVE_SEARCH_NAME:
            verify(source, md5=SELECTIVE_SEARCH_MD5)
        return [source]
    path, description = Path(folder, SELECTIVE_SEARCH_NAME), "Fast R-CNN's Selective Search boxes"
    *others, last = SELECTIVE_SEARCH_URLS
    for url in others:
        try:
            return [download(url, path, md5=SELECTIVE_SEARCH_MD5, describe=description)]
        except UserError as error:
            if path.exists():  # a wrong file of the user's, for which another address is no remedy
                raise
            print(f"{error}. Trying the next address", file=sys.stderr)
    return [download(last, path, md5=SELECTIVE_SEARCH_MD5, describe=description)]


def selective_search_member(name: str) -> str | None:
    """Where an archive's member belongs below selective_search_data, or None for what is not wanted."""
    name = name.rpartition("/")[2]
    return name if re.fullmatch(r"voc_20\d\d_(train|val|trainval|test)\.mat", name, re.ASCII) else None


def selective_search_trouble(folder: Path) -> str | None:
    """What is wrong with the unpacked files of VOC 2007, as a sentence; None where each has all images."""
    for name, expected in SELECTIVE_SEARCH_IMAGES.items():
        try:
            count = count_published(folder / name)
        except UserError as error:
            return str(error).replace(str(folder / name), name)  # the folder may be a temporary one
        if count != expected:
            return f"{name} has boxes of {count} images, not of {expected}"
    return None


@dataclass(frozen=True)
class PublicData:
    """A data set that `tools/getData.py` fetches: where it goes, and the functions that find, sort and check its
    files."""

    folder: str  # below dataRootDir
    archives: Callable[[Path, Path | None], list[Path]]
    member: Callable[[str], str | None]
    trouble: Callable[[Path], str | None]
    max_bytes: int  # unpacked; a few times what it is


PUBLIC_DATA = {
    "grocery": PublicData("grocery", grocery_archives, grocery_member, grocery_trouble, 2**28),
    "pascalVoc": PublicData("VOCdevkit/VOC2007", voc_archives, voc_member, voc_trouble, 2**31),
    "pascalVoc2012": PublicData(
        "VOCdevkit/VOC2012",
        voc2012_archives,
        partial(voc_member, year="2012"),
        partial(voc_trouble, parts=("trainval",)),
        2**32,
    ),
    "selectiveSearch": PublicData(
        FOLDER, selective_search_archives, selective_search_member, selective_search_trouble, 2**32
    ),
}
