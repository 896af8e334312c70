"""`sapiens.load` and the Predictor it returns."""

from __future__ import annotations

import copy
import dataclasses
import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch

from sapiens.backbones.sizes import get_size
from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.frame import Frame
from sapiens.inference.detail import Detail, check_detail, prepare_detail
from sapiens.inference.devices import (
    COMPILE_MODE,
    INT8,
    beside_network,
    check_compile,
    pick_device,
    pick_dtype,
)
from sapiens.inference.engine import run
from sapiens.inference.item import Item, Source
from sapiens.inference.parts_finder import PartsFinder
from sapiens.inference.people import PeopleFinder
from sapiens.tasks import get_task
from sapiens.tasks.base import Compat, Meta, Prepared, Raw, Result, Setup, Task, TaskModel, build_model, stack_inputs

if TYPE_CHECKING:
    from sapiens.detection import Detector

MEAN = (123.675, 116.28, 103.53)
"""Mean of R, G, B on the 0..255 scale that the released weights expect."""
STD = (58.395, 57.12, 57.375)
"""Standard deviation, likewise."""


NANO_NOTE = "nano, trained on procedural figures only: not the quality of the released models on photographs"

_log = logging.getLogger("sapiens")


def load(
    task: str,
    size: str | None = None,
    *,
    weights: str | Path | None = None,
    device: str | torch.device = "auto",
    dtype: str | torch.dtype = "auto",
    compat: Compat = "default",
    batch_size: int | None = None,
    detector: str | Detector | None = None,
    detail: Detail = "whole",
    compile: bool = False,
    **options: Any,
) -> Predictor:
    """Load a task's network and return something to call with pictures.

    Args:
        task: pose, seg, normal, pointmap, matting or albedo.
        size: 0.1b, 0.4b, 0.8b, 1b, 1b-4k, 5b or nano. Default: that of the file in `weights`, else 1b; where 1b is
            neither on this machine nor to be had from the Hub, the embedded nano, which is said once and noted in
            every result.
        weights: a checkpoint file or folder; default the checkpoint root, then the Hub. "untrained" gives repeatable
            weights that were never trained, to try the machinery with.
        device: "auto", "cpu", "cuda", "cuda:1", "mps".
        dtype: "auto" (bfloat16 on GPUs that compute in it, else float32), "float32", "bfloat16", "float16", or "int8"
            (CPUs only: linear layers of 8-bit integers; docs/performance.md has the errors).
        compat: "reference" keeps every number of the original pipeline, "default" mends what is safe to mend
            (docs/conventions.md lists each mend).
        batch_size: network inputs per pass; default 8 on a GPU, 1 on a CPU.
        detector: for pose and detail="people": a detector name; "parts" (people by the embedded nano's body parts, the
            default with nano); or any callable from a list of pictures to boxes and scores.
        detail: for the dense tasks: "whole", the picture in one pass; "people", also a crop of every person at the
            network's full resolution, pasted in; "tiles", pictures larger than the network's input also in tiles of
            full resolution. See docs/crops.md.
        compile: on CUDA, compile the network (`torch.compile`): the first pass takes minutes, all others less time.
        **options: the task's own switches, e.g. `flip=False` for pose, `probabilities=True` for seg.

    Raises:
        UnknownNameError: no such task, size, dtype, detail or option.
        InputError: a detail that the task or the compat mode has not; compile on another device or in reference mode.
        WeightsError: no usable weights; the message says which file to put where.
    """
    from sapiens.weights import NANO_FILE, load_model, locate, untrained

    kind = get_task(task)
    spec = get_size(size if size is not None else _default_size(kind.name, weights))
    if compat not in ("default", "reference"):
        raise UnknownNameError("compat mode", compat, ["default", "reference"])
    target, number = pick_device(device), pick_dtype(dtype, pick_device(device))
    setup = Setup(spec.input_hw, compat, _options(kind, {**kind.size_options.get(spec.name, {}), **options}))
    check_detail(kind, setup, detail)
    if compile:
        check_compile(target, compat)
    with torch.device("meta"):
        model = build_model(kind, spec.name)
    notes: tuple[str, ...] = ()
    if weights == "untrained":
        digest = untrained(model, dtype=number, device=target)
    else:
        path = locate(kind.name, spec.name, weights)
        notes = (NANO_NOTE,) if path == NANO_FILE else ()
        digest = load_model(model, path, task=kind.name, size=spec.name, dtype=number, device=target).digest
    if target.type == "cpu" and number is not torch.float16 and (dtype == INT8 or compat == "default"):
        from sapiens.cpu.swap import speed_up

        speed_up(model, int8=dtype == INT8)
    if compile:
        model.compile(mode=COMPILE_MODE, dynamic=False)
    return Predictor(
        kind,
        model,
        setup,
        name=f"sapiens2_{spec.name}_{kind.name}",
        digest=digest,
        batch_size=(1 if target.type == "cpu" else 8) if batch_size is None else batch_size,
        detector=detector,
        notes=notes,
        arithmetic=INT8 if dtype == INT8 else None,
        detail=detail,
        whole_batches=compile,
    )


def _default_size(task: str, weights: str | Path | None) -> str:
    """The size to take when none is asked for."""
    from sapiens.weights import NANO_FILE, available, identify, locate

    if weights == "untrained" or (weights is None and (available(task, "1b") or not NANO_FILE.exists())):
        return "1b"
    if weights is not None:
        return identify(locate(task, "1b", weights)).size or "1b"
    _say_once(f"no weights for {task} at hand; using {NANO_NOTE}. `sapiens download {task} --size 1b` fetches those")
    return "nano"


@functools.cache
def _say_once(text: str) -> None:
    _log.warning(text)


def _options(task: Task, given: dict[str, Any]) -> Any:
    fields = getattr(task.options, "__dataclass_fields__", {})
    for name in given:
        if name not in fields:
            raise UnknownNameError(f"option of {task.name}", name, fields)
    return task.options(**given)


class Predictor:
    """A task's network with everything around it: pictures in, results at the pictures' own sizes out.

    Keeps no picture between calls, and may be called from several threads.
    """

    def __init__(
        self,
        task: Task,
        model: TaskModel,
        setup: Setup,
        *,
        name: str,
        digest: str,
        batch_size: int = 1,
        detector: str | Detector | None = None,
        notes: tuple[str, ...] = (),
        arithmetic: str | None = None,
        detail: Detail = "whole",
        whole_batches: bool = False,
    ) -> None:
        if batch_size < 1:
            raise InputError(f"batch_size must be at least 1, got {batch_size}")
        self.task = task
        self.model = model.eval().requires_grad_(requires_grad=False)
        self.setup = setup
        self.name = name
        self.digest = digest
        self.batch_size = batch_size
        self.notes = notes
        self.detail: Detail = check_detail(task, setup, detail)
        weight = next(model.parameters())
        self.device, self.dtype = weight.device, weight.dtype
        self._arithmetic = arithmetic
        self._whole_batches = whole_batches
        self._mean = torch.tensor(MEAN, device=self.device).view(3, 1, 1)
        self._std = torch.tensor(STD, device=self.device).view(3, 1, 1)
        self._detector = detector
        self._finder = self.people_finder()

    def __repr__(self) -> str:
        return f"Predictor({self.name}, {self.dtype_name} on {self.device}, compat={self.setup.compat!r})"

    @property
    def dtype_name(self) -> str:
        """What the network computes in, e.g. "float32" or "int8"."""
        return self._arithmetic or str(self.dtype).removeprefix("torch.")

    @property
    def needs_people(self) -> bool:
        """Whether it must know where the people are."""
        return self.task.top_down or self.detail == "people"

    def with_detail(self, detail: Detail) -> Predictor:
        """The same network looking more or less closely; see `load`.

        Raises:
            InputError: a detail that there is not, or that the task has not.
        """
        other = copy.copy(self)
        other.detail = check_detail(self.task, self.setup, detail)
        return other

    def __call__(
        self,
        images: Any,
        boxes: Any = None,
        *,
        masks: Any = None,
        whole_image: bool = False,
        detail: Detail | None = None,
    ) -> Any:
        """Predict on one picture or a list of pictures of any sizes.

        Args:
            images: a path, PIL image or (H, W, 3) uint8 RGB array, or a list of them.
            boxes: for pose and detail="people": (N, 4) person boxes xyxy in pixels, or a list with one such array (or
                None) per picture; default a detector finds the people.
            masks: for normals, points and albedo: (H, W) bool foreground, or a list with one (or None) per picture.
            whole_image: for pose: take the whole picture as one person.
            detail: as in `load`, for this call.

        Returns:
            the task's result, or a list of results in the order of the pictures.

        Raises:
            InputError: a picture or box that cannot be used; the message names it.
            NumericError: the network produced NaN or Inf.
        """
        if detail is not None and detail != self.detail:
            return self.with_detail(detail)(images, boxes, masks=masks, whole_image=whole_image)
        many = isinstance(images, Sequence) and not isinstance(images, str | bytes)
        pictures = list(images) if many else [images]
        box_list = _per_picture(boxes, len(pictures), many, "boxes")
        mask_list = _per_picture(masks, len(pictures), many, "masks")
        finder = None
        if whole_image and not self.task.top_down:
            raise InputError(f"{self.task.name} works on whole pictures: whole_image is for pose")
        if self.needs_people:
            finder = self._finder
            if boxes is not None or whole_image:
                finder = self.people_finder(boxes=lambda item: box_list[item.index], whole_image=whole_image)
        elif boxes is not None:
            raise InputError(
                f"{self.task.name} works on whole pictures: boxes are for pose",
                hint="detail='people' crops around them" if self.detail == "whole" else None,
            )
        sources = (picture_source(picture, index) for index, picture in enumerate(pictures))
        with closing(run(sources, [self], find=finder, mask=lambda item: mask_list[item.index])) as items:
            results = [self._result(item) for item in items]
        return results if many else results[0]

    def stream(
        self,
        sources: Any,
        *,
        whole_image: bool = False,
        frames: str | None = None,
        fps: float | None = None,
        sequence: bool = False,
        detect_every: int = 1,
        subject: str = "all",
        smooth: bool = False,
        detail: Detail | None = None,
    ) -> Iterator[Result]:
        """Predict lazily, in order and in bounded memory, on clips, streams, pictures or whatever yields pictures.

        Args:
            sources: a clip, picture, folder, glob, pattern of numbered pictures ("plate.%04d.png"), address of a stream
                ("rtsp://..."), "camera:0", or any iterable of pictures.
            whole_image: for pose: take every picture as one person.
            frames: of clips: "10:200:2" as in Python; default all.
            fps: of numbered pictures and iterables; default 25.
            sequence: take the pictures of a folder, or of the iterable, as the frames of one clip.
            detect_every: in clips, where people are looked for (pose, detail="people"): in every so many frames; boxes
                move on in between.
            subject: likewise: "all", "largest", "centre", "id:3" or "box:x1,y1,x2,y2"; followed through a clip.
            smooth: for pose in clips: steady the keypoints (One-Euro filter).
            detail: as in `load`, for this call.

        Yields:
            results; in clips with `meta.frame` and `meta.time_s`, and `ids` of the people.

        Raises:
            SapiensError: at the first picture that fails, after the results of those before it; what a damaged clip
                does not give, after all the frames it gives.
        """
        from sapiens.inference.streaming import How, stream

        how = How(whole_image, frames, fps, sequence, detect_every, subject, smooth)
        looking = self if detail is None else self.with_detail(detail)
        with closing(stream(looking, sources, how)) as items:
            for item in items:
                yield self._result(item)

    def people_finder(self, *, boxes: Callable[[Item], Any] | None = None, whole_image: bool = False) -> PeopleFinder:
        """How this predictor finds people; see `PeopleFinder`."""
        return PeopleFinder(
            self._make_detector,
            boxes=boxes,
            whole_image=whole_image,
            whole_if_nobody=self.setup.compat == "reference",
        )

    def _make_detector(self) -> Detector:
        from sapiens.detection import find_detector

        if self._detector is not None and not isinstance(self._detector, str):
            return self._detector
        if self._detector == PartsFinder.name or (self._detector is None and NANO_NOTE in self.notes):
            return PartsFinder(load("seg", "nano", device=self.device))
        return find_detector(self._detector, device=self.device, compat=self.setup.compat)

    def _result(self, item: Item) -> Result:
        if item.error is not None:
            raise item.error
        return item.results[self.task.name]

    # The three steps that the engine calls, in this order.

    def prepare(self, item: Item) -> None:
        """Cut the network inputs from an item's picture."""
        item.collage = None
        if self.detail != "whole":
            item.prepared = prepare_detail(item, self.task, self.setup, self.detail)
            return
        boxes = item.people.boxes_xyxy if item.people is not None else None
        item.prepared = self.task.preprocess(item.take(), boxes, self.setup)

    @torch.inference_mode()
    def forward(self, prepared: Sequence[Prepared]) -> Raw:
        """Normalise, run the network and reduce its outputs, on the device.

        Returns:
            raw outputs in float32 with the batch first, and "finite" (B,) bool: whether an item's outputs all are.
        """
        pixels = stack_inputs(prepared).to(self.device, non_blocking=True)
        batch = ((pixels.float() - self._mean) / self._std).to(self.dtype)
        if self._whole_batches and len(batch) < self.batch_size:
            # A compiled network knows one size of batch.
            batch = torch.cat([batch, batch[-1:].expand(self.batch_size - len(batch), -1, -1, -1)])
        outputs = self.task.forward(self.model, batch, self.setup)
        raw = {name: tensor[: len(pixels)].float() for name, tensor in outputs.items()}
        # A sum is finite exactly when its terms are (short of 1e38), and costs no second array.
        sums = [tensor.flatten(1).sum(1) for tensor in raw.values()]
        finite = torch.stack([s.isfinite() for s in sums]).all(0)
        return {**self.task.decode(raw, self.setup), "finite": finite}

    def absorb(self, item: Item, prepared: Prepared, raw: Raw) -> None:
        """Paste the raw outputs of one of the inputs of an item that has a collage."""
        with torch.inference_mode():
            item.collage.add(prepared, raw, self._meta(item))

    def finish(self, item: Item) -> Result:
        """Turn an item's raw outputs into the task's result."""
        frame, meta = item.take(), self._meta(item)
        # The check for NaN has waited for the pass that made the raw outputs.
        with torch.inference_mode(), beside_network(self.device, item.raw.values()):
            result: Result = (
                item.collage.finish(meta)
                if item.collage is not None
                else self.task.postprocess(item.raw, item.prepared, frame, item.people, self.setup, meta)
            )
        item.prepared, item.raw, item.collage = [], {}, None
        return result if result.image is not None else dataclasses.replace(result, image=frame.image)

    def _meta(self, item: Item) -> Meta:
        frame = item.take()
        meta = Meta(
            image_id=frame.id,
            size_hw=frame.size_hw,
            task=self.task.name,
            model=self.name,
            weights=self.digest,
            dtype=self.dtype_name,
            compat=self.setup.compat,
            notes=self.notes,
            frame=frame.index if item.source.clip is not None else None,
            time_s=frame.time_s,
        )
        if item.people is not None and item.people.note and self.needs_people:
            meta = meta.with_notes(item.people.note)
        return meta


def picture_source(picture: Any, index: int) -> Source:
    """A source for a path, PIL image, array or Frame handed over in memory."""
    from sapiens.imaging.read import to_frame

    path = Path(picture) if isinstance(picture, str | Path) else None
    name = str(path) if path is not None else f"picture {index}"
    read = (lambda: picture) if isinstance(picture, Frame) else (lambda: to_frame(picture, index))
    return Source(name, read, path)


def _per_picture(values: Any, count: int, many: bool, name: str) -> list[Any]:
    """One value per picture: a single picture's value is wrapped, a list's length is checked."""
    if values is None:
        return [None] * count
    if not many:
        return [values]
    if not isinstance(values, list | tuple) or len(values) != count:
        raise InputError(f"{name}: expected a list with one entry per picture ({count}), got {_describe(values)}")
    return list(values)


def _describe(values: Any) -> str:
    if isinstance(values, np.ndarray):
        return f"an array of shape {values.shape}"
    return f"{len(values)} entries" if isinstance(values, list | tuple) else repr(values)
