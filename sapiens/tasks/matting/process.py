"""From a picture to a matte and back to alpha and foreground at the picture's size."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn

from sapiens.imaging.frame import Frame
from sapiens.tasks.base import Meta, People, Prepared, Raw, Setup
from sapiens.tasks.dense import stretched
from sapiens.tasks.matting.result import MattingResult

preprocess = stretched("linear")


def forward(model: nn.Module, x: Tensor, setup: Setup) -> Raw:
    """(B, 3, h, w) normalised RGB -> "matte" (B, 4 or 1, h, w) in 0..1: premultiplied R, G, B, and alpha last."""
    return {"matte": model(x)}


def postprocess(
    raw: Raw, prepared: Sequence[Prepared], frame: Frame, people: People | None, setup: Setup, meta: Meta
) -> MattingResult:
    """A matte (1, 4 or 1, h, w), bilinearly resized to the picture and clipped to 0..1 -> alpha and foreground."""
    (item,) = prepared
    matte = item.geometry.restore(raw["matte"])[0].clamp(0, 1).cpu()
    foreground = matte[:-1].permute(1, 2, 0).contiguous().numpy() if len(matte) > 1 else None
    return MattingResult(meta=meta, image=frame.image, alpha=matte[-1].contiguous().numpy(), foreground=foreground)
