"""Procedural people far from the camera and off its axis: small in a large picture, with the truth of every task."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from sapiens.imaging.sample import Sample
from sapiens.synth import backgrounds
from sapiens.synth.dice import Dice, picture_seed, roll
from sapiens.synth.render import Scene, draw
from sapiens.synth.rotations import about
from sapiens.synth.scene import COLUMNS, place_people

FARTHER = (2.0, 4.0)
"""Times the distance at which the first person would fill the picture."""
ASIDE = 0.45
"""How far off the middle people are turned at most, of what the picture shows to either side."""


def small_people(
    seed: int, index: int, size_hw: tuple[int, int] = (768, 1024), people: int = 1, *, farther: float | None = None
) -> Sample:
    """One picture of `people` persons, further away and further aside than `sapiens.synth.render` would put them.

    The camera is moved back and turned, so that perspective stays true.

    Args:
        seed, index: which picture.
        size_hw: its size.
        people: persons, 1 to 4.
        farther: factor on the distance; default drawn from `FARTHER`.

    Returns:
        annotations of all dense tasks: "labels", "mask", "normals", "depth_m", "alpha", "foreground", "albedo"; the
        extra "intrinsics", "boxes_xyxy" (N, 4).
    """
    scene_numbers, person_numbers, noise = roll([picture_seed(seed, index)], people, COLUMNS, backgrounds.NOISE)
    dice = Dice(scene_numbers)
    scene = place_people(dice, person_numbers, torch.zeros(1), size_hw, (people, people))
    rng = np.random.default_rng([seed, index])
    factor = rng.uniform(*FARTHER) if farther is None else farther
    scene = _moved(scene, factor, rng.uniform(-ASIDE, ASIDE, 2))
    values = draw(replace(scene, background=backgrounds.make_backgrounds(dice, noise, size_hw)))
    return _sample(f"small people {seed}/{index}", {name: value[0].numpy() for name, value in values.items()})


def _moved(scene: Scene, factor: float, aside: np.ndarray) -> Scene:
    """The scene from `factor` times as far, turned so that its middle lies `aside` (x, y) of the half picture."""
    height, width = scene.size_hw
    distance = float(scene.keypoints[scene.exists][..., 2].mean())
    half = torch.tensor([width, height]) / 2 / scene.rays.focal_px
    angle_x, angle_y = torch.atan(half * torch.tensor(aside, dtype=torch.float32)).tolist()
    turn = (about(0, torch.tensor([-angle_y])) @ about(1, torch.tensor([angle_x])))[0]
    away = torch.tensor([0.0, 0.0, (factor - 1) * distance])
    solids = scene.solids
    moved = replace(solids, matrix=solids.matrix @ turn.T, origin=(solids.origin + away) @ turn.T)
    return replace(scene, solids=moved, keypoints=(scene.keypoints + away) @ turn.T)


def _sample(name: str, values: dict[str, np.ndarray]) -> Sample:
    return Sample(
        np.ascontiguousarray(values["image"].transpose(1, 2, 0)),
        name,
        {
            "labels": values["labels"],
            "mask": values["person_ids"] > 0,
            "normals": values["normals"].transpose(1, 2, 0),
            "depth_m": values["points"][2],
            "alpha": values["alpha"],
            "foreground": values["foreground"].transpose(1, 2, 0),
            "albedo": values["albedo"].transpose(1, 2, 0),
        },
        {
            "intrinsics": values["intrinsics"].astype(np.float64),
            "boxes_xyxy": values["boxes_xyxy"][values["present"]],
        },
    )
