"""Solids: rounded cones under an affine map, the one shape everything is made of.

A rounded cone is the convex hull of two balls. In its own coordinates the first ball (radius `r0`) lies at the origin,
the second (`r1`) at (0, length, 0); everything above y = `hem` is cut off flat. The map from metres stretches it, so
that a ball becomes an ellipsoid and a limb can be broader than deep.
"""

from __future__ import annotations

from dataclasses import dataclass, fields

import torch
from torch import Tensor

from sapiens.synth.rotations import facing

NO_HEM = 1e6


@dataclass(frozen=True)
class Solids:
    """S solids, flat over a batch.

    Attributes:
        matrix: (S, 3, 3) takes camera-frame vectors to the solid's own coordinates.
        origin: (S, 3) where its own origin is in the frame, metres.
        length, r0, r1, hem: (S,) in its own coordinates.
        label: (S,) int64 part.
        paint: (S,) int64 row of the person's palette.
        person: (S,) int64.
    """

    matrix: Tensor
    origin: Tensor
    length: Tensor
    r0: Tensor
    r1: Tensor
    hem: Tensor
    label: Tensor
    paint: Tensor
    person: Tensor

    def __getitem__(self, index: Tensor) -> Solids:
        return Solids(**{f.name: getattr(self, f.name)[index] for f in fields(self)})

    def __len__(self) -> int:
        return len(self.length)


class Builder:
    """Collects the solids of P persons; each call adds a few to every person, some of them absent.

    Args:
        like: (P,) float tensor giving the number of persons and the device.
    """

    def __init__(self, like: Tensor) -> None:
        self._like = like
        self._parts: list[tuple[Tensor, ...]] = []

    def cone(
        self,
        start: Tensor,
        end: Tensor,
        r0: Tensor | float,
        r1: Tensor | float,
        label: Tensor | int,
        paint: Tensor | int,
        *,
        axes: Tensor,
        flat: tuple[float, float] | Tensor = (1.0, 1.0),
        hem: Tensor | float | None = None,
        present: Tensor | None = None,
    ) -> None:
        """Rounded cones from `start` to `end`, (P, ..., 3) metres.

        Args:
            r0: radius at the start, metres; everything without the last axis of `start` broadcasts to its shape.
            r1: radius at the end.
            label: part.
            paint: row of the palette.
            axes: (P, ..., 3, 3) whose x column says which way is sideways.
            flat: factors of the thickness sideways and in depth.
            hem: metres from the start along the axis where it is cut, None for a round end.
            present: bool, absent ones are left out.
        """
        shape = start.shape[:-1]
        axis = end - start
        basis = facing(axis, axes[..., 0].expand(start.shape))
        length = axis.norm(dim=-1)
        stretch = torch.as_tensor(flat, device=start.device, dtype=start.dtype).expand(*shape, 2)
        scale = torch.stack([1 / stretch[..., 0], torch.ones_like(length), 1 / stretch[..., 1]], -1)
        matrix = scale[..., None] * basis.transpose(-1, -2)
        cut = NO_HEM if hem is None else hem
        self._add(matrix, start, (length, r0, r1, cut), label, paint, present)

    def ball(
        self,
        centre: Tensor,
        radii: Tensor,
        label: Tensor | int,
        paint: Tensor | int,
        *,
        axes: Tensor,
        hem: Tensor | float | None = None,
        present: Tensor | None = None,
    ) -> None:
        """Ellipsoids with half-axes `radii` (P, ..., 3) along `axes`; `hem` in y half-axes from the centre."""
        matrix = (1 / radii)[..., None] * axes.expand(*centre.shape, 3).transpose(-1, -2)
        cut = NO_HEM if hem is None else hem
        self._add(matrix, centre, (0.0, 1.0, 1.0, cut), label, paint, present)

    def _add(
        self,
        matrix: Tensor,
        origin: Tensor,
        measures: tuple[Tensor | float, ...],
        label: Tensor | int,
        paint: Tensor | int,
        present: Tensor | None,
    ) -> None:
        shape, people = origin.shape[:-1], len(self._like)
        like = origin[..., 0]

        def spread(value: Tensor | float | None, dtype: torch.dtype) -> Tensor:
            tensor = torch.as_tensor(1 if value is None else value, device=like.device, dtype=dtype)
            if tensor.ndim:
                tensor = (
                    tensor.reshape(*tensor.shape, *[1] * (like.ndim - tensor.ndim))
                    if tensor.shape[0] == people
                    else tensor
                )
            return tensor.expand(shape).reshape(people, -1)

        numbers = [spread(value, torch.float32) for value in measures]
        ids = [spread(value, torch.int64) for value in (label, paint)]
        k = numbers[0].shape[1]
        self._parts.append(
            (matrix.reshape(people, k, 3, 3), origin.reshape(people, k, 3), *numbers, *ids, spread(present, torch.bool))
        )

    def finish(self, exists: Tensor) -> Solids:
        """The solids that are there, of the persons that are there (`exists` (P,) bool), person by person."""
        columns = [torch.cat(column, 1) for column in zip(*self._parts, strict=True)]
        present = columns.pop() & exists[:, None]
        person = torch.arange(len(present), device=present.device)[:, None].expand(present.shape)
        return Solids(*(column[present] for column in [*columns, person]))
