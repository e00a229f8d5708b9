"""The source of an import: its images are found by an `ImageIndex`, and some of them are refused."""

from dataclasses import dataclass, field
from pathlib import Path

from helpers.formats.source import Source
from helpers.importing.image_index import ImageIndex


@dataclass
class ImportSource(Source):
    """refused: the paths of images that are left out although there are annotations of them."""

    images: ImageIndex
    refused: set[Path] = field(default_factory=set)
