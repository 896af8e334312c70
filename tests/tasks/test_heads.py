"""Heads and their settings: recorded outputs, released names and sizes, errors."""

from __future__ import annotations

import importlib
from types import ModuleType

import pytest
import torch
from golden_models import archs, assert_close, cases, fill_, load_case, seeded
from manifests import expand, load_manifest, manifest_of, stems
from torch import nn

from sapiens.backbones.sizes import SIZES, build_backbone, get_size
from sapiens.backbones.standalone.sapiens2 import Sapiens2
from sapiens.errors import InputError, UnknownNameError
from sapiens.tasks import TASKS
from sapiens.tasks.base import TaskModel, run_head

HEADS = {
    "PoseHeatmapHead": "pose",
    "SegHead": "seg",
    "NormalHead": "normal",
    "PointmapHead": "pointmap",
    "MattingHead": "matting",
    "AlbedoHead": "albedo",
}
TASK_STEMS = [stem for stem in stems() if stem.rpartition("_")[2] in TASKS]
FORMATS = [
    pytest.param(torch.contiguous_format, id="default"),
    pytest.param(torch.channels_last, id="channels last"),
]

# Heads of 0.4b, 0.8b, 1b and 5b, counted on the original.
PARAMETERS = {
    "pose": (30_226_996, 34_421_300, 64_305_972, 53_295_668),
    "seg": (11_151_325, 13_248_477, 15_345_629, 22_685_661),
    "normal": (57_907_363, 70_293_923, 83_860_131, 249_455_299),
    "pointmap": (133_224_996, 153_082_660, 174_119_972, 281_442_884),
    "albedo": (57_910_163, 70_296_979, 83_863_443, 249_244_179),
}
TOTALS = [(t, s, n) for t, row in PARAMETERS.items() for s, n in zip(("0.4b", "0.8b", "1b", "5b"), row, strict=True)]
TOTALS += [("matting", "1b", 83_860_148)]


def module(task: str, name: str) -> ModuleType:
    return importlib.import_module(f"sapiens.tasks.{task}.{name}")


def head(name: str, **kwargs) -> nn.Module:
    return getattr(module(HEADS[name], "head"), name)(**kwargs)


def meta_head(task: str, size: str) -> nn.Module:
    with torch.device("meta"):
        return module(task, "head").build_head(size, get_size(size).embed_dims)


def check(name: str, model: nn.Module, memory_format: torch.memory_format = torch.contiguous_format) -> None:
    """Compare names and outputs with the recorded ones."""
    case = load_case(name)
    assert model.state_dict().keys() == {key for pattern in case["state_dict"] for key in expand(pattern)}
    fill_(model.state_dict(), scale=case.get("scale"))
    x = seeded(*case["input"]) * case.get("input_scale", 1)
    with torch.no_grad():
        out = model.eval().to(memory_format=memory_format)(x.to(memory_format=memory_format))
    outputs = zip(("pointmap", "scale"), out, strict=True) if isinstance(out, tuple) else [("out", out)]
    got = {key: value for key, value in outputs if value is not None}
    assert got.keys() == case["outputs"].keys()
    for key, value in got.items():
        assert_close(name, key, value)


@pytest.mark.parametrize("memory_format", FORMATS)
@pytest.mark.parametrize("name", cases("head"))
def test_head__recorded_outputs(name: str, memory_format: torch.memory_format) -> None:
    case = load_case(name)
    check(name, head(case["head"], **case["kwargs"]), memory_format)


@pytest.mark.parametrize("name", cases("estimator"))
def test_task_model__recorded_outputs(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    case = load_case(name)
    for arch, settings in archs().items():
        monkeypatch.setitem(Sapiens2.arch_zoo, arch, settings)
    settings = dict(case["decode_head"])
    check(name, TaskModel(Sapiens2(**case["backbone"]), head(settings.pop("type"), **settings)))


@pytest.mark.parametrize("stem", TASK_STEMS)
def test_task_model__names_dtypes_and_shapes_of_the_released_file(stem: str) -> None:
    _, size, task = stem.split("_")
    with torch.device("meta"):
        model = TaskModel(build_backbone(size, out_type="featmap"), meta_head(task, size))
    assert manifest_of(model) == load_manifest(stem)


@pytest.mark.parametrize(("task", "size", "total"), TOTALS, ids=[f"{t} {s}" for t, s, _ in TOTALS])
def test_build_head__published_parameter_count(task: str, size: str, total: int) -> None:
    assert sum(p.numel() for p in meta_head(task, size).parameters()) == total


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize("size", SIZES)
def test_build_head__output_size(task: str, size: str) -> None:
    """Dense maps have the input's size, heatmaps a quarter of it; the 4K tokenizer divides both by four."""
    spec = get_size(size)
    patch = 64 if spec.use_tokenizer else spec.patch_size
    rows, cols = (side // patch for side in spec.input_hw)
    features, image = (
        torch.empty(1, channels, *hw, device="meta")
        for channels, hw in ((spec.embed_dims, (rows, cols)), (3, spec.input_hw))
    )
    out = run_head(meta_head(task, size), features, image)
    maps, scale = out if task == "pointmap" else (out, None)
    channels = {"pose": 308, "seg": 29, "matting": 4}.get(task, 3)
    factor = spec.patch_size // 4 if task == "pose" else spec.patch_size
    assert maps.shape == (1, channels, rows * factor, cols * factor)
    assert task != "pointmap" or scale.shape == (1, 1)


@pytest.mark.parametrize("task", TASKS)
def test_build_head__nano_is_small(task: str) -> None:
    assert 100_000 < sum(p.numel() for p in meta_head(task, "nano").parameters()) < 400_000


@pytest.mark.parametrize("task", TASKS)
def test_head_config__released_sizes_and_errors(task: str) -> None:
    config = module(task, "config")
    assert {f"sapiens2_{size}_{task}" for size in config.RELEASED} <= set(TASK_STEMS)
    with pytest.raises(UnknownNameError, match="unknown size '2b'"):
        config.head_config("2b")
    config.head_config("1b").clear()
    assert config.head_config("1b")


@pytest.mark.parametrize("name", HEADS)
def test_head__unknown_keyword_is_a_type_error(name: str) -> None:
    required = {"out_channels": 7} if name == "PoseHeatmapHead" else {}
    with pytest.raises(TypeError, match="loss_decode"):
        head(name, in_channels=8, loss_decode=None, **required)


@pytest.mark.parametrize("name", ["NormalHead", "PointmapHead", "AlbedoHead"])
def test_head__channels_is_accepted_and_unused(name: str) -> None:
    with torch.device("meta"):
        assert manifest_of(head(name, in_channels=8, channels=32)) == manifest_of(head(name, in_channels=8))


@pytest.mark.parametrize(
    ("name", "kwargs", "message"),
    [
        ("PoseHeatmapHead", {"out_channels": 7, "deconv_out_channels": [4], "deconv_kernel_sizes": [4, 4]}, "1 widths"),
        ("SegHead", {"deconv_out_channels": [4], "deconv_kernel_sizes": [5]}, "kernel size 5 .* expected 2, 3 or 4"),
        ("MattingHead", {"conv_out_channels": [4, 4], "conv_kernel_sizes": [3]}, "2 widths .* but 1 kernel sizes"),
        ("PointmapHead", {"scale_conv_kernel_sizes": [1]}, "scale_conv_layers: 3 widths .* but 1 kernel sizes"),
        ("PointmapHead", {"scale_final_layer": None}, "scale_final_layer: expected .* got None"),
    ],
    ids=["pose lists", "seg kernel", "matting lists", "scale lists", "scale without linear layers"],
)
def test_head__bad_settings_are_one_clear_line(name: str, kwargs: dict, message: str) -> None:
    with torch.device("meta"), pytest.raises(ValueError, match=message):
        head(name, in_channels=8, **kwargs)


def test_pointmap_head__another_grid_says_so() -> None:
    model = meta_head("pointmap", "nano")
    with pytest.raises(InputError, match=r"takes 384 values, got 1536 from a grid of \(32, 24\)"):
        model(torch.empty(1, 128, 32, 24, device="meta"))


def test_head__single_pixel_map_raises_as_the_original() -> None:
    with pytest.raises(ValueError, match="more than one pixel"):
        head("NormalHead", in_channels=4, upsample_channels=[2])(torch.zeros(1, 4, 1, 1))


def test_seg_head__transposed_convolutions_keep_torchs_initialisation() -> None:
    torch.manual_seed(0)
    expected = nn.ConvTranspose2d(8, 4, 4, bias=False).weight
    torch.manual_seed(0)
    kwargs = {"in_channels": 8, "deconv_out_channels": [4], "deconv_kernel_sizes": [4]}
    assert torch.equal(head("SegHead", **kwargs).deconv_layers[0].weight, expected)
    torch.manual_seed(0)
    assert not torch.equal(head("PoseHeatmapHead", out_channels=7, **kwargs).deconv_layers[0].weight, expected)
