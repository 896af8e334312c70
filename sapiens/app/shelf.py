"""The networks of this machine: which are there, and those in memory."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sapiens.app.features import BACKBONE_OF, NAME, SERVED, served_task
from sapiens.app.limits import Limits
from sapiens.app.options import make_options
from sapiens.app.order import Order
from sapiens.app.refusal import RefusedError
from sapiens.backbones.sizes import SIZES
from sapiens.detection import Detections, Detector, find_detector
from sapiens.detection.find import default_detector_name, locate
from sapiens.detection.zoo import DETECTORS
from sapiens.errors import InputError, UnknownNameError, WeightsError
from sapiens.imaging.frame import ImageU8
from sapiens.inference.devices import pick_device
from sapiens.inference.parts_finder import PartsFinder
from sapiens.inference.predictor import NANO_NOTE, Predictor, load
from sapiens.tasks.base import MaskedResult, Setup, Task
from sapiens.weights import NANO_FILE, find_local

NANO = "nano"
PREFERRED = ("1b", "0.8b", "0.4b", "0.1b", "5b", "1b-4k", NANO)
"""Which of the sizes at hand is taken where none is asked for."""
MASK_TASKS = ("seg", "matting")
"""Tasks that tell people from the rest; see `sapiens.inference.masks.foreground`."""


@dataclass(frozen=True)
class Key:
    """What has to be equal for requests to share a pass of the network.

    Attributes:
        task, size: the network.
        options: the task's switches as sorted pairs.
        whole_image, mask: as in `Order`.
    """

    task: str
    size: str
    options: tuple[tuple[str, Any], ...] = ()
    whole_image: bool = False
    mask: str | None = None


class Shelf:
    """Networks by task and size, loaded when first asked for. Only what is on this machine: it never downloads.

    Args:
        limits: how many stay in memory.
        size: taken where a request names none and this size is there.
        device: see `sapiens.load`.
        detector: name of the person detector, or "parts": by nano's body parts. None: the usual detector where its
            weights are on this machine, else by parts.
    """

    def __init__(
        self, limits: Limits, *, size: str | None = None, device: str = "auto", detector: str | None = None
    ) -> None:
        self._limits, self._size, self._device, self._detector = limits, size, device, detector
        self._loaded: OrderedDict[tuple[str, str], Predictor] = OrderedDict()
        self.people = _People(self, limits.max_people)
        self._lock = threading.Lock()

    def sizes(self, task: str) -> list[str]:
        """The sizes of a task with weights on this machine, the one taken by default first."""
        found = [size for size in PREFERRED if find_local(_weights_of(task), size) is not None]
        return sorted(found, key=lambda size: size != self._size)

    def models(self) -> list[dict[str, Any]]:
        """Every network on this machine, as `GET /v1/models` tells it."""
        return [
            {
                "task": task,
                "size": size,
                "name": _model_name(task, size),
                "default": number == 0,
                "loaded": (_weights_of(task), size) in self._loaded,
                "input_hw": list(SIZES[size].input_hw),
                "note": NANO_NOTE if find_local(_weights_of(task), size) == NANO_FILE else None,
            }
            for task in SERVED
            for number, size in enumerate(self.sizes(task))
        ]

    def loaded(self) -> int:
        """How many networks are in memory."""
        return len(self._loaded)

    def key(self, task: str, order: Order) -> Key:
        """What an order needs, checked.

        Raises:
            RefusedError: no such task, or a size that is not on this machine.
            InputError: an option that the task lacks or cannot have, or something the task cannot do.
        """
        if task not in SERVED:
            error = UnknownNameError("task", task, SERVED)
            raise RefusedError(404, error.message, error.hint)
        kind, sizes = served_task(task), self.sizes(task)
        if order.size is not None and order.size not in sizes:
            raise RefusedError(
                404, f"no {task} weights at {order.size!r} on this machine", f"there is {_listed(sizes)}"
            )
        if not sizes:
            raise RefusedError(404, f"no {task} weights on this machine", f"sapiens download {task}")
        size = order.size or sizes[0]
        options = tuple(sorted((order.options or {}).items(), key=lambda pair: pair[0]))
        make_options(kind, size, options)
        _check_fit(kind, order)
        return Key(task, size, options, order.whole_image, order.mask)

    def predictors(self, key: Key) -> list[Predictor]:
        """What to run for a key, in this order; loads what is not in memory.

        Raises:
            WeightsError: weights that cannot be used.
        """
        chosen = self.take(_weights_of(key.task), key.size)
        if key.options or key.task == NAME:
            chosen = self._variant(chosen, key)
        if key.mask is None:
            return [chosen]
        return [self.take(key.mask, self.sizes(key.mask)[0]), chosen]

    def _variant(self, loaded: Predictor, key: Key) -> Predictor:
        """A network in memory, doing something else than it was loaded for."""
        task = served_task(key.task)
        options = make_options(task, key.size, key.options)
        return Predictor(
            task,
            loaded.model,
            Setup(loaded.setup.input_hw, loaded.setup.compat, options),
            name=_model_name(key.task, key.size),
            digest=loaded.digest,
            batch_size=loaded.batch_size,
            detector=self.people,
            notes=loaded.notes,
        )

    def take(self, task: str, size: str) -> Predictor:
        """A network with its task's usual options."""
        with self._lock:
            if (task, size) not in self._loaded:
                self._loaded[task, size] = load(
                    task, size, weights=find_local(task, size), device=self._device, detector=self.people
                )
            self._loaded.move_to_end((task, size))
            for old in [name for name in self._loaded if name[1] != NANO][: -self._limits.max_models]:
                del self._loaded[old]
            return self._loaded[task, size]

    def make_detector(self) -> Detector:
        """The person detector, as it was chosen.

        Raises:
            SapiensError: no such detector, or no usable weights.
        """
        name = self._detector
        if name is not None and name != PartsFinder.name and not Path(name).exists() and not _is_here(name):
            raise WeightsError(f"person detector {name}: not on this machine", f"sapiens download detector {name}")
        if name is None and locate(default_detector_name()) is not None:
            name = default_detector_name()
        if name in (None, PartsFinder.name):
            return PartsFinder(self.take("seg", NANO))
        return find_detector(name, device=pick_device(self._device))


class _People:
    """The one detector of all predictors, made when the first picture needs it; finds a bounded number of people."""

    name = "shared"

    def __init__(self, shelf: Shelf, most: int) -> None:
        self._shelf, self._most = shelf, most
        self._detector: Detector | None = None

    def __call__(self, images: Sequence[ImageU8]) -> list[Detections]:
        if self._detector is None:
            self._detector = self._shelf.make_detector()
        return [_best(found, self._most) for found in self._detector(images)]


def _best(found: Detections, count: int) -> Detections:
    return found if len(found) <= count else Detections(found.boxes_xyxy[:count], found.scores[:count])


def _check_fit(task: Task, order: Order) -> None:
    if not task.top_down and (order.boxes is not None or order.whole_image):
        raise InputError(f"{task.name} works on whole pictures: boxes and whole_image are for pose")
    if order.boxes is not None and order.whole_image:
        raise InputError("boxes and whole_image exclude each other")
    if order.mask is None:
        return
    if not issubclass(task.result, MaskedResult):
        raise InputError(f"mask: {task.name} takes none")
    if order.mask not in MASK_TASKS:
        raise UnknownNameError("mask", order.mask, MASK_TASKS)


def _weights_of(task: str) -> str:
    """The task whose weights a task of the service uses."""
    return BACKBONE_OF if task == NAME else task


def _model_name(task: str, size: str) -> str:
    return f"sapiens2_{size}_{task}"


def _is_here(detector: str) -> bool:
    """Whether a detector's weights are on this machine; the server never downloads."""
    known = detector in DETECTORS or detector.count("/") == 1
    return known and locate(detector) is not None


def _listed(sizes: list[str]) -> str:
    return ", ".join(sizes) or "none"
