"""torch.compile: a compiler drops intermediate rounding, the rotary table must keep its own."""

from __future__ import annotations

import shutil

import pytest
import torch
from golden_models import archs, fill_, seeded

from sapiens.backbones.standalone.sapiens2 import RotaryEmbedding, Sapiens2

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("g++") is None, reason="torch.compile needs a C++ compiler"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]


@torch.no_grad()
def test_compile__table_is_exact() -> None:
    rope = RotaryEmbedding(80).eval()
    compiled = torch.compile(rope, fullgraph=True)
    for grid in ((64, 48), (100, 7)):
        torch.testing.assert_close(compiled(*grid), rope(*grid), rtol=0, atol=0)


@torch.no_grad()
def test_compile__whole_model_in_one_graph(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Sapiens2, "arch_zoo", archs())
    model = Sapiens2("tiny3", pos_embed_rope_dtype="fp32").eval()
    fill_(model.state_dict())
    compiled = torch.compile(model, fullgraph=True)
    for size_hw in ((64, 48), (96, 80)):
        image = seeded("picture", (1, 3, *size_hw))
        torch.testing.assert_close(compiled(image), model(image), rtol=0, atol=1e-4)
