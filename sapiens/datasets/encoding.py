"""A sample as named bytes and back: what is kept in shards. Nothing is pickled.

| suffix | holds |
|---|---|
| `png`, `jpg`, `jpeg`, `webp` | the picture |
| `labels.png`, `mask.png` | 8 bits; mask 0 and 255 |
| `alpha.png`, `foreground.png`, `albedo.png` | 16 bits: value * 65535, exact for what came from 8 or 16 bits |
| `normals.npy`, `depth_m.npy`, `keypoints.npy` | float32 |
| `json` | "extra": numbers, texts, and lists of numbers |
"""

from __future__ import annotations

import io
import json
from collections.abc import Mapping
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from sapiens.datasets.files import UNREADABLE, decode_levels, to_unit
from sapiens.errors import InputError
from sapiens.imaging.read import decode_image
from sapiens.imaging.sample import FIELDS, MOVING, Sample
from sapiens.imaging.write import encode_image

IMAGES = ("png", "jpg", "jpeg", "webp")
_EXACT_TYPES: dict[str, type[np.generic]] = {"intrinsics": np.float64, "box_xyxy": np.float32}


def encode_sample(sample: Sample) -> dict[str, bytes]:
    """A sample's parts by suffix; of `extra` numbers, texts, intrinsics and box are kept.

    Raises:
        InputError: a field that cannot be stored without loss of meaning, e.g. alpha outside 0..1 or NaN.
    """
    parts = {"png": encode_image(sample.image, ".png", name=sample.id)}
    for name, value in sample.fields.items():
        suffix, data = _encode_field(name, np.asarray(value), sample.id)
        parts[f"{name}.{suffix}"] = data
    extra = {k: v for k, v in sample.extra.items() if k in MOVING or np.ndim(v) == 0}
    plain = {
        k: v.item() if isinstance(v, np.generic) else np.asarray(v).tolist() if np.ndim(v) else v
        for k, v in extra.items()
    }
    parts["json"] = json.dumps({"id": sample.id, **plain}, allow_nan=False).encode()
    return parts


def decode_sample(parts: Mapping[str, bytes], name: str) -> Sample:
    """A sample from its parts by suffix; `name` is for errors, and the id where the json has none.

    Raises:
        InputError: no picture, a part that is damaged, or sizes that differ.
    """
    suffix = next((s for s in IMAGES if s in parts), None)
    if suffix is None:
        raise InputError(
            f"no picture; expected one of {', '.join(IMAGES)} among {', '.join(sorted(parts)) or 'nothing'}"
        )
    extra: dict[str, Any] = {}
    if "json" in parts:
        try:
            extra = json.loads(parts["json"])
        except (ValueError, RecursionError) as error:
            raise InputError(f"json: cannot be read ({error})") from error
        if not isinstance(extra, dict):
            raise InputError(f"json: expected an object, got {type(extra).__name__}")
    fields = {}
    for part, data in parts.items():
        field, _, kind = part.partition(".")
        if field in FIELDS and kind in ("png", "npy"):
            fields[field] = _decode_field(field, kind, data, part)
    identity = str(extra.pop("id", name))
    for key, dtype in _EXACT_TYPES.items():
        if key in extra:
            extra[key] = _numbers(extra[key], dtype, key)
    return Sample(decode_image(parts[suffix], suffix), identity, fields, extra)


def _numbers(value: Any, dtype: type[np.generic], key: str) -> npt.NDArray[Any]:
    shape = {"intrinsics": (3, 3), "box_xyxy": (4,)}[key]
    try:
        array = np.asarray(value, dtype)
    except (ValueError, TypeError):
        array = np.zeros(0)
    if array.shape != shape or not np.isfinite(array).all():
        raise InputError(f"json: {key} {value!r}; expected {shape} finite numbers")
    return array


def _encode_field(name: str, value: npt.NDArray[Any], sample_id: str) -> tuple[str, bytes]:
    kind = FIELDS[name]
    if kind == "labels":
        return "png", encode_image(value.astype(np.uint8), ".png", name=sample_id)
    if kind == "mask":
        return "png", encode_image(value.astype(np.uint8) * 255, ".png", name=sample_id)
    if kind in ("alpha", "colour"):
        if not bool(((value >= 0) & (value <= 1)).all()):
            raise InputError(f"{sample_id}: {name} must lie in 0..1 and not be NaN")
        levels = np.rint(value.astype(np.float64) * 65535).astype(np.uint16)
        levels = levels if levels.ndim == 2 else np.ascontiguousarray(levels[..., ::-1])
        done, data = cv2.imencode(".png", levels)
        if not done:
            raise InputError(f"{sample_id}: {name} cannot be written as a picture")
        return "png", bytes(data)
    buffer = io.BytesIO()
    np.lib.format.write_array(buffer, np.ascontiguousarray(value, np.float32), allow_pickle=False)
    return "npy", buffer.getvalue()


def _decode_field(name: str, kind: str, data: bytes, part: str) -> npt.NDArray[Any]:
    if kind == "npy":
        try:
            array = np.lib.format.read_array(io.BytesIO(data), allow_pickle=False)
        except UNREADABLE as error:
            raise InputError(f"{part}: cannot be read as an array ({error})") from error
        wanted = {"mask": bool, "labels": np.uint8}.get(FIELDS[name], np.float32)
        return np.asarray(array).astype(wanted)
    levels = decode_levels(data, part)
    if FIELDS[name] == "labels":
        return levels.astype(np.uint8) if levels.ndim == 2 else _fail(part, levels)
    if FIELDS[name] == "mask":
        return levels > 0 if levels.ndim == 2 else _fail(part, levels)
    if FIELDS[name] in ("alpha", "colour"):
        wanted_ndim = 2 if FIELDS[name] == "alpha" else 3
        return to_unit(levels, part) if levels.ndim == wanted_ndim else _fail(part, levels)
    return _fail(part, levels)


def _fail(part: str, levels: npt.NDArray[Any]) -> npt.NDArray[Any]:
    raise InputError(f"{part}: a picture of shape {levels.shape} cannot hold that")
