"""Pileup image -> image tokens: a dense 3x3 convolutional ResNet with a patchify stem.

Dense convolutions run several times faster on CPUs than depthwise ones or attention at equal
arithmetic, and halving the map four times by patches costs no accuracy on pileups.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.nn.utils.fusion import fuse_conv_bn_eval

from models.config import HEADER_ROWS, IMAGE_SHAPE, N_PANELS, PANEL_ROWS, PATCH, ModelConfig

_MIDDLE_COLUMNS = 2
"""Of the first block's map: the candidate's and the one before it."""


class ConvNorm(nn.Module):
    """Convolution and batch normalisation, which `fold` makes one convolution for inference."""

    def __init__(self, inputs: int, outputs: int, size: int, stride: int = 1) -> None:
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, x: Tensor) -> Tensor:
        """Map float [n, inputs, h, w] to float [n, outputs, h', w']."""
        y: Tensor = self.norm(self.conv(x))
        return y

    def fold(self) -> None:
        """Absorb the normalisation's running statistics into the convolution (eval mode only)."""
        if isinstance(self.norm, nn.BatchNorm2d):
            self.conv = fuse_conv_bn_eval(self.conv.eval(), self.norm.eval())
            self.norm = nn.Identity()


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut; a stride of 2 halves the map."""

    def __init__(self, inputs: int, outputs: int, stride: int) -> None:
        super().__init__()
        self.first = ConvNorm(inputs, outputs, 3, stride)
        self.second = ConvNorm(outputs, outputs, 3)
        self.stride = stride
        same = inputs == outputs and stride == 1
        self.shortcut: nn.Module = nn.Identity() if same else ConvNorm(inputs, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        """Map float [n, inputs, h, w] to float [n, outputs, h / stride, w / stride]."""
        y = functional.relu(self.first(x), inplace=True)
        if self.stride > 1:
            # There is no padding to count, and onnxruntime is three times faster where it knows.
            x = functional.avg_pool2d(x, self.stride, ceil_mode=True, count_include_pad=False)
        z: Tensor = self.second(y) + self.shortcut(x)
        return functional.relu(z, inplace=True)


class PanelStem(nn.Module):
    """Turn header and panels into one map of 4x4 patches: the header's on top of the reads'.

    The panels show the same reads, so a patch of reads has the channels of all panels. Reading them
    so instead of as one packed picture is as accurate and 1.4 times faster. A row of four pixels
    is contiguous in memory, so the image is viewed as twelve channels at a quarter of the width
    and each panel convolved by (4, 1): no pixel is ever moved. Pixels enter as 0..255; the stem has
    no padding, so its batch normalisations are their normalisation.
    """

    def __init__(self, outputs: int) -> None:
        super().__init__()
        self.header = _patches(outputs)
        self.panels = nn.ModuleList(_patches(outputs) for _ in range(N_PANELS))
        self.header_norm: nn.Module = nn.BatchNorm2d(outputs)
        self.norm: nn.Module = nn.BatchNorm2d(outputs)

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 [n, 224, 224, 3] to float [n, outputs, 20, 56]."""
        panels = images[:, HEADER_ROWS:].unflatten(1, (N_PANELS, PANEL_ROWS))
        return self.join(images[:, :HEADER_ROWS], panels)

    def join(self, header: Tensor, panels: Tensor) -> Tensor:
        """Map header and upper rows of the panels to float [n, outputs, 2 + h / 4, 56].

        Parameters
        ----------
        header
            uint8 [n, 8, 224, 3].
        panels
            uint8 [n, 3, h, 224, 3].
        """
        head = self.header_norm(self.header(self._wide(header)))
        reads = self.panels[0](self._wide(panels[:, 0]))
        for index in range(1, N_PANELS):
            reads = reads + self.panels[index](self._wide(panels[:, index]))
        return functional.relu(torch.cat([head, self.norm(reads)], dim=2), inplace=True)

    def _wide(self, rows: Tensor) -> Tensor:
        _, columns, channels = IMAGE_SHAPE
        wide = rows.reshape(*rows.shape[:2], columns // PATCH, channels * PATCH)
        return wide.to(self.header.weight.dtype).permute(0, 3, 1, 2)

    def fold(self) -> None:
        """Absorb the normalisations' running statistics into the convolutions (eval mode only)."""
        if not isinstance(self.norm, nn.BatchNorm2d):
            return
        assert isinstance(self.header_norm, nn.BatchNorm2d)
        self.header = fuse_conv_bn_eval(self.header.eval(), self.header_norm.eval())
        for index, panel in enumerate(self.panels):
            assert isinstance(panel, nn.Conv2d)
            fused = fuse_conv_bn_eval(panel.eval(), self.norm.eval())
            if index:
                fused.bias = None  # the shift must be added once
            self.panels[index] = fused
        self.header_norm, self.norm = nn.Identity(), nn.Identity()


def _patches(outputs: int) -> nn.Conv2d:
    """Return the convolution of one panel's patches, viewed as `PanelStem` does."""
    return nn.Conv2d(IMAGE_SHAPE[2] * PATCH, outputs, (PATCH, 1), (PATCH, 1), bias=False)


class ImageEncoder(nn.Module):
    """Pileup images to image tokens, each with its learned place on the grid.

    Two more tokens make counting easy, which a few strided convolutions are slow to learn: the
    average over all rows of the first block's map, of the columns in the middle, where the
    candidate is; and the average of the last map.
    """

    def __init__(self, config: ModelConfig) -> None:
        super().__init__()
        self.stem = PanelStem(config.image_channels[0])
        blocks: list[nn.Module] = []
        inputs = first = config.image_channels[0]
        for stage, (outputs, n) in enumerate(
            zip(config.image_channels, config.image_blocks, strict=True)
        ):
            for block in range(n):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(ResidualBlock(inputs, outputs, stride))
                inputs = outputs
                if len(blocks) == 1:
                    first = outputs
        self.blocks = nn.Sequential(*blocks)
        self.project_middle = nn.Linear(first * _MIDDLE_COLUMNS, config.width)
        self.project = nn.Linear(inputs, config.width)
        self.place = nn.Embedding(config.image_tokens, config.width)
        nn.init.normal_(self.place.weight, std=0.02)

    def forward(self, images: Tensor) -> Tensor:
        """Map uint8 [n, 224, 224, 3] to float [n, image_tokens, width]."""
        return self.tokens(self.blocks[:1](self.stem(images)))

    def tokens(self, first: Tensor) -> Tensor:
        """Map what the first block gives to float [n, image_tokens, width]."""
        grid = self.project(self.blocks[1:](first).flatten(2).transpose(1, 2))
        left = (first.shape[3] - _MIDDLE_COLUMNS) // 2
        middle = first[:, :, :, left : left + _MIDDLE_COLUMNS].mean(dim=2)
        pooled = [self.project_middle(middle.flatten(1)).unsqueeze(1), grid.mean(1, keepdim=True)]
        return torch.cat([grid, *pooled], dim=1) + self.place.weight

    def fold(self) -> None:
        """Fold every batch normalisation into its convolution, for inference."""
        for module in self.modules():
            if isinstance(module, ConvNorm | PanelStem):
                module.fold()
