"""From a picture and its people to heatmaps, and back to keypoints in pixels of the picture."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from sapiens.errors import InputError, UnknownNameError
from sapiens.imaging.frame import Frame
from sapiens.imaging.geometry import BoxCrop
from sapiens.tasks.base import Meta, People, Prepared, Raw, Setup
from sapiens.tasks.pose.codec import decode as decode_heatmaps
from sapiens.tasks.pose.codec import decode_centroid
from sapiens.tasks.pose.keypoints import NAMES, SWAP_INDEX
from sapiens.tasks.pose.result import PoseResult


@dataclass(frozen=True)
class PoseOptions:
    """Switches of pose estimation.

    Attributes:
        flip: also run the mirrored input and average both heatmaps, as the published numbers do; twice the time.
        padding: factor on the person boxes' width and height.
        refine: how points are placed between cells: "dark" as released, or "centroid", for networks with coarse maps.
        max_step: of "dark": longest refinement in heatmap cells, beyond which a point stays at its heatmap's largest
            cell; None: no limit, as released.
    """

    flip: bool = True
    padding: float = 1.25
    refine: Literal["dark", "centroid"] = "dark"
    max_step: float | None = None

    def __post_init__(self) -> None:
        if self.flip not in (True, False):
            raise InputError(f"flip: expected true or false, got {self.flip!r}")
        if not 0 < self.padding < float("inf"):
            raise InputError(f"padding: expected a positive factor, got {self.padding}")
        if self.refine not in ("dark", "centroid"):
            raise UnknownNameError("refine", str(self.refine), ["dark", "centroid"])
        if self.max_step is not None and not self.max_step >= 0:
            raise InputError(f"max_step: expected 0 or more heatmap cells, or None; got {self.max_step}")


def preprocess(frame: Frame, boxes: npt.NDArray[np.float32] | None, setup: Setup) -> list[Prepared]:
    """One crop per person box.

    Args:
        frame: the picture.
        boxes: (N, 4) float32 xyxy in pixels of the picture; N may be 0.
        setup: with `PoseOptions`.

    Raises:
        InputError: no boxes, or one that cannot be cropped.
    """
    if boxes is None:
        raise InputError(f"{frame.id}: pose needs person boxes", hint="give boxes, a detector, or whole_image=True")
    try:
        crops = [BoxCrop.from_box(box, setup.input_hw, setup.options.padding) for box in boxes]
        return [Prepared(crop.apply(frame.image), crop) for crop in crops]
    except InputError as error:  # names the box; which picture it belongs to is known here
        raise InputError(f"{frame.id}: {error.message}", error.hint) from error


def forward(model: nn.Module, x: Tensor, setup: Setup) -> Raw:
    """(B, 3, h, w) normalised RGB -> "heatmaps" (B, 308, h/4, w/4) float32, unbounded.

    With `flip`, the mean of the input's heatmaps and those of its mirror image, mirrored back and with left and right
    points exchanged.
    """
    heatmaps: Tensor = model(x).float()
    if setup.options.flip:
        swap = torch.tensor(SWAP_INDEX, device=x.device)
        mirrored = model(x.flip(-1))
        # One person at a time: whole-batch copies of the mirrored maps would be its largest tensors.
        for person, other in zip(heatmaps, mirrored, strict=True):
            person.add_(other.flip(-1)[swap]).mul_(0.5)
    return {"heatmaps": heatmaps}


def decode(raw: Raw, setup: Setup) -> Raw:
    """Heatmaps -> points, on the device.

    Returns:
        "peaks_uv" (B, 308, 2) float32, x and y in heatmap cells; "scores" (B, 308) float32; "grid_hw" (B, 2) int64,
        rows and columns of the heatmaps.
    """
    heatmaps = raw["heatmaps"]
    if setup.options.refine == "centroid":
        peaks_uv, scores = decode_centroid(heatmaps)
    else:
        peaks_uv, scores = decode_heatmaps(heatmaps, compat=setup.compat, max_step=setup.options.max_step)
    grid_hw = torch.tensor(heatmaps.shape[-2:], device=heatmaps.device).expand(len(heatmaps), 2)
    return {"peaks_uv": peaks_uv, "scores": scores, "grid_hw": grid_hw}


def postprocess(
    raw: Raw, prepared: Sequence[Prepared], frame: Frame, people: People | None, setup: Setup, meta: Meta
) -> PoseResult:
    """Points of one picture's crops -> keypoints in pixels of the picture, in float64 until they are stored.

    The first and the last cell of a heatmap are the edges of the crop: X = u / (columns - 1) * width + left.
    """
    assert people is not None
    assert len(people) == len(prepared)
    if people.note is not None and people.note not in meta.notes:
        meta = meta.with_notes(people.note)
    keypoints = np.empty((0, len(NAMES), 2), np.float32)
    scores = np.empty((0, len(NAMES)), np.float32)
    if prepared:
        size_xy = np.array([crop.geometry.scale_xy for crop in prepared])[:, None]
        center_xy = np.array([crop.geometry.center_xy for crop in prepared])[:, None]
        peaks_uv, grid_hw = raw["peaks_uv"].cpu().double().numpy(), raw["grid_hw"].cpu().numpy()
        unit_xy = peaks_uv / (grid_hw[:, None, ::-1] - 1)
        keypoints = (unit_xy * size_xy + center_xy - size_xy / 2).astype(np.float32)
        scores = raw["scores"].float().cpu().numpy()
    return PoseResult(
        meta=meta,
        image=frame.image,
        boxes_xyxy=people.boxes_xyxy,
        box_scores=people.scores,
        keypoints=keypoints,
        scores=scores,
        ids=people.ids,
    )
