"""From solids to pictures and truth: one ray per pixel, and several more where parts, persons or depths meet."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sapiens.synth.shading import Lights, Shaded, openness, shade
from sapiens.synth.solids import Solids
from sapiens.synth.trace import TILE, Grid, Rays, build_grid, near, trace
from sapiens.synth.wardrobe import Wardrobe

MIN_PIXELS = 24
SAMPLES = 8
EDGE_DEPTH_M = 0.03
SEEN_M = 0.012
"""A keypoint counts as seen when what its ray meets lies no further in front of it than this, or than its own flesh."""


@dataclass(frozen=True, eq=False)
class Scene:
    """B pictures ready to be drawn.

    Attributes:
        solids: all solids, camera frame, `person` counting picture by picture.
        keypoints: (B, P, 308, 3) camera frame, metres.
        exists: (B, P) bool.
        worn: colours of the B x P persons.
        lights: of the pictures. rays: their cameras.
        background: (B, 3, H, W) display RGB 0..1.
    """

    solids: Solids
    keypoints: Tensor
    exists: Tensor
    worn: Wardrobe
    lights: Lights
    rays: Rays
    background: Tensor

    @property
    def size_hw(self) -> tuple[int, int]:
        """Picture size."""
        return self.background.shape[2], self.background.shape[3]

    @property
    def picture(self) -> Tensor:
        """(S,) the picture of each solid."""
        return self.solids.person // self.exists.shape[1]


def draw(scene: Scene) -> dict[str, Tensor]:
    """All tensors of a `SceneBatch`, by name."""
    grid = build_grid(scene.solids, scene.picture, scene.rays, scene.size_hw)
    depth, winner = _first_hits(scene, grid)
    b = len(depth)
    opening = openness(depth)
    hit = winner >= 0
    where = torch.nonzero(hit)
    points, shaded = _shade(scene, where, depth[hit], winner[hit], where[:, [2, 1]].float(), opening)
    maps = {
        name: _scatter(value, hit)
        for name, value in (
            ("points", points),
            ("albedo", shaded.albedo),
            ("foreground", shaded.colour),
            ("normals", shaded.normal * torch.tensor([1.0, -1.0, -1.0], device=hit.device)),
        )
    }
    safe = winner.clamp(min=0)
    labels = torch.where(hit, scene.solids.label[safe], 0) if len(scene.solids) else torch.zeros_like(winner)
    ids = torch.where(hit, scene.solids.person[safe] % scene.exists.shape[1] + 1, 0)
    alpha = hit.float()
    _smooth(scene, grid, _edges(labels, ids, depth), (alpha, maps["foreground"]), opening)
    image = maps["foreground"] + (1 - alpha[:, None]) * scene.background
    intrinsics = torch.zeros(b, 3, 3, device=hit.device)
    intrinsics[:, 0, 0] = intrinsics[:, 1, 1] = scene.rays.focal_px
    intrinsics[:, 0, 2], intrinsics[:, 1, 2], intrinsics[:, 2, 2] = scene.rays.cx, scene.rays.cy, 1.0
    return {
        **maps,
        "image": (image.clamp(0, 1) * 255).round().to(torch.uint8),
        "labels": labels.to(torch.uint8),
        "person_ids": ids.to(torch.uint8),
        "alpha": alpha,
        "intrinsics": intrinsics,
        **_people_truth(scene, grid, ids, depth),
    }


def _first_hits(scene: Scene, grid: Grid) -> tuple[Tensor, Tensor]:
    """Depth and solid (B, H, W) of the ray through every pixel centre."""
    (h, w), (rows, columns) = scene.size_hw, grid.tiles_hw
    b, device = len(scene.background), scene.background.device
    tile = torch.arange(b * rows * columns, device=device)
    corner = torch.stack([tile % columns, tile // columns % rows], -1).float() * TILE
    lane = torch.arange(TILE * TILE, device=device)
    lanes = torch.stack([lane % TILE, lane // TILE], -1).float()
    owner = torch.repeat_interleave(tile, grid.count)
    hits = trace(scene.solids, scene.rays, (tile // (rows * columns), corner), lanes, (owner, grid.solid))
    depth, winner = (
        value.reshape(b, rows, columns, TILE, TILE).permute(0, 1, 3, 2, 4).reshape(b, rows * TILE, columns * TILE)
        for value in hits
    )
    return depth[:, :h, :w], winner[:, :h, :w]


def _shade(
    scene: Scene, where: Tensor, depth: Tensor, solid: Tensor, uv: Tensor, opening: Tensor
) -> tuple[Tensor, Shaded]:
    """Points (N, 3) and shading of hits; `where` (N, 3) is picture, row, column."""
    picture = where[:, 0]
    points = scene.rays.directions(picture, uv[:, 0], uv[:, 1]) * depth[:, None]
    open_here = opening[picture, where[:, 1], where[:, 2]]
    return points, shade(scene.solids[solid], picture, points, scene.worn, scene.lights, open_here)


def _scatter(values: Tensor, hit: Tensor) -> Tensor:
    full = torch.zeros(*hit.shape, values.shape[-1], device=values.device)
    full[hit] = values
    return full.permute(0, 3, 1, 2).contiguous()


def _edges(labels: Tensor, ids: Tensor, depth: Tensor) -> Tensor:
    """(B, H, W) bool: pixels that differ from a neighbour in part, person or, by a step, depth."""
    key = labels + 32 * ids
    far = depth.clamp(max=100.0)
    edge = torch.zeros_like(key, dtype=torch.bool)
    across = (key[:, :, 1:] != key[:, :, :-1]) | ((far[:, :, 1:] - far[:, :, :-1]).abs() > EDGE_DEPTH_M)
    down = (key[:, 1:] != key[:, :-1]) | ((far[:, 1:] - far[:, :-1]).abs() > EDGE_DEPTH_M)
    edge[:, :, 1:] |= across
    edge[:, :, :-1] |= across
    edge[:, 1:] |= down
    edge[:, :-1] |= down
    return edge


def _smooth(scene: Scene, grid: Grid, edge: Tensor, maps: tuple[Tensor, Tensor], opening: Tensor) -> None:
    """Replace alpha and foreground at edge pixels by means over `SAMPLES` rays spread over the pixel, in place."""
    where = torch.nonzero(edge)
    if not len(where):
        return
    alpha, foreground = maps
    k = torch.arange(SAMPLES, device=edge.device)
    # One sample in every row and column of an 8 x 8 grid.
    lanes = torch.stack([(k + 0.5) / SAMPLES - 0.5, ((k * 3 + 1) % SAMPLES + 0.5) / SAMPLES - 0.5], -1)
    uv = where[:, [2, 1]].float()
    pairs = near(grid, where[:, 0], uv, 0.5)
    depth, winner = trace(scene.solids, scene.rays, (where[:, 0], uv), lanes, pairs)
    hit = winner >= 0
    row, lane = torch.nonzero(hit, as_tuple=True)
    _, shaded = _shade(scene, where[row], depth[hit], winner[hit], uv[row] + lanes[lane], opening)
    total = torch.zeros(len(where), 3, device=edge.device).index_add_(0, row, shaded.colour)
    alpha[edge] = hit.float().mean(1)
    foreground.permute(0, 2, 3, 1)[edge] = total / SAMPLES


def _people_truth(scene: Scene, grid: Grid, ids: Tensor, depth: Tensor) -> dict[str, Tensor]:
    points = scene.keypoints
    p = scene.exists.shape[1]
    z = points[..., 2].clamp(min=1e-3)
    f, c = scene.rays.focal_px[:, None, None, None], torch.stack([scene.rays.cx, scene.rays.cy], -1)[:, None, None]
    xy = points[..., :2] / z[..., None] * f + c
    visibility = _visibility(scene, grid, xy)
    mine = ids[:, None] == torch.arange(1, p + 1, device=ids.device)[:, None, None]
    present = (mine.sum((2, 3)) >= MIN_PIXELS) & scene.exists
    nearest = torch.where(mine, depth[:, None], torch.inf).amin((2, 3))
    return {
        "keypoints_xy": xy,
        "keypoints_m": points,
        "visibility": visibility,
        "boxes_xyxy": _boxes(mine, xy, visibility) * present[..., None],
        "present": present,
        "depth_order": torch.where(present, nearest, torch.inf).argsort(dim=1, stable=True),
    }


def _visibility(scene: Scene, grid: Grid, xy: Tensor) -> Tensor:
    """(B, P, 308) uint8 by the exact ray through every keypoint."""
    (h, w), shape = scene.size_hw, xy.shape[:-1]
    flat = xy.reshape(-1, 2)
    person = torch.arange(shape[0] * shape[1], device=xy.device).repeat_interleave(shape[2])
    inside = ((flat > -0.5) & (flat < torch.tensor([w - 0.5, h - 0.5], device=xy.device))).all(-1)
    inside &= scene.exists.reshape(-1)[person] & (scene.keypoints[..., 2].reshape(-1) > 0.05)
    at = torch.nonzero(inside)[:, 0]
    picture = person[at] // shape[1]
    pairs = near(grid, picture, flat[at], 0.0)
    depth, winner = trace(scene.solids, scene.rays, (picture, flat[at]), torch.zeros(1, 2, device=xy.device), pairs)
    behind = scene.keypoints[..., 2].reshape(-1)[at] - depth[:, 0]
    same = scene.solids.person[winner[:, 0].clamp(min=0)] == person[at]
    # Joints lie inside flesh, points of face and hands on the skin or just below it.
    index = torch.arange(shape[2], device=xy.device)
    flesh = torch.where(index < 15, 0.1, torch.where(index < 63, 0.035, torch.where(index < 70, 0.06, SEEN_M)))
    flesh[:5] = 0.02
    flesh[9:11] = 0.16
    seen = same & (winner[:, 0] >= 0) & (behind < flesh.repeat(shape[0] * shape[1])[at])
    visibility = torch.zeros(len(flat), dtype=torch.uint8, device=xy.device)
    visibility[at] = 1 + seen.to(torch.uint8)
    return visibility.reshape(shape)


def _boxes(mine: Tensor, xy: Tensor, visibility: Tensor) -> Tensor:
    """(B, P, 4): bounds of seen pixels and of keypoints within the picture."""
    inside = (visibility > 0)[..., None]
    low = torch.where(inside, xy, torch.inf).amin(2)
    high = torch.where(inside, xy, -torch.inf).amax(2)
    for axis, lines in enumerate((mine.any(2), mine.any(3))):
        at = torch.arange(lines.shape[-1], device=xy.device, dtype=xy.dtype)
        low[..., axis] = low[..., axis].minimum(torch.where(lines, at - 0.5, torch.inf).amin(-1))
        high[..., axis] = high[..., axis].maximum(torch.where(lines, at + 0.5, -torch.inf).amax(-1))
    return torch.cat([low, high], -1).nan_to_num(0.0, 0.0, 0.0)
