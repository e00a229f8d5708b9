"""RoIAlign (Mask R-CNN, section 3) as one weighted sum of map cells per bin: many times faster on a CPU.

torchvision's kernel visits one channel at a time. Here all channels of a cell lie side by side (channels_last), and
`embedding_bag` adds up whole cells: benchmarks/network_speed.py measures both.

RoIAlign is linear, and so is what a linear classifier makes of its result: `linear_of_bins` lets the classifier look at
the cells of the map first, and then adds up the few numbers that it says of each.
"""

import torch
from torch.nn import functional


def roi_align(feature_map: torch.Tensor, rois: torch.Tensor, size: int, scale: float) -> torch.Tensor:
    """What `torchvision.ops.roi_align(..., sampling_ratio=2, aligned=True)` gives, for one image.

    Args:
        feature_map: (1, C, H, W), fastest in channels_last.
        rois: (R, 4) in pixels of the network's input.
        size: P.
        scale: cells per pixel.

    Returns:
        (R, C, P, P).
    """
    channels, height, width = feature_map.shape[1:]
    cells, weights = _bins(rois * scale, size, height, width)
    bins = _weighted_sums(_rows(feature_map), cells.view(-1, 16), weights.view(-1, 16))  # (R * P * P, C)
    return bins.view(-1, size, size, channels).permute(0, 3, 1, 2)


def linear_of_bins(
    feature_map: torch.Tensor, rois: torch.Tensor, weights: torch.Tensor, size: int, scale: float
) -> torch.Tensor:
    """Linear functions of what `roi_align` gives, weights (O, C * P * P): as `roi_align(...).flatten(1) @ weights.T`.

    Each cell of the map is multiplied by the weights of each bin; a bin then takes from its cells what its own weights
    made of them (as R-FCN, Dai et al. 2016, arXiv 1605.06409, pools maps of its own for each bin).

    Returns:
        (R, O).
    """
    channels, height, width = feature_map.shape[1:]
    nr_bins, nr_outputs = size * size, len(weights)
    by_bin = weights.view(nr_outputs, channels, nr_bins).permute(1, 2, 0).reshape(channels, nr_bins * nr_outputs)
    table = (_rows(feature_map) @ by_bin).view(height * width * nr_bins, nr_outputs)
    cells, cell_weights = _bins(rois * scale, size, height, width)
    rows = cells * nr_bins + torch.arange(nr_bins, device=cells.device)[:, None]  # (R, P * P, 16)
    return _weighted_sums(table, rows.flatten(1), cell_weights.flatten(1))


def _rows(feature_map: torch.Tensor) -> torch.Tensor:
    """A map (1, C, H, W) with a row for each cell: (H * W, C), in channels_last a view."""
    return feature_map[0].permute(1, 2, 0).flatten(0, 1)


def _weighted_sums(table: torch.Tensor, rows: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """Sums of n rows of a table (M, C) each: rows (N, n), weights (N, n) -> (N, C)."""
    return functional.embedding_bag(rows, table, mode="sum", per_sample_weights=weights.to(table.dtype))


def _bins(rois: torch.Tensor, size: int, height: int, width: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Cells (R, P * P, 16), as their numbers, and weights (R, P * P, 16) that each bin of ROIs in cells averages."""
    rois = rois - 0.5  # a cell's value belongs to its centre
    x, x_weight = _taps(rois[:, 0], rois[:, 2], size, width)  # (R, P, 4)
    y, y_weight = _taps(rois[:, 1], rois[:, 3], size, height)
    cells = y[:, :, None, :, None] * width + x[:, None, :, None, :]  # (R, P, P, 4, 4)
    weights = y_weight[:, :, None, :, None] * x_weight[:, None, :, None, :]
    return cells.view(-1, size * size, 16), weights.view(-1, size * size, 16)


def _taps(low: torch.Tensor, high: torch.Tensor, size: int, limit: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Along one axis: cells (R, P, 4) and weights (R, P, 4) that each of P bins averages.

    A bin has two sample points, a point two neighbours; a point more than a cell outside the map counts as zero.
    """
    steps = (torch.arange(2 * size, device=low.device) + 0.5) / (2 * size)
    points = low[:, None] + (high - low)[:, None] * steps  # (R, 2 P)
    outside = (points < -1) | (points > limit)
    points = points.clamp(0, limit - 1)
    first = points.floor()
    part = points - first
    weights = torch.stack([1 - part, part], -1).masked_fill(outside[..., None], 0) / 2  # (R, 2 P, 2)
    cells = torch.stack([first, (first + 1).clamp(max=limit - 1)], -1).long()
    return cells.view(-1, size, 4), weights.view(-1, size, 4)
