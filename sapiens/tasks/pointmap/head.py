"""Feature map -> a 3D point per pixel, and one scale per image."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from torch import Tensor, nn

from sapiens.errors import InputError
from sapiens.nn.decoders import ShuffleDecoder, Widths, conv_stack
from sapiens.nn.init import init_head_
from sapiens.tasks.pointmap.config import head_config


class PointmapHead(ShuffleDecoder):
    """Points (X, Y, Z) in canonical units and a scale, both raw: metres = points / scale.

    The scale is the canonical focal length (768 px) over fx of the camera of the network input.

    Args:
        in_channels: width of the feature map.
        upsample_channels: pixel-shuffle blocks, each doubling the map.
        conv_out_channels, conv_kernel_sizes: refining convolutions; None: none.
        scale_conv_out_channels, scale_conv_kernel_sizes: convolutions of stride 2 in the scale branch; None: no branch.
        scale_final_layer: widths of the linear layers that end it. The first is channels * rows * columns of the last
            of those convolutions, and so ties the head to one grid size.
        channels: accepted and unused; released configurations pass it.

    Raises:
        InputError: lists of different length, or a scale branch without linear layers.
    """

    def __init__(
        self,
        in_channels: int = 768,
        upsample_channels: Sequence[int] = (768, 384, 192, 96),
        conv_out_channels: Widths = None,
        conv_kernel_sizes: Widths = None,
        scale_conv_out_channels: Widths = (1536, 512, 128),
        scale_conv_kernel_sizes: Widths = (1, 1, 1),
        scale_final_layer: Widths = (6144, 512, 64, 1),
        channels: int = 16,
    ) -> None:
        super().__init__(in_channels, upsample_channels, conv_out_channels, conv_kernel_sizes)
        self.conv_pointmap = nn.Conv2d(self.width, 3, 1)
        self.scale_conv_layers: nn.Sequential | None = None
        self.scale_final_layer: nn.Sequential | None = None
        if scale_conv_out_channels:
            self.scale_conv_layers = conv_stack(
                in_channels, scale_conv_out_channels, scale_conv_kernel_sizes, name="scale_conv_layers", stride=2
            )
            self.scale_final_layer = linear_stack(scale_final_layer)
        init_head_(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        """(B, in_channels, h, w) -> points (B, 3, h * 2^n, w * 2^n), n upsampling blocks; scale (B, 1) or None.

        Raises:
            InputError: the grid is not the one the scale branch was made for.
        """
        return self.conv_pointmap(self.decode(x)), self.scale(x)

    def scale(self, x: Tensor) -> Tensor | None:
        """(B, in_channels, h, w) -> (B, 1); None without a scale branch."""
        if self.scale_conv_layers is None or self.scale_final_layer is None:
            return None
        reduced = self.scale_conv_layers(x)
        given, expected = reduced[0].numel(), self.scale_final_layer[1].in_features
        if given != expected:
            raise InputError(
                f"the pointmap scale branch takes {expected} values, got {given} from a grid of {tuple(x.shape[2:])}",
                hint="run at the input size the model was trained at",
            )
        scale: Tensor = self.scale_final_layer(reduced)
        return scale


def linear_stack(widths: Widths) -> nn.Sequential:
    """Flatten, then linear layers with SiLU between them; the linear layers have indices 1, 3, 5, ...

    Raises:
        InputError: fewer than two widths.
    """
    if not widths or len(widths) < 2:
        raise InputError(f"scale_final_layer: expected at least an input and an output width, got {widths}")
    layers: list[nn.Module] = []
    for width_in, width_out in pairwise(widths):
        layers += [nn.SiLU(inplace=True), nn.Linear(width_in, width_out)]
    return nn.Sequential(nn.Flatten(), *layers[1:])


def build_head(size: str, in_channels: int) -> PointmapHead:
    """The head of a size, randomly initialised on the current default device."""
    return PointmapHead(in_channels, **head_config(size))
