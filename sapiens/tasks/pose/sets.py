"""The 308 points in layouts that other tools read: COCO-17, COCO-WholeBody-133, OpenPose BODY_25 with hands and face.

Tables go from name to name. A point of a layout comes from one of the 308, from the mean of two, or from none; then it
is NaN with score 0. Face points of the 68-point markup (Sagonas et al., "300 Faces In-The-Wild Challenge", 2016) have a
counterpart only where both definitions mean the same spot; jaw line, brows between their ends, eyelids between the
corners, wings of the nose and lips between corners and middle are spaced differently and are left out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError, UnknownNameError
from sapiens.tasks.pose.keypoints import COCO17_NAMES, NAMES, WHOLEBODY133_NAMES, keypoint_index

Source = str | tuple[str, str]
"""One of the 308 points, or two whose mean it is; the lower score counts."""


@dataclass(frozen=True, eq=False)
class KeypointSet:
    """The people of one picture in another layout.

    Attributes:
        layout: name of the layout.
        names: K names.
        keypoints: (N, K, 2) float32 x, y in pixels of the picture; NaN where the layout's point has no counterpart.
        scores: (N, K) float32; 0 where it has none.
    """

    layout: str
    names: tuple[str, ...]
    keypoints: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        if self.keypoints.shape != (*self.scores.shape, 2) or self.scores.shape[1:] != (len(self.names),):
            raise InputError(
                f"KeypointSet: {self.keypoints.shape} keypoints, {self.scores.shape} scores, {len(self.names)} names"
            )


@dataclass(frozen=True)
class Layout:
    """An order of named points, and where each comes from.

    Attributes:
        name: what `PoseResult.to` takes.
        names: its points, in its order.
        sources: by name; names without an entry have no counterpart among the 308.
    """

    name: str
    names: tuple[str, ...]
    sources: Mapping[str, Source]

    def convert(self, keypoints: npt.NDArray[np.floating[Any]], scores: npt.NDArray[np.floating[Any]]) -> KeypointSet:
        """(N, 308, 2) keypoints and (N, 308) scores in this layout."""
        found = [index for index, name in enumerate(self.names) if name in self.sources]
        pairs = [_pair(self.sources[self.names[index]]) for index in found]
        first, second = np.array(pairs, int).reshape(-1, 2).T
        moved = np.full((len(keypoints), len(self.names), 2), np.nan, np.float32)
        marks = np.zeros((len(keypoints), len(self.names)), np.float32)
        moved[:, found] = (keypoints[:, first] + keypoints[:, second]) / 2
        marks[:, found] = np.minimum(scores[:, first], scores[:, second])
        return KeypointSet(self.name, self.names, moved, marks)


def _pair(source: Source) -> tuple[int, int]:
    one, other = (source, source) if isinstance(source, str) else source
    return keypoint_index(one), keypoint_index(other)


FACE68: dict[str, Source] = {
    # Outer ends of the brows; the inner ends are one point there and an upper and a lower one here.
    "face-17": "end_of_r_eyebrow",
    "face-26": "end_of_l_eyebrow",
    # Root (nasion) and tip of the nose; the bridge between them is divided differently. Where the nose meets the lip.
    "face-27": "center_of_nose_root",
    "face-30": "tip_of_nose",
    "face-33": "bottom_center_of_nose",
    # Corners of the eyes: where the upper and the lower lash line end.
    "face-36": ("r_outer_end_of_upper_lash_line", "r_outer_end_of_lower_lash_line"),
    "face-39": ("r_inner_end_of_upper_lash_line", "r_inner_end_of_lower_lash_line"),
    "face-42": ("l_inner_end_of_upper_lash_line", "l_inner_end_of_lower_lash_line"),
    "face-45": ("l_outer_end_of_upper_lash_line", "l_outer_end_of_lower_lash_line"),
    # Corners and middles of the lips, outer then inner line.
    "face-48": "r_outer_corner_of_mouth",
    "face-51": "center_of_cupid_bow",
    "face-54": "l_outer_corner_of_mouth",
    "face-57": "center_of_lower_outer_lip",
    "face-60": "r_inner_corner_of_mouth",
    "face-62": "center_of_upper_inner_lip",
    "face-64": "l_inner_corner_of_mouth",
    "face-66": "center_of_lower_inner_lip",
}
"""Points of the 68-point markup, numbered from 0."""

FACE70: dict[str, Source] = {
    **FACE68,
    # OpenPose adds the pupils, the right one first.
    "face-68": "r_center_of_pupil",
    "face-69": "l_center_of_pupil",
}

FINGERS = ("thumb", "forefinger", "middle_finger", "ring_finger", "pinky_finger")


def _hand_names(side: str) -> tuple[str, ...]:
    """Root, then every finger from its base (1) to its tip (4): the order of COCO-WholeBody and of OpenPose."""
    return (f"{side}_hand_root", *(f"{side}_{finger}{number}" for finger in FINGERS for number in range(1, 5)))


def _hand(side: str) -> dict[str, Source]:
    # Root and bases are not named alike; that they mean the same follows from equal OKS constants.
    bases: dict[str, Source] = {f"{side}_{finger}1": f"{side}_{finger}_third_joint" for finger in FINGERS}
    same: dict[str, Source] = {f"{side}_{f}{number}": f"{side}_{f}{number}" for f in FINGERS for number in (2, 3, 4)}
    return {f"{side}_hand_root": f"{side}_wrist", **bases, **same}


HANDS: dict[str, Source] = _hand("left") | _hand("right")

BODY25: dict[str, Source] = {
    "Nose": "nose",
    # OpenPose learns its neck as the middle of the shoulders; the 308 points' own "neck" lies higher.
    "Neck": ("left_shoulder", "right_shoulder"),
    "RShoulder": "right_shoulder",
    "RElbow": "right_elbow",
    "RWrist": "right_wrist",
    "LShoulder": "left_shoulder",
    "LElbow": "left_elbow",
    "LWrist": "left_wrist",
    "MidHip": ("left_hip", "right_hip"),
    "RHip": "right_hip",
    "RKnee": "right_knee",
    "RAnkle": "right_ankle",
    "LHip": "left_hip",
    "LKnee": "left_knee",
    "LAnkle": "left_ankle",
    "REye": "right_eye",
    "LEye": "left_eye",
    "REar": "right_ear",
    "LEar": "left_ear",
    "LBigToe": "left_big_toe",
    "LSmallToe": "left_small_toe",
    "LHeel": "left_heel",
    "RBigToe": "right_big_toe",
    "RSmallToe": "right_small_toe",
    "RHeel": "right_heel",
}

_SAME: dict[str, Source] = {name: name for name in NAMES}
_OPENPOSE_NAMES = (
    *BODY25,
    *_hand_names("left"),
    *_hand_names("right"),
    *(f"face-{number}" for number in range(70)),
)

LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout("sapiens308", NAMES, _SAME),
        Layout("coco17", COCO17_NAMES, _SAME),
        Layout("wholebody133", WHOLEBODY133_NAMES, {**_SAME, **HANDS, **FACE68}),
        Layout("body25", tuple(BODY25), BODY25),
        Layout("body25+hands+face", _OPENPOSE_NAMES, {**BODY25, **HANDS, **FACE70}),
    )
}
"""Every layout by name."""


def get_layout(name: str) -> Layout:
    """Look a layout up.

    Raises:
        UnknownNameError: names the nearest layout.
    """
    if name not in LAYOUTS:
        raise UnknownNameError("keypoint layout", name, LAYOUTS)
    return LAYOUTS[name]
