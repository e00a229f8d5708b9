"""What a format's writer is given of each image."""

import os
from dataclasses import dataclass


@dataclass(frozen=True)
class ExportedImage:
    """An image for the writers: its key "positive/1.jpg", (width, height) as displayed, and (box, label, excluded)s."""

    key: str
    size: tuple
    things: tuple

    @property
    def base(self):
        """The key without suffix."""
        return os.path.splitext(self.key)[0]

    @property
    def subdir(self):
        return self.key.split("/")[0]
