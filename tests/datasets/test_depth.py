import json
import shutil

import numpy as np
import pytest
from datasets.tiny import people
from PIL import Image

from sapiens.datasets import open_data
from sapiens.datasets.points import fit_camera
from sapiens.errors import InputError


def check_truth(sample, truth, atol) -> None:
    mask = truth.fields["mask"]
    np.testing.assert_array_equal(sample.fields["mask"], mask)
    np.testing.assert_allclose(sample.fields["depth_m"], truth.fields["depth_m"] * mask, atol=atol)
    np.testing.assert_allclose(sample.extra["intrinsics"], truth.extra["intrinsics"], rtol=1e-4)


SPECS = [
    ("metres in npy", "depth/train", 1e-6),
    ("millimetres in PNG", "depth/train,depth=depth_mm", 6e-4),
    ("points with a camera", "points:depth/train", 1e-6),
]


@pytest.mark.parametrize(("spec", "atol"), [row[1:] for row in SPECS], ids=[row[0] for row in SPECS])
def test_depth__every_form_gives_the_same(made, monkeypatch, spec, atol) -> None:
    monkeypatch.chdir(made)
    for sample, truth in zip(open_data(spec, "pointmap"), people(), strict=False):
        check_truth(sample, truth, atol)


def test_points__camera_follows_from_the_points(fresh) -> None:
    shutil.rmtree(fresh / "depth/train/camera_intrinsics")
    check_truth(open_data(f"points:{fresh / 'depth/train'}", "pointmap")[2], people()[2], 1e-6)


def test_fit_camera__both_focal_lengths_and_a_point_off_centre() -> None:
    rows, columns = np.mgrid[:40, :30]
    z = 2 + np.sin(rows) + columns / 30
    camera = np.array([[50, 0, 3.5], [0, 70, 30], [0, 0, 1.0]])
    points = np.stack([(columns - 3.5) / 50 * z, (rows - 30) / 70 * z, z], -1)
    np.testing.assert_allclose(fit_camera(points, np.ones((40, 30), bool), "p"), camera, atol=1e-6)


def test_points__y_up_is_refused(fresh) -> None:
    for path in (fresh / "depth/train/points").iterdir():
        np.save(path, np.load(path) * (1, -1, 1))
    with pytest.raises(InputError, match="expected x right, y down, z forward"):
        open_data(f"points:{fresh / 'depth/train'}", "pointmap")


CAMERAS = [
    ("object", lambda k: {"fx": k[0][0], "fy": k[1][1], "cx": k[0][2], "cy": k[1][2]}),
    ("matrix", lambda k: k),
    ("named matrix", lambda k: {"intrinsics": k, "made_by": "us"}),
    ("by record", lambda k: {f"{n:04d}": k for n in range(4)}),
]


@pytest.mark.parametrize("form", [row[1] for row in CAMERAS], ids=[row[0] for row in CAMERAS])
def test_depth__one_camera_file_for_all(fresh, form) -> None:
    shutil.rmtree(fresh / "depth/train/camera_intrinsics")
    matrix = people()[0].extra["intrinsics"].tolist()
    (fresh / "depth/train/intrinsics.json").write_text(json.dumps(form(matrix)))
    for sample in open_data(fresh / "depth/train", "pointmap"):
        np.testing.assert_allclose(sample.extra["intrinsics"], matrix)


def test_depth__list_with_camera_in_the_record(made, tmp_path) -> None:
    root = made / "depth/train"
    entry = {
        "image": str(root / "rgb/0000.png"),
        "depth": str(root / "depth/0000.npy"),
        "fx": 50,
        "fy": 51,
        "cx": 20,
        "cy": 30,
    }
    (tmp_path / "d.json").write_text(json.dumps([entry]))
    sample = open_data(tmp_path / "d.json", "pointmap")[0]
    assert sample.extra["intrinsics"].tolist() == [[50, 0, 20], [0, 51, 30], [0, 0, 1]]
    np.testing.assert_array_equal(sample.fields["mask"], people()[0].fields["depth_m"] > 0)


def damage(folder, change) -> None:
    path = folder / "depth/train/depth/0001.npy"
    depth = np.load(path)
    np.save(path, change(depth))


BAD = [
    ("NaN on the person", lambda d: np.where(d > 0, np.nan, d), "NaN or infinite"),
    ("negative", lambda d: -d, "negative depth"),
    ("millimetres", lambda d: d * 1000, "unit=mm"),
    ("nothing", lambda d: d * 0, "known at 0 pixels"),
    ("other size", lambda d: d[:-1], "63x48 pixels, its mask 64x48"),
    ("colour", lambda d: np.stack([d, d, d + 1], -1), "channels that differ"),
    ("text", lambda d: np.full(d.shape, "a"), "expected numbers"),
]


@pytest.mark.parametrize(("change", "message"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
def test_depth__bad_values_name_the_record(fresh, change, message) -> None:
    damage(fresh, change)
    with pytest.raises(InputError) as raised:
        open_data(fresh / "depth/train", "pointmap")
    assert message in str(raised.value)
    assert "record 0001: " in str(raised.value)


def test_depth__unit_option(fresh) -> None:
    damage(fresh, lambda d: d * 1000)
    depth = open_data(f"{fresh / 'depth/train'},unit=mm", "pointmap", check=False)[1].fields["depth_m"]
    np.testing.assert_allclose(depth, people()[1].fields["depth_m"] * people()[1].fields["mask"], rtol=1e-6)


BAD_CAMERAS = [
    ("no numbers", "a b c", "3x3 matrix"),
    ("two rows", "1 0 0\n0 1 0", "3x3 camera matrix"),
    ("negative", "-5 0 1\n0 5 1\n0 0 1", "no camera matrix in pixels"),
    ("empty", "", "camera"),
]


@pytest.mark.parametrize(("text", "message"), [row[1:] for row in BAD_CAMERAS], ids=[row[0] for row in BAD_CAMERAS])
@pytest.mark.filterwarnings("ignore:loadtxt:UserWarning")
def test_depth__bad_camera(fresh, text, message) -> None:
    (fresh / "depth/train/camera_intrinsics/0003.txt").write_text(text)
    with pytest.raises(InputError) as raised:
        open_data(fresh / "depth/train", "pointmap")
    assert message in str(raised.value)
    assert "0003.txt" in str(raised.value)


def test_depth__no_camera_at_all(fresh) -> None:
    shutil.rmtree(fresh / "depth/train/camera_intrinsics")
    with pytest.raises(InputError, match=r"no camera; expected camera_intrinsics/0000\.txt"):
        open_data(fresh / "depth/train", "pointmap")


def test_depth__exr(fresh) -> None:
    exr = pytest.importorskip("OpenEXR")
    depth = people()[0].fields["depth_m"].astype(np.float32)
    path = fresh / "depth/train/depth/0000.npy"
    with exr.File({"type": exr.scanlineimage, "compression": exr.ZIP_COMPRESSION}, {"Z": depth}) as file:
        file.write(str(path.with_suffix(".exr")))
    path.unlink()
    check_truth(open_data(fresh / "depth/train", "pointmap")[0], people()[0], 1e-6)


def test_depth__8_bit_grey_depth_is_millimetres_too(fresh) -> None:
    path = fresh / "depth/train/depth/0000.npy"
    Image.fromarray(np.where(people()[0].fields["mask"], 200, 0).astype(np.uint8)).save(path.with_suffix(".png"))
    path.unlink()
    sample = open_data(fresh / "depth/train", "pointmap")[0]
    assert sample.fields["depth_m"].max() == np.float32(0.2)
