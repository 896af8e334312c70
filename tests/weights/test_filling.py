"""Untrained weights: the same everywhere, and good enough to see the machinery work."""

from __future__ import annotations

import pytest
import torch
from helpers_weights import meta_model, random_state

from sapiens.weights import untrained


@pytest.mark.parametrize("task", ["pose", "seg", "normal", "pointmap", "matting", "albedo", "pretrain"])
def test_untrained__fills_everything_and_runs(task):
    model = meta_model(task, "nano")
    assert untrained(model) == "untrained"
    assert not any(t.is_meta for t in model.state_dict().values())
    with torch.inference_mode():
        images = torch.randn(2, 3, 128, 96, generator=torch.Generator().manual_seed(0))
        outputs = model(images)
    for output in outputs if isinstance(outputs, tuple) else (outputs,):
        assert output.isfinite().all()
        assert output.std() > 1e-3
        assert not torch.equal(output[0], output[1])


def test_untrained__repeats_and_follows_the_seed():
    first, second, other = (meta_model("seg", "nano") for _ in range(3))
    untrained(first)
    untrained(second)
    untrained(other, seed=1)
    same = [torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True)]
    assert all(same)
    assert not torch.equal(first.decode_head.conv_seg.weight, other.decode_head.conv_seg.weight)
    # Recorded: what one machine shows, the next must show too.
    assert first.backbone.cls_token[0, 0, :3].tolist() == pytest.approx([-0.004353784, 0.018874500, 0.027121088])


def test_untrained__tensors_of_one_shape_differ():
    model = meta_model("seg", "nano")
    untrained(model)
    assert not torch.equal(model.backbone.blocks[0].attn.wq.weight, model.backbone.blocks[1].attn.wq.weight)


@pytest.mark.parametrize(
    ("dtype", "periods"),
    [(torch.float32, torch.bfloat16), (torch.bfloat16, torch.bfloat16), (torch.float16, torch.float16)],
    ids=["float32", "bfloat16", "float16"],
)
def test_untrained__dtypes_and_periods(dtype, periods):
    model = meta_model("pose", "nano")
    untrained(model, dtype=dtype)
    assert {p.dtype for p in model.parameters()} == {dtype}
    expected = random_state()["backbone.rope_embed.periods"].to(periods)
    torch.testing.assert_close(model.backbone.rope_embed.periods, expected, rtol=0, atol=0)
