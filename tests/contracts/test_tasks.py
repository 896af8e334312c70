"""What every task promises, checked over the whole table with the nano networks and untrained weights."""

import functools

import numpy as np
import pytest
import torch
from PIL import Image

import sapiens
from sapiens.errors import InputError, NumericError, UnknownNameError
from sapiens.inference.predictor import Predictor
from sapiens.tasks import TASKS, get_task
from sapiens.tasks.base import Result

NAMES = list(TASKS)
SIZES_HW = [(1, 1), (1, 40), (40, 1), (7, 5), (64, 48), (33, 97), (300, 301)]


@functools.cache
def predictor(name: str, compat: str = "default") -> Predictor:
    return sapiens.load(name, "nano", weights="untrained", device="cpu", compat=compat)


def picture(height: int, width: int, seed: int = 0) -> np.ndarray:
    """Smooth colours with a little noise: neither flat nor only noise."""
    rng = np.random.default_rng(seed + height * 1000 + width)
    y, x = np.mgrid[0:height, 0:width] / max(height, width)
    waves = [127 + 90 * np.sin(3 * x + 5 * y * k + seed) for k in (1, 2, 3)]
    return (np.stack(waves, -1) + rng.normal(0, 8, (height, width, 3))).clip(0, 255).astype(np.uint8)


def predict(name: str, images, compat: str = "default", **kwargs):
    if get_task(name).top_down:
        kwargs["whole_image"] = True
    return predictor(name, compat)(images, **kwargs)


def assert_close(a: Result, b: Result, atol: float = 1e-3) -> None:
    assert a.arrays().keys() == b.arrays().keys()
    for key, value in a.arrays().items():
        other = b.arrays()[key]
        assert value.shape == other.shape, key
        if value.dtype.kind in "iub":
            assert (value != other).mean() < 1e-3, key
        else:
            scale = max(1.0, float(np.abs(value[np.isfinite(value)]).max(initial=0)))
            far = ~np.isclose(value, other, rtol=1e-7, atol=atol * scale, equal_nan=True)
            # Untrained heatmaps have all but flat peaks, whose unlimited refinement makes pixels of rounding.
            assert far.mean() <= (0.01 if key == "keypoints" and atol else 0), (key, np.abs(value - other).max())


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("size_hw", SIZES_HW, ids=str)
def test_task__any_size_comes_back_at_its_size(name: str, size_hw: tuple[int, int]) -> None:
    image = picture(*size_hw)
    if get_task(name).top_down and min(size_hw) == 1:
        with pytest.raises(InputError, match="box"):
            predict(name, image)
        return
    result = predict(name, image)
    assert result.meta.size_hw == size_hw
    dense = [v for v in result.arrays().values() if v.ndim >= 2 and not get_task(name).top_down and v.shape != (3, 3)]
    assert all(v.shape[:2] == size_hw for v in dense)
    assert result.draw().size == size_hw[::-1]


@pytest.mark.parametrize("name", NAMES)
def test_task__batch_of_mixed_sizes_equals_singles(name: str) -> None:
    images = [picture(h, w, seed) for seed, (h, w) in enumerate([(64, 48), (50, 90), (31, 17)])]
    several = sapiens.load(name, "nano", weights="untrained", device="cpu", batch_size=2)
    kwargs = {"whole_image": True} if get_task(name).top_down else {}
    for together, image in zip(several(images, **kwargs), images, strict=True):
        assert_close(together, predict(name, image))


@pytest.mark.parametrize("name", NAMES)
def test_task__paths_pil_and_arrays_agree(name: str, tmp_path) -> None:
    image = picture(40, 30)
    path = tmp_path / "x.png"
    Image.fromarray(image).save(path)
    from_array, from_pil, from_path, from_text = predict(name, [image, Image.fromarray(image), path, str(path)])
    for other in (from_pil, from_path, from_text):
        assert_close(from_array, other, atol=0)
    assert from_path.meta.image_id == str(path)


@pytest.mark.parametrize("name", NAMES)
def test_task__empty_list_gives_empty_list(name: str) -> None:
    assert predictor(name)([]) == []


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("compat", ["default", "reference"])
def test_task__result_round_trip(name: str, compat: str, tmp_path) -> None:
    result = predict(name, picture(20, 30), compat)
    again = sapiens.load_result(result.save(tmp_path / "r.npz"))
    assert type(again) is type(result)
    assert again.meta == result.meta
    assert again.image is None
    assert_close(result, again, atol=0)
    assert again.draw().size == (30, 20)
    with pytest.raises(InputError, match="picture"):
        again.draw(picture(10, 10))


@pytest.mark.parametrize("name", NAMES)
def test_task__result_says_where_it_comes_from(name: str) -> None:
    meta = predict(name, picture(20, 30)).meta
    assert (meta.task, meta.model) == (name, f"sapiens2_nano_{name}")
    assert (meta.weights, meta.dtype, meta.compat, meta.size_hw) == ("untrained", "float32", "default", (20, 30))


@pytest.mark.parametrize("name", NAMES)
def test_task__side_by_side_keeps_the_picture_first(name: str) -> None:
    image = picture(20, 30)
    drawn = np.asarray(predict(name, image).draw(side_by_side=True).convert("RGB"))
    assert drawn.shape[0] == 20
    if drawn.shape[1] > 30:  # pose draws on the picture itself
        np.testing.assert_array_equal(drawn[:, :30], image)


@pytest.mark.parametrize("name", NAMES)
def test_task__exports_write_files_that_exist(name: str, tmp_path) -> None:
    result = predict(name, picture(20, 30))
    for kind, export in get_task(name).exports.items():
        export.write(result, tmp_path / f"{kind}{export.suffix}")
        assert (tmp_path / f"{kind}{export.suffix}").stat().st_size > 0
    for kind, whole in get_task(name).run_exports.items():
        whole.write([result, result], tmp_path / f"{kind}.json")
        assert (tmp_path / f"{kind}.json").stat().st_size > 0


@pytest.mark.parametrize("name", NAMES)
def test_task__nan_from_the_network_is_an_error(name: str) -> None:
    broken = sapiens.load(name, "nano", weights="untrained", device="cpu")
    with torch.no_grad():
        next(broken.model.decode_head.parameters()).fill_(float("nan"))
    kwargs = {"whole_image": True} if get_task(name).top_down else {}
    with pytest.raises(NumericError, match=f"the {name} network produced NaN or Inf in float32"):
        broken(picture(20, 30), **kwargs)


@pytest.mark.parametrize("name", NAMES)
def test_task__bfloat16_runs_and_stays_near(name: str) -> None:
    image = picture(64, 48)
    half = sapiens.load(name, "nano", weights="untrained", device="cpu", dtype="bfloat16")
    kwargs = {"whole_image": True} if get_task(name).top_down else {}
    result = half(image, **kwargs)
    assert result.meta.dtype == "bfloat16"
    assert all(np.isfinite(v).all() for k, v in result.arrays().items() if v.dtype.kind == "f" and k != "intrinsics")


@pytest.mark.parametrize("name", NAMES)
def test_task__results_are_frozen(name: str) -> None:
    with pytest.raises(AttributeError):
        predict(name, picture(20, 30)).meta = None


@pytest.mark.parametrize(
    ("call", "message"),
    [
        pytest.param(lambda: sapiens.load("segg"), "unknown task 'segg'.*did you mean 'seg'", id="task"),
        pytest.param(lambda: sapiens.load("seg", "1bb"), "unknown size '1bb'.*did you mean '1b'", id="size"),
        pytest.param(lambda: sapiens.load("seg", "nano", dtype="bf61"), "unknown dtype 'bf61'", id="dtype"),
        pytest.param(lambda: sapiens.load("seg", "nano", compat="ref"), "unknown compat mode 'ref'", id="compat"),
        pytest.param(lambda: sapiens.load("seg", "nano", flip=True), "unknown option of seg 'flip'", id="option"),
    ],
)
def test_load__unknown_names_suggest_the_nearest(call, message: str) -> None:
    with pytest.raises(UnknownNameError, match=message):
        call()


def test_load__unknown_device() -> None:
    with pytest.raises(InputError, match="unknown device 'gpu'"):
        sapiens.load("seg", "nano", device="gpu")


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_load__missing_device() -> None:
    with pytest.raises(InputError, match="this machine has 0 CUDA devices"):
        sapiens.load("seg", "nano", device="cuda")


@pytest.mark.parametrize("name", ["normal", "pointmap", "albedo"])
def test_with_mask__fractions_are_refused(name: str) -> None:
    result = predictor(name)(np.zeros((20, 30, 3), np.uint8))
    with pytest.raises(InputError, match="expected bool, got float32"):
        result.with_mask(np.full((20, 30), 0.4, np.float32))
    assert result.with_mask(np.ones((20, 30), np.uint8)).mask.dtype == bool


def test_load__batch_size_zero_is_an_error() -> None:
    with pytest.raises(InputError, match="batch_size must be at least 1, got 0"):
        sapiens.load("seg", "nano", weights="untrained", device="cpu", batch_size=0)


def test_predictor__masks_of_another_kind() -> None:
    with pytest.raises(InputError, match="masks: expected a list with one entry per picture"):
        predictor("normal")([np.zeros((8, 8, 3), np.uint8)], masks="x")
