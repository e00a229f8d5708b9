"""The trained network as one function of tensors that other programs can run: no Python, no loop over ROIs."""

import torch
from torch import nn

from fastRCNN.boxes import MAX_LOG_SCALE
from fastRCNN.fast_rcnn import FastRcnn


class ExportableDetector(nn.Module):
    """What `FastRcnn.predict` computes, of operations that exist outside torch, and the decoded boxes.

    moves_boxes: whether the model's offsets were trained; if not, each class's box is the ROI itself.
    """

    def __init__(self, model: FastRcnn, moves_boxes: bool = True) -> None:
        super().__init__()
        import torchvision  # noqa: F401 (now: while the detector is traced it cannot be imported)

        self.model, self.moves_boxes = model, moves_boxes
        self.nr_classes = model.box_offsets.out_features // 4
        self.eval()

    def forward(self, image: torch.Tensor, rois: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Normalised image (1, 3, H, W) and rois (R, 4) in its pixels -> scores, boxes and offsets.

        scores (R, K + 1) are probabilities, background first; boxes (R, K, 4) are in the image's pixels, not clipped to
        it; offsets (R, K, 4) are those that `boxes.decode` makes these boxes of. R may be 0.
        """
        model = self.model
        features = model.network.on_map(model.network.trunk(image), rois, align=one_operation)  # (R, D)
        scores = model.class_scores(features).softmax(dim=1)
        offsets = model.box_offsets(features).reshape(-1, self.nr_classes, 4) * model.offset_std + model.offset_mean
        return scores, decode(rois, offsets if self.moves_boxes else torch.zeros_like(offsets)), offsets


def one_operation(feature_map: torch.Tensor, rois: torch.Tensor, size: int, scale: float) -> torch.Tensor:
    """`roi_align.roi_align` as the one operation that it is elsewhere."""
    from torchvision.ops import roi_align

    return roi_align(feature_map, [rois], size, scale, sampling_ratio=2, aligned=True)


def decode(rois: torch.Tensor, offsets: torch.Tensor) -> torch.Tensor:
    """As `boxes.decode`, for all classes at once and in torch: rois (R, 4), offsets (R, K, 4) -> boxes (R, K, 4)."""
    sizes = (rois[:, 2:] - rois[:, :2])[:, None]  # (R, 1, 2)
    centers = rois[:, None, :2] + sizes / 2 + offsets[..., :2] * sizes  # (R, K, 2)
    sizes = sizes * offsets[..., 2:].clamp(max=MAX_LOG_SCALE).exp()
    return torch.cat([centers - sizes / 2, centers + sizes / 2], dim=-1)
