"""The search itself: several colour spaces, segmentations of each, groupings of each; the frame of every region."""

import numba  # noqa: F401 (without it this would take minutes per image: the caller does something else)
import numpy as np

from fastRCNN.fast_search.colours import COLOUR_SPACES, blurred
from fastRCNN.fast_search.grouping import MOST_REGIONS, group, pixel_bins, region_features
from fastRCNN.fast_search.segmentation import pixel_regions, region_pairs, sorted_edges

# which similarities count in a grouping: of colour, texture, size, fill. As the paper has it, several groupings of one
# segmentation find more than one does
GROUPINGS = np.array([(1, 1, 1, 1), (1, 0, 1, 1), (0, 0, 1, 1), (0, 0, 0, 1)], bool)
MIN_SIZE = 10  # pixels of a region


def search(image: np.ndarray, colours: tuple[str, ...], ks: tuple[int, ...], max_side: float) -> np.ndarray:
    """The frames of all regions, with duplicates.

    Args:
        image: uint8 RGB (H, W, 3).
        colours: of `COLOUR_SPACES`.
        ks: Felzenszwalb's k of each segmentation.
        max_side: pixels; regions with a longer side are not wanted.

    Returns:
        int32 (N, 4) `[x1, y1, x2, y2]` in pixels of the image.
    """
    height, width = image.shape[:2]
    nr_pixels, smooth = height * width, blurred(image)
    min_size = max(MIN_SIZE, -(-nr_pixels // MOST_REGIONS))
    longest = int(np.ceil(max_side)) + 1
    found = []
    for name in colours:
        channels = COLOUR_SPACES[name](smooth)
        weights, codes = sorted_edges(channels)
        bins = pixel_bins(channels)
        for k in ks:
            labels, sizes, between = pixel_regions(weights, codes, height, width, k, min_size)
            pairs = region_pairs(codes, between, width, labels, len(sizes))
            histograms, frames = region_features(bins, labels, sizes)
            found.append(frames)
            for similarities in GROUPINGS:
                found.append(group(histograms, frames, sizes, pairs, nr_pixels, similarities, longest))
    return np.concatenate(found)
