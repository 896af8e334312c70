"""Rays against solids whose hits are known in closed form, and against brute force."""

import pytest
import torch

from sapiens.synth.solids import Builder, Solids
from sapiens.synth.trace import Rays, build_grid, near, surface, trace

CENTRE = torch.tensor([[0.0, 0.0, 3.0]])
EYE = torch.eye(3)[None]
RAYS = Rays(torch.tensor([100.0]), torch.tensor([32.0]), torch.tensor([32.0]))


def hit(solids: Solids, uv: list[float]) -> tuple[float, torch.Tensor]:
    grid = build_grid(solids, solids.person, RAYS, (64, 64))
    at = torch.tensor([uv])
    pairs = near(grid, torch.zeros(1, dtype=torch.long), at, 0.0)
    depth, winner = trace(solids, RAYS, (torch.zeros(1, dtype=torch.long), at), torch.zeros(1, 2), pairs)
    if winner[0, 0] < 0:
        return float("inf"), torch.zeros(3)
    point = RAYS.directions(torch.zeros(1, dtype=torch.long), at[:, 0], at[:, 1]) * depth
    return float(depth), surface(solids[winner[0]], point)[0][0]


def one(kind: str) -> Solids:
    builder = Builder(torch.zeros(1))
    ends = CENTRE - torch.tensor([[0.0, 0.5, 0.0]]), CENTRE + torch.tensor([[0.0, 0.5, 0.0]])
    if kind == "ball":
        builder.ball(CENTRE, torch.tensor([[0.3, 0.3, 0.3]]), 1, 0, axes=EYE)
    elif kind == "ellipsoid":
        builder.ball(CENTRE, torch.tensor([[0.5, 0.2, 0.1]]), 1, 0, axes=EYE)
    elif kind == "capsule":
        builder.cone(*ends, 0.2, 0.2, 1, 0, axes=EYE)
    elif kind == "flat capsule":
        builder.cone(*ends, 0.2, 0.2, 1, 0, axes=EYE, flat=(1.0, 0.5))
    else:
        builder.cone(*ends, 0.2, 0.2, 1, 0, axes=EYE, hem=0.4)
    return builder.finish(torch.ones(1, dtype=torch.bool))


@pytest.mark.parametrize(
    ("kind", "uv", "depth"),
    [
        ("ball", [32.0, 32.0], 2.7),
        ("ball", [32.0, 45.0], float("inf")),
        ("ellipsoid", [32.0, 32.0], 2.9),
        ("capsule", [32.0, 32.0], 2.8),
        ("flat capsule", [32.0, 32.0], 2.9),
        ("hemmed", [32.0, 40.0], float("inf")),
        ("hemmed", [32.0, 24.0], 2.8),
    ],
    ids=["ball", "beside the ball", "ellipsoid", "capsule", "flat capsule", "below the hem", "above the hem"],
)
def test_trace__known_depths(kind: str, uv: list[float], depth: float) -> None:
    found, normal = hit(one(kind), uv)
    assert found == pytest.approx(depth, abs=1e-4)
    if found < float("inf") and uv == [32.0, 32.0]:
        torch.testing.assert_close(normal, torch.tensor([0.0, 0.0, -1.0]), atol=1e-4, rtol=0)


def test_trace__tiles_lose_nothing() -> None:
    """The same hits whether candidates come from tiles or every solid is tested."""
    generator = torch.Generator().manual_seed(0)
    start = torch.rand(1, 40, 3, generator=generator) * 2 - 1 + torch.tensor([0.0, 0.0, 4.0])
    end = start + 0.5 * torch.rand(1, 40, 3, generator=generator)
    builder = Builder(torch.zeros(1))
    builder.cone(start, end, 0.1, 0.06, 1, 0, axes=torch.eye(3).expand(1, 40, 3, 3), flat=(1.0, 0.6))
    solids = builder.finish(torch.ones(1, dtype=torch.bool))
    uv = torch.cartesian_prod(torch.arange(64.0), torch.arange(64.0))
    picture = torch.zeros(len(uv), dtype=torch.long)
    grid = build_grid(solids, solids.person, RAYS, (64, 64))
    every = torch.arange(len(uv)).repeat_interleave(len(solids)), torch.arange(len(solids)).repeat(len(uv))
    few = trace(solids, RAYS, (picture, uv), torch.zeros(1, 2), near(grid, picture, uv, 0.0))
    all_ = trace(solids, RAYS, (picture, uv), torch.zeros(1, 2), every)
    assert (all_[1] >= 0).any()
    assert torch.equal(few[1], all_[1])
    torch.testing.assert_close(few[0], all_[0])
