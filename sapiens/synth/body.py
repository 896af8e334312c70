"""The articulated body: a person's measures, and the frames of all bones for a pose.

Body frame: origin at the middle of the pelvis, x to the person's left, y up, z forward, metres. Every bone frame is
aligned with it at rest (upright, arms hanging, palms inward), so offsets are written for the left side and mirrored.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sapiens.synth.dice import Dice
from sapiens.synth.pose import Pose
from sapiens.synth.rotations import about, mirror, turn

SIDES = (1.0, -1.0)


@dataclass(frozen=True)
class Shape:
    """Measures of P persons, (P,) each.

    Attributes:
        stature: metres.
        girth: thickness of trunk and limbs, 1 is average.
        shoulders, hips: widths, 1 is average.
        bust: 0..1.
        legs: leg length, 1 is average.
        head: (P, 3) size of the head along x, y, z in units of the standard head.
    """

    stature: Tensor
    girth: Tensor
    shoulders: Tensor
    hips: Tensor
    bust: Tensor
    legs: Tensor
    head: Tensor


def sample_shape(dice: Dice) -> Shape:
    """Draw adults, and now and then a child."""
    womanly = dice.chance(0.5).float()
    child = dice.chance(0.08).float()
    stature = dice.normal(1.76, 0.07) - 0.11 * womanly - child * dice.uniform(0.35, 0.6)
    head = (0.95 + 0.1 * dice.uniforms(3)) * (1 - 0.1 * child)[:, None] * (0.72 + 0.28 * stature / 1.7)[:, None]
    return Shape(
        stature=stature,
        girth=dice.normal(1.0, 0.13) - 0.04 * womanly,
        shoulders=dice.normal(1.06, 0.05) - 0.1 * womanly,
        hips=dice.normal(0.97, 0.06) + 0.08 * womanly,
        bust=womanly * (1 - child) * dice.uniform(0.3, 1.0),
        legs=dice.normal(1.0, 0.03) - 0.06 * child,
        head=head,
    )


@dataclass(frozen=True)
class Bone:
    """A frame: rotation (..., 3, 3) and origin (..., 3)."""

    rotation: Tensor
    origin: Tensor

    def place(self, offset: Tensor) -> Tensor:
        """Points given in the frame, in the frame around it."""
        return self.origin + turn(self.rotation, offset)

    def child(self, offset: Tensor, rotation: Tensor) -> Bone:
        """A frame at `offset`, turned by `rotation`."""
        return Bone(self.rotation @ rotation, self.place(offset))


@dataclass(frozen=True)
class Skeleton:
    """All frames of P persons: (P,) for the trunk, (P, 2) for limbs, (P, 2, 5, 3) for finger segments."""

    pelvis: Bone
    waist: Bone
    chest: Bone
    neck: Bone
    head: Bone
    upper_arm: Bone
    forearm: Bone
    hand: Bone
    fingers: Bone
    thigh: Bone
    shin: Bone
    foot: Bone
    finger_length: Tensor
    """(P, 5, 3) metres"""


def vec(x: Tensor | float, y: Tensor | float, z: Tensor | float, like: Tensor) -> Tensor:
    """(..., 3) with the leading shape of `like`."""
    parts = [part.expand(like.shape) if isinstance(part, Tensor) else torch.full_like(like, part) for part in (x, y, z)]
    return torch.stack(parts, -1)


def sides(like: Tensor) -> Tensor:
    """(P, 2): +1 for left, -1 for right."""
    return torch.tensor(SIDES, device=like.device).expand(len(like), 2)


def build_skeleton(shape: Shape, pose: Pose) -> Skeleton:
    """Forward kinematics."""
    s = shape.stature
    third = pose.spine / 2
    root = Bone(_bend(pose.spine * 0.15), torch.zeros_like(vec(0.0, 0.0, 0.0, s)))
    waist = root.child(vec(0.0, 0.05 * s, 0.0, s), _bend(third))
    chest = waist.child(vec(0.0, 0.08 * s, 0.0, s), _bend(third))
    neck = chest.child(vec(0.0, 0.155 * s, -0.008 * s, s), _bend(pose.neck * 0.35))
    head = neck.child(vec(0.0, 0.042 * s, 0.012 * s, s), _bend(pose.neck * 0.65))
    upper_arm, forearm, hand = _arm(shape, pose, chest)
    fingers, lengths = _fingers(shape, pose, hand)
    thigh, shin, foot = _leg(shape, pose, root)
    return Skeleton(root, waist, chest, neck, head, upper_arm, forearm, hand, fingers, thigh, shin, foot, lengths)


def _bend(angles: Tensor) -> Tensor:
    """Forward, left turn, left lean (P, 3) -> (P, 3, 3)."""
    return about(1, angles[:, 1]) @ about(0, angles[:, 0]) @ about(2, -angles[:, 2])


def _pair(bone: Bone, like: Tensor) -> Bone:
    return Bone(bone.rotation[:, None].expand(*like.shape, 3, 3), bone.origin[:, None].expand(*like.shape, 3))


def _arm(shape: Shape, pose: Pose, chest: Bone) -> tuple[Bone, Bone, Bone]:
    side = sides(shape.stature)
    s, wide = shape.stature[:, None], (shape.stature * shape.shoulders)[:, None]
    lift = (pose.arm[..., 1] - 0.9).clamp(0, 2) + 0.5 * (pose.arm[..., 0] - 1.2).clamp(0, 2)
    # A raised arm takes the shoulder up and in.
    offset = vec((0.104 - 0.008 * lift) * wide * side, (0.128 + 0.018 * lift) * s, -0.006 * s, side)
    forward, out, twist = pose.arm.unbind(-1)
    shoulder = about(2, out) @ about(0, -forward) @ about(1, -twist)
    upper = _pair(chest, side).child(offset, mirror(shoulder, side))
    bend = mirror(about(0, -pose.elbow) @ about(1, -pose.pronation), side)
    lower = upper.child(vec(0.0, -0.172 * s, 0.0, side), bend)
    wrist = mirror(about(2, -pose.wrist[..., 0]) @ about(0, -pose.wrist[..., 1]), side)
    return upper, lower, lower.child(vec(0.0, -0.148 * s, 0.0, side), wrist)


# Thumb first: where each finger starts in the hand (x, y, z), its three segments, all in units of stature.
_KNUCKLES = (
    (-0.004, -0.014, 0.013),
    (0.0, -0.054, 0.0165),
    (0.0, -0.056, 0.0055),
    (0.0, -0.054, -0.0055),
    (0.0, -0.049, -0.0155),
)
_SEGMENTS = (
    (0.026, 0.019, 0.015),
    (0.025, 0.015, 0.012),
    (0.028, 0.017, 0.012),
    (0.026, 0.016, 0.012),
    (0.020, 0.012, 0.011),
)


def _fingers(shape: Shape, pose: Pose, hand: Bone) -> tuple[Bone, Tensor]:
    side = sides(shape.stature)[:, :, None].expand(-1, -1, 5)
    s = shape.stature[:, None, None, None]
    offset = torch.tensor(_KNUCKLES, device=s.device) * s
    offset = offset * torch.stack([side, torch.ones_like(side), torch.ones_like(side)], -1)
    fan = torch.tensor([0.0, 1.0, 0.25, -0.5, -1.2], device=s.device) * pose.spread[..., None]
    thumb = torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0], device=s.device).expand(side.shape)
    curl = pose.curl
    # The thumb leaves the wrist forward and bends across the palm; the others bend towards it.
    base = about(0, -fan - 0.85 * thumb) @ about(2, -curl * (1 - 0.75 * thumb) - 0.12 * thumb)
    joint = about(2, -curl * (1 - 0.5 * thumb)) @ about(0, 0.35 * curl * thumb)
    parent = Bone(hand.rotation[:, :, None].expand(*side.shape, 3, 3), hand.origin[:, :, None].expand(*side.shape, 3))
    lengths = torch.tensor(_SEGMENTS, device=s.device) * shape.stature[:, None, None]
    first = parent.child(offset, mirror(base, side))
    chain = [first]
    for k in range(2):
        step = vec(0.0, -lengths[:, None, :, k], 0.0, side)
        chain.append(chain[-1].child(step, mirror(joint, side)))
    frames = Bone(torch.stack([b.rotation for b in chain], 3), torch.stack([b.origin for b in chain], 3))
    return frames, lengths


def _leg(shape: Shape, pose: Pose, pelvis: Bone) -> tuple[Bone, Bone, Bone]:
    side = sides(shape.stature)
    s = shape.stature[:, None]
    forward, out, twist = pose.leg.unbind(-1)
    hip = mirror(about(2, out) @ about(0, -forward) @ about(1, -twist), side)
    offset = vec(0.05 * s * shape.hips[:, None] * side, -0.022 * s, 0.0, side)
    thigh = _pair(pelvis, side).child(offset, hip)
    long = s * shape.legs[:, None]
    shin = thigh.child(vec(0.0, -0.245 * long, 0.0, side), about(0, pose.knee))
    # Feet stay about level, whatever hip and knee do, within the ankle's reach.
    level = (forward - pose.knee).clamp(-0.5, 0.6)
    foot = shin.child(vec(0.0, -0.243 * long, 0.0, side), about(0, level - pose.ankle))
    return thigh, shin, foot
