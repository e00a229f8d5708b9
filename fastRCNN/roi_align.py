"""RoIAlign (Mask R-CNN, section 3) as one weighted sum of map cells per bin: many times faster on a CPU.

torchvision's kernel visits one channel at a time. Here all channels of a cell lie side by side (channels_last), and
`embedding_bag` adds up whole cells: benchmarks/network_speed.py measures both.
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
    rois = rois * scale - 0.5  # a cell's value belongs to its centre
    x, x_weight = _taps(rois[:, 0], rois[:, 2], size, width)  # (R, P, 4)
    y, y_weight = _taps(rois[:, 1], rois[:, 3], size, height)
    cells = y[:, :, None, :, None] * width + x[:, None, :, None, :]  # (R, P, P, 4, 4)
    weights = y_weight[:, :, None, :, None] * x_weight[:, None, :, None, :]
    table = feature_map[0].permute(1, 2, 0).reshape(height * width, channels)  # in channels_last a view
    bins = functional.embedding_bag(
        cells.view(-1, 16), table, mode="sum", per_sample_weights=weights.view(-1, 16).to(table.dtype)
    )  # (R * P * P, C)
    return bins.view(-1, size, size, channels).permute(0, 3, 1, 2)


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
