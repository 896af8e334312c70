"""A transformer block computed a strip of tokens at a time: what lies between two products stays in the cache."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sapiens.backbones.standalone.sapiens2 import Block, Table, rotate

ROWS = 256
"""Tokens at a time: enough for the products' full rate, few enough for the cache."""


class StripBlock(nn.Module):
    """Computes what `Block` does when it predicts; takes over the block's layers under their names.

    Shape suffixes as in `sapiens2`: B batch, N tokens, D width, H heads, K key-value heads, d head size.
    """

    def __init__(self, source: Block) -> None:
        super().__init__()
        self.ln1, self.attn, self.ln2, self.ffn = source.ln1, source.attn, source.ln2, source.ffn

    def forward(self, x_BND: Tensor, rope: Table | None = None) -> Tensor:
        (B, N, _), H, K, d = x_BND.shape, self.attn.num_heads, self.attn.num_kv_heads, self.attn.head_dim
        q_BHNd, k_BKNd, v_BKNd = (x_BND.new_empty(B, heads, N, d) for heads in (H, K, K))
        for b, rows in _strips(B, N):
            into = q_BHNd[b, :, rows], k_BKNd[b, :, rows], v_BKNd[b, :, rows]
            self._project(x_BND[b, rows], into, _part(rope, rows, N))
        # As in `Attention`: heads that share keys stand in one long sequence.
        y = F.scaled_dot_product_attention(q_BHNd.view(B, K, -1, d), k_BKNd, v_BKNd).view(B, H, N, d)
        out = torch.empty_like(x_BND)
        for b, rows in _strips(B, N):
            mixed = y[b, :, rows].transpose(0, 1).reshape(-1, H * d)
            middle = x_BND[b, rows] + self.attn.gamma(self.attn.proj(mixed))
            torch.add(middle, self._feed_forward(self.ln2(middle)), out=out[b, rows])
        return out

    def _project(self, x_ND: Tensor, into: tuple[Tensor, Tensor, Tensor], rope: Table | None) -> None:
        """Queries and keys, normalised and rotated, and values of a strip, into (heads, N, d) each."""
        attn, normed, d = self.attn, self.ln1(x_ND), self.attn.head_dim
        for layer, norm, target in ((attn.wq, attn.q_norm, into[0]), (attn.wk, attn.k_norm, into[1])):
            heads = norm(layer(normed).view(len(x_ND), -1, d)).transpose(0, 1)
            target.copy_(rotate(heads, *rope) if rope is not None else heads)
        into[2].copy_(attn.wv(normed).view(len(x_ND), -1, d).transpose(0, 1))

    def _feed_forward(self, x_ND: Tensor) -> Tensor:
        gate, value = self.ffn.w12(x_ND).chunk(2, -1)
        out: Tensor = self.ffn.w3(F.silu(gate).mul_(value))
        return out


def _strips(batch: int, tokens: int) -> Iterator[tuple[int, slice]]:
    for b in range(batch):
        for start in range(0, tokens, ROWS):
            yield b, slice(start, min(start + ROWS, tokens))


def _part(rope: Table | None, rows: slice, tokens: int) -> Table | None:
    """The rows of the rotary table that belong to a strip; the table is that of the last tokens."""
    if rope is None:
        return None
    first = tokens - len(rope[0])
    own = slice(max(rows.start - first, 0), max(rows.stop - first, 0))
    return rope[0][own], rope[1][own]
