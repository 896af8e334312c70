"""Heatmaps to keypoints: the batched decoder beside the usual way, map by map with OpenCV."""

from __future__ import annotations

import statistics
import time
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sapiens.bench.table import report
from sapiens.tasks.pose.codec import decode, encode
from sapiens.tasks.pose.keypoints import NAMES

INPUT_HW, GRID_HW = (1024, 768), (256, 192)
KERNEL = 11
PAD = KERNEL // 2


def run(people: int = 8, repeats: int = 5) -> dict[str, Any]:
    """Decode people x 308 maps of 256x192 both ways, `repeats` times, interleaved, after one warm-up.

    Two kinds of maps: what networks give, and white noise as the worst case, in which nearly every map must be blurred
    in full; the latter for a quarter of the people.

    Args:
        people: crops in the batch; 60 MB of heatmaps each.
        repeats: timed repetitions.

    Returns:
        a report: medians, their ratio, and the largest differences of the two in pixels of the network input.
    """
    noise = 0.003 * torch.randn(max(1, people // 4), len(NAMES), *GRID_HW, generator=torch.Generator().manual_seed(1))
    rows, remarks = [], []
    for kind, maps in {"like a network's": sample_maps(people), "white noise": noise}.items():
        seconds, differences = _compare(maps, repeats)
        rows += [
            {
                "maps": kind,
                "people": len(maps),
                "way": way,
                "ms": round(1e3 * value, 1),
                "ms per person": round(1e3 * value / len(maps), 2),
                "times faster": round(seconds["map by map"] / value, 1),
            }
            for way, value in seconds.items()
        ]
        apart = f"largest difference {differences.max():.2g}, 99 % below {np.quantile(differences, 0.99):.2g}"
        remarks.append(f"maps {kind}: {apart} pixels of the {INPUT_HW[0]}x{INPUT_HW[1]} input")
    title = f"decode heatmaps of {GRID_HW[0]}x{GRID_HW[1]}, {len(NAMES)} per person, median of {repeats}"
    return report(title, rows, remarks)


def _compare(maps: Tensor, repeats: int) -> tuple[dict[str, float], npt.NDArray[np.float64]]:
    """Median seconds of both ways, and the distances of their points in pixels of the network input."""
    batched, (single, _) = decode(maps), decode_map_by_map(maps.numpy())
    times: dict[str, list[float]] = {"batched": [], "map by map": []}
    for _ in range(repeats):
        start = time.perf_counter()
        decode(maps)
        middle = time.perf_counter()
        decode_map_by_map(maps.numpy())
        times["batched"].append(middle - start)
        times["map by map"].append(time.perf_counter() - middle)
    pixels = np.subtract(INPUT_HW[::-1], 1) / np.subtract(GRID_HW[::-1], 1)
    distances = np.linalg.norm((batched.peaks_uv.numpy().astype(np.float64) - single) * pixels, axis=-1)
    return {way: statistics.median(values) for way, values in times.items()}, distances


def sample_maps(people: int, seed: int = 0) -> Tensor:
    """(people, 308, 256, 192) float32: blobs as the networks are trained on, over a smooth noise floor around zero.

    80 % of the points are clear (0.3 to 1), 15 % faint (0.02 to 0.3), 5 % absent; floors vary from 0 to 0.004.
    """
    random = torch.Generator().manual_seed(seed)
    points, (height, width) = len(NAMES), INPUT_HW
    maps = torch.empty(people, points, *GRID_HW)
    for person in maps:
        places = torch.rand(points, 2, generator=random) * torch.tensor([width - 1, height - 1])
        kind = torch.rand(points, generator=random)
        strength = torch.rand(points, generator=random)
        clear, faint = 0.3 + 0.7 * strength, 0.02 + 0.28 * strength
        tops = torch.where(kind < 0.8, clear, torch.where(kind < 0.95, faint, 0))
        coarse = torch.randn(1, points, GRID_HW[0] // 8, GRID_HW[1] // 8, generator=random)
        floor = 0.004 * torch.rand(points, 1, 1, generator=random)
        person.copy_(interpolate(coarse, GRID_HW, mode="bicubic")[0]).mul_(floor)
        person.add_(encode(places, torch.ones(points), INPUT_HW, GRID_HW)[0] * tops[:, None, None])
    return maps


def decode_map_by_map(maps: npt.NDArray[np.float32]) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The same decoding written plainly with OpenCV; maps without a positive value keep their peak.

    Args:
        maps: (B, K, h, w).

    Returns:
        (B, K, 2) x, y in cells and (B, K) scores.
    """
    flat = maps.reshape(-1, *maps.shape[2:])
    points = np.array([_decode_one(heatmap) for heatmap in flat], np.float32).reshape(*maps.shape[:2], 3)
    return points[..., :2], points[..., 2]


def _decode_one(heatmap: npt.NDArray[np.float32]) -> tuple[float, float, float]:
    row, column = np.unravel_index(heatmap.argmax(), heatmap.shape)
    x, y, top = int(column), int(row), float(heatmap[row, column])
    if top <= 0:
        return x, y, top
    padded = cv2.copyMakeBorder(heatmap, PAD, PAD, PAD, PAD, cv2.BORDER_CONSTANT, value=0.0)
    blurred = np.asarray(cv2.GaussianBlur(padded, (KERNEL, KERNEL), 0))[PAD:-PAD, PAD:-PAD]
    logs = np.log(np.clip(blurred * (top / blurred.max()), 0.001, 50))
    edged = np.pad(logs, 1, mode="edge")
    f = edged[y : y + 3, x : x + 3].astype(np.float64)
    gradient = np.array([f[1, 2] - f[1, 0], f[2, 1] - f[0, 1]]) / 2
    hxx, hyy = f[1, 2] - 2 * f[1, 1] + f[1, 0], f[2, 1] - 2 * f[1, 1] + f[0, 1]
    hxy = (f[2, 2] - f[1, 2] - f[2, 1] + 2 * f[1, 1] - f[1, 0] - f[0, 1] + f[0, 0]) / 2
    hessian = np.array([[hxx, hxy], [hxy, hyy]]) + np.eye(2) * np.finfo(np.float32).eps
    step = np.linalg.inv(hessian) @ gradient
    return x - step[0], y - step[1], top
