"""bfloat16 attention beside torch's in double precision."""

import pytest
import torch
from torch.nn import functional as F

from sapiens.cpu import attention
from sapiens.cpu.attention import attend_bfloat16


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("size", [64, 76, 80])
def test_attend__close_to_double_precision(size, dtype):
    torch.manual_seed(0)
    # More queries than keys, as where heads share keys; the last strip is not full.
    q, k, v = (torch.randn(2, 3, tokens, size).to(dtype) for tokens in (1100, 550, 550))
    expected = F.scaled_dot_product_attention(q.double(), k.double(), v.double())
    y = attend_bfloat16(q, k, v)
    assert y.dtype == dtype
    assert y.shape == expected.shape
    assert (y - expected).norm() / expected.norm() < 0.01


def test_attend__a_key_that_outweighs_all_others():
    q, k, v = torch.ones(1, 1, 4, 64), torch.zeros(1, 1, 600, 64), torch.randn(1, 1, 600, 64)
    k[0, 0, 7] = 100
    torch.testing.assert_close(attend_bfloat16(q, k, v)[0, 0], v[0, 0, 7].expand(4, -1), atol=0, rtol=0.005)


def test_attend__few_keys_are_left_to_torch(monkeypatch):
    q, k, v = (torch.randn(5, 2, 17, 8) for _ in range(3))
    expected = F.scaled_dot_product_attention(q, k, v)
    torch.testing.assert_close(attend_bfloat16(q, k, v), expected, atol=0, rtol=0)
    monkeypatch.setattr(attention, "MIN_KEYS", 17)
    assert not torch.equal(attend_bfloat16(q, k, v), expected)
