"""Names in the original layout and in that of transformers, both ways."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest
import torch
from manifests import load_manifest, stems
from torch import Tensor

from sapiens.errors import UnknownNameError, WeightsError
from sapiens.weights.layouts import (
    detect_layout,
    may_be_absent,
    original_sources,
    task_of_architecture,
    task_of_keys,
    to_original,
    to_transformers,
)

TASKS = ("pose", "seg", "normal", "pointmap", "matting")
STEMS = [s for s in stems() if s.startswith("sapiens2") and s.endswith((*TASKS, "pretrain")) and "4k" not in s]


def task_of(stem: str) -> str | None:
    name = stem.rpartition("_")[2]
    return None if name == "pretrain" else name


def meta_tensors(stem: str) -> dict[str, Tensor]:
    return {name: torch.empty(shape, device="meta") for name, (_, shape) in load_manifest(stem).items()}


def shapes(tensors: Mapping[str, Tensor]) -> dict[str, tuple[int, ...]]:
    return {name: tuple(tensor.shape) for name, tensor in tensors.items()}


@pytest.mark.parametrize("stem", STEMS)
def test_layouts__every_released_file_there_and_back(stem: str) -> None:
    tensors = meta_tensors(stem)
    task = task_of(stem)
    renamed = dict(to_transformers(tensors))
    assert detect_layout(tensors) == "original"
    assert detect_layout(renamed) == "transformers"
    assert task_of_keys(tensors) == task
    assert not renamed.keys() & tensors.keys()
    back = dict(to_original(renamed, task))
    expected = shapes(tensors)
    del expected["backbone.rope_embed.periods" if task else "rope_embed.periods"]
    assert shapes(back) == expected
    assert list(back) == list(expected)


@pytest.mark.parametrize(
    ("stem", "original", "renamed"),
    [
        ("0.4b_pretrain", "ln1.weight", "norm.weight"),
        ("0.4b_pretrain", "blocks.23.attn.gamma.weight", "model.layer.23.layer_scale1.lambda1"),
        ("1b_seg", "backbone.storage_tokens", "model.embeddings.register_tokens"),
        ("1b_seg", "backbone.blocks.7.attn.proj.bias", "model.model.layer.7.attention.o_proj.bias"),
        ("1b_seg", "decode_head.deconv_layers.9.weight", "decode_head.upsample_layers.3.convolution.weight"),
        ("1b_pose", "decode_head.conv_layers.6.bias", "decode_head.conv_layers.2.convolution.bias"),
        ("1b_pose", "decode_head.conv_pose.weight", "decode_head.predictor.weight"),
        ("1b_normal", "decode_head.upsample_blocks.3.0.bias", "decode_head.upsample_layers.3.convolution.bias"),
        ("1b_matting", "decode_head.input_conv.0.weight", "decode_head.input_conv.convolution.weight"),
        ("5b_pointmap", "decode_head.scale_conv_layers.6.bias", "scale_head.conv_layers.2.convolution.bias"),
        ("5b_pointmap", "decode_head.scale_final_layer.3.bias", "scale_head.predictor.block2.layers.0.bias"),
        ("5b_pointmap", "decode_head.scale_final_layer.5.bias", "scale_head.predictor.proj.bias"),
    ],
)
def test_layouts__names(stem: str, original: str, renamed: str) -> None:
    tensors = meta_tensors(f"sapiens2_{stem}")
    sources = original_sources(dict(to_transformers(tensors)), task_of(stem))
    assert sources[original] == (renamed,)


def test_layouts__gate_is_the_first_half() -> None:
    w12 = torch.arange(12.0).reshape(6, 2)
    tensors = {"blocks.0.ffn.w12.weight": w12}
    renamed = dict(to_transformers(tensors))
    assert renamed["model.layer.0.mlp.gate_proj.weight"].tolist() == [[0, 1], [2, 3], [4, 5]]
    assert renamed["model.layer.0.mlp.up_proj.weight"].data_ptr() == w12[3:].data_ptr()
    swapped = dict(reversed(renamed.items()))
    assert torch.equal(dict(to_original(swapped, None))["blocks.0.ffn.w12.weight"], w12)


def test_to_original__depth_follows_the_names() -> None:
    """A head deeper than any released one keeps the 3 j rule."""
    names = [f"decode_head.conv_layers.{j}.convolution.weight" for j in range(12)]
    assert [name for (name,) in map(tuple, original_sources(names, "seg").values())] == names
    assert list(original_sources(names, "seg"))[-1] == "decode_head.conv_layers.33.weight"


def test_to_original__reads_one_tensor_at_a_time() -> None:
    class Spy(Mapping[str, Tensor]):
        read: list[str] = []  # noqa: RUF012

        def __getitem__(self, name: str) -> Tensor:
            self.read.append(name)
            return torch.zeros(2)

        def __iter__(self) -> Iterator[str]:
            return iter(["norm.weight", "model.layer.0.norm1.weight"])

        def __len__(self) -> int:
            return 2

    spy = Spy()
    stream = to_original(spy, None)
    assert next(stream)[0] == "ln1.weight"
    assert spy.read == ["norm.weight"]


@pytest.mark.parametrize(
    "strange",
    [
        "embeddings.mask_token",
        "model.layer.0.mlp.gate_proj.weight",
        "model.layer.0.extra.weight",
        "model.layer.9999999.x",
    ],
    ids=["not in the table", "half of a pair", "unknown in a layer", "absurd number"],
)
def test_to_original__unknown_names_stay_for_the_strict_load_to_report(strange: str) -> None:
    assert original_sources(["norm.weight", strange], None) == {"ln1.weight": ("norm.weight",), strange: (strange,)}


def test_to_original__a_head_without_a_task_is_an_error() -> None:
    with pytest.raises(WeightsError, match="do not say which task") as caught:
        original_sources(["decode_head.predictor.weight"], None)
    assert "config.json" in caught.value.hint


@pytest.mark.parametrize(
    ("stem", "message"),
    [
        ("sapiens2_0.4b_albedo", "transformers has no albedo head, only pose, seg, normal, pointmap, matting"),
        ("sapiens2_1b_4k_pretrain", r"no window tokenizer \(4K\) for 58 tensors: tokenizer\."),
    ],
    ids=["albedo", "4K"],
)
def test_to_transformers__what_it_cannot_hold_is_an_error(stem: str, message: str) -> None:
    with pytest.raises(WeightsError, match=message) as caught:
        list(to_transformers(meta_tensors(stem)))
    assert caught.value.hint == "keep the original layout"


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ([], "0 tensors, nothing"),
        (["layers.0.attn.qkv.weight", "pos_embed"], r"2 tensors, layers\.0\.attn\.qkv\.weight"),
    ],
    ids=["empty", "generation 1"],
)
def test_detect_layout__something_else(keys: list[str], message: str) -> None:
    with pytest.raises(WeightsError, match=message):
        detect_layout(keys)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("Sapiens2Model", None),
        ("Sapiens2Backbone", None),
        ("Sapiens2ForSemanticSegmentation", "seg"),
        ("Sapiens2ForImageMatting", "matting"),
    ],
)
def test_task_of_architecture__known(name: str, task: str | None) -> None:
    assert task_of_architecture(name) == task


def test_task_of_architecture__unknown() -> None:
    with pytest.raises(UnknownNameError, match="did you mean 'Sapiens2ForPoseEstimation'"):
        task_of_architecture("Sapiens2ForPoseEstimator")


def test_task_of_keys__albedo_and_none() -> None:
    assert task_of_keys(meta_tensors("sapiens2_5b_albedo")) == "albedo"
    assert task_of_keys(["blocks.0.attn.wq.weight"]) is None


def test_may_be_absent__periods_alone() -> None:
    names = [*load_manifest("sapiens2_0.1b_pretrain"), *load_manifest("sapiens2_0.4b_seg")]
    assert [n for n in names if may_be_absent(n)] == ["rope_embed.periods", "backbone.rope_embed.periods"]
