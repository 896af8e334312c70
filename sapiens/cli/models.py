"""`sapiens models`: every model with counted parameters and work, beside the published figures."""

from __future__ import annotations

import dataclasses
import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

from sapiens.cli.console import put

if TYPE_CHECKING:
    from sapiens.inference.catalogue import Model

CONVENTION = (
    "params: exact, of the modules as built. GMAC: 10^9 multiply-adds of one picture at the input size, convolutions "
    "and matrix products, counted by torch.utils.flop_counter; attn: the attention products among them. TFLOP: twice "
    "the multiply-adds, 10^12. Published FLOPs follow no single convention; the nearest is multiply-adds without "
    "attention (GMAC - attn). Memory: weights alone, per dtype."
)


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("models")(models)


def models(
    task: Annotated[str | None, typer.Argument(help="One task, or pretrain for the backbones; default all.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="One JSON array on stdout.")] = False,
) -> None:
    """Print every model: parameters, multiply-adds and FLOPs, published figures, memory, file, licence."""
    from sapiens.bench.table import columns
    from sapiens.inference.catalogue import catalogue

    found = catalogue(task)
    if as_json:
        put(json.dumps([dataclasses.asdict(model) for model in found], indent=2))
        return
    put(columns([_row(model) for model in found]))
    put("")
    put(CONVENTION)


def _row(model: Model) -> dict[str, Any]:
    work = model.work
    rows, cols = model.input_hw
    return {
        "model": model.name,
        "params": f"{model.parameters:,}",
        "published": f"{model.published_params:.3f} B" if model.published_params else "-",
        "input": f"{rows}x{cols}",
        "GMAC": f"{work.multiply_adds / 1e9:,.1f}",
        "attn": f"{work.attention / 1e9:,.1f}",
        "TFLOP": f"{work.flops / 1e12:.3f}",
        "published ": f"{model.published_flops:.3f}" if model.published_flops else "-",
        "fp32 GB": f"{4 * model.parameters / 1e9:.2f}",
        "bf16 GB": f"{2 * model.parameters / 1e9:.2f}",
        "file": model.file + ("" if model.released else " (not for download)"),
        "licence": model.licence,
    }
