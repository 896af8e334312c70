"""Where persons stand and what the camera sees of them."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sapiens.synth.dice import Dice
from sapiens.synth.rotations import about
from sapiens.synth.trace import Rays

FULL, KNEES, BUST, CLOSE = range(4)
_FRAMINGS = (0.42, 0.2, 0.2, 0.18)
# Keypoints that must be in the picture, per framing.
_BODY = tuple(range(21))
_SHOWN = (_BODY, (*range(13), 41, 62), tuple(range(11)), tuple(range(70, 220)))
_MARGINS = ((1.12, 1.55), (1.05, 1.35), (1.1, 1.4), (1.25, 2.2))
_PLACES_M = (0.0, 0.8, -0.8, 1.6)
"""How far persons stand behind the first one, so that bodies do not run into each other."""


@dataclass(frozen=True)
class View:
    """The cameras of B pictures, and how the body frame of each of B x P persons comes into the camera's.

    Attributes:
        rays: focal lengths and principal points.
        rotation: (B, P, 3, 3). shift: (B, P, 3) metres.
    """

    rays: Rays
    rotation: Tensor
    shift: Tensor

    def place(self, points: Tensor) -> Tensor:
        """Body-frame points (B, P, K, 3) in the camera frame."""
        return points @ self.rotation.transpose(-1, -2) + self.shift[:, :, None]


def set_up(
    dice: Dice,
    facing: Tensor,
    lowest: Tensor,
    framed: Tensor,
    framed_facing: Tensor,
    people: Tensor,
    size_hw: tuple[int, int],
) -> View:
    """Stand persons on one floor and frame the first.

    Args:
        dice: numbers of the pictures.
        facing: (B, P) turn of each person.
        lowest: (B, P) lowest body-frame y of each person, which touches the floor.
        framed: (B, 308, 3) body-frame keypoints of the first person to frame; of its first moment in a clip.
        framed_facing: (B,) its turn at that moment.
        people: (B,) how many persons there are.
        size_hw: picture size.
    """
    camera = about(0, dice.uniform(-0.12, 0.3)) @ about(2, dice.uniform(-0.06, 0.06))
    camera = camera * torch.tensor([1.0, -1.0, -1.0], device=facing.device)
    spots = _spots(dice, facing, lowest)
    rotation = camera[:, None] @ about(1, facing)
    middle, extent = _frame(
        dice,
        (framed @ about(1, framed_facing).transpose(-1, -2) + spots[:, :1]) @ camera.transpose(-1, -2),
        people,
        size_hw,
    )
    height, width = size_hw
    focal = max(size_hw) / (2 * torch.tan(dice.uniform(0.2, 0.5)))
    distance = (focal * extent).maximum(torch.where(people > 1, 2.2, 1.3))
    focal = distance / extent
    target = torch.stack([middle[:, 0], middle[:, 1], middle[:, 2] - distance], -1)
    shift = spots @ camera.transpose(-1, -2) - target[:, None]
    half = torch.tensor([(width - 1) / 2, (height - 1) / 2], device=facing.device).expand(len(focal), 2)
    return View(Rays(focal, half[:, 0], half[:, 1]), rotation, shift)


def _spots(dice: Dice, facing: Tensor, lowest: Tensor) -> Tensor:
    """(B, P, 3) places on the floor; up is +y, towards the camera +z."""
    people = facing.shape[1]
    aside = dice.uniforms(4, 0.2, 0.85) * torch.where(dice.uniforms(4) < 0.5, -1.0, 1.0)
    aside = aside * torch.tensor([0.0, 1.0, 1.0, 1.0], device=facing.device)
    away = torch.tensor(_PLACES_M, device=facing.device) + dice.uniforms(4, -0.08, 0.08)
    spots = torch.stack([aside, torch.zeros_like(aside), -away], -1)[:, :people]
    return torch.stack([spots[..., 0], -lowest, spots[..., 2]], -1)


def _frame(dice: Dice, points: Tensor, people: Tensor, size_hw: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """Middle (B, 3) of what is framed, and metres per pixel (B,) in its plane."""
    framing = dice.pick(*_FRAMINGS)
    middles, sizes = [], []
    for shown, (low, high) in zip(_SHOWN, _MARGINS, strict=True):
        chosen = points[:, list(shown)]
        least, most = chosen.amin(1), chosen.amax(1)
        span = (most - least + 0.08)[:, :2] / torch.tensor([size_hw[1], size_hw[0]], device=points.device)
        sizes.append(span.amax(-1) * dice.uniform(low, high))
        middles.append((least + most) / 2)
    row = torch.arange(len(framing), device=framing.device)
    size = torch.stack(sizes)[framing, row] * torch.where(people > 1, 1 + 0.22 * (people - 1), 1.0)
    middle = torch.stack(middles)[framing, row]
    offset = dice.uniforms(2, -0.1, 0.1) * (size * min(size_hw))[:, None]
    return middle + torch.nn.functional.pad(offset, (0, 1)), size
