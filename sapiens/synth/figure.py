"""Flesh and clothes: the solids of the trunk, limbs, hands and feet of every person of a batch, in the body frame."""

from __future__ import annotations

import torch
from torch import Tensor

from sapiens.synth.body import Bone, Shape, Skeleton, sides, vec
from sapiens.synth.head import add_head
from sapiens.synth.labels import RIGHT_OF_LEFT, Part
from sapiens.synth.pose import Pose
from sapiens.synth.solids import Builder, Solids
from sapiens.synth.wardrobe import Paint, Wardrobe


def build_figures(shape: Shape, pose: Pose, worn: Wardrobe, bones: Skeleton, exists: Tensor) -> Solids:
    """All solids of the persons that exist; `person` counts over the batch."""
    builder = Builder(shape.stature)
    _trunk(builder, shape, worn, bones)
    _arms(builder, shape, worn, bones)
    _hands(builder, shape, bones)
    _legs(builder, shape, worn, bones)
    _feet(builder, shape, worn, bones)
    _apparel(builder, shape, worn, bones)
    add_head(builder, shape, pose, worn, bones)
    return builder.finish(exists)


def _sided(left: Part, side: Tensor) -> Tensor:
    return int(left) + RIGHT_OF_LEFT * (side < 0).long()


def _trunk(add: Builder, shape: Shape, worn: Wardrobe, bones: Skeleton) -> None:
    s, girth = shape.stature, shape.girth
    bare = worn.sleeve < 0
    cloth = torch.where(bare, 0.0, worn.loose)
    label = torch.where(bare, Part.TORSO, Part.UPPER_CLOTHING)
    paint = torch.where(bare, Paint.SKIN, Paint.UPPER)
    wide, hips = shape.shoulders, shape.hips

    def part(bone: Bone, y0: float, y1: float, r0: Tensor, r1: Tensor, deep: float) -> None:
        start, end = bone.place(vec(0.0, y0 * s, 0.0, s)), bone.place(vec(0.0, y1 * s, 0.0, s))
        add.cone(start, end, r0, r1, label, paint, axes=bone.rotation, flat=(1.0, deep))

    waist = s * 0.078 * (0.35 + 0.65 * girth) + cloth
    part(bones.waist, -0.012, 0.055, s * 0.083 * hips * girth.sqrt() + cloth, waist, 0.7)
    part(bones.chest, -0.02, 0.052, waist, s * 0.089 * wide * girth.sqrt() + cloth, 0.7)
    add.ball(
        bones.chest.place(vec(0.0, 0.088 * s, -0.004 * s, s)),
        vec(0.108 * s * wide, 0.055 * s, 0.053 * s * girth, s) + cloth[:, None] * 0.7,
        label,
        paint,
        axes=bones.chest.rotation,
    )
    _shoulders(add, shape, worn, bones, label, paint, cloth)
    # Hips and seat belong to what is worn below.
    under = worn.loose * 0.5 + 0.002
    pelvis = bones.pelvis
    add.cone(
        pelvis.place(vec(0.0, -0.025 * s, 0.0, s)),
        pelvis.place(vec(0.0, 0.04 * s, 0.0, s)),
        s * 0.096 * hips * girth.sqrt() + under,
        s * 0.081 * hips * girth.sqrt() + under,
        Part.LOWER_CLOTHING,
        Paint.LOWER,
        axes=pelvis.rotation,
        flat=(1.0, 0.72),
        hem=0.085 * s,
    )
    # The shirt's tail hangs over the waistband, of some.
    down = pelvis.place(vec(0.0, -0.05 * s, 0.0, s))
    add.cone(
        bones.waist.place(vec(0.0, 0.03 * s, 0.0, s)),
        down,
        waist,
        s * 0.099 * hips * girth.sqrt() + cloth + 0.006,
        label,
        paint,
        axes=pelvis.rotation,
        flat=(1.0, 0.74),
        hem=0.095 * s,
        present=~bare & (worn.loose > 0.0075),
    )
    thigh = bones.thigh.rotation[..., 1].mean(1)
    long = worn.skirt
    start = pelvis.place(vec(0.0, 0.02 * s, 0.0, s))
    add.cone(
        start,
        start - thigh / thigh.norm(dim=-1, keepdim=True) * (long * 1.25)[:, None],
        0.086 * s * hips,
        0.105 * s * hips + 0.16 * long,
        Part.LOWER_CLOTHING,
        Paint.LOWER,
        axes=pelvis.rotation,
        flat=(1.0, 0.8),
        hem=long,
        present=long > 0,
    )


def _shoulders(
    add: Builder, shape: Shape, worn: Wardrobe, bones: Skeleton, label: Tensor, paint: Tensor, cloth: Tensor
) -> None:
    s = shape.stature[:, None]
    side = sides(shape.stature)
    chest = Bone(bones.chest.rotation[:, None].expand(-1, 2, -1, -1), bones.chest.origin[:, None].expand(-1, 2, -1))
    root = chest.place(vec(0.022 * s * side, 0.142 * s, -0.012 * s, side))
    thick = (cloth * 0.6)[:, None]
    add.cone(root, bones.upper_arm.origin, 0.027 * s + thick, 0.0265 * s + thick, label, paint, axes=chest.rotation)
    bust = shape.bust[:, None]
    add.ball(
        chest.place(vec(0.042 * s * side, 0.058 * s, 0.036 * s, side)),
        (0.04 + 0.008 * bust)[..., None] * vec(s, s, s * (0.75 + 0.45 * bust), side) + thick[..., None],
        label,
        paint,
        axes=chest.rotation,
    )
    hip = Bone(bones.pelvis.rotation[:, None].expand(-1, 2, -1, -1), bones.pelvis.origin[:, None].expand(-1, 2, -1))
    under = (worn.loose * 0.5 + 0.003)[:, None]
    add.ball(
        hip.place(vec(0.043 * s * side, -0.032 * s, -0.024 * s, side)),
        vec(0.05 * s, 0.056 * s, 0.044 * s, side) * shape.girth.sqrt()[:, None, None] + under[..., None],
        Part.LOWER_CLOTHING,
        Paint.LOWER,
        axes=hip.rotation,
    )


def _limb(
    add: Builder,
    bone: Bone,
    ends: tuple[Tensor, Tensor],
    radii: tuple[Tensor, Tensor],
    label: Tensor,
    paint: int,
    present: Tensor | None = None,
    hem: Tensor | None = None,
    z: float = 0.0,
) -> None:
    """A stretch of a limb between two distances below its joint."""
    start, end = (bone.place(vec(0.0, -at, z, at)) for at in ends)
    add.cone(start, end, radii[0], radii[1], label, paint, axes=bone.rotation, present=present, hem=hem)


def _arms(add: Builder, shape: Shape, worn: Wardrobe, bones: Skeleton) -> None:
    side = sides(shape.stature)
    s, thin = shape.stature[:, None] * torch.ones_like(side), shape.girth.sqrt()[:, None] * shape.stature[:, None]
    thin = thin * torch.ones_like(side)
    upper, lower = _sided(Part.LEFT_UPPER_ARM, side), _sided(Part.LEFT_LOWER_ARM, side)
    sleeve = worn.sleeve[:, None].expand_as(side)
    profile = (
        (bones.upper_arm, 0.0, 0.085, 0.0285, 0.0270, upper),
        (bones.upper_arm, 0.085, 0.172, 0.0270, 0.0225, upper),
        (bones.forearm, 0.0, 0.045, 0.0225, 0.0245, lower),
        (bones.forearm, 0.045, 0.148, 0.0245, 0.0155, lower),
    )
    reach = (0.0, 0.5, 1.0, 1.27, 2.0)
    loose = (worn.loose * 0.6 + 0.003)[:, None].expand_as(side)
    cloth = torch.full_like(upper, Part.UPPER_CLOTHING)
    for k, (bone, y0, y1, r0, r1, label) in enumerate(profile):
        _limb(add, bone, (y0 * s, y1 * s), (r0 * thin, r1 * thin), label, Paint.SKIN, present=sleeve < reach[k + 1])
        part = ((sleeve - reach[k]) / (reach[k + 1] - reach[k])).clamp(0, 1)
        _limb(
            add,
            bone,
            (y0 * s, y1 * s),
            (r0 * thin + loose, r1 * thin + loose),
            cloth,
            Paint.UPPER,
            part > 0.02,
            torch.where(part < 1, part * (y1 - y0) * s, 1e6),
        )


def _hands(add: Builder, shape: Shape, bones: Skeleton) -> None:
    side = sides(shape.stature)
    s = shape.stature[:, None]
    label = _sided(Part.LEFT_HAND, side)
    for y0, z0, y1, z1, r0, r1 in (
        (0.0, 0.004, -0.05, 0.0135, 0.0125, 0.0098),
        (0.0, 0.0, -0.053, 0.003, 0.0125, 0.0098),
        (0.0, -0.004, -0.048, -0.0125, 0.0115, 0.0092),
    ):
        start = bones.hand.place(vec(0.0, y0 * s, z0 * s, side))
        end = bones.hand.place(vec(0.0, y1 * s, z1 * s, side))
        add.cone(start, end, r0 * s, r1 * s, label, Paint.SKIN, axes=bones.hand.rotation, flat=(0.8, 1.0))
    fingers = bones.fingers
    length = bones.finger_length[:, None].expand(fingers.origin.shape[:-1])
    tip = fingers.origin - fingers.rotation[..., 1] * length[..., None]
    knuckles = torch.tensor(
        [[0.0092, 0.008, 0.007], *[[0.0074, 0.0067, 0.006]] * 3, [0.0066, 0.0058, 0.0052]], device=s.device
    )
    ends = torch.tensor(
        [[0.008, 0.007, 0.0058], *[[0.0067, 0.006, 0.005]] * 3, [0.0058, 0.0052, 0.0044]], device=s.device
    )
    whole = s[..., None, None].expand(length.shape)
    add.cone(
        fingers.origin,
        tip,
        knuckles * whole,
        ends * whole,
        label[:, :, None, None].expand(length.shape),
        Paint.SKIN,
        axes=fingers.rotation,
    )


def _legs(add: Builder, shape: Shape, worn: Wardrobe, bones: Skeleton) -> None:
    side = sides(shape.stature)
    s = shape.stature[:, None] * torch.ones_like(side)
    long, thin = s * shape.legs[:, None], s * shape.girth.sqrt()[:, None]
    upper, lower = _sided(Part.LEFT_UPPER_LEG, side), _sided(Part.LEFT_LOWER_LEG, side)
    leg = worn.leg[:, None].expand_as(side)
    cloth = torch.full_like(upper, Part.LOWER_CLOTHING)
    loose = (worn.loose * 0.8 + 0.004)[:, None].expand_as(side)
    profile = (
        (bones.thigh, 0.0, 0.11, 0.051, 0.0465, upper),
        (bones.thigh, 0.11, 0.245, 0.0465, 0.032, upper),
        (bones.shin, 0.0, 0.075, 0.032, 0.0335, lower),
        (bones.shin, 0.075, 0.165, 0.0335, 0.025, lower),
        (bones.shin, 0.165, 0.238, 0.025, 0.021, lower),
    )
    reach = (0.0, 0.45, 1.0, 1.31, 1.68, 2.0)
    for k, (bone, y0, y1, r0, r1, label) in enumerate(profile):
        _limb(add, bone, (y0 * long, y1 * long), (r0 * thin, r1 * thin), label, Paint.SKIN, leg < reach[k + 1])
        part = ((leg - reach[k]) / (reach[k + 1] - reach[k])).clamp(0, 1)
        width = (loose * (1 + 0.6 * k / 4) + (0.006 if k > 2 else 0.0)) if k else loose
        next_width = loose * (1 + 0.6 * (k + 1) / 4) + (0.006 if k > 1 else 0.0)
        _limb(
            add,
            bone,
            (y0 * long, y1 * long),
            (r0 * thin + width, r1 * thin + next_width),
            cloth,
            Paint.LOWER,
            part > 0.02,
            torch.where(part < 1, part * (y1 - y0) * long, 1e6),
        )


def _feet(add: Builder, shape: Shape, worn: Wardrobe, bones: Skeleton) -> None:
    side = sides(shape.stature)
    s = shape.stature[:, None] * torch.ones_like(side)
    shoes, socks = worn.shoes[:, None].expand_as(side), worn.socks[:, None].expand_as(side)
    bare_or_sock = torch.where(socks > 0, _sided(Part.LEFT_SOCK, side), _sided(Part.LEFT_FOOT, side))
    label = torch.where(shoes, _sided(Part.LEFT_SHOE, side), bare_or_sock)
    paint = torch.where(shoes, Paint.SHOE, torch.where(socks > 0, Paint.SOCK, Paint.SKIN))
    more = torch.where(shoes, 0.003, 0.0) * s + torch.where(socks > 0, 0.0015, 0.0)
    foot = bones.foot

    def at(x: float, y: float, z: float) -> Tensor:
        return foot.place(vec(x * s * side, y * s, z * s, side))

    for (x0, y0, z0, r0), (x1, y1, z1, r1) in (
        ((0.0, -0.004, -0.004, 0.0215), (0.003, -0.024, 0.075, 0.0155)),
        ((0.0, -0.02, -0.018, 0.019), (0.012, -0.027, 0.078, 0.0125)),
        ((0.0, -0.02, -0.018, 0.019), (-0.008, -0.027, 0.08, 0.0135)),
        ((-0.008, -0.027, 0.08, 0.0135), (-0.008, -0.029, 0.108, 0.0105)),
        ((0.006, -0.028, 0.075, 0.0125), (0.008, -0.030, 0.099, 0.009)),
    ):
        add.cone(at(x0, y0, z0), at(x1, y1, z1), r0 * s + more, r1 * s + more, label, paint, axes=foot.rotation)
    sole = torch.where(shoes, _sided(Part.LEFT_SHOE, side), label)
    add.cone(
        at(0.0, -0.037, -0.018),
        at(0.001, -0.037, 0.088),
        0.022 * s,
        0.027 * s,
        sole,
        Paint.SOLE,
        axes=foot.rotation,
        flat=(1.0, 0.35),
        present=shoes,
    )
    ankle = bones.shin.place(vec(0.0, -0.243 * s * shape.legs[:, None], 0.0, side))
    top = bones.shin.place(vec(0.0, -0.14 * s * shape.legs[:, None], 0.0, side))
    add.cone(
        ankle,
        top,
        0.0225 * s + 0.003,
        0.0285 * s * shape.girth.sqrt()[:, None] + 0.003,
        _sided(Part.LEFT_SOCK, side),
        Paint.SOCK,
        axes=foot.rotation,
        hem=socks,
        present=socks > 0,
    )


def _apparel(add: Builder, shape: Shape, worn: Wardrobe, bones: Skeleton) -> None:
    s = shape.stature
    chest = bones.chest
    add.ball(
        bones.neck.place(vec(0.0, 0.008 * s, 0.004 * s, s)),
        vec(0.055 * s, 0.026 * s, 0.056 * s, s),
        Part.APPAREL,
        Paint.APPAREL,
        axes=bones.neck.rotation,
        present=worn.scarf,
    )
    front = vec(0.02 * s, 0.02 * s, 0.058 * s * shape.girth + worn.loose, s)
    add.cone(
        bones.neck.place(vec(0.01 * s, 0.0, 0.048 * s, s)),
        chest.place(front),
        0.016 * s,
        0.02 * s,
        Part.APPAREL,
        Paint.APPAREL,
        axes=chest.rotation,
        flat=(1.0, 0.5),
        present=worn.scarf,
    )
    knot, depth = 0.135, 0.062 * s * shape.girth.sqrt() + worn.loose
    add.cone(
        chest.place(vec(0.0, knot * s, 0.036 * s, s)),
        chest.place(vec(0.0, -0.06 * s, depth, s)),
        0.008 * s,
        0.02 * s,
        Part.APPAREL,
        Paint.APPAREL,
        axes=chest.rotation,
        flat=(1.0, 0.3),
        present=worn.tie & ~worn.scarf,
    )
    back = chest.place(vec(0.0, 0.03 * s, -0.105 * s, s))
    add.ball(
        back, vec(0.085 * s, 0.13 * s, 0.055 * s, s), Part.APPAREL, Paint.APPAREL, axes=chest.rotation, present=worn.bag
    )
    side = sides(s)
    tall = s[:, None]
    both = Bone(chest.rotation[:, None].expand(-1, 2, -1, -1), chest.origin[:, None].expand(-1, 2, -1))
    over = both.place(vec(0.062 * tall * side, 0.158 * tall, 0.0, side))
    under = both.place(
        vec(0.068 * tall * side, 0.03 * tall, 0.062 * tall * shape.girth.sqrt()[:, None] + worn.loose[:, None], side)
    )
    add.cone(
        over,
        under,
        0.012 * tall,
        0.011 * tall,
        Part.APPAREL,
        Paint.APPAREL,
        axes=both.rotation,
        present=worn.bag[:, None].expand_as(side),
    )
