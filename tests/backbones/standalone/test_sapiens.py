"""The backbone of generation 1: recorded outputs, released names, position tables of other sizes."""

from __future__ import annotations

import pytest
import torch
from golden_models import archs, assert_close, cases, fill_, load_case, seeded
from manifests import expand, load_manifest, manifest_of, stems
from torch import nn

from sapiens.backbones.counts import count_parameters
from sapiens.backbones.standalone.sapiens import Sapiens

PRETRAIN = [stem for stem in stems() if stem.startswith("sapiens_")]
# reference/model.md, section 12
PARAMETERS = {"0.3b": 307_295_232, "0.6b": 635_910_400, "1b": 1_140_739_584, "2b": 2_133_912_960}


@pytest.fixture(autouse=True)
def small_archs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sapiens, "arch_zoo", {**Sapiens.arch_zoo, **archs(1)})


def build(**settings) -> Sapiens:
    model = Sapiens("tiny4", **({"img_size": (64, 48), "out_type": "raw"} | settings)).eval()
    fill_(model.state_dict())
    return model


def picture(rows: int = 64, cols: int = 48, batch: int = 1) -> torch.Tensor:
    return seeded(f"picture:{rows}x{cols}", (batch, 3, rows, cols))


@pytest.mark.parametrize("name", cases("sapiens"))
def test_forward__recorded(name: str) -> None:
    case = load_case(name)
    model = Sapiens(case["arch"], **case["kwargs"], pad=case["variant"] == "standalone").eval()
    names = {n: (dtype, tuple(shape)) for key, (dtype, shape) in case["state_dict"].items() for n in expand(key)}
    assert manifest_of(model) == names
    fill_(model.state_dict(), case.get("scale"))
    with torch.no_grad():
        outputs = model(seeded(*case["input"]))
    assert len(outputs) == len(case["outputs"])
    for index, output in enumerate(outputs):
        assert_close(name, f"out{index}", output)


@pytest.mark.parametrize("name", cases("sapiens_load"))
def test_load__position_table_recorded(name: str) -> None:
    case = load_case(name)
    source = build(img_size=case["source_img_size"])
    target = build(img_size=case["target_img_size"], with_cls_token=case["with_cls_token"])
    target.load_state_dict(source.state_dict(), strict=False)
    assert_close(name, "pos_embed", target.pos_embed)


@pytest.mark.parametrize("size_hw", [(112, 32), (48, 64 * 5)], ids=["narrow", "wide"])
def test_load__grid_unknown_keeps_own_table_and_says_so(size_hw: tuple[int, int]) -> None:
    model = build()
    own = model.pos_embed.clone()
    with pytest.warns(UserWarning, match="positions are no grid that is known.*its own table of 4x3"):
        model.load_state_dict(build(img_size=size_hw).state_dict())
    torch.testing.assert_close(model.pos_embed, own, rtol=0, atol=0)


def test_load__as_part_of_a_model() -> None:
    source, target = nn.ModuleDict({"backbone": build(img_size=64)}), nn.ModuleDict({"backbone": build()})
    state = source.state_dict()
    target.load_state_dict(state)
    assert target["backbone"].pos_embed.shape == (1, 13, 32)
    assert state["backbone.pos_embed"].shape == (1, 17, 32), "the caller's dict is kept"


def test_load__wide_model_takes_a_square_table() -> None:
    model = build(img_size=(48, 64))
    model.load_state_dict(build(img_size=64).state_dict())
    assert model.pos_embed.shape == (1, 13, 32)


def test_load__other_width_is_an_error() -> None:
    state = build().state_dict() | {"pos_embed": torch.zeros(1, 17, 48)}
    with pytest.raises(RuntimeError, match="size mismatch for pos_embed"):
        build().load_state_dict(state)


@pytest.mark.parametrize("stem", PRETRAIN)
def test_names__released(stem: str) -> None:
    size = stem.removesuffix("_pretrain").removeprefix("sapiens_")
    for arch in (f"sapiens_{size}", size.upper()):
        with torch.device("meta"):
            model = Sapiens(arch, img_size=1024)
        assert manifest_of(model) == load_manifest(stem)
    assert count_parameters(model) == PARAMETERS[size]


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        pytest.param({"arch": "sapiens_0.4b"}, "did you mean '0.", id="arch"),
        pytest.param({"out_type": "avg_featmap"}, "expected one of cls_token, featmap, raw", id="out_type"),
        pytest.param({"out_type": "cls_token", "with_cls_token": False}, "needs with_cls_token", id="no cls token"),
        pytest.param({"out_indices": [5]}, r"expected layers of 4, got \[5\]", id="layer too deep"),
        pytest.param({"layer_cfgs": [{}]}, "expected 4 dicts, got 1", id="layer_cfgs length"),
        pytest.param({"layer_cfgs": {"heads": 2}}, "layer_cfgs: unknown heads", id="layer_cfgs name"),
        pytest.param({"layer_cfgs": {"num_heads": 3}}, "does not divide into 3", id="layer_cfgs heads"),
        pytest.param({"patch_cfg": {"kernel": 3}}, "patch_cfg: unknown kernel", id="patch_cfg name"),
    ],
)
def test_constructor__names_what_cannot_be(settings: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Sapiens(**({"arch": "tiny4"} | settings))


@pytest.mark.parametrize(
    ("pad", "grid"), [pytest.param(True, (5, 4), id="padded"), pytest.param(False, (4, 3), id="cut")]
)
def test_pad__incomplete_patches(pad: bool, grid: tuple[int, int]) -> None:
    model = build(img_size=(70, 53), pad=pad, out_type="featmap")
    assert model.patch_resolution == grid
    assert model(picture(70, 53))[0].shape[2:] == grid


def test_forward__refuses_pictures() -> None:
    with pytest.raises(ValueError, match=r"image: expected \(B, 3, H, W\).*got \(1, 1, 64, 48\)"):
        build()(torch.zeros(1, 1, 64, 48))
    with pytest.raises(ValueError, match="at least one patch"):
        build(pad=False)(torch.zeros(1, 3, 64, 10))


@torch.no_grad()
def test_outputs__forms_of_out_indices_and_out_type() -> None:
    layers = build(out_indices=(-1, 0))(picture(batch=2))
    featmaps = build(out_indices=[0, 3], out_type="featmap")(picture(batch=2))
    for raw, featmap in zip(layers, featmaps, strict=True):
        torch.testing.assert_close(featmap.flatten(2).transpose(1, 2), raw[:, 1:], rtol=0, atol=0)
    assert build(out_indices=4)(picture()) == ()


def test_training__frozen_layers_and_checkpointing() -> None:
    gradients = []
    for enabled in (False, True):
        model = build(frozen_stages=2, drop_rate=0.2).train()
        model.set_gradient_checkpointing(enabled)
        assert [layer.training for layer in model.layers] == [False, False, True, True]
        torch.manual_seed(0)
        model(picture(96, 80))[0].square().mean().backward()
        gradients.append({name: p.grad for name, p in model.named_parameters() if p.requires_grad})
    assert {name.split(".")[1] for name in gradients[0] if name.startswith("layers")} == {"2", "3"}
    assert not any(name.startswith(("pos_embed", "cls_token", "patch_embed")) for name in gradients[0])
    torch.testing.assert_close(*gradients, rtol=0, atol=0)


def test_training__position_table_learns_through_resizing() -> None:
    model = build()
    model(picture(96, 80))[0].square().mean().backward()
    assert model.pos_embed.grad.abs().sum() > 0
