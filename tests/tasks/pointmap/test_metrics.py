import math

import numpy as np
import pytest
from helpers_metrics import assert_same_however_split, meta, recorded, recorded_numbers, recorded_pairs, sample

from sapiens.errors import InputError
from sapiens.nn.angles import angle_numbers
from sapiens.nn.sums import Sums
from sapiens.tasks.pointmap.metrics import (
    Metrics,
    add_distances,
    add_normals,
    best_scale,
    distance_numbers,
    implied_normals,
    true_points,
)
from sapiens.tasks.pointmap.result import PointmapResult

CAMERA = np.array([[50.0, 0, 9.5], [0, 40.0, 7.5], [0, 0, 1]])
SIZE = (16, 20)
RECORDED = {
    "l2_m": "l2_mean",
    "rmse_m": "rmse",
    "x_mae_m": "x_mae",
    "y_mae_m": "y_mae",
    "z_mae_m": "z_mae",
    "within_5_cm": "within_05_cm",
    "within_10_cm": "within_10_cm",
    "within_20_cm": "within_20_cm",
}
ANGLES = {"mean_deg": "normal_mae", "rmse_deg": "normal_rmse"}
BELOW = {
    "percent_below_5_deg": "within_5_0_deg",
    "percent_below_11.25_deg": "within_11_25_deg",
    "percent_below_22.5_deg": "within_22_5_deg",
    "percent_below_30_deg": "within_30_0_deg",
}


def test_pure_functions__give_the_recorded_numbers():
    """The recorded evaluator works on canonical maps: no scale, no camera."""
    sums = Sums()
    for pred, truth, mask in recorded_pairs(recorded("metrics_dense.npz"), "pointmap"):
        add_distances(sums, pred[mask].astype(float), truth[mask].astype(float))
        add_normals(sums, pred.astype(float), truth.astype(float), mask, edges=True)
    got, angles, want = distance_numbers(sums), angle_numbers(sums, reference=True), recorded_numbers("pointmap")
    assert {k: got[k] for k in RECORDED} == pytest.approx({k: want[v] for k, v in RECORDED.items()}, rel=1e-4)
    assert {k: angles[k] for k in ANGLES} == pytest.approx({k: want[v] for k, v in ANGLES.items()}, rel=1e-3)
    assert {k: angles[k] / 100 for k in BELOW} == pytest.approx({k: want[v] for k, v in BELOW.items()}, rel=1e-3)


def depth(seed=0):
    random = np.random.default_rng(seed)
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    return (2 + 0.02 * rows + 0.03 * columns + 0.05 * random.random(SIZE)).astype(np.float32)


def truth(values=None, name="a", mask=None, **extra):
    fields = {"depth_m": depth() if values is None else values}
    if mask is not None:
        fields["mask"] = mask
    return sample(SIZE, name=name, extra={"intrinsics": CAMERA, **extra}, **fields)


def result(points, scale=2.0, focal=50.0):
    camera = np.array([[focal, 0, 9.5], [0, focal, 7.5], [0, 0, 1]]) if scale > 0 else np.full((3, 3), np.nan)
    return PointmapResult(
        meta=meta("pointmap", SIZE), points=points.astype(np.float32), scale=scale, metric=scale > 0, intrinsics=camera
    )


def exact():
    return true_points(truth(), np.ones(SIZE, bool))[0]


def numbers(pred, compat="default", **kwargs):
    metrics = Metrics(compat)
    metrics.update(pred, truth(**kwargs))
    return metrics.compute()


def test_true_points__project_onto_their_pixels():
    points = exact()
    u = CAMERA[0, 0] * points[..., 0] / points[..., 2] + CAMERA[0, 2]
    v = CAMERA[1, 1] * points[..., 1] / points[..., 2] + CAMERA[1, 2]
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    np.testing.assert_allclose(u, columns, atol=1e-9)
    np.testing.assert_allclose(v, rows, atol=1e-9)
    np.testing.assert_allclose(points[..., 2], depth())


def test_metrics__exact_points():
    got = numbers(result(exact()))
    for name in (
        "l2_m",
        "rmse_m",
        "x_mae_m",
        "abs_rel",
        "l2_aligned_m",
        "scale_error",
        "focal_error",
        "normals/mean_deg",
    ):
        assert got[name] == pytest.approx(0, abs=1e-3), name
    for name in ("within_5_cm", "delta_1.25", "delta_1.25^3_aligned"):
        assert got[name] == 1, name


def test_metrics__a_shift_by_hand():
    got = numbers(result(exact() + np.array([0.03, -0.04, 0.12])))
    assert [got["l2_m"], got["rmse_m"]] == pytest.approx([0.13, 0.13], rel=1e-5)
    assert [got[f"{axis}_mae_m"] for axis in "xyz"] == pytest.approx([0.03, 0.04, 0.12], rel=1e-5)
    assert [got[f"within_{k}_cm"] for k in (5, 10, 20)] == [0, 0, 1]
    assert got["abs_rel"] == pytest.approx((0.12 / depth()).mean(), rel=1e-5)
    assert got["normals/mean_deg"] == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize(("factor", "delta"), [(1.2, [1, 1, 1]), (1.3, [0, 1, 1]), (0.7, [0, 1, 1]), (2.5, [0, 0, 0])])
def test_metrics__a_wrong_scale_is_taken_out_by_alignment(factor, delta):
    got = numbers(result(factor * exact()))
    assert [got[f"delta_1.25{k}"] for k in ("", "^2", "^3")] == delta
    assert got["l2_m"] == pytest.approx(abs(factor - 1) * np.linalg.norm(exact(), axis=-1).mean(), rel=1e-4)
    assert got["l2_aligned_m"] == pytest.approx(0, abs=1e-5)
    assert got["delta_1.25_aligned"] == 1
    assert got["scale_error"] == pytest.approx(abs(math.log(factor)), abs=1e-5)


def test_best_scale__is_the_least_squares_one():
    random = np.random.default_rng(1)
    pred, target = random.normal(size=(2, 50, 3))
    errors = [np.square(s * pred - target).sum() for s in best_scale(pred, target) + np.array([-1e-3, 0, 1e-3])]
    assert min(errors) == errors[1]
    assert best_scale(np.zeros((4, 3)), target[:4]) == 1


def test_metrics__points_without_a_scale_count_as_they_are_but_have_no_camera():
    got = numbers(result(exact(), scale=-1.0))
    assert got["l2_m"] == pytest.approx(0, abs=1e-6)
    assert math.isnan(got["focal_error"])


def test_metrics__reference_compares_canonical_points():
    """Canonical = metric * scale; a true focal length of 50 against a predicted one of 40 makes the true scale 1.6."""
    pred = result(exact() * 0.8, scale=2.0, focal=40.0)  # canonical points: 1.6 * exact
    got = numbers(pred, compat="reference")
    assert got["l2_m"] == pytest.approx(0, abs=1e-5)
    shifted = numbers(result(exact() * 0.8 + 0.1, scale=2.0, focal=40.0), compat="reference")
    assert shifted["x_mae_m"] == pytest.approx(0.2, rel=1e-4)
    with pytest.raises(InputError, match="scale -1"):
        numbers(result(exact(), scale=-1.0), compat="reference")


def test_normals__pixels_that_see_the_unknown_count_only_as_the_original_does():
    mask = np.zeros(SIZE, bool)
    mask[3:13, 3:17] = True
    pred = exact()
    pred[~mask] = 7  # the truth is 0 there
    assert numbers(result(pred), mask=mask)["normals/mean_deg"] == pytest.approx(0, abs=1e-3)
    assert numbers(result(pred), mask=mask, compat="reference")["normals/mean_deg"] > 5


def test_implied_normals__of_a_slanted_plane():
    """z = 2 + x: the cross product of the steps along x and y is (-1, 0, 1) / sqrt(2)."""
    rows, columns = np.mgrid[:9, :9] * 0.1
    plane = np.stack([columns, rows, 2 + columns], -1)
    want = np.broadcast_to(np.array([-1, 0, 1]) / math.sqrt(2), (5, 5, 3))
    np.testing.assert_allclose(implied_normals(plane)[2:7, 2:7], want, atol=1e-5)


def test_metrics__same_numbers_however_split():
    random = np.random.default_rng(0)
    pairs = [
        (result(exact() * random.uniform(0.9, 1.1) + random.normal(0, 0.02, (*SIZE, 3))), truth(depth(k), name=str(k)))
        for k in range(5)
    ]
    assert_same_however_split(Metrics, pairs)
    assert_same_however_split(lambda: Metrics("reference"), pairs)


def test_update__nothing_known_counts_nothing():
    metrics = Metrics()
    assert math.isnan(metrics.update(result(exact()), truth(mask=np.zeros(SIZE, bool))))
    assert all(math.isnan(value) for value in metrics.compute().values())


def spoiled(value):
    values = depth()
    values[2, 2] = value
    return values


@pytest.mark.parametrize(
    ("word", "pred", "change", "says"),
    [
        ("NaN depth", exact(), {"values": spoiled(np.nan)}, "true depth"),
        ("depth of 0", exact(), {"values": spoiled(0)}, "depth of 0"),
        ("no camera", exact(), {"intrinsics": None}, "need the camera"),
        ("camera of another shape", exact(), {"intrinsics": np.eye(4)}, "need the camera"),
        ("camera without focal length", exact(), {"intrinsics": np.zeros((3, 3))}, "need the camera"),
        ("NaN predicted", np.full((*SIZE, 3), np.nan), {}, "predicted points"),
    ],
)
def test_update__bad_pictures_raise_and_change_nothing(word, pred, change, says):
    metrics = Metrics()
    change = {"intrinsics": np.array(np.nan), **change} if change.get("intrinsics", 0) is None else change
    with pytest.raises(InputError, match=f"odd.*{says}"):
        metrics.update(result(pred), truth(name="odd", **change))
    assert metrics.state() == {}
