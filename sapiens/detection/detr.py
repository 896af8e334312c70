"""DETR with a dilated ResNet-101, the person detector of the released pose pipeline.

Carion et al., "End-to-End Object Detection with Transformers", 2020, the DC5 variant: the last stage of the backbone
keeps its resolution, so the grid has stride 16. Module names are those of the `facebook/detr-resnet-101-dc5` file.

Shape suffixes: B pictures, C channels (256), H and W rows and columns of the grid, L = H * W, Q queries (100).
"""

from __future__ import annotations

import math
from collections import OrderedDict

import torch
import torch.nn.functional as F
from torch import Tensor, nn

WIDTH, HEADS, FEEDFORWARD = 256, 8, 2048
QUERIES = 100
CLASSES = 92
"""91 COCO category numbers, the unused ones among them, and "no object" last."""


class FrozenBatchNorm(nn.Module):
    """Batch normalisation with stored statistics, all of them buffers."""

    weight: Tensor
    bias: Tensor
    running_mean: Tensor
    running_var: Tensor

    def __init__(self, channels: int) -> None:
        super().__init__()
        for name in ("weight", "running_var"):
            self.register_buffer(name, torch.ones(channels))
        for name in ("bias", "running_mean"):
            self.register_buffer(name, torch.zeros(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.batch_norm(x, self.running_mean, self.running_var, self.weight, self.bias, eps=1e-5)


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions beside a shortcut; the stride is on the 3x3."""

    def __init__(self, in_channels: int, channels: int, stride: int, dilation: int, first: bool) -> None:
        super().__init__()
        out_channels = 4 * channels
        self.conv1 = nn.Conv2d(in_channels, channels, 1, bias=False)
        self.bn1 = FrozenBatchNorm(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, stride, padding=dilation, dilation=dilation, bias=False)
        self.bn2 = FrozenBatchNorm(channels)
        self.conv3 = nn.Conv2d(channels, out_channels, 1, bias=False)
        self.bn3 = FrozenBatchNorm(out_channels)
        self.downsample: nn.Module = nn.Identity()
        if first:
            shortcut = nn.Conv2d(in_channels, out_channels, 1, stride, bias=False)
            self.downsample = nn.Sequential(shortcut, FrozenBatchNorm(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn1(self.conv1(x)).relu_()
        y = self.bn2(self.conv2(y)).relu_()
        out: Tensor = self.bn3(self.conv3(y))
        return out.add_(self.downsample(x)).relu_()


class ResNet101(nn.Module):
    """(B, 3, h, w) -> (B, 2048, ceil(h / 16), ceil(w / 16))."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 64, 7, 2, padding=3, bias=False)
        self.bn1 = FrozenBatchNorm(64)
        self.layer1 = self._stage(64, 64, blocks=3, stride=1)
        self.layer2 = self._stage(256, 128, blocks=4, stride=2)
        self.layer3 = self._stage(512, 256, blocks=23, stride=2)
        self.layer4 = self._stage(1024, 512, blocks=3, stride=1, dilation=2)

    @staticmethod
    def _stage(in_channels: int, channels: int, blocks: int, stride: int, dilation: int = 1) -> nn.Sequential:
        first = Bottleneck(in_channels, channels, stride, dilation=1, first=True)
        others = (Bottleneck(4 * channels, channels, 1, dilation, first=False) for _ in range(blocks - 1))
        return nn.Sequential(first, *others)

    def forward(self, x: Tensor) -> Tensor:
        x = F.max_pool2d(self.bn1(self.conv1(x)).relu_(), 3, 2, padding=1)
        out: Tensor = self.layer4(self.layer3(self.layer2(self.layer1(x))))
        return out


class Attention(nn.Module):
    """Multi-head attention with separate projections."""

    def __init__(self) -> None:
        super().__init__()
        self.q_proj = nn.Linear(WIDTH, WIDTH)
        self.k_proj = nn.Linear(WIDTH, WIDTH)
        self.v_proj = nn.Linear(WIDTH, WIDTH)
        self.out_proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, query: Tensor, key: Tensor, value: Tensor, valid_B11L: Tensor | None = None) -> Tensor:
        """(B, n, C), (B, L, C), (B, L, C) -> (B, n, C); `valid_B11L` is True at keys that take part."""
        projected = (self.q_proj(query), self.k_proj(key), self.v_proj(value))
        q, k, v = (x.unflatten(-1, (HEADS, -1)).transpose(1, 2) for x in projected)
        mixed = F.scaled_dot_product_attention(q, k, v, attn_mask=valid_B11L)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return out


class EncoderLayer(nn.Module):
    """Self-attention and feed-forward, normalised after each."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = Attention()
        self.self_attn_layer_norm = nn.LayerNorm(WIDTH)
        self.fc1 = nn.Linear(WIDTH, FEEDFORWARD)
        self.fc2 = nn.Linear(FEEDFORWARD, WIDTH)
        self.final_layer_norm = nn.LayerNorm(WIDTH)

    def forward(self, x_BLC: Tensor, position_BLC: Tensor, valid_B11L: Tensor | None) -> Tensor:
        placed = x_BLC + position_BLC
        x_BLC = self.self_attn_layer_norm(x_BLC + self.self_attn(placed, placed, x_BLC, valid_B11L))
        out: Tensor = self.final_layer_norm(x_BLC + self.fc2(self.fc1(x_BLC).relu_()))
        return out


class DecoderLayer(nn.Module):
    """Self-attention among the queries, attention to the picture, feed-forward; normalised after each."""

    def __init__(self) -> None:
        super().__init__()
        self.self_attn = Attention()
        self.self_attn_layer_norm = nn.LayerNorm(WIDTH)
        self.encoder_attn = Attention()
        self.encoder_attn_layer_norm = nn.LayerNorm(WIDTH)
        self.fc1 = nn.Linear(WIDTH, FEEDFORWARD)
        self.fc2 = nn.Linear(FEEDFORWARD, WIDTH)
        self.final_layer_norm = nn.LayerNorm(WIDTH)

    def forward(
        self, x_BQC: Tensor, queries_QC: Tensor, memory_BLC: Tensor, placed_BLC: Tensor, valid_B11L: Tensor | None
    ) -> Tensor:
        placed = x_BQC + queries_QC
        x_BQC = self.self_attn_layer_norm(x_BQC + self.self_attn(placed, placed, x_BQC))
        seen = self.encoder_attn(x_BQC + queries_QC, placed_BLC, memory_BLC, valid_B11L)
        x_BQC = self.encoder_attn_layer_norm(x_BQC + seen)
        out: Tensor = self.final_layer_norm(x_BQC + self.fc2(self.fc1(x_BQC).relu_()))
        return out


class Stack(nn.Module):
    """Layers in order, and a norm after them if the file has one; the caller runs them."""

    def __init__(self, layers: list[nn.Module], *, norm: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(layers)
        if norm:
            self.layernorm = nn.LayerNorm(WIDTH)


class DetrModel(nn.Module):
    """Backbone, encoder and decoder."""

    def __init__(self) -> None:
        super().__init__()
        self.backbone = _nested("conv_encoder", _nested("model", ResNet101()))
        self.input_projection = nn.Conv2d(2048, WIDTH, 1)
        self.query_position_embeddings = nn.Embedding(QUERIES, WIDTH)
        self.encoder = Stack([EncoderLayer() for _ in range(6)], norm=False)
        self.decoder = Stack([DecoderLayer() for _ in range(6)], norm=True)

    def forward(self, image: Tensor, mask: Tensor | None) -> Tensor:
        features_BCHW = self.input_projection(self.backbone(image))
        valid_BHW = grid_mask(mask, features_BCHW)
        position_BLC = sine_positions(valid_BHW)
        # Without padding no key is masked, and attention can take its fast path.
        valid_B11L = None if mask is None else valid_BHW.flatten(1)[:, None, None]

        memory_BLC = features_BCHW.flatten(2).transpose(1, 2)
        for layer in self.encoder.layers:
            memory_BLC = layer(memory_BLC, position_BLC, valid_B11L)
        queries_QC = self.query_position_embeddings.weight
        x_BQC = torch.zeros_like(queries_QC).expand(len(image), -1, -1)
        placed_BLC = memory_BLC + position_BLC
        for layer in self.decoder.layers:
            x_BQC = layer(x_BQC, queries_QC, memory_BLC, placed_BLC, valid_B11L)
        out: Tensor = self.decoder.layernorm(x_BQC)
        return out


def _nested(name: str, module: nn.Module) -> nn.Sequential:
    """The module alone, one name deeper."""
    return nn.Sequential(OrderedDict({name: module}))


class BoxPredictor(nn.Module):
    """Three linear layers with ReLU between."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.ModuleList([nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, 4)])

    def forward(self, x: Tensor) -> Tensor:
        first, second, third = self.layers
        out: Tensor = third(second(first(x).relu_()).relu_())
        return out


class Detr(nn.Module):
    """The whole network; its 785 tensors are named as in the released file."""

    def __init__(self) -> None:
        super().__init__()
        self.model = DetrModel()
        self.class_labels_classifier = nn.Linear(WIDTH, CLASSES)
        self.bbox_predictor = BoxPredictor()

    def forward(self, image: Tensor, mask: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Run the network.

        Args:
            image: (B, 3, h, w) float32 RGB, normalised, 0 where padded.
            mask: (B, h, w) bool, True on the picture, False on padding; None when nothing is padded.

        Returns:
            logits (B, 100, 92) and boxes (B, 100, 4) cx, cy, w, h as fractions of the picture without its
            padding.
        """
        x_BQC = self.model(image, mask)
        return self.class_labels_classifier(x_BQC), self.bbox_predictor(x_BQC).sigmoid()


def grid_mask(mask: Tensor | None, features_BCHW: Tensor) -> Tensor:
    """The mask at the grid's size by nearest neighbour: (B, H, W) bool."""
    batch, _, height, width = features_BCHW.shape
    if mask is None:
        return torch.ones(batch, height, width, dtype=torch.bool, device=features_BCHW.device)
    return F.interpolate(mask[:, None].float(), (height, width), mode="nearest")[:, 0] > 0.5


def sine_positions(valid_BHW: Tensor) -> Tensor:
    """(B, L, C) float32: sines and cosines of the row in the first half of the channels, of the column in the second.

    Rows and columns are counted over valid cells and scaled to 2 pi at the last one (the paper's appendix A.4).
    """
    half = WIDTH // 2
    wavelength = 10000 ** (torch.arange(0, half, 2, device=valid_BHW.device) / half)
    encoded = []
    for axis in (1, 2):
        count = valid_BHW.cumsum(axis, dtype=torch.float32)
        angle = count / (count.narrow(axis, count.shape[axis] - 1, 1) + 1e-6) * (2 * math.pi)
        phase = angle[..., None] / wavelength
        encoded.append(torch.stack((phase.sin(), phase.cos()), -1).flatten(-2))
    return torch.cat(encoded, -1).flatten(1, 2)
