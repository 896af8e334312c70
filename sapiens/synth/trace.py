"""Rays against solids: exact nearest hits, testing only solids whose picture box meets the block of pixels at hand.

Rays start at the camera; the ray through pixel (u, v) is d = ((u - cx) / f, (v - cy) / f, 1): its parameter is depth.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from sapiens.synth.solids import Solids

TILE = 16
NEAR_M = 0.05
_MISS = 1e9
_CHUNK = 192  # blocks a time on the CPU: temporaries stay in the cache


@dataclass(frozen=True)
class Rays:
    """A pinhole camera per picture: `focal_px`, `cx`, `cy` (B,)."""

    focal_px: Tensor
    cx: Tensor
    cy: Tensor

    def directions(self, picture: Tensor, u: Tensor, v: Tensor) -> Tensor:
        """(..., 3) with z = 1; `picture` broadcasts with the pixel coordinates `u`, `v`."""
        f = self.focal_px[picture]
        x, y = (u - self.cx[picture]) / f, (v - self.cy[picture]) / f
        return torch.stack([x, y, torch.ones_like(x)], -1)


@dataclass(frozen=True)
class Grid:
    """Which solids may be met in which tile.

    Attributes:
        solid: (N,) candidate solids, tile after tile.
        start, count: (tiles,) each tile's part of `solid`; tiles run over pictures, rows, columns.
        boxes: (S, 4) picture boxes of the solids, xyxy.
        tiles_hw: rows and columns of tiles.
    """

    solid: Tensor
    start: Tensor
    count: Tensor
    boxes: Tensor
    tiles_hw: tuple[int, int]


def picture_boxes(solids: Solids, picture: Tensor, rays: Rays) -> Tensor:
    """Boxes (S, 4) xyxy in pixels that hold the solids' images: both end ellipsoids' bounds, projected."""
    inverse = torch.linalg.inv(solids.matrix)
    reach = inverse.norm(dim=-1)
    far = solids.origin + inverse[..., 1] * solids.length[:, None]
    low, high = [], []
    for centre, radius in ((solids.origin, solids.r0), (far, solids.r1)):
        half = reach * radius[:, None]
        near_z, far_z = (centre[:, 2] - half[:, 2]).clamp(min=NEAR_M), (centre[:, 2] + half[:, 2]).clamp(min=NEAR_M)
        left, right = centre[:, :2] - half[:, :2], centre[:, :2] + half[:, :2]
        low.append(torch.minimum(left / near_z[:, None], left / far_z[:, None]))
        high.append(torch.maximum(right / near_z[:, None], right / far_z[:, None]))
    f = rays.focal_px[picture][:, None]
    centre_px = torch.stack([rays.cx[picture], rays.cy[picture]], -1)
    return torch.cat([torch.minimum(*low) * f + centre_px, torch.maximum(*high) * f + centre_px], -1)


def build_grid(solids: Solids, picture: Tensor, rays: Rays, size_hw: tuple[int, int]) -> Grid:
    """Sort the solids into tiles of `TILE` x `TILE` pixels."""
    rows, columns = (-(-side // TILE) for side in size_hw)
    boxes = picture_boxes(solids, picture, rays)
    limit = torch.tensor([columns, rows, columns, rows], device=boxes.device)
    # Half a pixel more on each side: rays of the smoothing pass start between pixel centres.
    margin = torch.tensor([-0.5, -0.5, 0.5, 0.5], device=boxes.device)
    x0, y0, x1, y1 = ((boxes + margin) / TILE).floor().clamp(min=-1).minimum(limit).long().unbind(-1)
    x0, y0, x1, y1 = x0.clamp(min=0), y0.clamp(min=0), x1.clamp(max=columns - 1), y1.clamp(max=rows - 1)
    wide, high = (x1 - x0 + 1).clamp(min=0), (y1 - y0 + 1).clamp(min=0)
    owner, k = expand(wide * high)
    tile = (picture[owner] * rows + y0[owner] + k // wide[owner]) * columns + x0[owner] + k % wide[owner]
    tile, order = tile.sort(stable=True)
    count = torch.bincount(tile, minlength=len(rays.focal_px) * rows * columns)
    return Grid(owner[order], count.cumsum(0) - count, count, boxes, (rows, columns))


def expand(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Row i repeated counts[i] times, and the running number within each row."""
    owner = torch.repeat_interleave(torch.arange(len(counts), device=counts.device), counts)
    return owner, torch.arange(len(owner), device=counts.device) - (counts.cumsum(0) - counts)[owner]


def near(grid: Grid, picture: Tensor, uv: Tensor, reach_px: float) -> tuple[Tensor, Tensor]:
    """Pairs (block, solid): solids whose box comes within `reach_px` of the points uv (N, 2); blocks ascending.

    A point outside the picture is looked up in the nearest tile.
    """
    rows, columns = grid.tiles_hw
    at = (uv / TILE).floor().long()
    tile = (picture * rows + at[:, 1].clamp(0, rows - 1)) * columns + at[:, 0].clamp(0, columns - 1)
    block, k = expand(grid.count[tile])
    solid = grid.solid[grid.start[tile[block]] + k]
    box, point = grid.boxes[solid], uv[block]
    keep = ((point >= box[:, :2] - reach_px) & (point <= box[:, 2:] + reach_px)).all(-1)
    return block[keep], solid[keep]


def trace(
    solids: Solids, rays: Rays, blocks: tuple[Tensor, Tensor], lanes: Tensor, pairs: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """Nearest hits of blocks of rays.

    Args:
        solids: what may be hit.
        rays: the cameras.
        blocks: picture (N,) and pixel position (N, 2) of each block.
        lanes: (L, 2) positions of a block's rays relative to it, pixels.
        pairs: block and solid (M,) to test, blocks ascending.

    Returns:
        depth (N, L) metres, infinite where nothing is hit, and the solid (N, L) int64, -1 where nothing is hit.
    """
    picture, uv = blocks
    owner, solid = pairs
    depth = torch.full((len(uv), len(lanes)), torch.inf, device=uv.device)
    winner = torch.full(depth.shape, -1, dtype=torch.int64, device=uv.device)
    if not len(owner):
        return depth, winner
    directions = rays.directions(picture, uv[:, 0], uv[:, 1])
    step = lanes.T
    size = len(owner) if uv.is_cuda else max(1, _CHUNK * TILE * TILE // len(lanes))
    hits = [
        _intersect(
            solids[solid[i : i + size]],
            directions[owner[i : i + size]],
            step,
            rays.focal_px[picture[owner[i : i + size]]],
        )
        for i in range(0, len(owner), size)
    ]
    found = torch.cat(hits)
    depth.scatter_reduce_(0, owner[:, None].expand(found.shape), found, "amin")
    depth[depth >= _MISS] = torch.inf
    row, lane = torch.nonzero(found == depth[owner], as_tuple=True)
    winner[owner[row], lane] = solid[row]
    return depth, winner


def _intersect(s: Solids, directions: Tensor, step: Tensor, focal_px: Tensor) -> Tensor:
    """Depth at which each ray (M blocks, L lanes) enters its block's solid, `_MISS` where it does not: (M, L)."""
    own = s.matrix @ directions[..., None]
    dx, dy, dz = (own + (s.matrix[..., :2] / focal_px[:, None, None]) @ step).unbind(1)
    # Start at the solid's depth, not at the camera: the quadratics below then lose no digits.
    shift = s.origin[:, 2:]
    cx, cy, cz = (s.matrix @ -s.origin[..., None]).unbind(1)
    ox, oy, oz = torch.addcmul(cx, shift, dx), torch.addcmul(cy, shift, dy), torch.addcmul(cz, shift, dz)
    a = dx * dx + dy * dy + dz * dz
    b = ox * dx + oy * dy + oz * dz
    c = ox * ox + oy * oy + oz * oz
    length, r0, r1, hem = (value[:, None] for value in (s.length, s.r0, s.r1, s.hem))
    sin = torch.where(length > 0, (r0 - r1) / length.clamp(min=1e-9), 0.0).clamp(-0.999, 0.999)
    cos2 = 1 - sin * sin
    first = _root(a, b, c - r0 * r0)
    second = _root(a, b - length * dy, c - 2 * length * oy + length * length - r1 * r1)
    slope = r0 - sin * oy
    side = _root(cos2 * a - dy * dy, cos2 * b + dy * (sin * r0 - oy), cos2 * (c - oy * oy) - slope * slope)
    y = oy + side * dy
    side = torch.where((y >= sin * r0) & (y <= length + sin * r1), side, _MISS)
    t = torch.minimum(torch.minimum(first, second), side)
    if bool((s.hem < 1e5).any()):
        t = _cut(t, (ox, oy, oz), (dx, dy, dz), hem, _radius_at(hem, length, r0, r1, sin))
    t = t + shift
    return torch.where((t > NEAR_M) & (t < _MISS / 2), t, _MISS)


def _root(a: Tensor, b: Tensor, c: Tensor) -> Tensor:
    """The entering root of a t^2 + 2 b t + c = 0."""
    square = b * b - a * c
    return torch.where(square > 0, (-b - square.clamp(min=0).sqrt()) / a, _MISS)


def _radius_at(y: Tensor, length: Tensor, r0: Tensor, r1: Tensor, sin: Tensor) -> Tensor:
    """Radius of the rounded cone at height `y` along its axis; 0 outside."""
    side = (r0 - sin * y) / (1 - sin * sin).sqrt()
    low, high = (r0 * r0 - y * y).clamp(min=0).sqrt(), (r1 * r1 - (y - length) ** 2).clamp(min=0).sqrt()
    return torch.where(y < sin * r0, low, torch.where(y > length + sin * r1, high, side))


def _cut(
    t: Tensor, o: tuple[Tensor, Tensor, Tensor], d: tuple[Tensor, Tensor, Tensor], hem: Tensor, radius: Tensor
) -> Tensor:
    """Hits above the hem move to the flat end where the ray goes through it, and miss elsewhere."""
    above = o[1] + t * d[1] > hem
    plane = (hem - o[1]) / d[1]
    x, z = o[0] + plane * d[0], o[2] + plane * d[2]
    through = (d[1] < 0) & (x * x + z * z <= radius * radius)
    return torch.where(above & (t < _MISS / 2), torch.where(through, plane, _MISS), t)


def surface(s: Solids, points: Tensor) -> tuple[Tensor, Tensor]:
    """Outward unit normals (N, 3) of solids at points on them (N, 3), and the points in the solids' coordinates."""
    own = (s.matrix @ (points - s.origin)[..., None])[..., 0]
    rho = (own[:, 0] ** 2 + own[:, 2] ** 2).sqrt()
    sin = torch.where(s.length > 0, (s.r0 - s.r1) / s.length.clamp(min=1e-9), 0.0).clamp(-0.999, 0.999)
    foot = (own[:, 1] - rho * sin / (1 - sin * sin).sqrt()).clamp(min=0).minimum(s.length)
    normal = torch.stack([own[:, 0], own[:, 1] - foot, own[:, 2]], -1)
    capped = (own[:, 1] - s.hem).abs() < 1e-4 * (1 + s.r0)
    normal = torch.where(capped[:, None], torch.tensor([0.0, 1.0, 0.0], device=points.device), normal)
    normal = (s.matrix.transpose(-1, -2) @ normal[..., None])[..., 0]
    return torch.nn.functional.normalize(normal, dim=-1), own
