"""From pictures to network inputs: the size rule of DETR, PIL's bilinear resize, normalisation, padding."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from sapiens.imaging.frame import ImageU8

MEAN = (0.485, 0.456, 0.406)
"""ImageNet mean of R, G, B on the 0..1 scale."""
STD = (0.229, 0.224, 0.225)
"""Standard deviation, likewise."""


def resized_hw(size_hw: tuple[int, int], shortest: int = 800, longest: int = 1333) -> tuple[int, int]:
    """The size DETR sees a picture at, aspect ratio kept.

    The shorter side becomes `shortest`, or less where the longer one would exceed `longest`. Roundings are those of the
    original processor: the longer side is cut off, so that it can end up one pixel below `longest`; and a picture whose
    shorter side need not change stays as it is, even if the longer one is a little above `longest`.
    """
    short, long = sorted(size_hw)
    target = longest * short / long if long / short * shortest > longest else float(shortest)
    if round(target) == short:
        return size_hw
    new_short, new_long = max(1, round(target)), max(1, int(target * long / short))
    return (new_short, new_long) if size_hw[0] < size_hw[1] else (new_long, new_short)


def resize(image: ImageU8, size_hw: tuple[int, int]) -> ImageU8:
    """Bilinear, smoothed when shrinking, rounded to 8 bits: (H, W, 3) uint8 -> (h, w, 3) uint8."""
    if image.shape[:2] == size_hw:
        return image
    resized = Image.fromarray(image).resize((size_hw[1], size_hw[0]), Image.Resampling.BILINEAR)
    return np.asarray(resized)


def normalise(
    images: Sequence[ImageU8],
    device: torch.device,
    mean: tuple[float, ...] = MEAN,
    std: tuple[float, ...] = STD,
) -> list[Tensor]:
    """Each (h, w, 3) uint8 -> (3, h, w) float32 on the device, (value / 255 - mean) / std."""
    mean_311 = torch.tensor(mean, device=device).view(3, 1, 1)
    std_311 = torch.tensor(std, device=device).view(3, 1, 1)
    # A copy, because PIL hands out read-only memory.
    pixels = (torch.from_numpy(np.array(image)).to(device).permute(2, 0, 1) for image in images)
    return [(p / 255 - mean_311) / std_311 for p in pixels]


def pad_batch(inputs: Sequence[Tensor]) -> tuple[Tensor, Tensor | None]:
    """Stack inputs of different sizes.

    Args:
        inputs: (3, h, w) each.

    Returns:
        (B, 3, H, W) with zeros at the right and bottom, and the (B, H, W) bool mask that is True on the pictures; None
        where nothing had to be padded.
    """
    height, width = max(x.shape[1] for x in inputs), max(x.shape[2] for x in inputs)
    if all(x.shape[1:] == (height, width) for x in inputs):
        return torch.stack(list(inputs)), None
    batch = inputs[0].new_zeros(len(inputs), 3, height, width)
    mask = torch.zeros(len(inputs), height, width, dtype=torch.bool, device=batch.device)
    for index, x in enumerate(inputs):
        batch[index, :, : x.shape[1], : x.shape[2]] = x
        mask[index, : x.shape[1], : x.shape[2]] = True
    return batch, mask
