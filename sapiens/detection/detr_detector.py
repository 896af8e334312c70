"""People with DETR: weights from the released file, boxes by the rules of the released pose pipeline."""

from __future__ import annotations

import pickle
from collections.abc import Iterator, Sequence
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from sapiens.detection.boxes import Detections
from sapiens.detection.detr import Detr
from sapiens.detection.nms import select
from sapiens.detection.preprocess import normalise, pad_batch, resize, resized_hw
from sapiens.errors import NumericError, WeightsError
from sapiens.imaging.frame import ImageU8

PERSON = 1
"""COCO category number of people."""
WEIGHT_FILES = ("model.safetensors", "pytorch_model.bin")
"""What a folder may hold, in the order of preference."""


class DetrDetector:
    """Detector of the released pose pipeline.

    A box counts when "person" is the most probable of the 91 categories and its probability exceeds `score_threshold`;
    overlapping boxes are then thinned by `sapiens.detection.nms`. Boxes are not clipped to the picture.

    Args:
        network: with its weights, on its device.
        score_threshold, iou_threshold: the released values are 0.3 and 0.3.
        batch_size: pictures per pass.
        mix_sizes: pad pictures of different sizes into one batch. Off: the network was trained without padding, and its
            authors report "a significant drop in AP" for batches of it; pictures of equal input size share a batch.
    """

    name = "detr"

    def __init__(
        self,
        network: Detr,
        *,
        score_threshold: float = 0.3,
        iou_threshold: float = 0.3,
        batch_size: int = 4,
        mix_sizes: bool = False,
    ) -> None:
        self._network = network.eval().requires_grad_(requires_grad=False)
        self._device = next(network.parameters()).device
        self._thresholds = (score_threshold, iou_threshold)
        self._batch_size = batch_size
        self._mix_sizes = mix_sizes

    @classmethod
    def load(cls, path: Path, device: torch.device | str = "cpu") -> DetrDetector:
        """Build from a weights file, or from a folder that holds one.

        Raises:
            WeightsError: no such file, a damaged one, or one made for another network.
        """
        with torch.device("meta"):
            network = Detr()
        fill(network, _weights_file(path))
        return cls(network.to(device))

    def __call__(self, images: Sequence[ImageU8]) -> list[Detections]:
        """Find the people in each picture; see `Detector`.

        Raises:
            NumericError: the network produced NaN or Inf.
        """
        found: dict[int, Detections] = {}
        for batch in self._batches(images):
            found.update(zip(batch, self._detect([images[index] for index in batch]), strict=True))
        return [found[index] for index in range(len(images))]

    def _batches(self, images: Sequence[ImageU8]) -> Iterator[list[int]]:
        """Indices of the pictures that go through the network together."""
        groups: dict[object, list[int]] = {}
        for index, image in enumerate(images):
            key = None if self._mix_sizes else resized_hw(image.shape[:2])
            groups.setdefault(key, []).append(index)
        for group in groups.values():
            for start in range(0, len(group), self._batch_size):
                yield group[start : start + self._batch_size]

    @torch.inference_mode()
    def _detect(self, images: Sequence[ImageU8]) -> list[Detections]:
        inputs = normalise([resize(image, resized_hw(image.shape[:2])) for image in images], self._device)
        logits, boxes = self._network(*pad_batch(inputs))
        if not (logits.isfinite().all() and boxes.isfinite().all()):
            raise NumericError(f"detector {self.name} produced NaN or infinity")
        # The network's boxes are fractions of the picture itself, padded or not.
        return [
            people(logits[index], boxes[index], image.shape[:2], *self._thresholds)
            for index, image in enumerate(images)
        ]


def people(
    logits: Tensor, boxes: Tensor, size_hw: tuple[int, int], score_threshold: float, iou_threshold: float
) -> Detections:
    """The people among one picture's queries.

    Args:
        logits: (Q, 92), "no object" last.
        boxes: (Q, 4) cx, cy, w, h as fractions of the picture.
        size_hw: the picture's height and width in pixels.
        score_threshold, iou_threshold: see `DetrDetector`.
    """
    scores, labels = logits.softmax(-1)[:, :-1].max(-1)
    person = labels == PERSON
    corners = to_corners(boxes, size_hw)[person].cpu().numpy()
    return select(corners, scores[person].cpu().numpy(), score_threshold, iou_threshold)


def to_corners(boxes: Tensor, size_hw: tuple[int, int]) -> Tensor:
    """(..., 4) cx, cy, w, h as fractions -> x1, y1, x2, y2 in pixels."""
    centre, extent = boxes[..., :2], boxes[..., 2:]
    corners = torch.cat((centre - extent / 2, centre + extent / 2), -1)
    return corners * corners.new_tensor([size_hw[1], size_hw[0]] * 2)


def fill(network: nn.Module, path: Path) -> None:
    """Give a network built on the meta device the tensors of a file.

    Raises:
        WeightsError: the file cannot be read, or its names or shapes are not the network's.
    """
    tensors = _read(path)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    missing, unexpected = sorted(expected.keys() - tensors.keys()), sorted(tensors.keys() - expected.keys())
    misshapen = [
        f"{name} is {tuple(tensors[name].shape)}, not {shape}"
        for name, shape in expected.items()
        if name in tensors and tuple(tensors[name].shape) != shape
    ]
    problems = {"missing": missing, "unexpected": unexpected, "other shapes": misshapen}
    if any(problems.values()):
        listed = "; ".join(
            f"{len(v)} {k} ({', '.join(v[:3])}{', ...' * (len(v) > 3)})" for k, v in problems.items() if v
        )
        raise WeightsError(f"{path}: not the weights of DETR-ResNet-101-DC5: {listed}")
    network.load_state_dict({name: tensor.float() for name, tensor in tensors.items()}, strict=True, assign=True)


def _read(path: Path) -> dict[str, Tensor]:
    try:
        if path.suffix == ".safetensors":
            tensors: dict[str, Tensor] = load_file(path)
        else:
            tensors = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise WeightsError(f"{path}: cannot be read as weights ({reason})", "download it again") from error
    if not isinstance(tensors, dict) or not all(isinstance(tensor, Tensor) for tensor in tensors.values()):
        raise WeightsError(f"{path}: expected a table of tensors by name")
    return tensors


def _weights_file(path: Path) -> Path:
    if path.is_file():
        return path
    for name in WEIGHT_FILES:
        if (path / name).is_file():
            return path / name
    raise WeightsError(f"{path}: holds no {' or '.join(WEIGHT_FILES)}")
