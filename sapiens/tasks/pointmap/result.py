"""What point map estimation gives: where in space every pixel of the picture lies.

Axes: x right, y down, z forward, the camera at the origin (those of OpenCV and COLMAP). Unit: metres.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from PIL import Image

from sapiens.drawing.palette import side_by_side as beside
from sapiens.imaging.frame import ImageU8
from sapiens.tasks.base import MaskedResult
from sapiens.tasks.pointmap.draw import Bounds, depth_bounds, draw_depth, draw_depth_normals


@dataclass(frozen=True, eq=False, kw_only=True)
class PointmapResult(MaskedResult):
    """A point in space for every pixel of one picture, background included.

    Attributes:
        points: (H, W, 3) float32 x, y, z in metres: x right, y down, z forward. Canonical units if not `metric`.
        scale: what the network predicts beside the points: canonical = metric * scale.
        metric: whether the scale is usable (positive and finite).
        intrinsics: (3, 3) float64 pinhole camera in pixels of this picture, from the scale alone: focal lengths per
            axis, the principal point assumed at the picture's centre ((W - 1) / 2, (H - 1) / 2), integers being pixel
            centres. Nothing forces the points onto its rays. All NaN if not `metric`.
        mask: see `MaskedResult`.
    """

    task: ClassVar[str] = "pointmap"

    points: npt.NDArray[np.float32]
    scale: float
    metric: bool
    intrinsics: npt.NDArray[np.float64]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_array("points", self.points, np.float32, *self.meta.size_hw, 3)
        self.check_array("intrinsics", self.intrinsics, np.float64, 3, 3)

    @property
    def depth_m(self) -> npt.NDArray[np.float32]:
        """(H, W) float32 distance along the viewing axis, the points' z."""
        return self.points[..., 2]

    @property
    def focal_px(self) -> float:
        """Horizontal focal length in pixels of this picture; NaN if not `metric`."""
        return float(self.intrinsics[0, 0])

    def depth_f16(self) -> npt.NDArray[np.float16]:
        """(H, W) float16 depth as the original stores it; infinite beyond 65504."""
        with np.errstate(over="ignore"):
            return self.depth_m.astype(np.float16)

    def foreground(self) -> npt.NDArray[np.bool_]:
        """(H, W) bool: the mask, or everything if there is none."""
        return self.mask if self.mask is not None else np.ones(self.meta.size_hw, bool)

    def draw(
        self,
        image: ImageU8 | None = None,
        *,
        side_by_side: bool = False,
        bounds: Bounds | None = None,
        with_normals: bool = False,
        keep_background: bool = False,
    ) -> Image.Image:
        """Depth as colours, near in red and far in blue; see `Result.draw`.

        Args:
            image, side_by_side: as in `Result.draw`; the panels are [picture | depth | normals].
            bounds: nearest and farthest depth of the scale of colours; default this picture's own. Pictures to be
                compared need common ones: `depth_bounds(results)`.
            with_normals: add a panel with the normals that the depth implies.
            keep_background: show the picture off the person instead of grey; needs a mask to have an effect.
        """
        canvas = self.canvas(image)
        depth, foreground = self.depth_f16(), self.foreground()
        chosen = bounds if bounds is not None else depth_bounds([self])
        background = canvas if keep_background else None
        panels = [canvas] if side_by_side else []
        panels.append(draw_depth(depth, foreground, chosen, background))
        if with_normals:
            panels.append(draw_depth_normals(depth, foreground, chosen, background))
        return Image.fromarray(beside(*panels))

    def save_ply(self, path: str | Path) -> Path:
        """Write the foreground as a coloured PLY point cloud; see `formats.write_ply`."""
        from sapiens.tasks.pointmap.formats import write_ply

        return write_ply(self, Path(path))

    def save_glb(self, path: str | Path, *, mesh: bool = False) -> Path:
        """Write the foreground as glTF 2.0, points or triangles; see `glb.write_glb`."""
        from sapiens.tasks.pointmap.glb import write_glb

        return write_glb(self, Path(path), mesh=mesh)
