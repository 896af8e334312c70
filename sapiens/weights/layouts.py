"""The two ways checkpoints name their tensors, and the one table between them.

"original": as released, `blocks.0.attn.wq.weight`, in task models below `backbone.` and `decode_head.`.
A file of several tasks on one backbone has its heads below `decode_heads.<task>.`; a task takes its own from it.
"transformers": as Hugging Face transformers names them, `model.layer.0.attention.q_proj.weight`. It has neither the
window tokenizer of the 4K backbone nor the albedo head. It writes either layout itself, without `rope_embed.periods`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal

import torch
from torch import Tensor

from sapiens.errors import UnknownNameError, WeightsError

Layout = Literal["original", "transformers"]
Sources = dict[str, tuple[str, ...]]
"""Name of a tensor -> names of the tensors it is made of, joined along the first axis."""

ARCHITECTURES: dict[str | None, str] = {
    None: "Sapiens2Model",
    "pose": "Sapiens2ForPoseEstimation",
    "seg": "Sapiens2ForSemanticSegmentation",
    "normal": "Sapiens2ForNormalEstimation",
    "pointmap": "Sapiens2ForPointmapEstimation",
    "matting": "Sapiens2ForImageMatting",
}
"""Task (None: backbone alone) -> its class in transformers, as `config.json` names it."""

PERIODS = "rope_embed.periods"

# Rows are (original, transformers), or (original, first half, second half) of a tensor split along its first axis.
# {j} counts layers; in a flat sequence of (convolution, norm, activation) the j-th convolution has number {j3} = 3 j.
# {p} stands for weight and for bias.
_BACKBONE = (
    ("cls_token", "embeddings.cls_token"),
    ("storage_tokens", "embeddings.register_tokens"),
    ("patch_embed.projection.{p}", "embeddings.patch_embeddings.{p}"),
    ("blocks.{j}.ln1.weight", "model.layer.{j}.norm1.weight"),
    ("blocks.{j}.attn.wq.{p}", "model.layer.{j}.attention.q_proj.{p}"),
    ("blocks.{j}.attn.wk.{p}", "model.layer.{j}.attention.k_proj.{p}"),
    ("blocks.{j}.attn.wv.{p}", "model.layer.{j}.attention.v_proj.{p}"),
    ("blocks.{j}.attn.q_norm.weight", "model.layer.{j}.attention.q_norm.weight"),
    ("blocks.{j}.attn.k_norm.weight", "model.layer.{j}.attention.k_norm.weight"),
    ("blocks.{j}.attn.proj.{p}", "model.layer.{j}.attention.o_proj.{p}"),
    ("blocks.{j}.attn.gamma.weight", "model.layer.{j}.layer_scale1.lambda1"),
    ("blocks.{j}.ln2.weight", "model.layer.{j}.norm2.weight"),
    ("blocks.{j}.ffn.w12.{p}", "model.layer.{j}.mlp.gate_proj.{p}", "model.layer.{j}.mlp.up_proj.{p}"),
    ("blocks.{j}.ffn.w3.{p}", "model.layer.{j}.mlp.down_proj.{p}"),
    ("ln1.weight", "norm.weight"),
)
_CONVS = (("decode_head.conv_layers.{j3}.{p}", "decode_head.conv_layers.{j}.convolution.{p}"),)
_DECONV = (
    ("decode_head.deconv_layers.{j3}.weight", "decode_head.upsample_layers.{j}.convolution.weight"),
    *_CONVS,
)
_SHUFFLE = (
    ("decode_head.input_conv.0.{p}", "decode_head.input_conv.convolution.{p}"),
    ("decode_head.upsample_blocks.{j}.0.{p}", "decode_head.upsample_layers.{j}.convolution.{p}"),
    *_CONVS,
)
_SCALE = (
    ("decode_head.scale_conv_layers.{j3}.{p}", "scale_head.conv_layers.{j}.convolution.{p}"),
    ("decode_head.scale_final_layer.1.{p}", "scale_head.predictor.block1.layers.0.{p}"),
    ("decode_head.scale_final_layer.3.{p}", "scale_head.predictor.block2.layers.0.{p}"),
    ("decode_head.scale_final_layer.5.{p}", "scale_head.predictor.proj.{p}"),
)
_HEADS = {
    "pose": _DECONV,
    "seg": _DECONV,
    "normal": _SHUFFLE,
    "pointmap": _SHUFFLE + _SCALE,
    "matting": _SHUFFLE,
}
_LAST_CONV = re.compile(r"(?:.*\.)?conv_(pose|seg|normal|pointmap|matting|albedo)\.weight")


def detect_layout(keys: Iterable[str]) -> Layout:
    """Which layout names belong to.

    Raises:
        WeightsError: neither; Sapiens2 weights have a query projection in block 0.
    """
    names = set(keys)
    if names & {"blocks.0.attn.wq.weight", "backbone.blocks.0.attn.wq.weight"}:
        return "original"
    if names & {"model.layer.0.attention.q_proj.weight", "model.model.layer.0.attention.q_proj.weight"}:
        return "transformers"
    shown = ", ".join(sorted(names)[:3]) or "nothing"
    raise WeightsError(f"not the names of a Sapiens2 model: {len(names)} tensors, {shown}, ...")


def task_of_keys(keys: Iterable[str]) -> str | None:
    """The task that names in the original layout belong to, by the last convolution; None: a backbone alone.

    Names of transformers do not tell; see `task_of_architecture`.
    """
    found = {match[1] for match in map(_LAST_CONV.fullmatch, keys) if match}
    return found.pop() if len(found) == 1 else None


def task_of_architecture(name: str) -> str | None:
    """The task of a class of transformers (`architectures` in `config.json`); None: a backbone alone.

    Raises:
        UnknownNameError: not a Sapiens2 class.
    """
    if name == "Sapiens2Backbone":
        return None
    for task, architecture in ARCHITECTURES.items():
        if name == architecture:
            return task
    raise UnknownNameError("architecture", name, ARCHITECTURES.values())


_JOINT = "decode_heads."


def joint_tasks(keys: Iterable[str]) -> tuple[str, ...]:
    """The tasks whose heads share one backbone, in the order of the names; () where there is one head or none."""
    return tuple(dict.fromkeys(key.split(".")[1] for key in keys if key.startswith(_JOINT)))


def joint_sources(keys: Iterable[str], task: str) -> Sources:
    """What one task, or some with commas between, takes from a file of several: the backbone and its own heads.

    One task's head goes by the names of a model of that task alone.
    """
    tasks = task.split(",")
    heads = tuple(f"{_JOINT}{name}." for name in tasks)
    names = [key for key in keys if not key.startswith(_JOINT) or key.startswith(heads)]
    if len(tasks) > 1:
        return {name: (name,) for name in names}
    return {name.replace(heads[0], "decode_head.", 1): (name,) for name in names}


def may_be_absent(name: str) -> bool:
    """Whether a model's tensor may be missing from a file because the model computes it.

    True for the RoPE periods alone, which no file written by transformers has, in either layout.
    """
    return name in (PERIODS, f"backbone.{PERIODS}")


def original_sources(keys: Iterable[str], task: str | None) -> Sources:
    """Where each tensor of the original layout comes from among names of transformers.

    Names that are not in the table keep theirs, so that a strict load reports them.

    Args:
        keys: names of transformers.
        task: what the model is for; None: a backbone alone.

    Raises:
        WeightsError: there is a head but no task, or a task transformers does not have.
    """
    names = list(keys)
    if task is None and any(name.startswith(("decode_head.", "scale_head.")) for name in names):
        raise WeightsError(
            "the names of transformers do not say which task a head is for", "keep config.json beside the weights"
        )
    homes = {part: (original, parts) for original, parts in _table(names, task).items() for part in parts}
    present = set(names)
    sources: Sources = {}
    for name in names:
        original, parts = homes.get(name, (name, (name,)))
        if present.issuperset(parts):
            sources[original] = parts
        else:
            sources[name] = (name,)
    return sources


def to_original(tensors: Mapping[str, Tensor], task: str | None) -> Iterator[tuple[str, Tensor]]:
    """Tensors of the transformers layout under their original names, one at a time; the periods are not among them.

    Only the two halves of `ffn.w12` are copied, when their turn comes.

    Raises:
        WeightsError: as `original_sources`.
    """
    for name, parts in original_sources(tensors, task).items():
        yield name, tensors[parts[0]] if len(parts) == 1 else torch.cat([tensors[part] for part in parts])


def to_transformers(tensors: Mapping[str, Tensor]) -> Iterator[tuple[str, Tensor]]:
    """Tensors of the original layout under transformers' names, one at a time, as views; without the periods.

    Raises:
        WeightsError: transformers has no place for one of them.
    """
    table = _table(tensors, task_of_keys(tensors))
    strange = [name for name in tensors if name not in table and not may_be_absent(name)]
    if strange:
        what = "window tokenizer (4K)" if any("tokenizer." in name for name in strange) else "place"
        raise WeightsError(
            f"transformers has no {what} for {len(strange)} tensors: {', '.join(strange[:5])}",
            "keep the original layout",
        )
    for name in tensors:
        if name in table:
            parts = table[name]
            yield from zip(parts, tensors[name].chunk(len(parts)), strict=True)


def _table(names: Iterable[str], task: str | None) -> Sources:
    """Original name -> transformers' names, for as many layers as the highest number in `names` asks for."""
    # No model has a thousand layers; a damaged name must not make the table endless.
    numbers = [int(part) for name in names for part in name.split(".") if part.isdecimal() and len(part) <= 3]
    rows: list[tuple[str, ...]] = list(_BACKBONE)
    if task is not None:
        if task not in _HEADS:
            raise WeightsError(f"transformers has no {task} head, only {', '.join(_HEADS)}", "keep the original layout")
        rows = [(f"backbone.{original}", *(f"model.{part}" for part in parts)) for original, *parts in _BACKBONE]
        rows += [*_HEADS[task], (f"decode_head.conv_{task}.{{p}}", "decode_head.predictor.{p}")]
    table: Sources = {}
    for original, *parts in rows:
        for j in range(1 + max(numbers, default=0)) if "{j" in original else (0,):
            for p in ("weight", "bias"):
                fields = {"j": j, "j3": 3 * j, "p": p}
                table[original.format(**fields)] = tuple(part.format(**fields) for part in parts)
    return table
