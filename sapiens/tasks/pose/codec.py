"""Keypoints to heatmaps and back.

Decoding is DARK (Zhang et al., "Distribution-Aware Coordinate Representation for Human Pose Estimation", CVPR 2020) on
unbiased coordinates (Huang et al., "The Devil is in the Details: Unbiased Data Processing", CVPR 2020): the largest
cell, then one Newton step on the logarithm of the blurred map. The step depends on the 3x3 blurred cells around the
peak alone, so 13x13 cells per map are read instead of blurring all of them. Where the clip of the logarithm acts on one
of the nine, the scale of the whole blurred map matters, and that map alone is blurred in full.

Shapes: B people, K keypoints, h x w heatmap cells, M some of the B * K maps.
"""

from __future__ import annotations

from typing import NamedTuple

import cv2
import torch
from torch import Tensor
from torch.nn.functional import pad

from sapiens.errors import InputError
from sapiens.tasks.base import Compat

REACH = 5
"""The blur reaches this many cells; the released models are decoded with an 11x11 kernel."""
BLUR_SIGMA = 2.0
LOWEST, HIGHEST = 1e-3, 50.0
"""Blurred values are clipped to this range before the logarithm."""
HESSIAN_EPS = 2.0**-23
"""Added to the diagonal of the Hessian before it is inverted."""
BLOCK, MAPS_AT_ONCE = 32, 256
"""Sizes of the pieces in which maps are blurred in full on a GPU."""


class Decoded(NamedTuple):
    """Points of a batch.

    Attributes:
        peaks_uv: (B, K, 2) float32, x and y in heatmap cells, 0 at the centre of the first cell.
        scores: (B, K) float32, the largest value of each map; may exceed 1 or be negative.
    """

    peaks_uv: Tensor
    scores: Tensor


def decode(heatmaps: Tensor, *, compat: Compat = "default", max_step: float | None = None) -> Decoded:
    """Sub-cell positions and scores of all maps of a batch.

    Args:
        heatmaps: (B, K, h, w) float32 on any device, h and w at least 2.
        compat: "default" leaves the peak as it is where a map has no positive value or the step is not finite, so that
            every point is finite and inside the grid or near it. "reference" does as the original: such maps peak at
            (-1, -1) with a step read from the ends of the previous map, and exactly zero maps give NaN.
        max_step: longest step in cells; where it is exceeded the peak stays as it is. None: no limit, as in the
            original, whose steps on noise can reach tens of cells.

    Raises:
        InputError: not such a tensor.
    """
    if heatmaps.ndim != 4 or min(heatmaps.shape[-2:]) < 2 or heatmaps.dtype != torch.float32:
        got = f"{heatmaps.dtype} {tuple(heatmaps.shape)}"
        raise InputError(f"decode: expected heatmaps (B, K, h, w) of float32 and at least 2x2 cells; got {got}")
    heatmaps = heatmaps.detach().contiguous()
    peaks, scores = find_peaks(heatmaps)
    if not scores.numel():
        return Decoded(peaks.float(), scores)
    # float64 keeps flat maps, whose Hessian is all but zero, at their peak; the few cells can be moved where it exists.
    home = torch.device("cpu") if heatmaps.device.type == "mps" else heatmaps.device
    nine = _blurred_nine(heatmaps, peaks, home)
    peaks, tops = peaks.to(home), scores.to(home).double()
    nine = nine * _factors(heatmaps, nine, tops)[..., None, None]
    if compat == "reference":
        peaks, nine = _reference_negatives(heatmaps, peaks, nine, tops)
    step = _newton_step(nine.clamp(LOWEST, HIGHEST).log())
    if compat != "reference":
        step = torch.where((tops > 0)[..., None] & step.isfinite(), step, 0)
    if max_step is not None:
        step = torch.where(step.norm(dim=-1, keepdim=True) <= max_step, step, 0)
    return Decoded((peaks - step).float().to(heatmaps.device), scores)


def decode_centroid(heatmaps: Tensor) -> Decoded:
    """Sub-cell positions as the centre of mass of the 3x3 cells around each peak, negative values left out.

    For coarse maps with narrow peaks: the blur of `decode` is 11 cells wide, and there merges them with their
    surroundings. Maps without a positive value keep their largest cell.

    Args:
        heatmaps: (B, K, h, w) float32.

    Raises:
        InputError: not such a tensor.
    """
    if heatmaps.ndim != 4 or min(heatmaps.shape[-2:]) < 2 or heatmaps.dtype != torch.float32:
        got = f"{heatmaps.dtype} {tuple(heatmaps.shape)}"
        raise InputError(f"decode: expected heatmaps (B, K, h, w) of float32 and at least 2x2 cells; got {got}")
    heatmaps = heatmaps.detach().contiguous()
    peaks, scores = find_peaks(heatmaps)
    width = heatmaps.shape[-1] + 2
    padded = pad(heatmaps.clamp_min(0), (1, 1, 1, 1)).flatten(2)
    offsets = torch.tensor([(x, y) for y in (-1, 0, 1) for x in (-1, 0, 1)], device=heatmaps.device)
    cells = peaks[..., None, :] + 1 + offsets
    mass = padded.gather(-1, (cells[..., 1] * width + cells[..., 0]).flatten(2)).view(*peaks.shape[:-1], 9)
    total = mass.sum(-1, keepdim=True)
    step = (mass[..., None] * offsets).sum(-2) / total.clamp_min(torch.finfo(torch.float32).tiny)
    return Decoded(peaks + torch.where(total > 0, step, 0.0), scores)


def find_peaks(heatmaps: Tensor) -> tuple[Tensor, Tensor]:
    """The first largest cell of every map in row order: (B, K, 2) int64 x, y, and its value (B, K)."""
    flat, width = heatmaps.flatten(2), heatmaps.shape[-1]
    # NumPy's arg max is vectorised, torch's on a CPU is not and takes four times as long.
    cells = torch.from_numpy(flat.numpy().argmax(-1)) if flat.device.type == "cpu" else flat.argmax(-1)
    scores = flat.gather(-1, cells[..., None])[..., 0]
    return torch.stack([cells % width, cells // width], -1), scores


def blur(maps: Tensor) -> Tensor:
    """Gaussian blur, 11x11, sigma 2, zeros outside: (M, h, w) float32 -> the same shape.

    As products of blocks of rows, then of columns, with a banded matrix: two calls for all maps.
    """
    for _ in range(2):
        size = maps.shape[-1]
        blocks = -(-size // BLOCK)
        padded = pad(maps, (REACH, REACH + blocks * BLOCK - size))
        pieces = padded.unfold(-1, BLOCK + 2 * REACH, BLOCK).reshape(-1, BLOCK + 2 * REACH)
        rows = (pieces @ _banded(BLOCK).to(maps.dtype).to(maps.device)).view(*maps.shape[:-1], blocks * BLOCK)
        maps = rows[..., :size].transpose(-2, -1)
    return maps


def _banded(size: int) -> Tensor:
    """(size + 10, size) float64 on the CPU: takes cells -5 .. size + 4 to the blurred cells 0 .. size - 1."""
    weights = torch.exp(-(torch.arange(-REACH, REACH + 1, dtype=torch.float64) ** 2) / (2 * BLUR_SIGMA**2))
    weights /= weights.sum()
    return torch.stack([pad(weights, (at, size - 1 - at)) for at in range(size)], 1)


def _blurred_nine(heatmaps: Tensor, peaks: Tensor, home: torch.device) -> Tensor:
    """(B, K, 3, 3) float64 on `home`: blurred cells around each peak; beyond the edge, the edge's cell again."""
    people, points, height, width = heatmaps.shape
    around = torch.arange(-REACH - 1, REACH + 2, device=heatmaps.device)
    x, y = (peaks[..., axis, None] + around for axis in (0, 1))
    inside = ((y >= 0) & (y < height)).float()[..., :, None] * ((x >= 0) & (x < width)).float()[..., None, :]
    first_row = torch.arange(people * points, device=heatmaps.device).view(people, points, 1) * height
    cells = (first_row + y.clamp(0, height - 1))[..., :, None] * width + x.clamp(0, width - 1)[..., None, :]
    patches = heatmaps.view(-1).index_select(0, cells.view(-1)).view(cells.shape) * inside
    taps = _banded(3).to(home)
    # One product with the two-dimensional kernels; batches of 13x13 products would take a hundred times as long.
    nine = (patches.to(home).double().flatten(-2) @ torch.kron(taps, taps)).view(people, points, 3, 3)
    # Which of the three blurred rows (columns) stands for the one before, at, and after the peak.
    offsets, peaks = torch.tensor([-1, 0, 1], device=home), peaks.to(home)
    columns, rows = (
        (peaks[..., axis, None] + offsets).clamp(0, size - 1) - peaks[..., axis, None] + 1
        for axis, size in ((0, width), (1, height))
    )
    return nine.take_along_dim(rows[..., :, None], -2).take_along_dim(columns[..., None, :], -1)


def _factors(heatmaps: Tensor, nine: Tensor, tops: Tensor) -> Tensor:
    """(B, K) float64: what the blurred maps are multiplied by, old maximum / new maximum; 1 where it cancels."""
    lowest, highest = nine.amin((-2, -1)), nine.amax((-2, -1))
    # With a positive blurred value the factor is at least 1 and takes the map's maximum to `tops`.
    untouched = (lowest >= LOWEST) & (tops <= HIGHEST)
    all_clipped = (highest > 0) & (tops <= LOWEST)
    needed = ((tops > 0) & ~untouched & ~all_clipped).nonzero()
    factors = torch.ones_like(tops)
    if len(needed):
        b, k = needed.T
        factors[b, k] = tops[b, k] / _blurred_maxima(heatmaps, needed).to(tops.device)
    return factors


def _blurred_maxima(heatmaps: Tensor, which: Tensor) -> Tensor:
    """(M,) float32 maxima of the blurred maps `which` (M, 2) of person and keypoint."""
    maps = heatmaps.flatten(0, 1)
    rows = (which[:, 0] * heatmaps.shape[1] + which[:, 1]).to(maps.device)
    if maps.device.type == "cpu":
        # OpenCV's filter is four times as fast as `blur` here; as these maps are rare, calling it for each is fine.
        size = (2 * REACH + 1, 2 * REACH + 1)
        chosen = (maps[row].numpy() for row in rows.tolist())
        blurred = (cv2.GaussianBlur(one, size, BLUR_SIGMA, borderType=cv2.BORDER_CONSTANT) for one in chosen)
        return torch.tensor([float(one.max()) for one in blurred])
    return torch.cat([blur(maps.index_select(0, part)).amax((-2, -1)) for part in torch.split(rows, MAPS_AT_ONCE)])


def _newton_step(logs: Tensor) -> Tensor:
    """(B, K, 2) H^-1 g, x and y, from central differences of (B, K, 3, 3) logarithms, rows before columns."""
    (above_left, above, _), (left, here, right), (_, below, below_right) = (r.unbind(-1) for r in logs.unbind(-2))
    gx, gy = (right - left) / 2, (below - above) / 2
    hxx = right - 2 * here + left + HESSIAN_EPS
    hyy = below - 2 * here + above + HESSIAN_EPS
    hxy = (below_right - right - below + 2 * here - left - above + above_left) / 2
    determinant = hxx * hyy - hxy * hxy
    return torch.stack([hyy * gx - hxy * gy, hxx * gy - hxy * gx], -1) / determinant[..., None]


def _reference_negatives(heatmaps: Tensor, peaks: Tensor, nine: Tensor, tops: Tensor) -> tuple[Tensor, Tensor]:
    """Peaks and cells as the original takes them for maps without a positive value.

    It puts their peak at (-1, -1) and addresses cells by one flat index over a person's maps, each with a border of one
    cell. Around border cell (0, 0) lie the first cell of the map itself, to the left the last cell of the previous map
    (the last map's for the first), and above that one's last rows.
    """
    which = (tops <= 0).nonzero()
    if not len(which):
        return peaks, nine
    b, k = which.T
    before = torch.stack([b, (k - 1) % heatmaps.shape[1]], -1)
    first = _scaled_corners(heatmaps, which, tops)[:, 0]
    bottom_left, bottom_right = _scaled_corners(heatmaps, before, tops)[:, 1:].unbind(-1)
    rows = [[bottom_right, bottom_left, first], [bottom_right, first, first], [first, first, first]]
    peaks, nine = peaks.clone(), nine.clone()
    peaks[b, k] = -1
    nine[b, k] = torch.stack([torch.stack(row, -1) for row in rows], -2)
    return peaks, nine


def _scaled_corners(heatmaps: Tensor, which: Tensor, tops: Tensor) -> Tensor:
    """(M, 3) float64 first, bottom left and bottom right cell of the blurred and rescaled maps `which` (M, 2)."""
    b, k = which.to(heatmaps.device).T
    spans = slice(0, REACH + 1), slice(-REACH - 1, None)
    corners = [blur(heatmaps[..., spans[i], spans[j]][b, k])[:, -i, -j] for i, j in ((0, 0), (1, 0), (1, 1))]
    scaled = torch.stack(corners, -1).to(tops.device).double()
    b, k = which.T
    factors = tops[b, k] / _blurred_maxima(heatmaps, which).to(tops.device)
    return scaled * factors[:, None]


def encode(
    keypoints: Tensor, visible: Tensor, input_hw: tuple[int, int], grid_hw: tuple[int, int], sigma: float = 6.0
) -> tuple[Tensor, Tensor]:
    """Training targets: a Gaussian of height 1 per point, cut off at 3 sigma.

    Args:
        keypoints: (..., K, 2) float32 x, y in pixels of the network input.
        visible: (..., K) float32; below 0.5 the map is empty.
        input_hw: rows and columns of the network input.
        grid_hw: rows and columns of the heatmaps, at least 2 each.
        sigma: in heatmap cells.

    Returns:
        heatmaps (..., K, h, w) float32 and weights (..., K) float32: `visible`, but 0 for visible points whose window
        misses the grid.

    Raises:
        InputError: shapes that do not belong together.
    """
    if keypoints.shape != (*visible.shape, 2) or min(*input_hw, *grid_hw) < 2:
        raise InputError(
            f"encode: keypoints {tuple(keypoints.shape)} and visible {tuple(visible.shape)} for input {input_hw} and "
            f"grid {grid_hw}; expected (..., K, 2), (..., K) and at least 2x2 cells"
        )
    radius = 3 * sigma
    shown, reaches, profiles = visible >= 0.5, torch.ones_like(visible, dtype=torch.bool), []
    for axis, (pixels, size) in enumerate(zip(input_hw[::-1], grid_hw[::-1], strict=True)):
        # float32 decides ties: the crop's centre 383.5 of 768 belongs to cell 95, not 96.
        position = keypoints[..., axis].float() / torch.tensor((pixels - 1) / (size - 1), dtype=torch.float32)
        middle = torch.trunc(position + 0.5)
        reaches &= (middle - radius < size) & (middle + radius + 1 >= 0)
        cells = torch.arange(size, device=keypoints.device)
        window = (cells - middle[..., None]).abs() <= radius
        profiles.append(torch.exp(-((cells - position[..., None]) ** 2) / (2 * sigma**2)).where(window, 0))
    columns, rows = profiles
    heatmaps = (rows * shown[..., None])[..., :, None] * columns[..., None, :]
    return heatmaps, visible.float() * (reaches | ~shown)
