"""What a format's writer is given of each image."""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from helpers.formats.shapes import Box


@dataclass(frozen=True)
class ExportedImage:
    """An image for the writers: its key "positive/1.jpg", (width, height) as displayed, and (box, label, ignored)s."""

    key: str
    size: tuple[int, int]
    objects: tuple[tuple[Box, str, bool], ...]

    @property
    def base(self) -> str:
        """The key without suffix."""
        return os.path.splitext(self.key)[0]

    @property
    def subdir(self) -> str:
        """The folder in the key."""
        return self.key.split("/")[0]


Writer = Callable[[Sequence[ExportedImage]], dict[str, str]]  # -> {file name: text}


def labels_of(images: Sequence[ExportedImage]) -> list[str]:
    """All labels on some images, sorted."""
    return sorted({label for image in images for _, label, _ in image.objects})
