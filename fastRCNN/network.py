"""The network in evaluation mode: shared convolutions over the whole image, ROI pooling, a head on every ROI.

Sharing the convolutions is what makes Fast R-CNN fast (Fast R-CNN, section 2): cropping each ROI and running the whole
network on it, as R-CNN does, computes the same pixels over and over.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace

import numpy as np
import torch
from torch import nn
from torch.nn import functional

from fastRCNN.backbones import BACKBONES, Backbone
from fastRCNN.roi_align import linear_of_bins, roi_align

FLOAT16_MAX = float(np.finfo(np.float16).max)
# pooling a ROI takes as long as multiplying so many cells of the map by a column of weights [benchmarks/runtimes.py]
POOLING_COST = 128

Align = Callable[[torch.Tensor, torch.Tensor, int, float], torch.Tensor]  # what computes RoIAlign, as `roi_align`


class RoiNetwork(nn.Module):
    """Trunk, ROI pooling and head of one entry of `BACKBONES`.

    A ROI is described by itself and, with a context factor above 1, by the context region so many times as wide and as
    high about the same centre. It tells a whole object from a part of one, which looks like one as long as nothing
    around it is seen (Gidaris and Komodakis 2015, "Object detection via a multi-region and semantic segmentation-aware
    CNN model", section 3; 1.8 is theirs). Both regions go through the same head.
    """

    def __init__(
        self,
        network: str,
        state: Mapping[str, torch.Tensor] | None = None,
        pooling: str = "auto",
        context_factor: float = 1.0,
    ) -> None:
        """Build the network.

        Args:
            network: a name of `BACKBONES`.
            state: tensors by torchvision's names, of which those of trunk and head are used; None for random weights
                from torch's generator.
            pooling: "max", "align" or "auto", the entry's own.

        Raises:
            ValueError: naming the first tensor that is missing or has another shape.
        """
        super().__init__()
        self.backbone, self.context_factor = BACKBONES[network], context_factor
        if pooling != "auto":
            self.backbone = replace(self.backbone, pooling=pooling)
        model = self.backbone.build()
        trunk, head = self.backbone.trunk(model), self.backbone.head(model)
        if state is not None:
            _load_used(model, (trunk, head), state, network)
        self.backbone.finish(trunk)
        # channels_last is the layout that CPU convolutions are fastest in, see benchmarks/network_speed.py
        self.trunk = trunk.to(memory_format=torch.channels_last)
        self.head = head
        self.engine: Callable[[torch.Tensor], torch.Tensor] | None = None  # what runs the trunk in torch's place
        self.eval()

    @property
    def device(self) -> torch.device:
        return next(self.trunk.parameters()).device

    def pool(self, feature_map: torch.Tensor, rois: torch.Tensor, align: Align = roi_align) -> torch.Tensor:
        """Features of each ROI: (1, C, H, W) and rois (R, 4) in pixels of the network's input -> (R, C, P, P)."""
        scale, size = 1 / self.backbone.stride, self.backbone.pool_size
        if self.backbone.pooling == "max":
            from torchvision.ops import roi_pool  # takes seconds: imported only where it is needed

            return roi_pool(feature_map, [rois], size, scale)
        return align(feature_map, rois, size, scale)

    def regions(self, feature_map: torch.Tensor, rois: torch.Tensor) -> list[tuple[torch.Tensor, torch.Tensor]]:
        """What describes ROIs (R, 4): a list of maps, and of regions (R, 4) to pool from each."""
        if self.context_factor == 1:
            return [(feature_map, rois)]
        # Context regions reach beyond the image, where all is zero: that tells what the image cuts off from what is
        # whole. RoIAlign goes on with the border's values for one cell and jumps to zero there; with a ring of zeros it
        # slopes down, and no rounding error decides on which side of the jump a point lies.
        ring = functional.pad(feature_map, (1, 1, 1, 1))
        return [(feature_map, rois), (ring, enlarge(rois, self.context_factor) + self.backbone.stride)]

    def on_map(self, feature_map: torch.Tensor, rois: torch.Tensor, align: Align = roi_align) -> torch.Tensor:
        """The trunk's map (1, C, H, W) and rois (R, 4) in pixels of the network's input -> features (R, D)."""
        return torch.cat([self.head(self.pool(*region, align)) for region in self.regions(feature_map, rois)], dim=1)

    def forward(self, image: torch.Tensor, rois: torch.Tensor) -> torch.Tensor:
        """Normalised image (1, 3, H, W) and rois (R, 4) in its pixels -> features (R, D)."""
        return self.on_map(self.trunk(image), rois)

    @torch.inference_mode()
    def features(self, image: np.ndarray, rois: np.ndarray, batch_size: int) -> np.ndarray:
        """Describe the ROIs of one image: the same function in step 3 and in step 6.

        Args:
            image: uint8 RGB (H, W, 3), scaled to the network's input.
            rois: (R, 4) in its pixels.
            batch_size: ROIs that go through the head at once.

        Returns:
            (R, D) float16: half the disk space, and more than enough digits.
        """
        blocks = list(self.describe(image, rois, batch_size))
        return torch.cat(blocks).clamp(-FLOAT16_MAX, FLOAT16_MAX).to("cpu", torch.float16).numpy()

    def describe(self, image: np.ndarray, rois: np.ndarray, batch_size: int) -> Iterator[torch.Tensor]:
        """As `features`, but yields (B, D) float32 on the network's device for one batch of ROIs after the other."""
        feature_map = self.map(image)
        for block in self._boxes(rois).split(batch_size):
            yield self.on_map(feature_map, block)

    @torch.inference_mode()
    def linear(
        self, image: np.ndarray, rois: np.ndarray, weights: torch.Tensor, biases: torch.Tensor, batch_size: int
    ) -> torch.Tensor:
        """Linear functions of ROIs' features, weights (O, D) and biases (O,): (R, O). Other arguments as of `features`.

        Where nothing stands between RoIAlign and the functions, and ROIs are many or outputs few, they look at the map
        before ROIs are pooled from it, see `linear_of_bins`: the same to the last digits.
        """
        feature_map, boxes = self.map(image), self._boxes(rois)
        nr_cells = feature_map.shape[2] * feature_map.shape[3]
        folds = isinstance(self.head, nn.Flatten) and self.backbone.pooling == "align"
        if not folds or nr_cells * len(weights) > POOLING_COST * len(boxes):
            blocks = (self.on_map(feature_map, block) for block in boxes.split(batch_size))
            return torch.cat([functional.linear(block, weights, biases) for block in blocks])
        regions = self.regions(feature_map, boxes)
        size, scale = self.backbone.pool_size, 1 / self.backbone.stride
        own_weights = weights.chunk(len(regions), dim=1)
        pooled = [linear_of_bins(*region, own, size, scale) for region, own in zip(regions, own_weights, strict=True)]
        return torch.stack(pooled).sum(dim=0) + biases

    def map(self, image: np.ndarray) -> torch.Tensor:
        """What the trunk makes of an image, uint8 RGB (H, W, 3): (1, C, H' / stride, W' / stride)."""
        prepared = self.prepare(image)
        return self.engine(prepared) if self.engine else self.trunk(prepared)

    def _boxes(self, rois: np.ndarray) -> torch.Tensor:
        return torch.as_tensor(np.asarray(rois, dtype=np.float32)).to(self.device)

    def prepare(self, image: np.ndarray) -> torch.Tensor:
        """uint8 RGB (H, W, 3) -> what the trunk takes (1, 3, H', W') on its device.

        See `padded_input`.
        """
        return padded_input(image, self.backbone).to(self.device, memory_format=torch.channels_last)


def padded_input(image: np.ndarray, backbone: Backbone) -> torch.Tensor:
    """uint8 RGB (H, W, 3) -> what a trunk takes (1, 3, H', W'), with grey pixels right and below if it wants more."""
    down, right = (backbone.input_side(side) - side for side in image.shape[:2])
    return functional.pad(to_input(image, backbone), (0, right, 0, down))


def enlarge(rois: torch.Tensor, factor: float) -> torch.Tensor:
    """ROIs (R, 4) made `factor` times as wide and as high about the same centres (R, 4)."""
    margins = (rois[:, 2:] - rois[:, :2]) * ((factor - 1) / 2)  # (R, 2)
    return torch.cat([rois[:, :2] - margins, rois[:, 2:] + margins], dim=1)


def to_input(image: np.ndarray, backbone: Backbone) -> torch.Tensor:
    """uint8 RGB (H, W, 3) -> normalised float32 (1, 3, H, W)."""
    pixels = torch.from_numpy(np.ascontiguousarray(image)).permute(2, 0, 1)  # (3, H, W), a view
    mean = torch.tensor(backbone.mean).view(3, 1, 1)
    std = torch.tensor(backbone.std).view(3, 1, 1)
    return ((pixels / 255 - mean) / std).unsqueeze(0)


def _load_used(
    model: nn.Module, used_modules: tuple[nn.Module, ...], state: Mapping[str, torch.Tensor], network: str
) -> None:
    """Copy the tensors of the modules that are used from a state dict; a classifier that is cut off does not matter."""
    used = {id(tensor) for module in used_modules for tensor in (*module.parameters(), *module.buffers())}
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
