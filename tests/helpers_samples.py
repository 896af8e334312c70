"""Annotated pictures for tests of geometry and augmentation: small, and such that every annotation tells its place."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np

from sapiens.imaging.sample import Sample

GEOMETRY = Path(__file__).parent / "golden" / "train" / "targets_geometry.npz"
SHORTEST = 1e-6


def geometry():
    """The recorded geometry; its pictures are BGR."""
    with np.load(GEOMETRY, allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def recorded_sample(golden):
    """The picture that the recorded chains start from."""
    fields = {
        "mask": golden["in/mask"] > 0,
        "depth_m": golden["in/depth"],
        "normals": golden["in/normal"],
        "albedo": golden["in/albedo"].astype(np.float32),
        "labels": golden["in/seg"].astype(np.uint8),
    }
    return Sample(rgb(golden["in/img"]), "recorded", fields, {"intrinsics": golden["in/K"].copy()})


def rgb(image_bgr):
    return np.ascontiguousarray(image_bgr[..., ::-1])


def scene(size_hw=(120, 90), seed=0):
    """A coloured person-like blob on noise, with every annotation; 308 points, the first 60 of them known."""
    rng = np.random.default_rng(seed)
    height, width = size_hw
    rows, columns = np.mgrid[:height, :width].astype(np.float32)
    distance = np.hypot((columns - width * 0.48) / (width * 0.3), (rows - height * 0.52) / (height * 0.4))
    alpha = np.clip((1.05 - distance) * 10, 0, 1).astype(np.float32)
    mask = distance < 1
    albedo = np.stack([columns / width, rows / height, np.full(size_hw, 0.4, np.float32)], -1)
    colour = np.clip(albedo * (0.6 + 0.4 * np.cos(rows / 9))[..., None], 0, 1)
    back = rng.integers(0, 256, (height, width, 3)) / 255
    image = np.rint((alpha[..., None] * colour + (1 - alpha[..., None]) * back) * 255).astype(np.uint8)
    normals = np.stack([columns - width / 2, height / 2 - rows, np.full(size_hw, width / 2, np.float32)], -1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    labels = np.where(mask, 1 + (rows // 10 % 2 * 6 + columns // 10 % 3).astype(np.uint8), 0).astype(np.uint8)
    points = np.zeros((308, 3), np.float32)
    points[:60, 0] = rng.uniform(0.25, 0.7, 60) * width
    points[:60, 1] = rng.uniform(0.2, 0.85, 60) * height
    points[:60, 2] = 2
    box = np.concatenate([points[:60, :2].min(0), points[:60, :2].max(0)]).astype(np.float32)
    fields = {
        "labels": labels,
        "mask": mask,
        "normals": normals.astype(np.float32),
        "depth_m": np.where(mask, 2 + 0.01 * columns, 0).astype(np.float32),
        "alpha": alpha,
        "foreground": (colour * alpha[..., None]).astype(np.float32),
        "albedo": albedo.astype(np.float32),
        "keypoints": points,
    }
    camera = np.array([[1.2 * height, 0, (width - 1) / 2], [0, 1.2 * height, (height - 1) / 2], [0, 0, 1.0]])
    return Sample(image, f"scene{seed}", fields, {"intrinsics": camera, "box_xyxy": box, "subject": 3})


def augment_recipe(config=None, size_hw=(64, 48), compat="default", **options):
    """What augmentations read of a recipe."""
    return SimpleNamespace(augment=config, input_hw=size_hw, compat=compat, options=options)


def same(a, b):
    """Whether two samples hold the same numbers."""
    names = a.fields.keys() == b.fields.keys()
    return (
        names and all(np.array_equal(a.fields[k], b.fields[k]) for k in a.fields) and np.array_equal(a.image, b.image)
    )
