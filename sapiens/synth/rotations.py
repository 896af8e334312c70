"""Rotation matrices about the three axes, and their mirror image across the body's middle plane."""

from __future__ import annotations

import torch
from torch import Tensor


def about(axis: int, angle: Tensor) -> Tensor:
    """Right-handed rotation about axis 0, 1 or 2 by `angle` (...) radians: (..., 3, 3)."""
    first, second = (axis + 1) % 3, (axis + 2) % 3
    cos, sin = angle.cos(), angle.sin()
    matrix = torch.zeros(*angle.shape, 3, 3, dtype=angle.dtype, device=angle.device)
    matrix[..., axis, axis] = 1
    matrix[..., first, first] = cos
    matrix[..., second, second] = cos
    matrix[..., first, second] = -sin
    matrix[..., second, first] = sin
    return matrix


def turn(matrix: Tensor, vector: Tensor) -> Tensor:
    """Rotate vectors (..., 3) by matrices (..., 3, 3)."""
    return (matrix @ vector[..., None])[..., 0]


def mirror(matrix: Tensor, side: Tensor) -> Tensor:
    """Rotations as they are where `side` is +1 (left), reflected in x where it is -1 (right)."""
    sign = torch.ones(*side.shape, 3, dtype=matrix.dtype, device=matrix.device)
    sign[..., 0] = side
    return sign[..., :, None] * matrix * sign[..., None, :]


def facing(direction: Tensor, sideways: Tensor) -> Tensor:
    """Rotations whose y column is `direction` and whose x column is as near to `sideways` as it can be; both (..., 3).

    A zero `direction` gives the axes x = sideways, y = any perpendicular.
    """
    y = torch.nn.functional.normalize(direction, dim=-1, eps=1e-9)
    x = sideways - (sideways * y).sum(-1, keepdim=True) * y
    x = torch.nn.functional.normalize(x + 1e-7, dim=-1)
    return torch.stack([x, y, torch.linalg.cross(x, y)], -1)
