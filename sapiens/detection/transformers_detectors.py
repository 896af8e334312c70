"""People with D-FINE or RT-DETRv2, run by the `transformers` package (extra "detect").

The networks are those of `transformers`; pictures go in and boxes come out by the few lines below, so that no image
processor, and with it torchvision, is needed. Checkpoints are folders in the layout of the Hub.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import torch
from PIL import Image
from torch import nn

from sapiens.detection.boxes import Detections
from sapiens.detection.detr_detector import to_corners
from sapiens.detection.nms import select
from sapiens.detection.preprocess import MEAN, STD, normalise, resize
from sapiens.errors import MissingDependencyError, NumericError, WeightsError, require
from sapiens.imaging.frame import ImageU8

logger = logging.getLogger(__name__)

NETWORKS = {"d_fine": "DFineForObjectDetection", "rt_detr_v2": "RTDetrV2ForObjectDetection"}
"""`model_type` of the checkpoint's config.json -> class of `transformers`."""
FILES = ("config.json", "preprocessor_config.json", "model.safetensors")
"""What a checkpoint folder holds."""


@dataclass(frozen=True)
class Input:
    """How a checkpoint wants its pictures: stretched to one size, on the 0..1 scale, then normalised.

    Attributes:
        size_hw: network input (rows, columns).
        mean, std: of R, G, B; 0 and 1 where the checkpoint does not normalise.
    """

    size_hw: tuple[int, int]
    mean: tuple[float, ...]
    std: tuple[float, ...]

    @classmethod
    def read(cls, path: Path) -> Input:
        """From a preprocessor_config.json.

        Raises:
            WeightsError: it asks for something other than a bilinear stretch.
        """
        config = read_json(path)
        size = config.get("size", {})
        if not {"height", "width"} <= size.keys() or config.get("do_pad") or not config.get("do_resize", True):
            raise WeightsError(f"{path}: expected a fixed size without padding, got size {size}")
        if config.get("resample", Image.Resampling.BILINEAR) != Image.Resampling.BILINEAR:
            raise WeightsError(f"{path}: expected bilinear resizing (resample 2), got {config['resample']}")
        if config.get("do_normalize", False):
            mean, std = tuple(config.get("image_mean", MEAN)), tuple(config.get("image_std", STD))
        else:
            mean, std = (0.0, 0.0, 0.0), (1.0, 1.0, 1.0)
        return cls((int(size["height"]), int(size["width"])), mean, std)


class TransformersDetector:
    """D-FINE or RT-DETRv2 as a person detector.

    A box counts when its probability of "person" exceeds `score_threshold`; overlapping ones are then thinned by
    `sapiens.detection.nms`. Boxes are not clipped to the picture. Pictures of all sizes share batches.

    Args:
        network: one of `NETWORKS`, with its weights, on its device.
        source: how pictures go in.
        person: index of the class "person".
        name: what users type, or the folder's name.
        score_threshold: 0.5 is what the post-processing of `transformers` takes for these networks.
        iou_threshold: 0.3, as in the released pose pipeline.
        batch_size: pictures per pass.
    """

    def __init__(
        self,
        network: nn.Module,
        source: Input,
        person: int,
        *,
        name: str,
        score_threshold: float = 0.5,
        iou_threshold: float = 0.3,
        batch_size: int = 8,
    ) -> None:
        self.name = name
        self._network = network.eval().requires_grad_(requires_grad=False)
        self._device = next(network.parameters()).device
        self._input = source
        self._person = person
        self._thresholds = (score_threshold, iou_threshold)
        self._batch_size = batch_size

    @classmethod
    def load(cls, folder: Path, device: torch.device | str = "cpu", *, name: str | None = None) -> TransformersDetector:
        """Build from a folder with `FILES`.

        Raises:
            WeightsError: a file is missing, or holds another network or other tensors.
            MissingDependencyError: `transformers` is not installed.
        """
        missing = [file for file in FILES if not (folder / file).is_file()]
        if missing:
            raise WeightsError(
                f"{folder}: holds no {', '.join(missing)}", f"a checkpoint folder has {', '.join(FILES)}"
            )
        config = read_json(folder / "config.json")
        person = _person_class(folder, config)
        network = _load_network(folder, str(config.get("model_type")))
        return cls(
            network.to(device), Input.read(folder / "preprocessor_config.json"), person, name=name or folder.name
        )

    def __call__(self, images: Sequence[ImageU8]) -> list[Detections]:
        """Find the people in each picture; see `Detector`.

        Raises:
            NumericError: the network produced NaN or Inf.
        """
        starts = range(0, len(images), self._batch_size)
        return [found for start in starts for found in self._detect(images[start : start + self._batch_size])]

    @torch.inference_mode()
    def _detect(self, images: Sequence[ImageU8]) -> list[Detections]:
        resized = [resize(image, self._input.size_hw) for image in images]
        inputs = normalise(resized, self._device, self._input.mean, self._input.std)
        output = self._network(pixel_values=torch.stack(inputs))
        scores, boxes = output.logits[..., self._person].sigmoid(), output.pred_boxes
        if not (scores.isfinite().all() and boxes.isfinite().all()):
            raise NumericError(f"detector {self.name} produced NaN or infinity")
        return [
            select(to_corners(b, image.shape[:2]).cpu().numpy(), s.cpu().numpy(), *self._thresholds)
            for image, s, b in zip(images, scores, boxes, strict=True)
        ]


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object from a checkpoint folder.

    Raises:
        WeightsError: it cannot be read, or is no JSON object.
    """
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise WeightsError(f"{path}: cannot be read as JSON ({error})") from error
    if not isinstance(value, dict):
        raise WeightsError(f"{path}: expected a JSON object")
    return value


def _person_class(folder: Path, config: dict[str, Any]) -> int:
    labels = config.get("id2label") or {}
    for index, label in labels.items():
        if str(label).lower() == "person":
            return int(index)
    raise WeightsError(f"{folder / 'config.json'}: none of its {len(labels)} classes (id2label) is called person")


def _load_network(folder: Path, model_type: str) -> nn.Module:
    if model_type not in NETWORKS:
        raise WeightsError(f"{folder}: holds a network of type {model_type!r}; known: {', '.join(NETWORKS)}")
    transformers = require("transformers", "detect")
    try:
        network_class = getattr(transformers, NETWORKS[model_type])
    except (AttributeError, ImportError) as error:
        # transformers imports torchvision wherever it is installed, and one made for another torch fails.
        reason = error.__cause__ or error
        raise MissingDependencyError(
            f"transformers {transformers.__version__} cannot provide {NETWORKS[model_type]} ({reason})",
            "pip install 'sapiens[detect]'; a torchvision made for another torch is best uninstalled",
        ) from error
    with _quiet(transformers):
        network, report = network_class.from_pretrained(
            folder,
            local_files_only=True,
            use_safetensors=True,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported, and refused below
        )
    refused = [*sorted(report["missing_keys"]), *sorted(str(key[0]) for key in report["mismatched_keys"])]
    if refused:
        names = ", ".join(refused[:3]) + ", ..." * (len(refused) > 3)
        raise WeightsError(f"{folder}: {len(refused)} tensors are missing or have another shape: {names}")
    if report["unexpected_keys"]:
        logger.warning("%s: %d tensors are not part of the network", folder, len(report["unexpected_keys"]))
    return network  # type: ignore[no-any-return]


@contextmanager
def _quiet(transformers: ModuleType) -> Iterator[None]:
    """No progress bar and no load report while a network of a few seconds is read."""
    log = transformers.utils.logging
    verbosity, bars = log.get_verbosity(), log.is_progress_bar_enabled()
    log.set_verbosity_error()
    log.disable_progress_bar()
    try:
        yield
    finally:
        log.set_verbosity(verbosity)
        if bars:
            log.enable_progress_bar()
