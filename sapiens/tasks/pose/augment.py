"""Augmentation for keypoints, in the released order and with the released values: one person's crop, varied."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.errors import InputError
from sapiens.imaging.augment import Range, check_settings, happens, keep
from sapiens.imaging.augment_geometry import random_flip
from sapiens.imaging.augment_photo import Photometric, box_blur, distort, drop_out, median_blur
from sapiens.imaging.frame import ImageU8
from sapiens.imaging.geometry import BoxCrop
from sapiens.imaging.sample import Sample, warp
from sapiens.tasks.pose.keypoints import LOWER_BODY, SWAP_INDEX, UPPER_BODY

FIRST_POINTS = 21
"""Body and feet without the wrists; the points that show whether enough of a person is seen."""
SHORTEST = 1.0
"""Pixels; points closer together than this make no box."""


@dataclass(frozen=True)
class AugmentConfig:
    """How persons are varied; shares are of the persons, the defaults those of the released training.

    Attributes:
        flip: share of mirrored pictures.
        half_body: share, of persons with at least `half_least` known points, of which half the body is cropped.
        half_upper, half_lower: known points that the upper or lower half must have.
        half_prefer_upper: share in which the upper half is taken where both have them.
        half_padding: factor on the extent of the half's points.
        shift, shift_size: share, and largest shift either way, in sizes of the padded box.
        resize: largest change of the size, as a share of it; always drawn.
        rotate, degrees: share, and largest angle either way.
        photometric: light and colour.
        blur, median: shares; means and medians over squares of 3 to 7 pixels a side.
        drop, drop_side: share with a black rectangle, and its sides as shares of the crop's. Points in it stay known.
        least_points: known points that a person must have.
        least_body: known points among the first 21 (body and feet) that a person must have; 0 for faces or hands alone.
        grey: grey pictures are taken too.
    """

    flip: float = 0.5
    half_body: float = 0.3
    half_least: int = 9
    half_upper: int = 2
    half_lower: int = 3
    half_prefer_upper: float = 0.7
    half_padding: float = 1.5
    shift: float = 0.3
    shift_size: float = 0.16
    resize: float = 0.5
    rotate: float = 0.6
    degrees: float = 80.0
    photometric: Photometric = field(default_factory=lambda: Photometric(share=0.8))
    blur: float = 0.1
    median: float = 0.1
    drop: float = 1.0
    drop_side: Range = (0.2, 0.4)
    least_points: int = 8
    least_body: int = 6
    grey: bool = False

    def __post_init__(self) -> None:
        shares = ("flip", "half_body", "half_prefer_upper", "shift", "rotate", "blur", "median", "drop")
        check_settings(self, shares, ("drop_side",))
        if not (0 <= self.resize < 1 and self.drop_side[1] <= 1):
            raise InputError(
                f"augment: resize must be below 1 and drop_side at most 1; got {self.resize} and {self.drop_side}"
            )


class Region(NamedTuple):
    """Part of a picture: centre and size in its pixels, x then y, float32; and a rotation."""

    centre_xy: npt.NDArray[np.float32]
    scale_xy: npt.NDArray[np.float32]
    degrees: float = 0.0


def augment(sample: Sample, rng: np.random.Generator, recipe: Any) -> Sample:
    """A varied crop of a person, at `recipe.input_hw`; points outside it are unknown and at (0, 0).

    Args:
        sample: one person: "keypoints", and extra "box_xyxy" (4,) in pixels.
        rng: decides everything.
        recipe: `augment` is an `AugmentConfig` (None: the released one).

    Raises:
        InputError: no keypoints or box, a box that cannot be cropped, too few known points, a grey picture.
    """
    config: AugmentConfig = recipe.augment or AugmentConfig()
    sample = _require_person(keep(sample, "keypoints"), config)
    sample = random_flip(sample, rng, config.flip, {"keypoints": SWAP_INDEX})
    region = box_region(sample.extra["box_xyxy"], recipe.options.get("padding", 1.25))
    if happens(rng, config.half_body):
        region = half_body(sample.fields["keypoints"], rng, config) or region
    sample = crop(sample, jitter(region, rng, config), recipe.input_hw)
    return dataclasses.replace(sample, image=_disturb(sample.image, rng, config))


def _require_person(sample: Sample, config: AugmentConfig) -> Sample:
    known = sample.fields["keypoints"][:, 2] > 0
    if "box_xyxy" not in sample.extra:
        raise InputError(f"{sample.id}: pose needs the person's box, extra 'box_xyxy'")
    for name, count, least in (
        ("least_points", int(known.sum()), config.least_points),
        ("least_body", int(known[:FIRST_POINTS].sum()), config.least_body),
    ):
        if count < least:
            kind = "keypoints" if name == "least_points" else "keypoints of body and feet"
            raise InputError(f"{sample.id}: {count} known {kind}, fewer than {least}", hint=f"set augment.{name}")
    image = sample.image
    if (
        not config.grey
        and np.array_equal(image[..., 0], image[..., 1])
        and np.array_equal(image[..., 1], image[..., 2])
    ):
        raise InputError(f"{sample.id}: a grey picture", hint="augment.grey=true takes them too")
    return sample


def box_region(box_xyxy: npt.ArrayLike, padding: float) -> Region:
    """A box with its sides times `padding`.

    Raises:
        InputError: not four finite numbers, or no width or height.
    """
    # For its checks of the box alone: the released jitter acts on the box before it is widened.
    BoxCrop.from_box(box_xyxy, (2, 2))
    box = np.asarray(box_xyxy, np.float32)
    return Region((box[:2] + box[2:]) * np.float32(0.5), (box[2:] - box[:2]) * np.float32(padding))


def half_body(keypoints: npt.NDArray[np.float32], rng: np.random.Generator, config: AugmentConfig) -> Region | None:
    """The region of the known points of the upper or the lower body; None where too few are known."""
    known = keypoints[:, 2] > 0
    upper_first = happens(rng, config.half_prefer_upper)
    if known.sum() < config.half_least:
        return None
    halves = [(UPPER_BODY, config.half_upper), (LOWER_BODY, config.half_lower)]
    for ids, least in halves if upper_first else halves[::-1]:
        points = keypoints[[index for index in ids if known[index]], :2]
        if len(points) >= least:
            region = points_region(points, config.half_padding)
            return region if region.scale_xy.max() >= SHORTEST else None
    return None


def points_region(points_xy: npt.NDArray[np.float32], padding: float) -> Region:
    """The region about the mean of points (N, 2); their extent times `padding`."""
    extent = points_xy.max(0) - points_xy.min(0)
    return Region(points_xy.mean(0).astype(np.float32), (extent * np.float32(padding)).astype(np.float32))


def jitter(region: Region, rng: np.random.Generator, config: AugmentConfig) -> Region:
    """Shifted, resized and rotated by normal numbers that are cut off at -1 and 1."""
    shifted, rotated = happens(rng, config.shift), happens(rng, config.rotate)
    dx, dy, size, angle = (_cut_normal(rng) for _ in range(4))
    centre, scale = region.centre_xy, region.scale_xy
    if shifted:
        centre = centre + np.array([dx, dy], np.float32) * np.float32(config.shift_size) * scale
    return Region(centre, scale * np.float32(1 + config.resize * size), config.degrees * angle if rotated else 0.0)


def _cut_normal(rng: np.random.Generator) -> float:
    """A standard normal number, drawn until it lies in -1..1 (two of three do)."""
    while abs(value := float(rng.standard_normal())) > 1:
        pass
    return value


def crop(sample: Sample, region: Region, size_hw: tuple[int, int]) -> Sample:
    """The region as a picture of this size, black outside: cubic if it is not shrunk, else bilinear without averaging.

    Raises:
        InputError: a region without size, or not finite.
    """
    scale = widen(region.scale_xy, size_hw)
    matrix = region_matrix(region._replace(scale_xy=scale), size_hw)
    enlarged = (np.array([size_hw[1] - 1, size_hw[0] - 1]) / scale).min() >= 1
    cropped = warp(sample, matrix, size_hw, interpolation=cv2.INTER_CUBIC if enlarged else cv2.INTER_LINEAR)
    points = cropped.fields["keypoints"]
    points[points[:, 2] == 0] = 0
    return cropped


def widen(scale_xy: npt.NDArray[np.float32], size_hw: tuple[int, int]) -> npt.NDArray[np.float32]:
    """Width and height grown to the aspect ratio of the crop."""
    width, height = scale_xy
    aspect = np.float32(size_hw[1] / size_hw[0])
    wide = (width, width / aspect) if width > aspect * height else (aspect * height, height)
    return np.array(wide, np.float32)


def region_matrix(region: Region, size_hw: tuple[int, int]) -> npt.NDArray[np.float32]:
    """(2, 3), picture to crop: turned about the region's centre, whose opposite edges fall on first and last pixels.

    Without a rotation it is `BoxCrop.matrix`. Source: Huang et al., "The Devil is in the Details", CVPR 2020.

    Raises:
        InputError: a region without size, or not finite.
    """
    factor = BoxCrop(_pair(region.centre_xy), _pair(region.scale_xy), size_hw).matrix.diagonal()
    angle = np.deg2rad(region.degrees)
    turn = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]], np.float32)
    offset = region.scale_xy * np.float32(0.5) - turn @ region.centre_xy
    matrix: npt.NDArray[np.float32] = factor[:, None] * np.concatenate([turn, offset[:, None]], 1)
    return matrix


def _pair(values: npt.NDArray[np.float32]) -> tuple[float, float]:
    return float(values[0]), float(values[1])


def _disturb(image: ImageU8, rng: np.random.Generator, config: AugmentConfig) -> ImageU8:
    image = distort(image, rng, config.photometric)
    if happens(rng, config.blur):
        image = box_blur(image, rng)
    if happens(rng, config.median):
        image = median_blur(image, rng)
    return drop_out(image, rng, config.drop_side) if happens(rng, config.drop) else image
