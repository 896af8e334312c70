"""Backgrounds: out-of-focus rooms and landscapes from gradients, soft shapes and noise with a natural spectrum."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from sapiens.synth.dice import Dice

OCTAVES = (3, 6, 12, 24, 48)
NOISE = sum(2 * n * n for n in OCTAVES)
SHAPES = 6


def make_backgrounds(dice: Dice, noise: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(B, 3, H, W) in 0..1.

    Args:
        dice: numbers of the pictures.
        noise: (B, NOISE) uniform.
        size_hw: picture size.
    """
    half = (max(2, size_hw[0] // 2), max(2, size_hw[1] // 2))
    device = noise.device
    y = torch.linspace(0, 1, half[0], device=device)[:, None].expand(half)
    x = torch.linspace(0, 1, half[1], device=device)[None, :].expand(half) * (size_hw[1] / size_hw[0])
    fine = _noise(noise, half)
    high, low, floor = (_colour(dice) for _ in range(3))
    wall = _lerp(high, low, y[None])
    horizon = dice.uniform(0.5, 0.95)[:, None, None] + 0.03 * fine[:, 0] * dice.chance(0.4)[:, None, None]
    ground = floor[:, :, None, None] * (0.75 + 0.5 * y)
    edge = ((y[None] - horizon) * dice.uniform(8, 90)[:, None, None] + 0.5).clamp(0, 1)[:, None]
    picture = wall * (1 - edge) + ground * edge
    for _ in range(SHAPES):
        picture = _shape(dice, picture, x, y, fine)
    strength, tint = dice.uniform(0.0, 0.12)[:, None, None, None], dice.uniforms(3, -0.018, 0.018)[:, :, None, None]
    picture = picture * (1 + strength * fine[:, :1]) + tint * fine[:, 1:]
    return interpolate(picture.clamp(0, 1), size=size_hw, mode="bilinear", align_corners=False)


def _noise(numbers: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(B, 2, h, w), about unit spread: octaves whose strength falls with frequency, as in photographs."""
    total = torch.zeros(len(numbers), 2, *size_hw, device=numbers.device)
    start = 0
    for octave, n in enumerate(OCTAVES):
        cells = numbers[:, start : start + 2 * n * n].reshape(-1, 2, n, n) * 3.46 - 1.73
        start += 2 * n * n
        total += interpolate(cells, size=size_hw, mode="bicubic", align_corners=False) * 0.55**octave
    return total


def _colour(dice: Dice) -> Tensor:
    grey = dice.uniform(0.12, 0.92)[:, None]
    return (grey + dice.uniforms(3, -0.1, 0.1)).clamp(0.02, 0.98)


def _lerp(top: Tensor, bottom: Tensor, t: Tensor) -> Tensor:
    return top[:, :, None, None] * (1 - t[:, None]) + bottom[:, :, None, None] * t[:, None]


def _shape(dice: Dice, picture: Tensor, x: Tensor, y: Tensor, fine: Tensor) -> Tensor:
    """A box or blob with a soft edge: furniture, window, bush."""
    cx, cy, rx, ry = (dice.uniform(lo, hi)[:, None, None] for lo, hi in ((0, 1), (0.1, 0.95), (0.03, 0.3), (0.04, 0.4)))
    u, v = ((x - cx) / rx).abs(), ((y - cy) / ry).abs()
    box = torch.maximum(u, v)
    blob = (u * u + v * v).sqrt() + 0.25 * fine[:, 0]
    distance = torch.where(dice.chance(0.55)[:, None, None], box, blob)
    soft = dice.uniform(0.02, 0.25)[:, None, None]
    share = ((1 - distance) / soft + 0.5).clamp(0, 1)[:, None] * dice.chance(0.7)[:, None, None, None]
    shade = 1 + dice.uniform(-0.3, 0.3)[:, None, None] * (y - cy)
    return picture * (1 - share) + _colour(dice)[:, :, None, None] * shade[:, None] * share
