"""All 308 keypoints of every person, placed by name on the skeleton and the head (body frame, metres)."""

from __future__ import annotations

from functools import cache

import torch
from torch import Tensor

from sapiens.synth.body import Bone, Shape, Skeleton, sides, vec
from sapiens.synth.face_points import face_place
from sapiens.synth.head import JAW_DROP
from sapiens.synth.keypoint_names import NAMES
from sapiens.synth.pose import Pose

_HEAD = {
    "nose": (0.0, 0.066, 0.1135),
    "left_eye": (0.031, 0.1, 0.0829),
    "right_eye": (-0.031, 0.1, 0.0829),
    "left_ear": (0.0825, 0.083, -0.002),
    "right_ear": (-0.0825, 0.083, -0.002),
}
_FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")


def place_keypoints(shape: Shape, pose: Pose, bones: Skeleton) -> Tensor:
    """(P, 308, 3)."""
    places = _limbs(shape, bones)
    head, names = _on_head(shape, pose, bones.head)
    places.update(zip(names, head.unbind(1), strict=True))
    return torch.stack([places[name] for name in NAMES], 1)


@cache
def _face_table() -> tuple[tuple[str, ...], tuple[tuple[float, float, float, float], ...]]:
    names = tuple(_HEAD) + NAMES[70:]
    return names, tuple((*_HEAD[name], 0.0) if name in _HEAD else face_place(name) for name in names)


def _on_head(shape: Shape, pose: Pose, head: Bone) -> tuple[Tensor, tuple[str, ...]]:
    names, rows = _face_table()
    table = torch.tensor(rows, device=shape.stature.device)
    drop = (pose.mouth_open * JAW_DROP)[:, None] * table[:, 3]
    places = table[:, :3] - torch.stack([0 * drop, drop, 0.1 * drop], -1)
    offsets = places * shape.head[:, None]
    return head.origin[:, None] + offsets @ head.rotation.transpose(-1, -2), names


def _limbs(shape: Shape, bones: Skeleton) -> dict[str, Tensor]:
    side = sides(shape.stature)
    s = shape.stature[:, None] * torch.ones_like(side)

    def at(bone: Bone, x: float, y: float, z: float) -> Tensor:
        return bone.place(vec(x * s * side, y * s, z * s, side))

    pairs = {
        "shoulder": bones.upper_arm.origin,
        "elbow": bones.forearm.origin,
        "wrist": bones.hand.origin,
        "hip": bones.thigh.origin,
        "knee": bones.shin.origin,
        "ankle": bones.foot.origin,
        "big_toe": at(bones.foot, -0.008, -0.029, 0.118),
        "small_toe": at(bones.foot, 0.012, -0.030, 0.106),
        "heel": at(bones.foot, 0.0, -0.026, -0.034),
        "olecranon": at(bones.upper_arm, 0.0, -0.172, -0.021),
        "cubital_fossa": at(bones.upper_arm, 0.0, -0.166, 0.022),
        "acromion": at(bones.upper_arm, 0.004, 0.028, 0.0),
    }
    fingers, length = bones.fingers, bones.finger_length[:, None]
    tips = fingers.origin[..., 2, :] - fingers.rotation[..., 2, :, 1] * length[..., 2, None] * 1.25
    for f, finger in enumerate(_FINGERS):
        joints = ("third_joint", "2", "3")
        for k, joint in enumerate(joints):
            pairs[f"{finger}{'_' if k == 0 else ''}{joint}"] = fingers.origin[:, :, f, k]
        pairs[f"{finger}4"] = tips[:, :, f]
    named = {
        f"{which}_{name}": point[:, i] for name, point in pairs.items() for i, which in enumerate(("left", "right"))
    }
    return named | {"neck": bones.neck.origin}
