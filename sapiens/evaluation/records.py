"""Annotated pictures as sources of the inference engine, each kept from its reading until it has been counted."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, nullcontext
from threading import Lock
from typing import Any

import numpy as np
import numpy.typing as npt

from sapiens.datasets.mixture import leaves
from sapiens.datasets.reader import Problem, Reader
from sapiens.errors import InputError
from sapiens.imaging.augment_background import composite, make_background
from sapiens.imaging.frame import Frame
from sapiens.imaging.sample import Sample
from sapiens.inference.item import Source


class Records:
    """Some records of a set.

    Args:
        samples: the set.
        indices: which of it, in the order in which the engine is to have them.
    """

    def __init__(self, samples: Sequence[Sample], indices: Sequence[int]) -> None:
        self.samples, self.indices = samples, indices
        self._kept: dict[int, Sample] = {}
        # Readers of files may be asked from several threads; of other sequences nothing is known.
        self._turn: AbstractContextManager[Any] = nullcontext() if isinstance(samples, Reader) else Lock()

    def sources(self) -> list[Source]:
        """One per record; reading it may raise InputError."""
        return [Source(f"record {index}", self._reader(place)) for place, index in enumerate(self.indices)]

    def _reader(self, place: int) -> Callable[[], Frame]:
        def read() -> Frame:
            index = self.indices[place]
            with self._turn:
                sample = self.samples[index]
            sample = before_background(sample, index)
            self._kept[place] = sample
            return Frame(sample.image, sample.id)

        return read

    def boxes(self, place: int) -> npt.NDArray[np.float32]:
        """Annotated boxes of a record that was read."""
        return annotated_boxes(self._kept[place])

    def take(self, place: int) -> Sample | None:
        """A record that was read, and no more kept; None if it could not be."""
        return self._kept.pop(place, None)


def before_background(sample: Sample, seed: int) -> Sample:
    """Cut-out people before a made-up background, which follows from the seed alone; anything else as it is."""
    if not sample.extra.get("needs_background"):
        return sample
    background = make_background(np.random.default_rng(seed), sample.size_hw)
    image = composite(sample.fields["foreground"], sample.fields["alpha"], background)
    return dataclasses.replace(sample, image=image)


def annotated_boxes(sample: Sample) -> npt.NDArray[np.float32]:
    """(N, 4) float32 boxes of the people of a sample.

    Raises:
        InputError: it has none.
    """
    if "boxes_xyxy" in sample.extra:
        return np.asarray(sample.extra["boxes_xyxy"], np.float32).reshape(-1, 4)
    if "box_xyxy" not in sample.extra:
        raise InputError(
            f"{sample.id}: pose needs the person's box, extra 'box_xyxy'", hint="or let a detector find it"
        )
    return np.asarray(sample.extra["box_xyxy"], np.float32)[None]


def unlisted(samples: Sequence[Sample]) -> list[Problem]:
    """Records that a reader had to leave out of its list because of what the list says."""
    return [problem for part in leaves(samples) if isinstance(part, Reader) for problem in part.problems]
