"""What the processor can compute in."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def computes_in(name: str) -> bool:
    """Whether the CPU multiplies matrices of 16-bit numbers itself; an unknown answer counts as yes."""
    wanted = {"bfloat16": ("avx512_bf16", "amx_bf16", "bf16"), "float16": ("avx512_fp16", "amx_fp16", "fphp")}[name]
    known: Mapping[str, Any] = torch.cpu.get_capabilities() if hasattr(torch.cpu, "get_capabilities") else {}
    flags = Path("/proc/cpuinfo")
    if not known and not flags.exists():
        return True
    words = flags.read_text(encoding="utf-8", errors="replace").split() if flags.exists() else []
    return any(known.get(flag, False) or flag in words for flag in wanted)
