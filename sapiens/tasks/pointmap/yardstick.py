"""What predicted points are held against."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
import numpy.typing as npt

from sapiens.imaging.frame import ImageU8
from sapiens.imaging.sample import Sample
from sapiens.tasks.base import Meta
from sapiens.tasks.measuring import known_mask
from sapiens.tasks.pointmap.draw import depth_bounds
from sapiens.tasks.pointmap.metrics import true_points
from sapiens.tasks.pointmap.result import PointmapResult
from sapiens.tasks.yardstick import Answer, MeanMap, Pair, Yardstick


def truth(sample: Sample, meta: Meta) -> PointmapResult:
    """The points of the depth, seen through the annotated camera, and where they are known."""
    known = known_mask(sample)
    points = true_points(sample, known)[0]
    camera = np.asarray(sample.extra["intrinsics"], np.float64)
    return _result(points, camera, sample, meta, known)


def _result(
    points: npt.NDArray[np.floating],
    camera: npt.NDArray[np.float64],
    sample: Sample,
    meta: Meta,
    mask: npt.NDArray[np.bool_] | None = None,
) -> PointmapResult:
    return PointmapResult(
        meta=meta,
        image=sample.image,
        points=np.asarray(points, np.float32),
        scale=1.0,
        metric=True,
        intrinsics=camera,
        mask=mask,
    )


class _Training:
    """What trivial answers take from training pictures: the mean points, and the mean focal length in widths."""

    def __init__(self, samples: Iterable[Sample]) -> None:
        self.points = MeanMap(3)
        focal = []
        for sample in samples:
            known = known_mask(sample)
            points, focal_px = true_points(sample, known)
            self.points.add(points, known)
            focal.append(focal_px / sample.size_hw[1])
        self.focal = float(np.mean(focal)) if focal else 1.0

    def camera(self, size_hw: tuple[int, int]) -> npt.NDArray[np.float64]:
        height, width = size_hw
        focal = self.focal * width
        return np.array([[focal, 0, (width - 1) / 2], [0, focal, (height - 1) / 2], [0, 0, 1]])


def mean_map(samples: Iterable[Sample]) -> Answer:
    """The mean point of each place of the picture."""
    known = _Training(samples)
    return lambda sample, meta: _result(known.points.at(sample.size_hw), known.camera(sample.size_hw), sample, meta)


def flat_plane(samples: Iterable[Sample]) -> Answer:
    """A plane at the mean depth, seen through a camera of the mean focal length."""
    known = _Training(samples)

    def answer(sample: Sample, meta: Meta) -> PointmapResult:
        camera, depth = known.camera(sample.size_hw), float(known.points.overall[2])
        rows, columns = np.mgrid[: sample.size_hw[0], : sample.size_hw[1]]
        rays = [(columns - camera[0, 2]) / camera[0, 0], (rows - camera[1, 2]) / camera[1, 1], np.ones(rows.shape)]
        return _result(np.stack(rays, -1) * depth, camera, sample, meta)

    return answer


def draw(true: PointmapResult, found: PointmapResult, image: ImageU8) -> Pair:
    """Both depths within the truth's mask, in the colours of the truth's range."""
    assert true.mask is not None
    bounds = depth_bounds([true])
    return true.draw(image, bounds=bounds), found.with_mask(true.mask).draw(image, bounds=bounds)


YARDSTICK = Yardstick(
    shown={
        "l2_m": "low",
        "l2_aligned_m": "low",
        "z_mae_m": "low",
        "delta_1.25": "high",
        "delta_1.25_aligned": "high",
        "normals/mean_deg": "low",
    },
    truth=truth,
    trivial={"mean map": mean_map, "flat plane": flat_plane},
    draw=draw,
)
