"""Write a folder that `from_pretrained` of Hugging Face transformers reads: config, preprocessor config, weights."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from sapiens.errors import WeightsError
from sapiens.imaging.write import atomic_path, write_bytes
from sapiens.weights.header import DTYPES
from sapiens.weights.layouts import ARCHITECTURES, task_of_keys, to_transformers

Shapes = Mapping[str, Sequence[int]]

_LETTERBOXED = ("normal", "pointmap")
_NEEDED = ("cls_token", "storage_tokens", "blocks.0.attn.q_norm.weight", "blocks.0.attn.gamma.weight", "ln1.weight")
_DTYPE_CODES = {dtype: code for code, dtype in DTYPES.items()}


def write_transformers(
    folder: Path,
    tensors: Mapping[str, Tensor],
    *,
    input_hw: tuple[int, int],
    dtype: torch.dtype = torch.float32,
    labels: Sequence[str] | None = None,
) -> Path:
    """Write config.json, preprocessor_config.json and model.safetensors, in the names of transformers.

    Tensors are converted one at a time, so no second copy of the model is needed. Note that transformers rotates
    positions in float32, which the original does only with `pos_embed_rope_dtype="fp32"`.

    Args:
        folder: made if missing; the three files are replaced.
        tensors: state dict in the original layout, of a backbone or of a task model; may be a mapped file.
        input_hw: picture size (rows, columns) the weights are for.
        dtype: of the written weights.
        labels: names of the classes or keypoints.

    Raises:
        WeightsError: transformers cannot hold this model.
    """
    config = transformers_config(tensors, input_hw, dtype=dtype, labels=labels)
    header = _safetensors_header(tensors, dtype)
    with atomic_path(folder / "model.safetensors") as path, path.open("wb") as file:
        file.write(header)
        # One after the other: the library's own writer needs all of them in memory at once.
        for _, tensor in to_transformers(tensors):
            flat = tensor.detach().to("cpu", dtype).contiguous().reshape(-1)
            file.write(flat.view(torch.uint8).numpy().data)
    write_bytes(folder / "preprocessor_config.json", _json(preprocessor_config(task_of_keys(tensors), input_hw)))
    write_bytes(folder / "config.json", _json(config))
    return folder


def transformers_config(
    tensors: Mapping[str, Tensor],
    input_hw: tuple[int, int],
    *,
    dtype: torch.dtype = torch.float32,
    labels: Sequence[str] | None = None,
) -> dict[str, Any]:
    """`config.json` of a model, read off the shapes of its tensors; see `write_transformers` for the arguments.

    Raises:
        WeightsError: transformers cannot hold this model, or `labels` are not one per output.
    """
    task = task_of_keys(tensors)
    if task not in ARCHITECTURES:
        raise WeightsError(f"transformers has no {task} head", "keep the original layout")
    prefix = "" if task is None else "backbone."
    config = {
        "architectures": [ARCHITECTURES[task]],
        "model_type": "sapiens2",
        "dtype": str(dtype).removeprefix("torch."),
        "image_size": list(input_hw),
        **_backbone_config({n.removeprefix(prefix): t.shape for n, t in tensors.items() if n.startswith(prefix)}),
    }
    if task is not None:
        head = {n.removeprefix("decode_head."): t.shape for n, t in tensors.items() if n.startswith("decode_head.")}
        config |= {"head_config": _head_config(head), **_labels(head[f"conv_{task}.weight"][0], labels)}
    return config


def preprocessor_config(task: str | None, input_hw: tuple[int, int]) -> dict[str, Any]:
    """`preprocessor_config.json`: ImageNet mean and deviation; normals and points keep the aspect and are padded."""
    return {
        "image_processor_type": "Sapiens2ImageProcessor",
        "size": {"height": input_hw[0], "width": input_hw[1]},
        "do_resize": True,
        "do_pad": task in _LETTERBOXED,
        "do_rescale": True,
        "rescale_factor": 1 / 255,
        "do_normalize": True,
        "image_mean": [0.485, 0.456, 0.406],
        "image_std": [0.229, 0.224, 0.225],
    }


def _backbone_config(shapes: Shapes) -> dict[str, Any]:
    for name in _NEEDED:
        if name not in shapes:
            raise WeightsError(f"transformers needs {name}, which this model does not have")
    width, channels, patch, _ = shapes["patch_embed.projection.weight"]
    (head_dim,) = shapes["blocks.0.attn.q_norm.weight"]
    kv_heads = [shape[0] // head_dim for shape in _numbered(shapes, r"blocks\.(\d+)\.attn\.wk\.weight")]
    return {
        "patch_size": patch,
        "num_channels": channels,
        "hidden_size": width,
        "intermediate_size": shapes["blocks.0.ffn.w3.weight"][1],
        "num_hidden_layers": len(kv_heads),
        "num_attention_heads": width // head_dim,
        "num_key_value_attention_heads": min(kv_heads),
        "num_key_value_heads_per_layer": kv_heads,
        "num_register_tokens": shapes["storage_tokens"][1],
        **{f"{name}_bias": f"blocks.0.attn.w{name[0]}.bias" in shapes for name in ("query", "key", "value")},
        "layerscale_value": 1e-4,
        "pos_embed_rescale": None,
        "rope_theta": 100.0,
    }


def _head_config(shapes: Shapes) -> dict[str, Any]:
    """Widths and kernels of each stage; shapes of convolutions are (out, in, k, k), transposed ones (in, out, k, k)."""
    convs = _numbered(shapes, r"conv_layers\.(\d+)\.weight")
    blocks = _numbered(shapes, r"upsample_blocks\.(\d+)\.0\.weight")
    deconvs = _numbered(shapes, r"deconv_layers\.(\d+)\.weight")
    scales = _numbered(shapes, r"scale_conv_layers\.(\d+)\.weight")
    linears = _numbered(shapes, r"scale_final_layer\.(\d+)\.weight")
    shuffled = "input_conv.0.weight" in shapes
    last_up = [*(s[0] // 4 for s in blocks), *(s[1] for s in deconvs)]
    if convs and last_up and convs[0][1] != last_up[-1]:
        raise WeightsError("transformers has no head whose refining convolutions see the picture", "keep the layout")
    if not shuffled and (any(s[2] != 4 for s in deconvs) or any(s[2] != 1 for s in convs)):
        raise WeightsError("transformers pads such a head rightly only with transposed kernels of 4 and others of 1")
    config: dict[str, Any] = {
        "use_pixel_shuffle": shuffled,
        "upsample_out_channels": [s[0] // 4 for s in blocks] if shuffled else [s[1] for s in deconvs],
        "upsample_kernel_sizes": [s[2] for s in (blocks if shuffled else deconvs)],
        "conv_out_channels": [s[0] for s in convs],
        "conv_kernel_sizes": [s[2] for s in convs],
    }
    if scales:
        config |= {
            "scale_conv_out_channels": [s[0] for s in scales],
            "scale_conv_kernel_sizes": [s[2] for s in scales],
            "scale_final_input_size": linears[0][1],
            "scale_final_hidden_sizes": [s[0] for s in linears[:-1]],
        }
    return config


def _numbered(shapes: Shapes, pattern: str) -> list[Sequence[int]]:
    """Shapes of the names that fit, in the order of the number in them."""
    found = {int(match[1]): shapes[match[0]] for match in map(re.compile(pattern).fullmatch, shapes) if match}
    return [found[number] for number in sorted(found)]


def _labels(outputs: int, labels: Sequence[str] | None) -> dict[str, Any]:
    names = [f"LABEL_{i}" for i in range(outputs)] if labels is None else list(labels)
    if len(names) != outputs:
        raise WeightsError(f"the model has {outputs} outputs, got {len(names)} labels")
    return {"id2label": {str(i): n for i, n in enumerate(names)}, "label2id": {n: i for i, n in enumerate(names)}}


def _json(content: Mapping[str, Any]) -> bytes:
    return (json.dumps(content, indent=2) + "\n").encode()


def _safetensors_header(tensors: Mapping[str, Tensor], dtype: torch.dtype) -> bytes:
    header: dict[str, Any] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, tensor in to_transformers(tensors):
        start, end = end, end + tensor.numel() * dtype.itemsize
        header[name] = {"dtype": _DTYPE_CODES[dtype], "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text
