"""VGG_CNN_M_1024, model M of the Fast R-CNN paper, which torchvision does not have.

It is "CNN-M" of Chatfield et al. 2014, "Return of the Devil in the Details" (table 1), with 1024 instead of 4096
numbers in its last but one layer (section 3.6, "CNN M 1024").
"""

import torch
from torch import nn


class VggCnnM1024(nn.Module):
    """Images (N, 3, 224, 224) -> scores of `nr_classes` classes (N, nr_classes); layers as torchvision would name them.

    Pooling rounds up, and the sums of the normalisation over 5 channels have Caffe's constants (k = 2), as in the
    published network. Its weights fit by shape, those of `features.0` only if they are made for images that are
    normalised as in network.py: Caffe's take blue, green, red from -128 to 128.
    """

    def __init__(self, nr_classes: int = 1000) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 96, 7, stride=2),
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            nn.Conv2d(96, 256, 5, stride=2, padding=1),
            nn.ReLU(inplace=True),
            nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
            nn.Conv2d(256, 512, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(512, 512, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(3, stride=2, ceil_mode=True),
        )
        self.classifier = nn.Sequential(
            nn.Linear(512 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(4096, 1024),
            nn.ReLU(inplace=True),
            nn.Dropout(0.5),
            nn.Linear(1024, nr_classes),
        )

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.classifier(self.features(images).flatten(1))
