"""The network in evaluation mode: shared convolutions over the whole image, ROI pooling, a head on every ROI.

Sharing the convolutions is what makes Fast R-CNN fast (Fast R-CNN, section 2): cropping each ROI and running the whole
network on it, as R-CNN does, computes the same pixels over and over.
"""

from dataclasses import replace

import numpy as np
import torch
import torchvision
from torch import nn

from fastRCNN.backbones import BACKBONES
from fastRCNN.roi_align import roi_align

IMAGENET_MEAN = (0.485, 0.456, 0.406)  # RGB in [0, 1]; torchvision's weights expect (image - mean) / std
IMAGENET_STD = (0.229, 0.224, 0.225)
FLOAT16_MAX = float(np.finfo(np.float16).max)


class RoiNetwork(nn.Module):
    """Trunk, ROI pooling and head of one entry of `BACKBONES`.

    state: tensors by torchvision's names, of which those of trunk and head are used; None for random weights from
    torch's generator; pooling: "max", "align" or "auto", the entry's own. Raises ValueError naming the first tensor
    that is missing or has another shape.
    """

    def __init__(self, network, state=None, pooling="auto"):
        super().__init__()
        self.backbone = BACKBONES[network]
        if pooling != "auto":
            self.backbone = replace(self.backbone, pooling=pooling)
        model = self.backbone.build()
        trunk, head = self.backbone.trunk(model), self.backbone.head(model)
        if state is not None:
            _load_parts(model, (trunk, head), state, network)
        # channels_last is the layout that CPU convolutions are fastest in, see benchmarks/network_speed.py
        self.trunk = trunk.to(memory_format=torch.channels_last)
        self.head = head
        self.eval()

    @property
    def device(self):
        return next(self.trunk.parameters()).device

    def pool(self, feature_map, rois):
        """Features of each ROI: (1, C, H, W) and rois (R, 4) in pixels of the network's input -> (R, C, P, P)."""
        scale, size = 1 / self.backbone.stride, self.backbone.pool_size
        if self.backbone.pooling == "max":
            return torchvision.ops.roi_pool(feature_map, [rois], size, scale)
        return roi_align(feature_map, rois, size, scale)

    def forward(self, image, rois):
        """Normalised image (1, 3, H, W) and rois (R, 4) in its pixels -> features (R, D)."""
        return self.head(self.pool(self.trunk(image), rois))

    @torch.inference_mode()
    def features(self, image, rois, batch_size):
        """Describe the ROIs of one image: the same function in step 3 and in step 6.

        image: uint8 RGB (H, W, 3), scaled to the network's input; rois: (R, 4) in its pixels; batch_size: ROIs that go
        through the head at once. Returns (R, D) float16: half the disk space, and more than enough digits.
        """
        blocks = list(self.describe(image, rois, batch_size))
        return torch.cat(blocks).clamp(-FLOAT16_MAX, FLOAT16_MAX).to("cpu", torch.float16).numpy()

    def describe(self, image, rois, batch_size):
        """As `features`, but yields (B, D) float32 on the network's device for one batch of ROIs after the other."""
        feature_map = self.trunk(self.prepare(image))
        rois = torch.as_tensor(np.asarray(rois, dtype=np.float32)).to(self.device)
        for block in rois.split(batch_size):
            yield self.head(self.pool(feature_map, block))

    def prepare(self, image):
        """uint8 RGB (H, W, 3) -> what the trunk takes (1, 3, H', W') on its device.

        Layers without padding need some pixels: a strip narrower than two cells gets grey ones, right and below.
        """
        down, right = (max(0, 2 * self.backbone.stride - side) for side in image.shape[:2])
        pixels = nn.functional.pad(to_input(image), (0, right, 0, down))
        return pixels.to(self.device, memory_format=torch.channels_last)


def to_input(image):
    """uint8 RGB (H, W, 3) -> normalised float32 (1, 3, H, W)."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)  # (3, H, W), a view
    mean = torch.tensor(IMAGENET_MEAN).view(3, 1, 1)
    std = torch.tensor(IMAGENET_STD).view(3, 1, 1)
    return ((pixels / 255 - mean) / std).unsqueeze(0)


def _load_parts(model, parts, state, network):
    """Copy the tensors that the parts use from a state dict into them; those of a classifier cut off do not matter."""
    used = {id(tensor) for part in parts for tensor in (*part.parameters(), *part.buffers())}
    wanted = {name: tensor for name, tensor in model.state_dict(keep_vars=True).items() if id(tensor) in used}
    # batch norm's counters are of no use here, and files older than torch 0.4.1 (torchvision's ResNets) have none
    wanted = {name: tensor for name, tensor in wanted.items() if not name.endswith("num_batches_tracked")}
    for name, tensor in wanted.items():
        if name not in state:
            raise ValueError(f"no tensor {name}: these are not the weights of {network}")
        if state[name].shape != tensor.shape:
            found, expected = tuple(state[name].shape), tuple(tensor.shape)
            raise ValueError(f"tensor {name} has shape {found}, {network} needs {expected}")
    with torch.no_grad():
        for name, tensor in wanted.items():
            tensor.copy_(state[name])
