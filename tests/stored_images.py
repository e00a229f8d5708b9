"""Image files in which the pixels are stored in all orientations."""

import numpy as np

# What a file must hold for a viewer to show the picture upright (EXIF 2.32, table 6): orientation -> the inverse of the
# viewer's operation, on the array
STORED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],  # mirrored
    3: lambda image: image[::-1, ::-1],  # upside down
    4: lambda image: image[::-1],  # mirrored upside down
    5: lambda image: image.transpose(1, 0, 2),  # mirrored about the falling diagonal
    6: lambda image: np.rot90(image, 1),  # the viewer turns it clockwise, so it is stored turned the other way
    7: lambda image: image[::-1, ::-1].transpose(1, 0, 2),  # mirrored about the rising diagonal
    8: lambda image: np.rot90(image, -1),
}
