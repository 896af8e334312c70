"""Tiny data sets of every format, cut from procedural people, under the names that docs/data.md and docs/train use.

`make_all(folder)` writes what a reader of the docs would have in the working folder. Pictures are 64x48.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import cv2
import numpy as np

from sapiens.imaging.sample import Sample
from sapiens.imaging.write import write_image
from sapiens.synth import SceneBatch, render
from sapiens.tasks.names import get_names

SIZE_HW = (64, 48)
SPLITS = {"train": (0, 1, 2, 3), "val": (4, 5)}


@cache
def people() -> tuple[Sample, ...]:
    """Six pictures of one person each, with every annotation."""
    scenes = render(seed=11, count=6, size_hw=SIZE_HW)
    return tuple(_sample(scenes, k) for k in range(len(scenes)))


def _sample(scenes: SceneBatch, k: int) -> Sample:
    mask = (scenes.person_ids[k] > 0).numpy()
    points = np.concatenate([scenes.keypoints_xy[k, 0], scenes.visibility[k, 0][:, None]], -1).astype(np.float32)
    # Coordinates that a JSON file holds exactly; a point on the edge is unknown to every reader.
    points[:, :2] = np.round(points[:, :2] * 8) / 8
    inside = ((points[:, :2] > 0) & (points[:, :2] < SIZE_HW[::-1])).all(1)
    points[~inside | (points[:, 2] == 0)] = 0
    return Sample(
        np.ascontiguousarray(scenes.image[k].permute(1, 2, 0)),
        f"{k:04d}",
        {
            "labels": scenes.labels[k].numpy(),
            "mask": mask,
            "normals": scenes.normals[k].permute(1, 2, 0).numpy() * mask[..., None],
            "depth_m": scenes.points[k, 2].numpy() * mask,
            "alpha": scenes.alpha[k].numpy(),
            "foreground": scenes.foreground[k].permute(1, 2, 0).numpy(),
            "albedo": scenes.albedo[k].permute(1, 2, 0).numpy() * mask[..., None],
            "keypoints": points,
        },
        {"intrinsics": scenes.intrinsics[k].numpy().astype(np.float64), "box_xyxy": scenes.boxes_xyxy[k, 0].numpy()},
    )


def write_deep(path: Path, levels: np.ndarray) -> None:
    """16-bit colour or RGBA, which `write_image` does not write."""
    path.parent.mkdir(parents=True, exist_ok=True)
    order = [2, 1, 0, 3][: levels.shape[2]]
    assert cv2.imwrite(str(path), np.ascontiguousarray(levels[..., order]))


def write_array(path: Path, array: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    np.save(path, array)


def coco_annotation(sample: Sample, index: int, layout: str = "coco17") -> dict:
    """An annotation with the points of one of the known layouts."""
    own = {name: k for k, name in enumerate(get_names("pose")["keypoints"])}

    def flat(order: str) -> list[float]:
        points = [
            sample.fields["keypoints"][own[n]] if n is not None else np.zeros(3) for n in get_names("pose")[order]
        ]
        return np.array(points).ravel().tolist()

    x0, y0, x1, y1 = sample.extra["box_xyxy"].tolist()
    entry = {
        "id": index + 1,
        "image_id": index,
        "category_id": 1,
        "iscrowd": 0,
        "bbox": [x0, y0, x1 - x0, y1 - y0],
        "area": (x1 - x0) * (y1 - y0),
        "keypoints": flat("coco17"),
    }
    entry["num_keypoints"] = sum(v > 0 for v in entry["keypoints"][2::3])
    if layout == "wholebody133":
        entry |= {"foot_kpts": flat("foot6"), "face_kpts": flat("face68")}
        entry |= {"lefthand_kpts": flat("left_hand21"), "righthand_kpts": flat("right_hand21")}
    if layout == "released308":
        entry |= {"foot_kpts": flat("foot6"), "face_kpts": flat("face238"), "goliath_wholebody_kpts": flat("keypoints")}
        entry |= {"lefthand_kpts": flat("left_hand20"), "righthand_kpts": flat("right_hand20")}
    return entry


def coco_file(samples: Sequence[Sample], layout: str = "coco17") -> dict:
    images = [
        {"id": k, "file_name": f"{k:04d}.png", "height": s.size_hw[0], "width": s.size_hw[1]}
        for k, s in enumerate(samples)
    ]
    annotations = [coco_annotation(sample, k, layout) for k, sample in enumerate(samples)]
    return {"images": images, "annotations": annotations, "categories": [{"id": 1, "name": "person"}]}


def make_pose(folder: Path) -> Path:
    """`people/`: COCO, COCO-WholeBody and 308-point files, and the plain list, over one folder of pictures."""
    for split, places in SPLITS.items():
        samples = [people()[k] for k in places]
        for k, sample in enumerate(samples):
            write_image(folder / split / f"{k:04d}.png", sample.image)
        for suffix, layout in (("", "coco17"), ("_wholebody", "wholebody133"), ("_308", "released308")):
            (folder / f"keypoints{suffix}_{split}.json").write_text(json.dumps(coco_file(samples, layout)))
        (folder / f"list_{split}.json").write_text(json.dumps([listed(s, k, split) for k, s in enumerate(samples)]))
    return folder


def listed(sample: Sample, index: int, split: str) -> dict:
    """An entry of the plain list: points by name."""
    names = get_names("pose")["keypoints"]
    points = {n: p.tolist() for n, p in zip(names, sample.fields["keypoints"], strict=True) if p[2] > 0}
    return {"image": f"{split}/{index:04d}.png", "keypoints": points, "box": sample.extra["box_xyxy"].tolist()}


def make_seg(folder: Path) -> Path:
    """`parts/train`, `parts/val`: pictures, labels, and labels of the 34-class set with their map."""
    for split, places in SPLITS.items():
        for k in places:
            sample = people()[k]
            write_image(folder / split / "images" / f"{k:04d}.png", sample.image)
            write_image(folder / split / "labels" / f"{k:04d}.png", sample.fields["labels"])
            write_image(folder / split / "own" / f"{k:04d}.png", sample.fields["labels"] + 100)
    names = get_names("seg")["labels"]
    (folder / "classes.json").write_text(json.dumps({str(k + 100): name for k, name in enumerate(names)}))
    return folder


def make_normal(folder: Path) -> Path:
    """`normals/train`, `normals/val`: rgb, mask, npy normals in released axes, and 16-bit PNG in OpenCV axes."""
    for split, places in SPLITS.items():
        for k in places:
            sample = people()[k]
            normals, mask = sample.fields["normals"], sample.fields["mask"]
            write_image(folder / split / "rgb" / f"{k:04d}.png", sample.image)
            write_image(folder / split / "mask" / f"{k:04d}.png", mask.astype(np.uint8) * 255)
            write_array(folder / split / "normal" / f"{k:04d}.npy", normals)
            levels = np.rint((normals * (1, -1, -1) + 1) / 2 * 65535).astype(np.uint16) * mask[..., None]
            write_deep(folder / split / "png_opencv" / f"{k:04d}.png", levels)
    return folder


def make_pointmap(folder: Path) -> Path:
    """`depth/train`, `depth/val`: rgb, mask, depth in metres and in millimetres, points, and a camera each."""
    for split, places in SPLITS.items():
        for k in places:
            sample = people()[k]
            depth, mask, camera = sample.fields["depth_m"], sample.fields["mask"], sample.extra["intrinsics"]
            write_image(folder / split / "rgb" / f"{k:04d}.png", sample.image)
            write_image(folder / split / "mask" / f"{k:04d}.png", mask.astype(np.uint8) * 255)
            write_array(folder / split / "depth" / f"{k:04d}.npy", depth)
            write_image(folder / split / "depth_mm" / f"{k:04d}.png", np.rint(depth * 1000).astype(np.uint16))
            rows, columns = np.mgrid[: depth.shape[0], : depth.shape[1]]
            x, y = (columns - camera[0, 2]) / camera[0, 0], (rows - camera[1, 2]) / camera[1, 1]
            write_array(folder / split / "points" / f"{k:04d}.npy", np.stack([x * depth, y * depth, depth], -1))
            text = folder / split / "camera_intrinsics" / f"{k:04d}.txt"
            text.parent.mkdir(exist_ok=True)
            np.savetxt(text, camera)
    return folder


def straight(sample: Sample) -> np.ndarray:
    """(H, W, 4) uint16: straight colour and alpha."""
    alpha, colour = sample.fields["alpha"][..., None], sample.fields["foreground"]
    unit = np.concatenate([np.clip(colour / np.maximum(alpha, 1e-6), 0, 1), alpha], -1)
    return np.rint(unit * 65535).astype(np.uint16)


def make_matting(folder: Path) -> Path:
    """`mattes/train`, `mattes/val`: images, alpha, foreground; `mattes/cutouts`: RGBA; `mattes/backgrounds`."""
    for split, places in SPLITS.items():
        for k in places:
            sample = people()[k]
            write_image(folder / split / "images" / f"{k:04d}.png", sample.image)
            alpha = np.rint(sample.fields["alpha"] * 255).astype(np.uint8)
            write_image(folder / split / "alpha" / f"{k:04d}.png", alpha)
            write_deep(folder / split / "foreground" / f"{k:04d}.png", straight(sample)[..., :3])
            if split == "train":
                write_deep(folder / "cutouts" / f"{k:04d}.png", straight(sample))
    for k in range(2):
        background = np.random.default_rng(k).integers(0, 256, (*SIZE_HW, 3), dtype=np.uint8)
        write_image(folder / "backgrounds" / f"{k}.jpg", background)
    return folder


def make_albedo(folder: Path) -> Path:
    """`albedo/train`, `albedo/val`: rgb, albedo, mask of equal name."""
    for split, places in SPLITS.items():
        for k in places:
            sample = people()[k]
            write_image(folder / split / "rgb" / f"{k:04d}.png", sample.image)
            write_image(folder / split / "mask" / f"{k:04d}.png", sample.fields["mask"].astype(np.uint8) * 255)
            levels = np.rint(sample.fields["albedo"] * 255).astype(np.uint8)
            write_image(folder / split / "albedo" / f"{k:04d}.png", levels)
    return folder


MIXTURE = """[[data]]
spec = "parts/train"
weight = 2

[[data]]
spec = "synth:seed=1,count=8,size=64x48"
"""


def make_all(folder: Path) -> Path:
    """Everything that the pages name, in one folder."""
    make_pose(folder / "people")
    make_seg(folder / "parts")
    make_normal(folder / "normals")
    make_pointmap(folder / "depth")
    make_matting(folder / "mattes")
    make_albedo(folder / "albedo")
    (folder / "mix.toml").write_text(MIXTURE)
    write_image(folder / "photo.jpg", people()[0].image)
    return folder
