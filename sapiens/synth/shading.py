"""Colour of what a ray hits: texture, then a few lights. Light is bounded, so that albedo can be told from it."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d, interpolate, normalize

from sapiens.synth.dice import Dice
from sapiens.synth.solids import Solids
from sapiens.synth.trace import surface
from sapiens.synth.wardrobe import Wardrobe, cloth_colour

GAMMA = 2.2
"""Albedo and pictures are display colours; light acts on their GAMMA-th power."""
FLAT_SCALE_M = 0.08


@dataclass(frozen=True)
class Lights:
    """Two distant lights and the sky, of B pictures.

    Attributes:
        towards: (B, 2, 3) unit vectors to the lights, camera frame.
        power: (B, 2, 3) linear RGB. sky: (B, 3) linear RGB.
    """

    towards: Tensor
    power: Tensor
    sky: Tensor


def sample_lights(dice: Dice) -> Lights:
    """A key light from above and in front, a weaker fill from the other side, and the sky."""
    aside = dice.uniform(-1.3, 1.3)
    key = torch.stack([aside, -dice.uniform(0.15, 1.2), -dice.uniform(0.25, 1.0)], -1)
    fill = torch.stack([-aside, dice.uniform(-0.4, 0.2), -dice.uniform(0.2, 1.0)], -1)
    warm = dice.uniforms(3, -0.05, 0.05)
    power = torch.stack(
        [dice.uniform(0.45, 0.8)[:, None] * (1 + warm), dice.uniform(0.05, 0.25)[:, None] * (1 - warm)], 1
    )
    return Lights(normalize(torch.stack([key, fill], 1), dim=-1), power, dice.uniform(0.28, 0.5)[:, None] * (1 - warm))


@dataclass(frozen=True)
class Shaded:
    """What N rays saw: albedo and colour (N, 3) display RGB, outward normal (N, 3) in the camera frame."""

    albedo: Tensor
    colour: Tensor
    normal: Tensor


def shade(solids: Solids, picture: Tensor, points: Tensor, worn: Wardrobe, lights: Lights, opening: Tensor) -> Shaded:
    """Shade hits.

    Args:
        solids: the solid of each hit (N).
        picture: (N,).
        points: (N, 3) camera frame, metres.
        worn: colours of all persons.
        lights: of the pictures.
        opening: (N,) share of the surroundings' light that arrives.
    """
    normal, own = surface(solids, points)
    who = (solids.person, solids.paint)
    colours = worn.colours[who]
    radius = torch.where(solids.length > 0, solids.r0, FLAT_SCALE_M)
    unit = torch.where(solids.length > 0, 1.0, FLAT_SCALE_M)
    around = torch.atan2(own[:, 0], own[:, 2]) * radius
    uv = torch.stack([around, own[:, 1] * unit], -1)
    albedo = cloth_colour(colours[:, 0], colours[:, 1], worn.pattern[who], uv, worn.scale_m[who])
    facing = (lights.towards[picture] @ normal[..., None])[..., 0].clamp(min=0)
    direct = (facing[..., None] * lights.power[picture]).sum(1)
    light = (
        direct * (0.35 + 0.65 * opening)[:, None]
        + lights.sky[picture] * ((0.85 - 0.15 * normal[:, 1]) * opening)[:, None]
    )
    view = normalize(-points, dim=-1)
    half = normalize(lights.towards[picture][:, 0] + view, dim=-1)
    gloss = 0.05 * (half * normal).sum(-1).clamp(min=0) ** 24
    colour = albedo * light.clamp(0, 1.2) ** (1 / GAMMA) + gloss[:, None]
    return Shaded(albedo, colour.clamp(0, 1), normal)


def openness(depth_m: Tensor) -> Tensor:
    """Share of the surroundings' light that reaches each pixel: less where neighbours stand in front. (B, H, W)."""
    hit = depth_m.isfinite()[:, None].float()
    held = torch.where(hit > 0, depth_m[:, None], 0.0)
    opening = torch.ones_like(held)
    # On coarse copies: neighbourhoods of many pixels at the price of a few.
    coarse = [avg_pool2d(value, 4, ceil_mode=True) for value in (held, hit)]
    for reach in (1, max(2, depth_m.shape[1] // 64)):
        near, share = (avg_pool2d(value, 2 * reach + 1, 1, reach) for value in coarse)
        mean = interpolate(near / share.clamp(min=1e-6), size=depth_m.shape[1:], mode="bilinear", align_corners=False)
        opening = opening * (1 - 3.2 * (held - mean).clamp(0, 0.1))
    return opening[:, 0]
