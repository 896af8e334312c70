"""The head: skull, face, ears, hair, glasses and hats, in units of a standard head stretched to each person's own.

Head coordinates (metres of the standard head): origin where the neck meets the skull, x left, y up, z forward; the chin
is near y = -0.023, the crown near 0.213, the eyes at 0.1, the mouth at 0.032.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from sapiens.synth.body import Bone, Shape, Skeleton, vec
from sapiens.synth.labels import Part
from sapiens.synth.pose import Pose
from sapiens.synth.solids import Builder
from sapiens.synth.wardrobe import Paint, Wardrobe

SKULL = ((0.0, 0.118, -0.005), (0.074, 0.095, 0.094))
FACE = ((0.0, 0.062, 0.022), (0.060, 0.083, 0.070))
JAW_DROP = 0.022
"""How far the lower lip goes down when the mouth is wide open."""


def add_head(add: Builder, shape: Shape, pose: Pose, worn: Wardrobe, bones: Skeleton) -> None:
    """Add everything above the collar."""
    head = _Head(add, shape, bones.head)
    s = shape.stature
    add.cone(
        bones.neck.place(vec(0.0, -0.015 * s, -0.004 * s, s)),
        head.at(0.0, 0.035, -0.008),
        0.0325 * s,
        0.0295 * s,
        Part.FACE_NECK,
        Paint.SKIN,
        axes=bones.neck.rotation,
    )
    _face(head)
    _eyes(head)
    _mouth(head, pose.mouth_open * JAW_DROP)
    _hair(head, worn)
    _glasses(head, worn)
    _hat(head, worn)


Triple = tuple[Tensor | float, Tensor | float, Tensor | float]


class _Head:
    """Adds solids given in head coordinates; numbers may be tensors (P,)."""

    def __init__(self, add: Builder, shape: Shape, bone: Bone) -> None:
        self._add, self._bone, self._scale = add, bone, shape.head
        self._like = shape.stature
        self._flip = torch.tensor([-1.0, -1.0, 1.0], device=self._like.device)

    def at(self, x: Tensor | float, y: Tensor | float, z: Tensor | float) -> Tensor:
        return self._bone.place(vec(x, y, z, self._like) * self._scale)

    def ball(
        self,
        centre: Triple,
        radii: Triple,
        label: int,
        paint: int,
        present: Tensor | None = None,
        hem: float | None = None,
    ) -> None:
        # A hem cuts off what is below it, so the own y axis of such a ball points down.
        axes = self._bone.rotation if hem is None else self._bone.rotation * self._flip
        self._add.ball(
            self.at(*centre), vec(*radii, self._like) * self._scale, label, paint, axes=axes, present=present, hem=hem
        )

    def cone(
        self,
        start: Triple,
        end: Triple,
        r0: float,
        r1: float,
        label: int,
        paint: int,
        present: Tensor | None = None,
        flat: tuple[float, float] = (1.0, 1.0),
    ) -> None:
        size = self._scale.mean(-1)
        self._add.cone(
            self.at(*start),
            self.at(*end),
            r0 * size,
            r1 * size,
            label,
            paint,
            axes=self._bone.rotation,
            present=present,
            flat=flat,
        )


def _face(head: _Head) -> None:
    skin = (Part.FACE_NECK, Paint.SKIN)
    head.ball(*SKULL, *skin)
    head.ball(*FACE, *skin)
    head.ball((0.0, 0.0, 0.060), (0.030, 0.023, 0.029), *skin)
    head.cone((0.0, 0.098, 0.083), (0.0, 0.066, 0.104), 0.0065, 0.0095, *skin)
    head.cone((-0.030, 0.113, 0.0735), (0.030, 0.113, 0.0735), 0.0095, 0.0095, *skin)
    for side in (1.0, -1.0):
        head.ball((side * 0.0125, 0.061, 0.092), (0.0085, 0.0065, 0.0105), *skin)
        head.ball((side * 0.030, 0.064, 0.0530), (0.029, 0.027, 0.0300), *skin)
        head.ball((side * 0.0755, 0.085, -0.005), (0.008, 0.031, 0.019), *skin)


def _eyes(head: _Head) -> None:
    for side in (1.0, -1.0):
        x = side * 0.031
        head.ball((x, 0.1, 0.0712), (0.0150, 0.0072, 0.0105), Part.FACE_NECK, Paint.EYE_WHITE)
        head.ball((x, 0.1, 0.0777), (0.0062, 0.0062, 0.0050), Part.FACE_NECK, Paint.IRIS)
        head.ball((x, 0.1, 0.0780), (0.0028, 0.0028, 0.0051), Part.FACE_NECK, Paint.DARK)
        for (x0, y0), (x1, y1) in (((0.0165, 0.1), (0.031, 0.1072)), ((0.031, 0.1072), (0.0455, 0.1005))):
            head.cone(
                (side * x0, y0, 0.0795),
                (side * x1, y1, 0.0815 if x1 < 0.04 else 0.0735),
                0.0015,
                0.0015,
                Part.FACE_NECK,
                Paint.DARK,
            )
        head.cone(
            (side * 0.015, 0.1195, 0.0845), (side * 0.034, 0.1245, 0.0815), 0.0036, 0.0036, Part.FACE_NECK, Paint.HAIR
        )
        head.cone(
            (side * 0.034, 0.1245, 0.0815), (side * 0.0495, 0.1175, 0.0705), 0.0036, 0.0022, Part.FACE_NECK, Paint.HAIR
        )


def _mouth(head: _Head, drop: Tensor) -> None:
    """Lips, and behind them what an open mouth shows; `drop` (P,) is how far the lower lip has gone down."""
    is_open = drop > 0.002
    head.ball((0.0, 0.0305 - drop / 2, 0.079), (0.021, 0.001 + drop / 2, 0.0085), Part.FACE_NECK, Paint.DARK, is_open)
    head.ball((0.0, 0.0305, 0.082), (0.016, 0.0052, 0.0070), Part.UPPER_TEETH, Paint.TOOTH, is_open)
    head.ball((0.0, 0.0275 - drop, 0.080), (0.014, 0.0052, 0.0080), Part.LOWER_TEETH, Paint.TOOTH, is_open)
    head.ball((0.0, 0.0300 - drop * 0.72, 0.080), (0.012, drop * 0.22 + 0.001, 0.0085), Part.TONGUE, Paint.LIP, is_open)
    for side in (1.0, -1.0):
        corner = (side * 0.0255, 0.0305 - drop * 0.3, 0.0785)
        head.cone(corner, (side * 0.005, 0.0345, 0.0875), 0.0024, 0.0040, Part.UPPER_LIP, Paint.LIP)
        head.cone(
            corner, (side * 0.004, 0.0262 - drop, 0.0865 - drop * 0.15), 0.0024, 0.0048, Part.LOWER_LIP, Paint.LIP
        )
    # The jaw follows.
    head.ball((0.0, 0.006 - drop * 0.8, 0.062), (0.027, 0.021, 0.025), Part.FACE_NECK, Paint.SKIN)


def _hair(head: _Head, worn: Wardrobe) -> None:
    hair = (Part.HAIR, Paint.HAIR)
    kind = worn.hair
    some = kind > 0
    head.ball((0.0, 0.135, -0.019), (0.0805, 0.0885, 0.0945), *hair, some)
    head.ball((0.0, 0.100, -0.036), (0.0775, 0.085, 0.0735), *hair, some)
    head.cone((0.045, 0.183, 0.048), (-0.035, 0.190, 0.052), 0.020, 0.026, *hair, some & (worn.hat == 0))
    long = (kind == 2) | (kind == 3)
    deep = torch.where(kind == 3, -0.13, -0.015)
    for side in (1.0, -1.0):
        head.cone((side * 0.068, 0.125, -0.012), (side * 0.074, deep, -0.022), 0.023, 0.019, *hair, long)
        head.cone((side * 0.069, 0.130, 0.012), (side * 0.074, 0.078, 0.006), 0.014, 0.006, *hair, some)
    head.cone((0.0, 0.09, -0.055), (0.0, deep - 0.02, -0.062), 0.062, 0.045, *hair, long, flat=(1.25, 0.75))
    head.ball((0.0, 0.185, -0.088), (0.040, 0.040, 0.036), *hair, kind == 4)


def _glasses(head: _Head, worn: Wardrobe) -> None:
    wears = worn.glasses > 0
    part = (Part.EYEGLASS, Paint.GLASSES)
    corners = [(0.0215 * math.cos(k * math.pi / 4), 0.0165 * math.sin(k * math.pi / 4)) for k in range(8)]
    for side in (1.0, -1.0):
        for k, (x, y) in enumerate(corners):
            x2, y2 = corners[(k + 1) % 8]
            head.cone(
                (side * 0.032 + x, 0.1 + y, 0.0915), (side * 0.032 + x2, 0.1 + y2, 0.0915), 0.0018, 0.0018, *part, wears
            )
        head.ball((side * 0.032, 0.1, 0.0905), (0.0212, 0.0163, 0.0025), *part, worn.glasses == 2)
        head.cone((side * 0.053, 0.104, 0.0905), (side * 0.077, 0.1, -0.005), 0.0018, 0.0018, *part, wears)
    head.cone((0.0115, 0.103, 0.0925), (-0.0115, 0.103, 0.0925), 0.0018, 0.0018, *part, wears)


def _hat(head: _Head, worn: Wardrobe) -> None:
    part = (Part.APPAREL, Paint.APPAREL)
    head.ball((0.0, 0.148, -0.008), (0.0865, 0.0885, 0.1035), *part, worn.hat > 0, 0.3)
    head.ball((0.0, 0.143, 0.092), (0.066, 0.009, 0.068), *part, worn.hat == 2)
    head.ball((0.0, 0.236, -0.01), (0.022, 0.022, 0.022), *part, worn.hat == 1)
