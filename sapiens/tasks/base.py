"""What a task is: a record of plain functions, and a typed result.

Data goes one way: Frame -> Prepared (one network input) -> raw tensors -> Result. A task knows nothing of files,
threads, batches of pictures or the web; the engine in `sapiens.inference` moves the data.
"""

from __future__ import annotations

import dataclasses
import json
import zipfile
import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, Self

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame, ImageU8

Compat = Literal["default", "reference"]
Raw = dict[str, Tensor]
"""Network outputs by name; the first axis of every tensor is the batch."""


class Geometry(Protocol):
    """Where a network input lies in its picture; see `sapiens.imaging.geometry`."""

    @property
    def target_hw(self) -> tuple[int, int]: ...


@dataclass(frozen=True, eq=False)
class Prepared:
    """One network input.

    Attributes:
        input: (h, w, 3) uint8 RGB at the network's size; normalised later, on the device.
        geometry: how it was cut from the picture.
    """

    input: ImageU8
    geometry: Any


@dataclass(frozen=True)
class Setup:
    """What a task's functions need to know about the run.

    Attributes:
        input_hw: network input (rows, columns).
        compat: "reference" keeps every number of the original pipeline, "default" mends what is safe to mend.
        options: the task's own options (`Task.options`).
    """

    input_hw: tuple[int, int]
    compat: Compat
    options: Any


@dataclass(frozen=True)
class Meta:
    """Where a result comes from.

    Attributes:
        image_id: name of the picture.
        size_hw: its height and width in pixels.
        task, model: e.g. "seg" and "sapiens2_0.4b_seg".
        weights: fingerprint of the weights, or "untrained".
        dtype: dtype the network ran in, e.g. "float32".
        compat: "default" or "reference".
        notes: anything a user must know about this one result, e.g. "no person found".
        frame, time_s: number of the frame and its time in seconds, in a clip; else None.
    """

    image_id: str
    size_hw: tuple[int, int]
    task: str
    model: str
    weights: str
    dtype: str
    compat: str
    notes: tuple[str, ...] = ()
    frame: int | None = None
    time_s: float | None = None

    def with_notes(self, *notes: str) -> Meta:
        """The same with more notes."""
        return dataclasses.replace(self, notes=self.notes + notes)


@dataclass(frozen=True, eq=False, kw_only=True)
class Result(ABC):
    """Base of all results: arrays at the picture's own size, and where they come from.

    Subclasses are frozen dataclasses whose array fields carry their shape in the docstring and check it in
    `__post_init__`. `image` is the picture the result belongs to, if at hand; it is needed to draw overlays and is not
    stored in the npz.
    """

    task: ClassVar[str]

    meta: Meta
    image: ImageU8 | None = field(default=None, repr=False)

    def arrays(self) -> dict[str, npt.NDArray[Any]]:
        """The arrays that make up the result, by field name (no picture, no None)."""
        values = {f.name: getattr(self, f.name) for f in dataclasses.fields(self) if f.name not in ("meta", "image")}
        return {name: np.asarray(value) for name, value in values.items() if value is not None}

    @classmethod
    def from_arrays(cls, arrays: Mapping[str, npt.NDArray[Any]], meta: Meta) -> Self:
        """Inverse of `arrays`; zero-dimensional arrays become Python numbers."""
        values: dict[str, Any] = {k: v.item() if v.ndim == 0 else v for k, v in arrays.items()}
        return cls(meta=meta, **values)

    @abstractmethod
    def draw(self, image: ImageU8 | None = None, *, side_by_side: bool = False) -> Image.Image:
        """A picture of the result.

        Args:
            image: (H, W, 3) uint8 RGB to draw on; default the result's own picture, else a grey one.
            side_by_side: the picture, then the result's panels, as the original demos write them.
        """

    def save(self, path: str | Path) -> Path:
        """Write all arrays and the meta data to a compressed npz file; it appears whole or not at all."""
        from sapiens.imaging.write import write_npz

        arrays = self.arrays()
        arrays["meta"] = np.array(json.dumps(dataclasses.asdict(self.meta)))
        return write_npz(Path(path), arrays)

    @classmethod
    def load(cls, path: str | Path) -> Self:
        """Read a file written by `save`.

        Raises:
            InputError: not such a file, or one of another task.
        """
        arrays, meta = read_saved(Path(path))
        if meta.task != cls.task:
            raise InputError(f"{path}: holds a result of {meta.task!r}, not of {cls.task!r}")
        return cls.from_arrays(arrays, meta)

    def canvas(self, image: ImageU8 | None = None) -> ImageU8:
        """The picture to draw on: the argument, the result's own, or mid grey; checked for size."""
        height, width = self.meta.size_hw
        chosen = image if image is not None else self.image
        if chosen is None:
            return np.full((height, width, 3), 128, np.uint8)
        if chosen.shape != (height, width, 3):
            raise InputError(f"{self.meta.image_id}: the result is {height}x{width}, the picture {chosen.shape}")
        return chosen

    def check_array(self, name: str, value: npt.NDArray[Any], dtype: npt.DTypeLike, *shape: int | None) -> None:
        """Raise unless `value` has this dtype and this shape (None: any length)."""
        self.check_shape(name, value, *shape)
        if value.dtype != dtype:
            raise InputError(f"{type(self).__name__}.{name}: expected {np.dtype(dtype)}, got {value.dtype}")

    def check_shape(self, name: str, value: npt.NDArray[Any], *shape: int | None) -> None:
        """Raise unless `value` has this shape (None: any length)."""
        if value.ndim != len(shape) or any(w is not None and w != g for w, g in zip(shape, value.shape, strict=True)):
            raise InputError(f"{type(self).__name__}.{name}: expected shape {shape}, got {value.shape}")


def read_saved(path: Path) -> tuple[dict[str, npt.NDArray[Any]], Meta]:
    """The arrays and the meta data of a file written by `Result.save`.

    Raises:
        InputError: not such a file, or a damaged one.
    """
    try:
        # Opened here: numpy leaves a file open whose archive it cannot read.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            arrays = {name: archive[name] for name in archive.files}
        stored = json.loads(str(arrays.pop("meta")))
        meta = Meta(**stored | {"size_hw": tuple(stored["size_hw"]), "notes": tuple(stored["notes"])})
    except (OSError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile, zlib.error) as error:
        raise InputError(f"{path}: not a saved result ({error})") from error
    return arrays, meta


class TaskModel(nn.Module):
    """A backbone and a head; state-dict names `backbone.*` and `decode_head.*` as in the released files."""

    def __init__(self, backbone: nn.Module, decode_head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.decode_head = decode_head

    def forward(self, image: Tensor) -> Any:
        """(B, 3, h, w) normalised RGB -> what the head returns."""
        return run_head(self.decode_head, self.backbone(image)[0], image)


class JointModel(nn.Module):
    """One backbone and the heads of several tasks; state-dict names `backbone.*` and `decode_heads.<task>.*`."""

    def __init__(self, backbone: nn.Module, decode_heads: Mapping[str, nn.Module]) -> None:
        super().__init__()
        self.backbone = backbone
        self.decode_heads = nn.ModuleDict(dict(decode_heads))

    def forward(self, image: Tensor) -> dict[str, Any]:
        """(B, 3, h, w) normalised RGB -> what each task's head returns."""
        features = self.backbone(image)[0]
        return {name: run_head(head, features, image) for name, head in self.decode_heads.items()}


def run_head(head: nn.Module, features: Tensor, image: Tensor) -> Any:
    """What a head makes of the feature map, and of the network's input if it is one that sees it."""
    return head(features, image) if getattr(head, "sees_picture", False) else head(features)


@dataclass(frozen=True)
class Export:
    """A kind of file written per result.

    Attributes:
        suffix: with the dot, e.g. ".ply".
        write: result, path -> anything; the file appears whole or not at all.
    """

    suffix: str
    write: Callable[[Any, Path], object]


@dataclass(frozen=True)
class RunExport:
    """A file written once per run.

    Attributes:
        filename: may hold "{label}", the name of the output folder.
        write: results in input order (without their pictures), path -> anything.
    """

    filename: str
    write: Callable[[Sequence[Any], Path], object]


def no_options() -> None:
    """Options of a task that has none."""


def keep(raw: Raw, setup: Setup) -> Raw:
    """Default `Task.decode`: nothing to reduce."""
    return raw


@dataclass(frozen=True)
class Task:
    """A task, as plain functions; the order of the fields is the order in which they run.

    Attributes:
        name: what users type, e.g. "seg"; also the folder below the checkpoint root.
        title: what users read.
        build_head: size name, backbone width -> head module on the current default device.
        result: the result class.
        preprocess: a picture and its person boxes (N, 4) float32 xyxy or None -> network inputs (none is allowed).
        forward: model, (B, 3, h, w) normalised input, setup -> raw outputs with batch first.
        decode: reduces raw outputs on the device, for a whole batch at once.
        postprocess: raw outputs of one picture's inputs, the inputs, the picture, its boxes and their scores, setup,
            meta -> result.
        released: sizes with released weights.
        top_down: needs person boxes.
        options: frozen dataclass with the task's own switches, each with a default.
        size_options: defaults of these that differ for a size, by its name.
        exports: kinds of files per result besides "picture" and "npz", by the name `--save` takes.
        run_exports: kinds of files per run, likewise.
    """

    name: str
    title: str
    build_head: Callable[[str, int], nn.Module]
    result: type[Result]
    preprocess: Callable[[Frame, npt.NDArray[np.float32] | None, Setup], list[Prepared]]
    forward: Callable[[nn.Module, Tensor, Setup], Raw]
    postprocess: Callable[[Raw, Sequence[Prepared], Frame, People | None, Setup, Meta], Result]
    released: tuple[str, ...]
    decode: Callable[[Raw, Setup], Raw] = keep
    top_down: bool = False
    options: Callable[..., Any] = no_options
    size_options: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)
    exports: Mapping[str, Export] = field(default_factory=dict)
    run_exports: Mapping[str, RunExport] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class People:
    """Person boxes of one picture.

    Attributes:
        boxes_xyxy: (N, 4) float32, pixels of the picture, best first.
        scores: (N,) float32 in 0..1.
        note: how they came about, if that must be said ("no person found", "whole image").
        ids: (N,) int32, the same number for the same person throughout a clip, from 1; None outside clips.
    """

    boxes_xyxy: npt.NDArray[np.float32]
    scores: npt.NDArray[np.float32]
    note: str | None = None
    ids: npt.NDArray[np.int32] | None = None

    def __len__(self) -> int:
        return len(self.boxes_xyxy)


def build_model(task: Task, size: str) -> TaskModel:
    """The network of a task at a size, with random weights, on the current default device.

    Use `with torch.device("meta")` to build without memory; `sapiens.weights` does, and fills it from the file.
    """
    from sapiens.backbones.sizes import build_backbone, get_size

    spec = get_size(size)
    return TaskModel(build_backbone(size, out_type="featmap"), task.build_head(size, spec.embed_dims))


def stack_inputs(prepared: Sequence[Prepared]) -> Tensor:
    """uint8 (B, 3, h, w) from network inputs."""
    return torch.from_numpy(np.stack([p.input for p in prepared])).permute(0, 3, 1, 2)


@dataclass(frozen=True, eq=False, kw_only=True)
class MaskedResult(Result):
    """A result that can know which pixels are the person.

    Attributes:
        mask: (H, W) bool, True on the person; None: not known, everything counts as foreground. It changes pictures
            and point clouds only, never the predicted arrays.
    """

    mask: npt.NDArray[np.bool_] | None = None

    def __post_init__(self) -> None:
        if self.mask is not None:
            self.check_array("mask", self.mask, np.bool_, *self.meta.size_hw)

    def with_mask(self, mask: npt.NDArray[np.bool_]) -> Self:
        """The same result with a foreground mask of the picture's size.

        Raises:
            InputError: not bool or whole numbers of that size. A matte of fractions needs a threshold,
                and which one is for the caller to say.
        """
        if not isinstance(mask, np.ndarray) or mask.dtype.kind not in "bui":
            got = mask.dtype if isinstance(mask, np.ndarray) else type(mask).__name__
            raise InputError(f"{self.meta.image_id}: mask: expected bool, got {got}", "e.g. alpha > 0.5")
        self.check_shape("mask", mask, *self.meta.size_hw)
        return dataclasses.replace(self, mask=mask.astype(bool))
