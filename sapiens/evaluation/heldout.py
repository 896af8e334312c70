"""The fixed sets of procedural people that nano is measured on. Nothing was ever trained on these seeds.

| set | seed | pictures | size | people |
|---|---|---|---|---|
| one person | 900001 | 256 | 256x192 | 1 |
| one to four people | 900002 | 256 | 256x192 | 1 to 4 |

Trivial answers are made from other pictures of the same kind, seeds 900011 and 900012.
"""

from __future__ import annotations

from dataclasses import dataclass

from sapiens.datasets.rendered import RenderedPeople, RenderSpec

COUNT, TRIVIAL_COUNT = 256, 128
SIZE_HW = (256, 192)


@dataclass(frozen=True)
class HeldOut:
    """A fixed set.

    Attributes:
        name: what reports call it.
        seed: of its pictures.
        trivial_seed: of the pictures that trivial answers are made from.
        people: least and most in a picture.
    """

    name: str
    seed: int
    trivial_seed: int
    people: tuple[int, int]

    @property
    def spec(self) -> str:
        """What `open_data` opens as this set."""
        (low, high), (height, width) = self.people, SIZE_HW
        return f"synth:seed={self.seed},count={COUNT},people={low}-{high},size={height}x{width}"

    def pictures(self) -> RenderedPeople:
        """The set; rendered when asked for, and remembered for the next task."""
        return RenderedPeople(RenderSpec(self.seed, COUNT, SIZE_HW, self.people))

    def trivial_pictures(self) -> RenderedPeople:
        """What trivial answers are made from."""
        return RenderedPeople(RenderSpec(self.trivial_seed, TRIVIAL_COUNT, SIZE_HW, self.people))


HELD_OUT = (
    HeldOut("one person", 900_001, 900_011, (1, 1)),
    HeldOut("one to four people", 900_002, 900_012, (1, 4)),
)
