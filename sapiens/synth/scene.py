"""Pictures of procedural people with exact truth for every task."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace

import torch
from torch import Tensor

from sapiens.errors import InputError
from sapiens.synth import backgrounds
from sapiens.synth.body import build_skeleton, sample_shape
from sapiens.synth.camera import View, set_up
from sapiens.synth.dice import Dice, picture_seed, roll
from sapiens.synth.figure import build_figures
from sapiens.synth.keypoints import place_keypoints
from sapiens.synth.pose import sample_pose
from sapiens.synth.render import Scene, draw
from sapiens.synth.shading import sample_lights
from sapiens.synth.wardrobe import sample_wardrobe

COLUMNS = 420
"""Random numbers per person and per picture."""
MAX_PEOPLE = 4


@dataclass(frozen=True, eq=False)
class SceneBatch:
    """B pictures of at most P persons and their truth.

    Pixel centres are at whole numbers; the camera frame is x right, y down, z forward.

    Attributes:
        image: (B, 3, H, W) uint8 RGB.
        labels: (B, H, W) uint8, the 29 parts; 0 is background.
        normals: (B, 3, H, W) float32 unit vectors, released axes: x right, y up, z to the viewer; 0 on the background.
        points: (B, 3, H, W) float32 metres, camera frame; 0 on the background.
        intrinsics: (B, 3, 3) float32, pixels.
        alpha: (B, H, W) float32 0..1, anti-aliased coverage of all persons.
        foreground: (B, 3, H, W) float32 0..1, persons' colour times alpha.
        albedo: (B, 3, H, W) float32 0..1 display RGB without light; 0 on the background.
        person_ids: (B, H, W) uint8, 0 background, person p is p + 1.
        keypoints_xy: (B, P, 308, 2) float32 pixels, also outside the picture.
        keypoints_m: (B, P, 308, 3) float32 metres, camera frame.
        visibility: (B, P, 308) uint8: 0 outside the picture or no person, 1 hidden, 2 seen.
        boxes_xyxy: (B, P, 4) float32 pixels: a person's seen pixels and its keypoints within the picture; 0 if none.
        present: (B, P) bool: has at least `render.MIN_PIXELS` seen pixels.
        depth_order: (B, P) int64 persons from near to far by their nearest seen pixel, absent ones last.
    """

    image: Tensor
    labels: Tensor
    normals: Tensor
    points: Tensor
    intrinsics: Tensor
    alpha: Tensor
    foreground: Tensor
    albedo: Tensor
    person_ids: Tensor
    keypoints_xy: Tensor
    keypoints_m: Tensor
    visibility: Tensor
    boxes_xyxy: Tensor
    present: Tensor
    depth_order: Tensor

    def __len__(self) -> int:
        return len(self.image)

    def __getitem__(self, index: slice | Tensor) -> SceneBatch:
        """Some of the pictures, as a batch."""
        return SceneBatch(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


def render(
    seed: int,
    count: int,
    size_hw: tuple[int, int] = (256, 192),
    *,
    people: tuple[int, int] = (1, 1),
    first: int = 0,
    device: str | torch.device = "cpu",
) -> SceneBatch:
    """Pictures `first` to `first + count - 1` of a seed; each is the same in any batch.

    Args:
        seed: any whole number.
        count: pictures.
        size_hw: their size.
        people: least and most persons in a picture, 1 to 4.
        first: index of the first picture.
        device: where to render.

    Raises:
        InputError: a count, size or number of people that cannot be.
    """
    _check(count, size_hw, people)
    seeds = [picture_seed(seed, index) for index in range(first, first + count)]
    return _render(seeds, torch.zeros(count), size_hw, people, torch.device(device))


def render_clip(
    seed: int,
    frames: int,
    size_hw: tuple[int, int] = (256, 192),
    *,
    fps: float = 25.0,
    people: tuple[int, int] = (1, 1),
    index: int = 0,
    device: str | torch.device = "cpu",
) -> SceneBatch:
    """Successive frames of moving people before a still camera; frame 0 is picture `index` of the seed.

    Raises:
        InputError: as `render`; or a frame rate that is not positive.
    """
    _check(frames, size_hw, people)
    if fps <= 0:
        raise InputError(f"frame rate {fps}: expected a positive number")
    return _render(
        [picture_seed(seed, index)] * frames, torch.arange(frames) / fps, size_hw, people, torch.device(device)
    )


def stream(
    seed: int,
    batch_size: int,
    size_hw: tuple[int, int] = (256, 192),
    *,
    people: tuple[int, int] = (1, 1),
    first: int = 0,
    device: str | torch.device = "cpu",
) -> Iterator[SceneBatch]:
    """Batches of pictures without end, from picture `first` on."""
    while True:
        yield render(seed, batch_size, size_hw, people=people, first=first, device=device)
        first += batch_size


def _check(count: int, size_hw: tuple[int, int], people: tuple[int, int]) -> None:
    if count < 1:
        raise InputError(f"{count} pictures: expected at least 1")
    if min(size_hw) < 16:
        raise InputError(f"picture size {size_hw[0]}x{size_hw[1]}: expected at least 16 pixels a side")
    if not 1 <= people[0] <= people[1] <= MAX_PEOPLE:
        raise InputError(f"{people[0]} to {people[1]} people: expected least <= most, within 1 to {MAX_PEOPLE}")


def _render(
    seeds: list[int], time_s: Tensor, size_hw: tuple[int, int], people: tuple[int, int], device: torch.device
) -> SceneBatch:
    numbers = (part.to(device) for part in roll(seeds, people[1], COLUMNS, backgrounds.NOISE))
    scene_numbers, person_numbers, noise = numbers
    dice = Dice(scene_numbers)
    scene = place_people(dice, person_numbers, time_s.to(device), size_hw, people)
    return SceneBatch(**draw(replace(scene, background=backgrounds.make_backgrounds(dice, noise, size_hw))))


def place_people(
    dice: Dice, numbers: Tensor, time_s: Tensor, size_hw: tuple[int, int], people: tuple[int, int]
) -> Scene:
    """Shapes, poses and places of the people of a batch of pictures, before a camera; no background yet."""
    b, p = numbers.shape[:2]
    count = (people[0] + dice.uniform() * (people[1] - people[0] + 1)).long().clamp(max=people[1])
    exists = torch.arange(p, device=count.device) < count[:, None]
    own = Dice(numbers.reshape(b * p, -1))
    shape = sample_shape(own)
    moment = time_s[:, None].expand(b, p).reshape(-1)
    # The first moment of a clip frames it: pose it from the same numbers.
    still = sample_pose(Dice(numbers.reshape(b * p, -1)[:, 40:]), torch.zeros_like(moment))
    pose = sample_pose(Dice(numbers.reshape(b * p, -1)[:, 40:]), moment)
    worn = sample_wardrobe(Dice(numbers.reshape(b * p, -1)[:, 200:]), pose.family, shape)
    bones = build_skeleton(shape, pose)
    keypoints = place_keypoints(shape, pose, bones)
    moves = bool((time_s != 0).any())
    framed = place_keypoints(shape, still, build_skeleton(shape, still)) if moves else keypoints
    solids = build_figures(shape, pose, worn, bones, exists.reshape(-1))
    view: View = set_up(
        dice,
        pose.facing.reshape(b, p),
        keypoints[..., 1].amin(1).reshape(b, p) - 0.02,
        framed.reshape(b, p, -1, 3)[:, 0],
        still.facing.reshape(b, p)[:, 0],
        count,
        size_hw,
    )
    turn, shift = view.rotation.reshape(-1, 3, 3)[solids.person], view.shift.reshape(-1, 3)[solids.person]
    solids = replace(
        solids, matrix=solids.matrix @ turn.transpose(-1, -2), origin=(turn @ solids.origin[..., None])[..., 0] + shift
    )
    return Scene(
        solids=solids,
        keypoints=view.place(keypoints.reshape(b, p, -1, 3)),
        exists=exists,
        worn=worn,
        lights=sample_lights(dice),
        rays=view.rays,
        background=torch.zeros(b, 3, *size_hw, device=count.device),
    )
