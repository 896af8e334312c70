"""Procedural people as annotated pictures, rendered when asked for or kept in files to be read many times.

The files are .safetensors of `PART` pictures each, in compact types, read through memory mapping.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from sapiens.errors import InputError
from sapiens.imaging.sample import Sample
from sapiens.imaging.write import atomic_path
from sapiens.synth import render

PART = 64
_KEPT = 4
"""Parts kept in memory where nothing is written to files."""


@dataclass(frozen=True)
class RenderSpec:
    """Which pictures.

    Attributes:
        seed: of the pictures; picture k of a seed is always the same.
        count: how many.
        size_hw: their size.
        people: least and most persons in a picture.
    """

    seed: int
    count: int
    size_hw: tuple[int, int] = (256, 192)
    people: tuple[int, int] = (1, 1)

    @property
    def name(self) -> str:
        """Unique to seed, size and number of people."""
        (height, width), (low, high) = self.size_hw, self.people
        return f"seed{self.seed}_{height}x{width}_people{low}-{high}"

    @property
    def parts(self) -> int:
        """Number of files."""
        return -(-self.count // PART)


class RenderedPeople(Sequence[Sample]):
    """Pictures of procedural people with every annotation; the person of "keypoints" is drawn from the picture's index.

    Args:
        spec: which pictures.
        folder: where parts are kept; None: rendered when asked for, a few parts are remembered.

    Raises:
        InputError: a spec that cannot be, or a damaged part.
    """

    def __init__(self, spec: RenderSpec, folder: Path | None = None) -> None:
        if spec.count < 1:
            raise InputError(f"synth: {spec.count} pictures, expected at least 1")
        self.spec, self.folder = spec, folder
        self._memory: OrderedDict[int, dict[str, Tensor]] = OrderedDict()
        self._open: dict[int, Any] = {}

    def __len__(self) -> int:
        return self.spec.count

    def __getitem__(self, index: Any) -> Any:
        if not 0 <= index < len(self):
            raise IndexError(index)
        part, place = divmod(int(index), PART)
        if self.folder is None:
            values = {name: tensor[place] for name, tensor in self._rendered(part).items()}
        else:
            file = self._file(part)
            values = {name: file.get_slice(name)[place] for name in file.keys()}  # noqa: SIM118 - not a mapping
        return _sample(f"{self.spec.name}/{index}", int(index), {k: v.numpy() for k, v in values.items()})

    def prepare(self, workers: int = 1) -> int:
        """Render the parts that are missing in the folder, in processes of one thread each; returns their number."""
        assert self.folder is not None
        missing = [part for part in range(self.spec.parts) if not part_path(self.folder, self.spec, part).exists()]
        with ProcessPoolExecutor(workers, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for _ in pool.map(write_part, [self.folder] * len(missing), [self.spec] * len(missing), missing):
                pass
        return len(missing)

    def _rendered(self, part: int) -> dict[str, Tensor]:
        if part not in self._memory:
            self._memory[part] = render_part(self.spec, part)
            while len(self._memory) > _KEPT:
                self._memory.popitem(last=False)
        return self._memory[part]

    def _file(self, part: int) -> Any:
        if part not in self._open:
            assert self.folder is not None
            path = part_path(self.folder, self.spec, part)
            if not path.exists():
                write_part(self.folder, self.spec, part)
            try:
                self._open[part] = safe_open(path, "pt").__enter__()  # type: ignore[no-untyped-call]
            except SafetensorError as error:
                raise InputError(f"{path}: damaged ({error}); delete it to have it rendered again") from error
        return self._open[part]

    def __getstate__(self) -> dict[str, Any]:
        """Open files stay in their process."""
        return {**self.__dict__, "_memory": OrderedDict(), "_open": {}}


def part_path(folder: Path, spec: RenderSpec, part: int) -> Path:
    """File of a part."""
    return folder / spec.name / f"part_{part:05d}.safetensors"


def write_part(folder: Path, spec: RenderSpec, part: int) -> Path:
    """Render a part and write it whole or not at all."""
    path = part_path(folder, spec, part)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        save_file(render_part(spec, part), temporary)
    return path


def render_part(spec: RenderSpec, part: int) -> dict[str, Tensor]:
    """The tensors of `PART` pictures in compact types, picture first; parts are whole whatever the spec's count."""
    scenes = render(spec.seed, PART, spec.size_hw, people=spec.people, first=part * PART)

    def byte(values: Tensor) -> Tensor:
        return (values.clamp(0, 1) * 255).round().to(torch.uint8).contiguous()

    return {
        "image": scenes.image.permute(0, 2, 3, 1).contiguous(),
        "labels": scenes.labels,
        "normals": scenes.normals.permute(0, 2, 3, 1).to(torch.float16).contiguous(),
        "depth": scenes.points[:, 2].to(torch.float16).contiguous(),
        "alpha": byte(scenes.alpha),
        "foreground": byte(scenes.foreground.permute(0, 2, 3, 1)),
        "albedo": byte(scenes.albedo.permute(0, 2, 3, 1)),
        "person_ids": scenes.person_ids,
        "intrinsics": scenes.intrinsics.contiguous(),
        "keypoints": torch.cat([scenes.keypoints_xy, scenes.visibility[..., None]], -1).contiguous(),
        "boxes": scenes.boxes_xyxy.contiguous(),
        "present": scenes.present.contiguous(),
    }


def _sample(name: str, index: int, values: dict[str, Any]) -> Sample:
    """One person of a picture is the subject; of several that are there, the picture's index chooses."""
    there = np.flatnonzero(values["present"])
    subject = int(there[index % len(there)]) if len(there) else 0
    labels = values["labels"]
    keypoints = values["keypoints"][subject].astype(np.float32)
    if not len(there):
        keypoints[:, 2] = 0
    return Sample(
        values["image"],
        name,
        {
            "labels": labels,
            "mask": values["person_ids"] > 0,
            "normals": values["normals"].astype(np.float32),
            "depth_m": values["depth"].astype(np.float32),
            "alpha": values["alpha"].astype(np.float32) / 255,
            "foreground": values["foreground"].astype(np.float32) / 255,
            "albedo": values["albedo"].astype(np.float32) / 255,
            "keypoints": keypoints,
        },
        {
            "intrinsics": values["intrinsics"].astype(np.float64),
            "box_xyxy": values["boxes"][subject].astype(np.float32),
            "boxes_xyxy": values["boxes"][there].astype(np.float32),
            "people_keypoints": values["keypoints"][there].astype(np.float32),
            "person_ids": values["person_ids"],
            "subject": subject,
            "people": len(there),
        },
    )
