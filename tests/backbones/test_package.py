"""Names of the package, and sizes that agree with the architectures."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

import sapiens.backbones
from sapiens.backbones.sizes import SIZES, build_backbone


def test_names__loaded_on_first_use() -> None:
    code = (
        "import sys, sapiens.backbones as b; print('torch' in sys.modules); b.Sapiens2; print('torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "True"]
    assert dir(sapiens.backbones) == ["Sapiens", "Sapiens2"]
    assert sapiens.backbones.Sapiens.__name__ == "Sapiens"
    with pytest.raises(AttributeError, match="no attribute 'Sapiens3'"):
        sapiens.backbones.Sapiens3  # noqa: B018


@pytest.mark.parametrize("name", SIZES)
def test_sizes__agree_with_the_architectures(name: str) -> None:
    with torch.device("meta"):
        model = build_backbone(name)
    assert model.embed_dims == SIZES[name].embed_dims
    assert (model.tokenizer is not None) == SIZES[name].use_tokenizer
    assert model.patch_resolution == ((16, 12) if name == "nano" else (64, 48))
