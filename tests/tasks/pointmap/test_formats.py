"""Point clouds and meshes, read back by another program's reader (trimesh) and byte by byte."""

import dataclasses
import json
import struct

import numpy as np
import pytest
import trimesh
from helpers_dense import PICTURES, golden

from sapiens.errors import InputError
from sapiens.tasks.pointmap import TASK
from sapiens.tasks.pointmap.formats import point_cloud, write_ply
from sapiens.tasks.pointmap.glb import TO_GLTF, write_glb


def ply_header(path):
    return path.read_bytes().split(b"end_header\n")[0].decode("ascii").splitlines()


def glb_parts(path):
    """Document and binary chunk, with every length in the file checked on the way."""
    data = path.read_bytes()
    magic, version, total = struct.unpack_from("<4sII", data)
    assert (magic, version, total) == (b"glTF", 2, len(data))
    length, kind = struct.unpack_from("<I4s", data, 12)
    assert kind == b"JSON"
    assert length % 4 == 0
    document = json.loads(data[20 : 20 + length])
    binary_length, kind = struct.unpack_from("<I4s", data, 20 + length)
    binary = data[28 + length :]
    assert kind == b"BIN\0"
    assert binary_length == len(binary) == document["buffers"][0]["byteLength"]
    assert binary_length % 4 == 0
    return document, binary


def display_levels(linear):
    """Linear light 0..1 -> sRGB 0..255."""
    return 255 * np.where(linear <= 0.0031308, linear * 12.92, 1.055 * linear ** (1 / 2.4) - 0.055)


def glb_array(document, binary, index):
    accessor = document["accessors"][index]
    view = document["bufferViews"][accessor["bufferView"]]
    dtype = {5125: "<u4", 5126: "<f4"}[accessor["componentType"]]
    width = {"SCALAR": 1, "VEC3": 3}[accessor["type"]]
    chunk = binary[view["byteOffset"] : view["byteOffset"] + view["byteLength"]]
    return np.frombuffer(chunk, dtype).reshape(accessor["count"], width)


@pytest.mark.parametrize("name", PICTURES)
def test_point_cloud__equals_the_original(recorded, name):
    stored, cloud = golden("pointmap"), point_cloud(recorded(name))
    np.testing.assert_allclose(cloud.points, stored[f"points_{name}"], rtol=0, atol=2e-5)
    np.testing.assert_allclose(cloud.colours / 255, stored[f"colors_{name}"], rtol=0, atol=1e-6)
    assert cloud.left_out == 0


@pytest.mark.parametrize("double", [False, True], ids=["float", "double"])
def test_write_ply__comes_back(slanted, tmp_path, double):
    mask = np.ones((4, 5), bool)
    mask[0, 1] = mask[3] = False
    result = slanted().with_mask(mask)
    path = write_ply(result, tmp_path / "x.ply", double=double)
    cloud = trimesh.load(path)
    np.testing.assert_array_equal(cloud.vertices.astype(np.float32), result.points[mask])
    np.testing.assert_array_equal(cloud.colors[:, :3], result.image[mask])
    assert len(cloud.vertices) == mask.sum()
    assert f"property {'double' if double else 'float'} x" in ply_header(path)


def test_write_ply__says_axes_unit_and_camera(slanted, tmp_path):
    lines = ply_header(write_ply(slanted(), tmp_path / "x.ply"))
    assert lines[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "comment axes: x right, y down, z forward; camera at the origin" in lines
    assert "comment units: metres" in lines
    assert "comment intrinsics: fx 100.0 fy 100.0 cx 2.0 cy 1.5 width 5 height 4" in lines


def test_write_ply__canonical_points_say_so(slanted, tmp_path):
    result = slanted(metric=False, scale=-1.0, intrinsics=np.full((3, 3), np.nan))
    lines = ply_header(write_ply(result, tmp_path / "x.ply"))
    assert "comment units: canonical, not metric" in lines
    assert not any("intrinsics" in line for line in lines)


def test_write_ply__leaves_out_and_counts_what_is_not_finite(slanted, tmp_path):
    points = slanted().points.copy()
    points[0, 0, 0], points[1, 2, 2], points[3, 4, 1] = np.nan, np.inf, -np.inf
    mask = np.ones((4, 5), bool)
    mask[3, 4] = False
    path = write_ply(slanted(points=points, mask=mask), tmp_path / "x.ply")
    assert "comment left out: 2 points that are not finite" in ply_header(path)
    assert len(trimesh.load(path).vertices) == 17


def test_write_ply__empty_foreground_is_an_empty_cloud(slanted, tmp_path):
    path = write_ply(slanted().with_mask(np.zeros((4, 5), bool)), tmp_path / "x.ply")
    assert "element vertex 0" in ply_header(path)
    assert path.read_bytes().endswith(b"end_header\n")


@pytest.mark.parametrize("write", [write_ply, write_glb], ids=["ply", "glb"])
def test_write__without_the_picture_there_are_no_colours(slanted, tmp_path, write):
    path = write(slanted(image=None), tmp_path / f"x.{write.__name__[-3:]}")
    data = path.read_bytes()
    assert b"property uchar" not in data
    assert b"COLOR_0" not in data


def test_write_glb__points_come_back(slanted, tmp_path):
    mask = np.ones((4, 5), bool)
    mask[2, 2] = False
    result = slanted().with_mask(mask)
    (cloud,) = trimesh.load(write_glb(result, tmp_path / "x.glb")).geometry.values()
    assert isinstance(cloud, trimesh.PointCloud)
    np.testing.assert_array_equal(cloud.vertices.astype(np.float32), result.points[mask] * TO_GLTF)
    np.testing.assert_allclose(display_levels(cloud.colors[:, :3] / 255), result.image[mask], atol=8)


def test_write_glb__is_what_the_format_asks_for(slanted, tmp_path):
    result = slanted(3, 3)
    document, binary = glb_parts(write_glb(result, tmp_path / "x.glb"))
    (primitive,) = document["meshes"][0]["primitives"]
    assert primitive["mode"] == 0
    position = document["accessors"][primitive["attributes"]["POSITION"]]
    stored = glb_array(document, binary, primitive["attributes"]["POSITION"])
    np.testing.assert_array_equal(stored, result.points.reshape(-1, 3) * TO_GLTF)
    np.testing.assert_array_equal(np.float32(position["min"]), stored.min(0))
    np.testing.assert_array_equal(np.float32(position["max"]), stored.max(0))
    assert all(view["byteOffset"] % 4 == 0 for view in document["bufferViews"])
    extras = document["asset"]["extras"]
    assert extras["units"] == "metres"
    assert extras["intrinsics"] == result.intrinsics.tolist()
    assert extras["axes"].startswith("x right, y up, z to the viewer")


def test_write_glb__colours_are_linear_and_lossless(slanted, tmp_path):
    image = np.stack([np.arange(256).reshape(16, 16)] * 3, -1).astype(np.uint8)
    document, binary = glb_parts(write_glb(slanted(16, 16, image=image), tmp_path / "x.glb"))
    linear = glb_array(document, binary, document["meshes"][0]["primitives"][0]["attributes"]["COLOR_0"])
    np.testing.assert_array_equal(np.rint(display_levels(linear)), image.reshape(-1, 3))
    assert linear[128, 0] == pytest.approx(0.21586, abs=1e-5)


def test_write_glb__canonical_points_have_no_camera(slanted, tmp_path):
    result = slanted(metric=False, scale=-1.0, intrinsics=np.full((3, 3), np.nan))
    extras = glb_parts(write_glb(result, tmp_path / "x.glb"))[0]["asset"]["extras"]
    assert extras["units"] == "canonical, not metric"
    assert extras["intrinsics"] is None


def test_write_glb__mesh_comes_back_facing_the_camera(slanted, tmp_path):
    result = slanted()
    mesh = trimesh.load(write_glb(result, tmp_path / "x.glb", mesh=True), process=False).to_geometry()
    assert len(mesh.faces) == 2 * 3 * 4
    np.testing.assert_array_equal(mesh.vertices.astype(np.float32), result.points.reshape(-1, 3) * TO_GLTF)
    assert (mesh.face_normals[:, 2] > 0).all()


def test_write_glb__mesh_is_cut_at_gaps_and_holes(slanted, tmp_path):
    points = slanted(4, 6).points.copy()
    points[..., 0] += 0.5 * points[..., 2]  # seen at an angle, where a step in depth is a step to the side as well
    points[:, 3:] *= 2  # every point stays on its ray
    points[0, 0] = np.nan
    document, binary = glb_parts(write_glb(slanted(4, 6, points=points), tmp_path / "x.glb", mesh=True))
    (primitive,) = document["meshes"][0]["primitives"]
    faces = glb_array(document, binary, primitive["indices"]).reshape(-1, 3)
    assert primitive["mode"] == 4
    columns = (faces.astype(int) + 1) % 6  # the first pixel is no vertex
    assert not ((columns < 3).any(1) & (columns >= 3).any(1)).any()
    assert len(faces) == 2 * 3 * 4 - 1
    assert faces.max() == 22


@pytest.mark.parametrize("mesh", [False, True], ids=["points", "mesh"])
def test_write_glb__nothing_to_write_is_one_line(slanted, tmp_path, mesh):
    mask = np.zeros((4, 5), bool)
    mask[0, 0] = mesh  # a single point is no triangle
    path = tmp_path / "x.glb"
    with pytest.raises(InputError, match=r"x\.glb: no (point|triangle) to write for picture"):
        write_glb(slanted().with_mask(mask), path, mesh=mesh)
    assert not path.exists()


@pytest.mark.parametrize(("compat", "number"), [("default", "float"), ("reference", "double")])
def test_exports__ply_has_the_numbers_of_its_mode(slanted, tmp_path, compat, number):
    result = slanted()
    result = dataclasses.replace(result, meta=dataclasses.replace(result.meta, compat=compat))
    TASK.exports["ply"].write(result, tmp_path / "x.ply")
    assert f"property {number} z" in ply_header(tmp_path / "x.ply")


@pytest.mark.parametrize(("kind", "name"), [("npy", "x.npy"), ("depth", "x_depth.npy")])
def test_exports__arrays_come_back(slanted, tmp_path, kind, name):
    result = slanted()
    TASK.exports[kind].write(result, tmp_path / f"x{TASK.exports[kind].suffix}")
    stored = np.load(tmp_path / name, allow_pickle=False)
    expected = result.points if kind == "npy" else result.depth_f16()
    assert stored.dtype == expected.dtype
    np.testing.assert_array_equal(stored, expected)


def test_result__saves_clouds_by_method(slanted, tmp_path):
    assert slanted().save_ply(str(tmp_path / "x.ply")).stat().st_size > 0
    assert slanted().save_glb(tmp_path / "x.glb", mesh=True).stat().st_size > 0
