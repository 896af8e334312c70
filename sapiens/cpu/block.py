"""A transformer block computed a strip of tokens at a time: what lies between two products stays in the cache."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from sapiens.backbones.standalone.sapiens2 import Block, Table, rotate

Attend = Callable[[Tensor, Tensor, Tensor], Tensor]
Strip = tuple[slice, slice]

ROWS = 256
"""Tokens at a time: enough for the products' full rate, few enough for the cache."""


class StripBlock(nn.Module):
    """Computes what `Block` does when it predicts; takes over the block's layers under their names.

    Shape suffixes as in `sapiens2`: B batch, N tokens, D width, H heads, K key-value heads, d head size; b and n are
    those of a strip.

    Args:
        source: what it replaces.
        attend: queries (B, K, M, d), keys and values (B, K, N, d) -> (B, K, M, d).
    """

    def __init__(self, source: Block, attend: Attend = F.scaled_dot_product_attention) -> None:
        super().__init__()
        self.ln1, self.attn, self.ln2, self.ffn = source.ln1, source.attn, source.ln2, source.ffn
        self._attend = attend

    def forward(self, x_BND: Tensor, rope: Table | None = None) -> Tensor:
        (B, N, _), H, K, d = x_BND.shape, self.attn.num_heads, self.attn.num_kv_heads, self.attn.head_dim
        q_BHNd, k_BKNd, v_BKNd = (x_BND.new_empty(B, heads, N, d) for heads in (H, K, K))
        for some, rows in _strips(B, N):
            into = q_BHNd[some, :, rows], k_BKNd[some, :, rows], v_BKNd[some, :, rows]
            self._project(x_BND[some, rows], into, _part(rope, rows, N))
        # As in `Attention`: heads that share keys stand in one long sequence.
        y = self._attend(q_BHNd.view(B, K, -1, d), k_BKNd, v_BKNd).view(B, H, N, d)
        out = torch.empty_like(x_BND)
        for some, rows in _strips(B, N):
            mixed = y[some, :, rows].transpose(1, 2).flatten(2)
            middle = x_BND[some, rows] + self.attn.gamma(self.attn.proj(mixed))
            torch.add(middle, self._feed_forward(self.ln2(middle)), out=out[some, rows])
        return out

    def _project(self, x_bnD: Tensor, into: tuple[Tensor, Tensor, Tensor], rope: Table | None) -> None:
        """Queries and keys, normalised and rotated, and values of a strip, into (b, heads, n, d) each."""
        attn, normed = self.attn, self.ln1(x_bnD)
        for layer, norm, target in ((attn.wq, attn.q_norm, into[0]), (attn.wk, attn.k_norm, into[1])):
            heads = norm(layer(normed).unflatten(-1, (-1, attn.head_dim))).transpose(1, 2)
            target.copy_(rotate(heads, *rope) if rope is not None else heads)
        into[2].copy_(attn.wv(normed).unflatten(-1, (-1, attn.head_dim)).transpose(1, 2))

    def _feed_forward(self, x: Tensor) -> Tensor:
        gate, value = self.ffn.w12(x).chunk(2, -1)
        out: Tensor = self.ffn.w3(F.silu(gate).mul_(value))
        return out


def _strips(batch: int, tokens: int) -> Iterator[Strip]:
    """Parts of a long sequence, or several short ones (windows of the tokenizer) together."""
    together = max(1, ROWS // tokens)
    for first in range(0, batch, together):
        for start in range(0, tokens, ROWS):
            yield slice(first, first + together), slice(start, min(start + ROWS, tokens))


def _part(rope: Table | None, rows: slice, tokens: int) -> Table | None:
    """The rows of the rotary table that belong to a strip; the table is that of the last tokens."""
    if rope is None:
        return None
    first = tokens - len(rope[0])
    own = slice(max(rows.start - first, 0), max(rows.stop - first, 0))
    return rope[0][own], rope[1][own]
