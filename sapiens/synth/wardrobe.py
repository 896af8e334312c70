"""What a person wears, and the colours of everything: skin, hair, cloth."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum

import torch
from torch import Tensor

from sapiens.synth.body import Shape
from sapiens.synth.dice import Dice
from sapiens.synth.pose import RAISED, STANDING


class Paint(IntEnum):
    """Rows of a person's palette."""

    SKIN = 0
    HAIR = 1
    UPPER = 2
    LOWER = 3
    SHOE = 4
    SOCK = 5
    APPAREL = 6
    EYE_WHITE = 7
    IRIS = 8
    DARK = 9
    LIP = 10
    TOOTH = 11
    GLASSES = 12
    SOLE = 13


@dataclass(frozen=True)
class Wardrobe:
    """Choices of P persons.

    Attributes:
        sleeve: (P,) length of the sleeve, 0 none, 1 to the elbow, 2 to the wrist; of bare chests -1.
        leg: (P,) length of the trouser leg, 0 briefs, 1 to the knee, 2 to the ankle.
        loose: (P,) metres between body and cloth.
        skirt: (P,) metres of skirt, 0 none.
        shoes: (P,) bool. socks: (P,) metres above the ankle, 0 none.
        glasses: (P,) 0 none, 1 rims, 2 sunglasses.
        hat: (P,) 0 none, 1 woollen cap, 2 peaked cap.
        scarf, tie, bag: (P,) bool.
        hair: (P,) 0 bald, 1 short, 2 bob, 3 long, 4 bun.
        colours: (P, 14, 2, 3) display colours 0..1 of each paint, main and second.
        pattern: (P, 14) 0 plain, 1 stripes across, 2 stripes along, 3 checks, 4 dots.
        scale_m: (P, 14) width of the pattern.
    """

    sleeve: Tensor
    leg: Tensor
    loose: Tensor
    skirt: Tensor
    shoes: Tensor
    socks: Tensor
    glasses: Tensor
    hat: Tensor
    scarf: Tensor
    tie: Tensor
    bag: Tensor
    hair: Tensor
    colours: Tensor
    pattern: Tensor
    scale_m: Tensor


def sample_wardrobe(dice: Dice, family: Tensor, shape: Shape) -> Wardrobe:
    """Draw clothes and colours."""
    stature = shape.stature
    kind = dice.pick(0.14, 0.1, 0.34, 0.42)
    # Bare chests are for grown men.
    kind = torch.where((shape.bust > 0) | (stature < 1.5), kind.clamp(min=1), kind)
    sleeve = torch.stack([-torch.ones_like(stature), 0 * stature, dice.uniform(0.35, 0.95), dice.uniform(1.75, 1.98)])[
        kind, torch.arange(len(kind), device=kind.device)
    ]
    lower = dice.pick(0.07, 0.2, 0.55, 0.18)
    bent = (family != STANDING) & (family != RAISED)
    skirt = torch.where((lower == 3) & ~bent, dice.uniform(0.2, 0.42) * stature, 0.0)
    leg = torch.where(lower == 1, dice.uniform(0.45, 1.1), torch.where(lower == 2, 1.93, 0.12))
    leg = torch.where((lower == 3) & bent, 1.0, leg)
    leg = torch.where(stature < 1.5, leg.clamp(min=0.6), leg)
    shoes = dice.chance(0.72)
    socks = torch.where(dice.chance(0.55), dice.uniform(0.04, 0.16) * stature, 0.0)
    colours, pattern, scale = _palette(dice)
    return Wardrobe(
        sleeve=sleeve,
        leg=leg,
        loose=dice.uniform(0.004, 0.02),
        skirt=skirt,
        shoes=shoes,
        socks=socks,
        glasses=dice.pick(0.72, 0.2, 0.08),
        hat=dice.pick(0.82, 0.09, 0.09),
        scarf=dice.chance(0.1),
        tie=dice.chance(0.1) & (kind >= 2),
        bag=dice.chance(0.14),
        hair=dice.pick(0.06, 0.4, 0.22, 0.22, 0.1),
        colours=colours,
        pattern=pattern,
        scale_m=scale,
    )


_SKIN = (
    (0.98, 0.85, 0.76),
    (0.92, 0.74, 0.62),
    (0.82, 0.62, 0.47),
    (0.66, 0.46, 0.33),
    (0.48, 0.32, 0.22),
    (0.33, 0.22, 0.16),
)
_HAIR = (
    (0.08, 0.07, 0.07),
    (0.2, 0.13, 0.09),
    (0.38, 0.25, 0.14),
    (0.74, 0.58, 0.34),
    (0.55, 0.25, 0.1),
    (0.7, 0.69, 0.67),
    (0.13, 0.09, 0.07),
)
_IRIS = ((0.28, 0.18, 0.1), (0.36, 0.5, 0.62), (0.35, 0.42, 0.25))


def _palette(dice: Dice) -> tuple[Tensor, Tensor, Tensor]:
    skin, hair, iris = _tone(dice, _SKIN, 0.05), _tone(dice, _HAIR, 0.03), _tone(dice, _IRIS, 0.02)
    upper, lower, shoe, sock, apparel = (_cloth(dice) for _ in range(5))
    plain = torch.ones_like(skin)
    lip = (skin * torch.tensor([0.93, 0.68, 0.68], device=skin.device)).clamp(0, 1)
    dark = torch.where(dice.chance(0.6)[:, None], 0.07 * plain, _cloth(dice) * 0.7)
    sole = torch.where(dice.chance(0.5)[:, None], 0.88 * plain, 0.15 * plain)
    main = torch.stack(
        [skin, hair, upper, lower, shoe, sock, apparel, 0.9 * plain, iris, 0.06 * plain, lip, 0.93 * plain, dark, sole],
        1,
    )
    second = torch.stack([_cloth(dice) for _ in range(3)], 1)
    other = main.clone()
    other[:, Paint.UPPER], other[:, Paint.SOCK], other[:, Paint.APPAREL] = second.unbind(1)
    other[:, Paint.LOWER] = (lower * 0.72 + 0.02).clamp(0, 1)
    kinds = torch.zeros(main.shape[:2], dtype=torch.int64, device=skin.device)
    for paint, weights in (
        (Paint.UPPER, (0.5, 0.2, 0.08, 0.12, 0.1)),
        (Paint.LOWER, (0.78, 0.02, 0.08, 0.08, 0.04)),
        (Paint.SOCK, (0.6, 0.4)),
        (Paint.APPAREL, (0.5, 0.2, 0.1, 0.2)),
    ):
        kinds[:, paint] = dice.pick(*weights)
    scale = torch.exp(dice.uniforms(main.shape[1], -4.1, -2.7))
    return torch.stack([main, other], 2), kinds, scale


def _tone(dice: Dice, tones: tuple[tuple[float, float, float], ...], spread: float) -> Tensor:
    """Between two neighbouring tones of a table, with a little variation."""
    table = torch.tensor(tones, device=dice.uniform().device)
    at = dice.uniform(0, len(tones) - 1.001)
    low, part = at.long(), (at % 1)[:, None]
    return (table[low] * (1 - part) + table[low + 1] * part + dice.uniforms(3, -spread, spread)).clamp(0.03, 0.98)


def _cloth(dice: Dice) -> Tensor:
    """(P, 3): greys and dark blues often, other hues with moderate saturation."""
    hue = dice.uniform()[:, None] + torch.tensor([0.0, 1 / 3, 2 / 3], device=dice.uniform().device)
    value, saturation = dice.uniform(0.12, 0.95)[:, None], (dice.uniform() ** 1.5)[:, None] * 0.85
    return (value * (1 - saturation * (0.5 + 0.5 * torch.cos(6.2832 * hue)))).clamp(0.04, 0.96)


def cloth_colour(main: Tensor, second: Tensor, pattern: Tensor, uv_m: Tensor, scale_m: Tensor) -> Tensor:
    """Procedural textures: albedo (N, 3) at surface coordinates `uv_m` (N, 2): around and along, metres."""
    wave = torch.sin(uv_m / scale_m[:, None] * 3.1416)
    around, along = wave.unbind(-1)
    masks = torch.stack(
        [
            torch.zeros_like(around),
            (along * 6).clamp(0, 1),
            (around * 6).clamp(0, 1),
            0.5 * ((along * 6).clamp(0, 1) + (around * 6).clamp(0, 1)),
            ((around * along - 0.45) * 8).clamp(0, 1),
        ],
        -1,
    )
    share = masks.gather(-1, pattern[:, None])
    return main * (1 - share) + second * share
