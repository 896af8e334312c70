"""The Sapiens2 backbone: recorded outputs, released names, settings, training."""

from __future__ import annotations

import copy
import inspect
import itertools
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from golden_models import archs, assert_close, cases, expected, fill_, load_case, seeded
from manifests import expand, load_manifest, manifest_of, stems

from sapiens.backbones.standalone.sapiens2 import Attention, RMSNorm, RotaryEmbedding, Sapiens2, rotate

PRETRAIN = [stem for stem in stems() if stem.startswith("sapiens2") and stem.endswith("pretrain")]
TINY = {"arch": "tiny20", "img_size": (64, 48)}


@pytest.fixture(autouse=True)
def small_archs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sapiens2, "arch_zoo", {**Sapiens2.arch_zoo, **archs()})


def build(seed: int = 0, **settings) -> Sapiens2:
    """A small model in eval mode whose every part matters to its output."""
    torch.manual_seed(seed)
    model = Sapiens2(**(TINY | settings)).eval()
    fill_(model.state_dict())
    return model


def picture(rows: int = 64, cols: int = 48, batch: int = 1) -> torch.Tensor:
    return seeded(f"picture:{rows}x{cols}", (batch, 3, rows, cols))


@pytest.mark.parametrize("name", cases("sapiens2"))
def test_forward__recorded(name: str) -> None:
    case = load_case(name)
    model = Sapiens2(case["arch"], **case["kwargs"]).eval()
    names = {n: (dtype, tuple(shape)) for key, (dtype, shape) in case["state_dict"].items() for n in expand(key)}
    if "module_cast_to" in case:
        model.to(getattr(torch, case["module_cast_to"]))
    assert manifest_of(model) == names
    fill_(model.state_dict(), case.get("scale"))
    with torch.no_grad():
        outputs = model(seeded(*case["input"]))
    assert len(outputs) == len(case["outputs"])
    for index, output in enumerate(outputs):
        assert_close(name, f"out{index}", output)


@pytest.mark.parametrize("name", cases("sapiens2_real"))
def test_forward__recorded_at_real_size(name: str) -> None:
    case = load_case(name)
    with torch.device("meta"):
        model = Sapiens2(case["arch"], **case["kwargs"]).eval()
    model.to_empty(device="cpu")
    dtype = case["kwargs"]["pos_embed_rope_dtype"]
    model.rope_embed.periods.copy_(RotaryEmbedding(64, dtype=dtype).periods)
    fill_(model.state_dict())
    with torch.no_grad():
        output = model(seeded(*case["input"]))[0]
    assert list(output.shape) == case["output_shape"]
    assert_close(name, "values", output.flatten()[expected(name, "index").astype(int)])
    assert_close(name, "mean_std", np.array([output.mean(), output.std(correction=0)]))


@pytest.mark.parametrize("stem", PRETRAIN)
def test_names__released(stem: str) -> None:
    arch, has_tokenizer = stem.removesuffix("_pretrain").removesuffix("_4k"), "_4k_" in stem
    with torch.device("meta"):
        model = Sapiens2(arch, use_tokenizer=has_tokenizer)
    assert manifest_of(model) == load_manifest(stem)


def test_constructor__documented_defaults() -> None:
    got = {name: p.default for name, p in inspect.signature(Sapiens2).parameters.items()}
    prefix = "pos_embed_rope_"
    assert got == {
        "arch": "sapiens2_1b",
        "img_size": (1024, 768),
        "patch_size": 16,
        "in_channels": 3,
        "out_indices": -1,
        "drop_rate": 0.0,
        "window_size": 4,
        "use_tokenizer": False,
        "use_qk_norm": True,
        "qkv_bias": True,
        "final_norm": True,
        "out_type": "raw",
        "with_cls_token": True,
        "layer_scale_init_value": 1e-4,
        "frozen_stages": -1,
        "patch_cfg": None,
        "layer_cfgs": None,
        f"{prefix}base": 100.0,
        **{f"{prefix}{n}": None for n in ("min_period", "max_period")},
        f"{prefix}normalize_coords": "separate",
        **{f"{prefix}{n}_coords": None for n in ("shift", "jitter", "rescale")},
        f"{prefix}dtype": "bf16",
        "n_storage_tokens": 8,
    }


def test_attributes__of_the_4k_model() -> None:
    with torch.device("meta"):
        model = Sapiens2("SAPIENS2_1B", img_size=(4096, 3072), use_tokenizer=True)
    assert (model.embed_dims, model.num_layers, model.num_extra_tokens) == (1536, 40, 9)
    assert (model.img_size, model.patch_resolution) == ((1024, 768), (64, 48))
    assert (model.out_indices, len(model.blocks), len(model.tokenizer.blocks)) == ([39], 40, 4)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"arch": "sapiens2_0.9b"}, "did you mean 'sapiens2_0.", id="arch"),
        pytest.param({"out_type": "tokens"}, "expected one of cls_token, featmap, raw", id="out_type"),
        pytest.param({"out_type": "cls_token", "with_cls_token": False}, "needs with_cls_token", id="no cls token"),
        pytest.param({"out_indices": 21}, "expected layers of 20, got 21", id="layer too deep"),
        pytest.param({"out_indices": (0, -21)}, "expected layers of 20", id="layer before the first"),
        pytest.param({"layer_cfgs": [{}]}, "expected 20 dicts, got 1", id="layer_cfgs length"),
        pytest.param({"layer_cfgs": {"heads": 2}}, "layer_cfgs: unknown heads; known: attn_drop", id="layer_cfgs name"),
        pytest.param({"layer_cfgs": {"num_heads": 2}}, "one rotary table", id="layer_cfgs head size"),
        pytest.param({"layer_cfgs": {"num_kv_heads": 3}}, "do not divide", id="layer_cfgs kv heads"),
        pytest.param({"patch_cfg": {"kernel": 3}}, "patch_cfg: unknown kernel", id="patch_cfg name"),
    ],
)
def test_constructor__names_what_cannot_be(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**settings)


@pytest.mark.parametrize(
    ("settings", "shape", "message"),
    [
        pytest.param({}, (3, 64, 48), r"expected \(B, 3, H, W\).*got \(3, 64, 48\)", id="no batch"),
        pytest.param({}, (1, 1, 64, 48), r"expected \(B, 3, H, W\)", id="grey"),
        pytest.param({}, (1, 3, 64, 15), "at least 16x16 pixels", id="too small"),
        pytest.param({"use_tokenizer": True}, (1, 3, 64, 48), "4x3 patches do not divide into.*4x4", id="windows"),
    ],
)
def test_forward__refuses_pictures(settings: dict, shape: tuple[int, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        build(**settings)(torch.zeros(shape))


@pytest.mark.parametrize(
    ("given", "layers"),
    [
        pytest.param(-1, [19], id="last"),
        pytest.param(3, [3], id="one"),
        pytest.param([17, 3], [3, 17], id="list, in order of depth"),
        pytest.param((0, -20, -1), [0, 19], id="tuple with negatives, twice the same"),
        pytest.param(20, [], id="beyond the last selects nothing"),
    ],
)
@torch.no_grad()
def test_out_indices__outputs_in_order_of_depth(given, layers: list[int]) -> None:
    everything = build(out_indices=range(20))(picture())
    outputs = build(out_indices=given)(picture())
    torch.testing.assert_close(outputs, tuple(everything[layer] for layer in layers), rtol=0, atol=0)


def test_out_indices__list_of_the_caller_is_kept() -> None:
    given = [-1, 2]
    assert build(out_indices=given).out_indices == [19, 2]
    assert given == [-1, 2]


@torch.no_grad()
def test_out_type__parts_of_raw() -> None:
    raw = build()(picture(batch=2))[0]
    cls_token = build(out_type="cls_token")(picture(batch=2))[0]
    featmap = build(out_type="featmap")(picture(batch=2))[0]
    torch.testing.assert_close(cls_token, raw[:, 0], rtol=0, atol=0)
    torch.testing.assert_close(featmap.flatten(2).transpose(1, 2), raw[:, 9:], rtol=0, atol=0)
    assert featmap._base is not None, "a view"


def test_layer_cfgs__one_dict_or_one_per_layer() -> None:
    changes = {"feedforward_channels": 24, "num_kv_heads": 1}
    assert {tuple(b.ffn.w3.weight.shape) for b in build(layer_cfgs=changes).blocks} == {(48, 24)}
    model = build(layer_cfgs=[{}] * 19 + [changes])
    assert [b.attn.num_kv_heads for b in model.blocks] == [4] * 8 + [2] * 4 + [4] * 7 + [1]
    assert model(picture())[0].shape == (1, 21, 48)


def test_patch_cfg__overrides_the_convolution() -> None:
    model = build(patch_cfg={"kernel_size": 8, "bias": False, "padding": 3})
    assert model.patch_embed.projection.bias is None
    assert model.patch_embed.projection.padding == (0, 0)
    assert model(picture())[0].shape == (1, 21, 48)


@torch.no_grad()
def test_drop_rate__only_in_training() -> None:
    model = build(drop_rate=0.5)
    torch.testing.assert_close(model(picture()), build()(picture()), rtol=0, atol=0)
    model.train()
    assert not torch.equal(model(picture())[0], model(picture())[0])


def test_initialisation__as_documented() -> None:
    torch.manual_seed(0)
    model = Sapiens2("sapiens2_nano", use_tokenizer=True, layer_scale_init_value=0.5)
    for name, value in model.named_parameters():
        if name.endswith("bias"):
            assert not value.any(), name
        elif name.endswith("gamma.weight"):
            assert (value == 0.5).all(), name
        elif value.dim() == 1:
            assert (value == 1).all(), name
        else:
            assert value.std().item() == pytest.approx(0.02, rel=0.15), name


def test_meta__no_memory_until_loaded() -> None:
    with torch.device("meta"):
        model = Sapiens2(**TINY).eval()
    source = build()
    model.load_state_dict(source.state_dict(), assign=True)
    with torch.no_grad():
        torch.testing.assert_close(model(picture()), source(picture()), rtol=0, atol=0)


@pytest.mark.parametrize(
    ("stages", "trained"),
    [
        pytest.param(-1, {"patch_embed", "tokenizer", "cls_token", "storage_tokens", "blocks.0", "ln1"}, id="none"),
        pytest.param(1, {"blocks.1", "ln1"}, id="first block"),
        pytest.param(19, {"blocks.19", "ln1"}, id="all but one"),
        pytest.param(20, set(), id="everything"),
    ],
)
def test_frozen_stages__stay_frozen_in_training(stages: int, trained: set[str]) -> None:
    model = build(frozen_stages=stages, use_tokenizer=True, drop_rate=0.5).train()
    free = {".".join(n.split(".")[: 2 if n[0] == "b" else 1]) for n, p in model.named_parameters() if p.requires_grad}
    rest = {f"blocks.{index}" for index in range(max(stages, 0), 20)}
    assert free == trained | rest
    assert [block.training for block in model.blocks] == [index >= stages for index in range(20)]
    assert model.patch_embed.training == (stages < 1)


def test_frozen_stages__gradients_reach_the_rest() -> None:
    model = build(frozen_stages=2).train()
    model(picture())[0].square().mean().backward()
    assert all((p.grad is not None) == p.requires_grad for p in model.parameters())


@pytest.mark.parametrize("settings", [{}, {"use_tokenizer": True, "img_size": (256, 192)}], ids=["plain", "tokenizer"])
def test_gradient_checkpointing__same_gradients(settings: dict) -> None:
    gradients = []
    for enabled in (False, True):
        model = build(**settings, drop_rate=0.2, pos_embed_rope_shift_coords=0.1).train()
        model.set_gradient_checkpointing(enabled)
        torch.manual_seed(1)
        model(picture(128, 64))[0].square().mean().backward()
        gradients.append({name: parameter.grad for name, parameter in model.named_parameters()})
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


def test_gradient_checkpointing__runs_blocks_again() -> None:
    model = build().train()
    model.set_gradient_checkpointing()
    calls = []
    model.blocks[3].register_forward_pre_hook(lambda *_: calls.append(1))
    model(picture())[0].sum().backward()
    assert len(calls) == 2


@torch.no_grad()
def test_tokenizer__chunks_change_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    model = build(use_tokenizer=True)
    whole = model(picture(128, 192, batch=2))[0]
    monkeypatch.setattr(type(model.tokenizer), "CHUNK", 5)
    torch.testing.assert_close(model(picture(128, 192, batch=2))[0], whole, rtol=0, atol=1e-2)


@pytest.mark.parametrize("rope_dtype", ["bf16", "fp32"])
@torch.no_grad()
def test_attention__equals_repeated_keys_and_enable_gqa(rope_dtype: str) -> None:
    torch.manual_seed(0)
    attention = Attention(48, 6, num_kv_heads=2)
    rope = RotaryEmbedding(8, dtype=rope_dtype)(4, 3)
    x = torch.randn(2, 15, 48)
    q, k, v = (
        norm(layer(x).view(2, 15, -1, 8)).transpose(1, 2)
        for layer, norm in (
            (attention.wq, attention.q_norm),
            (attention.wk, attention.k_norm),
            (attention.wv, lambda t: t),
        )
    )
    k_all, v_all = k.repeat_interleave(3, 1), v.repeat_interleave(3, 1)
    repeated = F.scaled_dot_product_attention(rotate(q, *rope), rotate(k_all, *rope), v_all)
    grouped = F.scaled_dot_product_attention(rotate(q, *rope), rotate(k, *rope), v, enable_gqa=True)
    got = attention(x, rope)
    for want in (repeated, grouped):
        torch.testing.assert_close(got, attention.proj(want.transpose(1, 2).flatten(2)), rtol=0, atol=1e-6)


@torch.no_grad()
def test_bfloat16__whole_model() -> None:
    model = build(arch="tiny3")
    want = model(picture())[0]
    got = model.bfloat16()(picture().bfloat16())[0]
    assert got.dtype == torch.bfloat16
    assert (got.float() - want).abs().mean() < 0.03
    with pytest.raises(RuntimeError, match="type"):
        model(picture())


@torch.no_grad()
def test_float__turns_rotary_positions_to_float32() -> None:
    default, cast = build()(picture())[0], build().float()(picture())[0]
    exact = build(pos_embed_rope_dtype="fp32")(picture())[0]
    assert 1e-4 < (default - cast).abs().max() < 0.1
    assert (cast - exact).abs().max() > 1e-4, "coordinates and periods are still those of bfloat16"


def test_autocast__no_slow_norm() -> None:
    """torch warns when an RMSNorm's weight and input differ, and warnings are errors here."""
    model = build().train()
    with torch.autocast("cpu", torch.bfloat16):
        loss = model(picture())[0].square().mean()
    loss.backward()
    assert torch.isfinite(loss)
    assert RMSNorm(4)(torch.ones(1, 4).bfloat16()).dtype == torch.bfloat16


def test_inference_then_training__backward_works() -> None:
    model = build()
    with torch.inference_mode():
        model(picture())
    model.train()(picture())[0].sum().backward()
    assert model.blocks[0].attn.wq.weight.grad is not None


@torch.no_grad()
def test_deepcopy__same_output_own_weights() -> None:
    model = build()
    want = model(picture())[0]
    twin = copy.deepcopy(model)
    torch.testing.assert_close(twin(picture())[0], want, rtol=0, atol=0)
    model.cls_token.zero_()
    torch.testing.assert_close(twin(picture())[0], want, rtol=0, atol=0)


def test_threads__same_output() -> None:
    model = build(arch="tiny3")
    sizes = list(itertools.product((32, 64, 96), (48, 80, 112), (1, 2)))

    def run(size: tuple[int, int, int]) -> torch.Tensor:
        with torch.inference_mode():
            return model(picture(*size))[0]

    want = [run(size) for size in sizes]
    with ThreadPoolExecutor(4) as pool:
        for got, expected_output in zip(pool.map(run, sizes), want, strict=True):
            torch.testing.assert_close(got, expected_output, rtol=0, atol=2e-3)


@pytest.mark.parametrize("strict", [False, True], ids=["traced", "strict"])
def test_export__same_numbers(strict: bool) -> None:
    model = build(arch="tiny3")
    program = torch.export.export(model, (picture(),), strict=strict)
    with torch.no_grad():
        torch.testing.assert_close(program.module()(picture()), model(picture()), rtol=0, atol=1e-6)
        assert model(picture(96, 80))[0].shape == (1, 39, 24), "nothing traced was kept"
