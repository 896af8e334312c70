"""Pose families: joint angles within human limits, as functions of time so that clips move.

Angles are radians in the body's frame (x to the left, y up, z forward); those of limbs have an axis of two, left then
right, and mean the same movement on both sides (positive "out" lifts either arm sideways).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from sapiens.synth.dice import Dice

STANDING, WALKING, SITTING, RAISED, ACTIVE, CROUCHING = range(6)
WEIGHTS = (0.34, 0.2, 0.14, 0.14, 0.12, 0.06)


@dataclass(frozen=True)
class Pose:
    """Joint angles of P persons.

    Attributes:
        family: (P,) index of the pose family.
        spine, neck: (P, 3) bend forward, turn left, lean left.
        arm: (P, 2, 3) shoulder: forward, out, twist inward.
        elbow, pronation: (P, 2).
        wrist: (P, 2, 2) towards the palm, towards the thumb.
        curl: (P, 2, 5) bend of every finger joint, thumb first.
        spread: (P, 2) between fingers.
        leg: (P, 2, 3) hip: forward, out, twist inward.
        knee, ankle: (P, 2).
        facing: (P,) turn of the whole body; 0 looks into the camera.
        mouth_open: (P,) 0..1.
    """

    family: Tensor
    spine: Tensor
    neck: Tensor
    arm: Tensor
    elbow: Tensor
    pronation: Tensor
    wrist: Tensor
    curl: Tensor
    spread: Tensor
    leg: Tensor
    knee: Tensor
    ankle: Tensor
    facing: Tensor
    mouth_open: Tensor


# Per family: (low, high) of arm forward, arm out, elbow, leg forward, leg out, knee, spine forward.
_RANGES = torch.tensor(
    [
        [(-0.25, 0.5), (0.05, 0.45), (0.05, 1.6), (-0.1, 0.2), (0.0, 0.2), (0.0, 0.25), (-0.05, 0.12)],
        [(-0.1, 0.1), (0.06, 0.2), (0.15, 1.2), (-0.02, 0.12), (0.0, 0.06), (0.05, 0.15), (0.0, 0.15)],
        [(0.0, 0.9), (0.05, 0.4), (0.3, 1.8), (1.25, 1.65), (0.02, 0.4), (1.2, 1.8), (-0.1, 0.35)],
        [(0.0, 0.9), (1.0, 2.7), (0.0, 1.8), (-0.1, 0.25), (0.0, 0.3), (0.0, 0.35), (-0.1, 0.1)],
        [(-0.7, 2.2), (0.05, 1.5), (0.0, 2.2), (-0.4, 1.2), (0.0, 0.7), (0.0, 1.4), (-0.15, 0.6)],
        [(0.2, 1.2), (0.1, 0.6), (0.2, 1.8), (1.2, 2.0), (0.1, 0.5), (1.6, 2.3), (0.1, 0.7)],
    ]
)


def sample_pose(dice: Dice, time_s: Tensor) -> Pose:
    """Draw poses; `time_s` (P,) moves them: limbs sway, walkers walk, heads turn. At time 0 they are as drawn."""
    family = dice.pick(*WEIGHTS)
    low, high = _RANGES.to(time_s.device)[family].unbind(-1)
    sway = _Sway(dice, time_s)

    def limb(column: int, amplitude: float) -> Tensor:
        drawn = low[:, column, None] + (high - low)[:, column, None] * dice.uniforms(2)
        return drawn + sway(2, amplitude)

    forward, out, elbow = limb(0, 0.3), limb(1, 0.2), limb(2, 0.3).clamp(0, 2.4)
    swing, apart, knee = limb(3, 0.12), limb(4, 0.06), limb(5, 0.15).clamp(0, 2.4)
    gait = dice.uniform(0.25, 0.55) * (family == WALKING)
    stride = _gait(gait, dice.uniform(0, 2 * math.pi) + 2 * math.pi * 0.9 * time_s)
    seated = family == SITTING
    twist = dice.uniforms(2, -0.5, 0.7) * (out < 1.0)
    spine = torch.stack(
        [low[:, 6] + (high - low)[:, 6] * dice.uniform(), dice.uniform(-0.3, 0.3), dice.uniform(-0.12, 0.12)], -1
    )
    looks = [dice.uniform(-0.3, 0.35), dice.uniform(-0.7, 0.7), dice.uniform(-0.2, 0.2)]
    return Pose(
        family=family,
        spine=spine + sway(3, 0.06),
        neck=torch.stack(looks, -1) + sway(3, 0.12),
        arm=torch.stack([forward - 0.9 * stride[0], out, twist], -1),
        elbow=elbow + 0.25 * stride[0].clamp(max=0).abs(),
        pronation=dice.uniforms(2, -0.9, 0.9),
        wrist=dice.uniforms(4, -0.4, 0.4).reshape(-1, 2, 2),
        curl=_curl(dice),
        spread=dice.uniforms(2, 0.02, 0.14),
        leg=torch.stack([swing + stride[0], apart, dice.uniforms(2, -0.35, 0.05)], -1),
        knee=knee + stride[1],
        ankle=dice.uniforms(2, -0.12, 0.2) * ~seated[:, None],
        facing=_facing(dice) + 0.25 * sway(1, 1.0)[:, 0],
        mouth_open=(dice.uniform(0.25, 1.0) + sway(1, 0.15)[:, 0]).clamp(0, 1) * dice.chance(0.45),
    )


class _Sway:
    """Smooth movement that is zero at time zero: a sine of own frequency and phase per angle."""

    def __init__(self, dice: Dice, time_s: Tensor) -> None:
        self._dice, self._time = dice, time_s[:, None]

    def __call__(self, count: int, amplitude: float) -> Tensor:
        phase = self._dice.uniforms(count, 0, 2 * math.pi)
        turns = self._dice.uniforms(count, 0.2, 0.6) * 2 * math.pi
        return amplitude * (torch.sin(phase + turns * self._time) - phase.sin())


def _gait(size: Tensor, phase: Tensor) -> tuple[Tensor, Tensor]:
    """Hip swing and extra knee bend (P, 2) of a walk; the legs are half a cycle apart."""
    phases = torch.stack([phase, phase + math.pi], -1)
    return size[:, None] * phases.sin(), size[:, None] * 1.3 * (1 + phases.cos()) * 0.6


def _curl(dice: Dice) -> Tensor:
    """(P, 2, 5): open, relaxed or closed hands, fingers a little apart from each other."""
    closed = dice.uniforms(2) ** 1.6
    own = dice.uniforms(10, -0.12, 0.12).reshape(-1, 2, 5)
    return (0.08 + 1.25 * closed[:, :, None] + own).clamp(0.0, 1.5)


def _facing(dice: Dice) -> Tensor:
    """Mostly towards the camera, sometimes sideways or away."""
    view = dice.pick(0.66, 0.2, 0.14)
    side = torch.where(dice.chance(0.5), 1.0, -1.0)
    front, profile, back = dice.uniform(-0.8, 0.8), dice.uniform(0.8, 2.2) * side, math.pi + dice.uniform(-0.9, 0.9)
    return torch.where(view == 0, front, torch.where(view == 1, profile, back))
