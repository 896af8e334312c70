"""What the page saves, in a real browser: opened, and compared with what the library gives for the same picture."""

import io
import json

import numpy as np
import pytest
import trimesh
from helpers_browser import MISSING
from PIL import Image

import sapiens
from sapiens.app.site import site
from sapiens.imaging.read import decode_image

if MISSING:
    pytest.skip("browser tests skipped: chromium, chromedriver or selenium is not installed", allow_module_level=True)

IMAGE = decode_image(site()["figures.webp"].body, "figures.webp")


def save(page, tab: str, kind: str) -> bytes:
    page.tab(tab)
    page.shown(tab)
    return page.save(kind)


def vertices(data: bytes, kind: str) -> np.ndarray:
    loaded = trimesh.load(io.BytesIO(data), file_type=kind)
    (cloud,) = loaded.geometry.values() if isinstance(loaded, trimesh.Scene) else (loaded,)
    return np.asarray(cloud.vertices)


def test_points__ply_and_glb_hold_the_people_in_metres(figures) -> None:
    person = sapiens.load("seg", "nano")(IMAGE).labels > 0
    points = sapiens.load("pointmap", "nano")(IMAGE).points[person]
    ply = vertices(save(figures, "points", "ply"), "ply")
    glb = vertices(save(figures, "points", "glb"), "glb")
    assert len(ply) == len(glb) > 1000
    spread = np.ptp(points, axis=0)
    # The files have axes of their own, but the same metres. A file may leave out points at the edges of depth.
    np.testing.assert_allclose(np.ptp(glb, axis=0), np.ptp(ply, axis=0), rtol=1e-3)
    assert (np.ptp(ply, axis=0) <= spread * 1.001).all()
    assert (np.ptp(ply, axis=0)[:2] > spread[:2] * 0.8).all()


def test_matting__straight_and_premultiplied_differ_by_alpha(figures) -> None:
    straight, premultiplied = (
        np.asarray(Image.open(io.BytesIO(save(figures, "matting", kind))).convert("RGBA"), np.float64)
        for kind in ("cutout", "premultiplied")
    )
    alpha = sapiens.load("matting", "nano")(IMAGE).alpha
    np.testing.assert_allclose(straight[..., 3] / 255, alpha, atol=0.003)
    np.testing.assert_array_equal(straight[..., 3], premultiplied[..., 3])
    wanted = straight[..., :3] * straight[..., 3:] / 255
    assert np.abs(premultiplied[..., :3] - wanted).mean() < 2
    assert np.abs(straight[..., :3] - premultiplied[..., :3]).mean() > 2


def test_pose__json_holds_the_keypoints_of_everybody(figures) -> None:
    result = sapiens.load("pose", "nano")(IMAGE)
    told = json.loads(save(figures, "pose", "json"))
    np.testing.assert_allclose(told["arrays"]["keypoints"]["data"], result.keypoints, atol=0.01)
    assert told["size_hw"] == list(IMAGE.shape[:2])
    assert len(told["notes"]) >= 1


def test_parts__numbers_as_a_picture(figures) -> None:
    labels = np.asarray(Image.open(io.BytesIO(save(figures, "segmentation", "labels"))))
    np.testing.assert_array_equal(labels, sapiens.load("seg", "nano")(IMAGE).labels)


def test_normals_albedo_and_features__arrays(figures) -> None:
    for tab, task, name in (("normals", "normal", "normals"), ("albedo", "albedo", "albedo")):
        found = np.load(io.BytesIO(save(figures, tab, "npz")))
        wanted = getattr(sapiens.load(task, "nano")(IMAGE), name)
        np.testing.assert_allclose(found[name], wanted, atol=2e-3, err_msg=tab)
    features = np.load(io.BytesIO(save(figures, "features", "npz")))["features"]
    np.testing.assert_allclose(np.linalg.norm(features, axis=-1), 1, atol=1e-4)
    with Image.open(io.BytesIO(save(figures, "features", "picture"))) as drawn:
        assert drawn.size == (IMAGE.shape[1], IMAGE.shape[0])
