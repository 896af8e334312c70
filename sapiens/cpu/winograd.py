"""Convolutions with fewer multiplications, after Winograd: Lavin and Gray 2016, https://arxiv.org/abs/1509.09308.

Tiles of 4x4 outputs. A 3x3 kernel takes 36 multiplications a tile instead of 144; a transposed 4x4 kernel of stride 2
is four 2x2 kernels, one per parity of row and column, each 25 instead of 64. All of them are matrix products over the
channels, which a CPU does at its full rate. Transforms work on strips of the map that stay in the cache.

In float32 results differ from direct summation by some 1e-6; with products in bfloat16, where the sums of a tile are
float32 all the same, by some 1e-2.

Axes: B batch, H rows, W columns, C channels in, O out; S strip rows of tiles, T tiles in a row, F frequencies.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

TILE = 4
STRIP_TILES = 384
"""Tiles transformed at a time: enough for the products' full rate, few enough for the cache."""

Transform = Callable[[Sequence[Tensor], Sequence[Tensor]], None]


@dataclass(frozen=True)
class Scheme:
    """How one axis is transformed for kernels of `taps`.

    Attributes:
        kernel: (frequencies, taps), applied to kernels.
        into: tile of `frequencies` inputs -> as many numbers. out: those -> 4 outputs.
    """

    taps: int
    kernel: tuple[tuple[float, ...], ...]
    into: Transform
    out: Transform

    @property
    def frequencies(self) -> int:
        """Inputs of a tile along one axis."""
        return TILE + self.taps - 1


NEAR, FAR = 5 / 8, 3 / 2
"""Points of 3x3 kernels on either side of zero: their sums cancel half as much as those of the usual 1 and 2."""


def _into_3(x: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    x0, x1, x2, x3, x4, x5 = x
    near, far = NEAR**2, FAR**2
    even, odd = torch.sub(x4, x2, alpha=far), torch.sub(x3, x1, alpha=far)
    torch.add(even, odd, alpha=NEAR, out=out[1])
    torch.sub(even, odd, alpha=NEAR, out=out[2])
    torch.sub(x4, x2, alpha=near, out=even)
    torch.sub(x3, x1, alpha=near, out=odd)
    torch.add(even, odd, alpha=FAR, out=out[3])
    torch.sub(even, odd, alpha=FAR, out=out[4])
    for ends, target in (((x0, x2, x4), out[0]), ((x1, x3, x5), out[5])):
        torch.add(ends[2], ends[0], alpha=near * far, out=even)
        torch.sub(even, ends[1], alpha=near + far, out=target)


def _out_3(y: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    y0, y1, y2, y3, y4, y5 = y
    near, far = y1 + y2, y3 + y4
    torch.add(near, far, out=out[2])
    torch.add(torch.add(y0, near, alpha=NEAR**-2, out=near), far, alpha=FAR**-2, out=out[0])
    torch.sub(y1, y2, out=near)
    torch.sub(y3, y4, out=far)
    torch.add(torch.add(y5, near, alpha=NEAR), far, alpha=FAR, out=out[3])
    torch.add(near.mul_(1 / NEAR), far, alpha=1 / FAR, out=out[1])


def _into_2(x: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    x0, x1, x2, x3, x4 = x
    even, odd = x3 - x1, x2 - x0
    torch.sub(even, odd, alpha=2, out=out[0])
    torch.sub(torch.sub(x3, x2), x1, alpha=2, out=out[1])
    torch.add(torch.sub(x3, x2, alpha=3), x1, alpha=2, out=out[2])
    out[3].copy_(even)
    torch.sub(torch.sub(x4, x2), even, alpha=2, out=out[4])


def _out_2(y: Sequence[Tensor], out: Sequence[Tensor]) -> None:
    y0, y1, y2, y3, y4 = y
    total, difference = y1 + y2, y1 - y2
    torch.add(torch.add(total, y0), y3, out=out[0])
    torch.add(difference, y3, alpha=2, out=out[1])
    torch.add(total, y3, alpha=4, out=out[2])
    torch.add(difference.add_(y3, alpha=8), y4, out=out[3])


# Evaluated at 0, NEAR, -NEAR, FAR, -FAR and infinity, and at 0, 1, -1, 2 and infinity.
_NEAR, _FAR = 2 * (NEAR**2 - FAR**2), 2 * (FAR**2 - NEAR**2)
_KERNEL_3 = (
    (1 / (NEAR * FAR) ** 2, 0, 0),
    *((1 / _NEAR, sign * NEAR / _NEAR, NEAR**2 / _NEAR) for sign in (1, -1)),
    *((1 / _FAR, sign * FAR / _FAR, FAR**2 / _FAR) for sign in (1, -1)),
    (0, 0, 1),
)
_KERNEL_2 = ((1 / 2, 0), (-1 / 2, -1 / 2), (-1 / 6, 1 / 6), (1 / 6, 1 / 3), (0, 1))
THREE = Scheme(3, _KERNEL_3, _into_3, _out_3)
TWO = Scheme(2, _KERNEL_2, _into_2, _out_2)


def transformed(kernels: Tensor, scheme: Scheme) -> Tensor:
    """(O, C, taps, taps) correlation kernels -> (frequencies^2, C, O)."""
    one = torch.tensor(scheme.kernel, dtype=torch.float64)
    both = torch.kron(one, one).to(kernels.dtype)
    flat = kernels.reshape(-1, scheme.taps**2)
    return (both @ flat.T).view(-1, *kernels.shape[:2]).transpose(1, 2)


@dataclass(frozen=True)
class Part:
    """A set of kernels and where its outputs go.

    Attributes:
        weight: as `transformed` gives it, in the dtype of the products; its O are those of all `cells`, one after the
            other.
        start: row and column of the padded input where the first tile begins.
        cells: row and column, within each cell of `scale` x `scale` outputs, of each group of channels.
    """

    weight: Tensor
    start: tuple[int, int]
    cells: tuple[tuple[int, int], ...]


def convolve(x: Tensor, parts: Sequence[Part], bias: Tensor | None, scheme: Scheme, scale: int) -> Tensor:
    """Correlate a map with all parts.

    Args:
        x: (B, C, H, W) float32, zero outside.
        parts: kernels, centred by their `start` on a map padded by one pixel.
        bias: (O,) in the order of a part's channels.
        scheme: of the kernels' size.
        scale: outputs per input along an axis.

    Returns:
        (B, O, scale * H, scale * W), channels-last.
    """
    batch, _, height, width = x.shape
    rows, cols = -(-height // TILE), -(-width // TILE)
    # One more row and column for parts that begin at 1.
    padding = (0, 0, 1, 2 + cols * TILE - width, 1, 2 + rows * TILE - height)
    padded = F.pad(x.permute(0, 2, 3, 1), padding)
    outputs = parts[0].weight.shape[2] // len(parts[0].cells)
    result = x.new_empty(batch, rows, TILE, scale, cols, TILE, scale, outputs)
    strip = max(1, min(rows, STRIP_TILES // cols))
    work = _Work(x, scheme, strip, cols, parts[0].weight)
    for index in range(batch):
        for top in range(0, rows, strip):
            count = min(strip, rows - top)
            target = result[index, top : top + count]
            for part in parts:
                row, col = TILE * top + part.start[0], part.start[1]
                work.run(padded[index, row:, col:], part, bias, count, target)
    whole = result.view(batch, rows * TILE * scale, cols * TILE * scale, outputs)
    return whole[:, : scale * height, : scale * width].permute(0, 3, 1, 2)


class _Work:
    """Room for one strip of tiles, used again for every strip."""

    def __init__(self, like: Tensor, scheme: Scheme, strip: int, cols: int, weight: Tensor) -> None:
        n, (channels, outputs) = scheme.frequencies, weight.shape[1:]
        self.scheme, self.cols, self.rounds = scheme, cols, weight.dtype != like.dtype
        self.rows = like.new_empty(n, strip, TILE * cols + n - TILE, channels)
        self.tiles = like.new_empty(n, n, strip * cols * channels)
        self.products = like.new_empty(n * n, strip * cols * outputs)
        self.columns = like.new_empty(n, TILE, strip * cols * outputs)
        if self.rounds:
            self.rounded = [torch.empty_like(whole, dtype=weight.dtype) for whole in (self.tiles, self.products)]

    def run(self, source: Tensor, part: Part, bias: Tensor | None, count: int, target: Tensor) -> None:
        """Transform, multiply and transform back `count` rows of tiles.

        Args:
            source: (rows, columns, C), the padded input from the first tile on.
            target: (count, 4, scale, T, 4, scale, O).
        """
        scheme, cols = self.scheme, self.cols
        n, (channels, outputs) = scheme.frequencies, part.weight.shape[1:]
        rows = self.rows[:, :count]
        wide = rows.shape[2]
        # Slices end so that each has `count` rows and `cols` columns.
        scheme.into([source[i : i + TILE * count - 3 : TILE, :wide] for i in range(n)], rows.unbind())
        tiles = self.tiles[:, :, : count * cols * channels].view(n, n, count, cols, channels)
        scheme.into([rows[:, :, j : j + TILE * cols - 3 : TILE] for j in range(n)], tiles.unbind(1))
        products = self._multiply(tiles.view(n * n, count * cols, channels), part.weight)
        columns = self.columns[:, :, : count * cols * outputs].view(n, TILE, count, cols, outputs)
        scheme.out(products.view(n, n, count, cols, outputs).unbind(1), columns.unbind(1))
        width = outputs // len(part.cells)
        for group, (down, right) in enumerate(part.cells):
            own = columns[..., group * width : (group + 1) * width]
            # (count, 4, T, 4, O) -> per row of the tile (4 columns of it, count, T, O)
            cell = target[:, :, down, :, :, right]
            scheme.out(own.unbind(), cell.permute(1, 3, 0, 2, 4).unbind())
            if bias is not None:
                cell += bias[group * width : (group + 1) * width]

    def _multiply(self, tiles: Tensor, weight: Tensor) -> Tensor:
        """(F^2, S T, C) x (F^2, C, O) -> (F^2, S T, O), in the dtype of the tiles."""
        (frequencies, count, _), outputs = tiles.shape, weight.shape[2]
        products = self.products[:, : count * outputs].view(frequencies, count, outputs)
        if not self.rounds:
            return torch.bmm(tiles, weight, out=products)
        into, out = (whole.flatten() for whole in self.rounded)
        factors = into[: tiles.numel()].view(tiles.shape).copy_(tiles)
        return products.copy_(torch.bmm(factors, weight, out=out[: products.numel()].view(products.shape)))


class WinogradConv2d(nn.Module):
    """A 3x3 convolution of stride 1 with padding 1, and a pixel shuffle behind it if asked for.

    Its transformed weights take four times the memory of the kernels.

    Args:
        source: what it replaces.
        shuffle: factor of a pixel shuffle that follows; 1: none.
        dtype: of the products.
    """

    def __init__(self, source: nn.Conv2d, shuffle: int = 1, dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.shuffle, self._dtype = shuffle, dtype
        groups = shuffle**2
        # Channels that go to the same place stand together.
        self._order = torch.arange(source.out_channels).view(-1, groups).T.flatten()
        self._cells = tuple((down, right) for down in range(shuffle) for right in range(shuffle))
        self._source: nn.Conv2d | None = source
        self._parts: list[Part] = []
        self._bias: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, O / shuffle^2, shuffle * H, shuffle * W)."""
        source = self._source
        if source is not None:  # not while loading: reading the weights takes longer than mapping their file
            bias = None if source.bias is None else source.bias.detach()[self._order]
            weight = transformed(source.weight.detach()[self._order], THREE).to(self._dtype)
            parts = [Part(weight, (0, 0), self._cells)]
            self._parts, self._bias, self._source = parts, bias, None
        return convolve(x, self._parts, self._bias, THREE, self.shuffle)


class WinogradDeconv2d(nn.Module):
    """A transposed 4x4 convolution of stride 2 with padding 1. Its transformed weights take 6.25 times the memory."""

    # Output row 2 i takes kernel rows 3 and 1 of input rows i - 1 and i; 2 i + 1 takes 2 and 0 of i and i + 1.
    TAPS = ((3, 1), (2, 0))

    def __init__(self, source: nn.ConvTranspose2d) -> None:
        super().__init__()
        self._source: nn.ConvTranspose2d | None = source
        self._parts: list[Part] = []
        self._bias: Tensor | None = None

    def forward(self, x: Tensor) -> Tensor:
        """(B, C, H, W) -> (B, O, 2 H, 2 W)."""
        source = self._source
        if source is not None:
            bias = None if source.bias is None else source.bias.detach()
            self._parts, self._bias, self._source = self._transformed(source), bias, None
        return convolve(x, self._parts, self._bias, TWO, 2)

    def _transformed(self, source: nn.ConvTranspose2d) -> list[Part]:
        kernels = source.weight.detach().transpose(0, 1)
        return [
            Part(transformed(kernels[:, :, self.TAPS[row]][:, :, :, self.TAPS[col]], TWO), (row, col), ((row, col),))
            for row in (0, 1)
            for col in (0, 1)
        ]
