"""Attention in bfloat16 on a CPU, by oneDNN's products; torch's own kernel gains nothing from 16-bit numbers."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

MIN_KEYS = 512
"""Fewer than these (a window of the tokenizer has 17), and the calls take longer than the products."""
ROWS = 512
"""Queries at a time: their scores against some thousand keys stay in the cache."""


def attend_bfloat16(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Softmax of scaled products, times the values; scores and weights are rounded to bfloat16, sums are float32.

    Args:
        q: (B, K, M, d) queries, of any floating dtype.
        k, v: (B, K, N, d) keys and values.

    Returns:
        (B, K, M, d) in the dtype of `q`.
    """
    if k.shape[2] < MIN_KEYS:
        return F.scaled_dot_product_attention(q, k, v)
    out = torch.empty_like(q)
    scale = q.shape[-1] ** -0.5
    pairs = zip(q.flatten(0, 1), k.flatten(0, 1), v.flatten(0, 1), out.flatten(0, 1), strict=True)
    for queries, keys, values, target in pairs:
        keys_dN, values_Nd = keys.to(torch.bfloat16).T, values.to(torch.bfloat16)
        for start in range(0, len(queries), ROWS):
            rows = slice(start, start + ROWS)
            scores = torch.mm((queries[rows] * scale).to(torch.bfloat16), keys_dN)
            target[rows] = torch.mm(torch.softmax(scores, -1), values_Nd)
    return out
