"""What a request asks for, read from a form or from JSON and checked."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from starlette.datastructures import Headers

from sapiens.app.forms import read_form
from sapiens.app.limits import Limits
from sapiens.app.refusal import RefusedError

FORM, JSON = "multipart/form-data", "application/json"
FIELDS = ("image", "name", "size", "options", "boxes", "whole_image", "mask", "keep")
_FLAGS = {"true": True, "false": False}
"""As text in a form; nothing else, so that a form and JSON say the same."""
_EXTRA_BYTES = 1 << 20
"""Everything in a request but its picture: boundaries, boxes, options."""


@dataclass(frozen=True, eq=False)
class Order:
    """One prediction.

    Attributes:
        image: bytes of a picture file.
        name: what results and errors call it.
        size: of the network; None: the server's choice.
        options: the task's own switches.
        boxes: (N, 4) float32 person boxes xyxy in pixels, or None.
        whole_image: take the picture as one person.
        mask: task that finds the foreground for the tasks that can use one.
        keep: hold the result for another form of the answer.
    """

    image: bytes
    name: str = "upload"
    size: str | None = None
    options: Mapping[str, Any] | None = None
    boxes: npt.NDArray[np.float32] | None = None
    whole_image: bool = False
    mask: str | None = None
    keep: bool = False


def body_limit(content_type: str, limits: Limits) -> int:
    """Bytes that a request with the largest allowed picture has."""
    picture = limits.max_bytes * 4 // 3 if content_type.startswith(JSON) else limits.max_bytes
    return picture + _EXTRA_BYTES


def read_order(headers: Headers, body: bytes, limits: Limits) -> Order:
    """The order in a request's body.

    Raises:
        RefusedError: a body that is neither form nor JSON, or a field that is missing, unknown or of another type.
    """
    kind = headers.get("content-type", "").split(";")[0].strip().lower()
    if kind == FORM:
        fields = _form(headers.get("content-type", ""), body)
    elif kind == JSON:
        fields = _json(body)
    else:
        raise RefusedError(415, f"cannot read {kind or 'a body without a Content-Type'}", f"send {FORM} or {JSON}")
    unknown = [name for name in fields if name not in FIELDS]
    if unknown:
        raise RefusedError(400, f"unknown field {_shown(unknown[0])}; known: {', '.join(FIELDS)}")
    image = fields.get("image")
    if not isinstance(image, bytes):
        raise RefusedError(400, "image: missing", f"a file in a field of {FORM}, or base64 in {JSON}")
    if len(image) > limits.max_bytes:
        raise RefusedError(413, f"image: {len(image)} bytes are more than the limit of {limits.max_bytes}")
    return Order(
        image=image,
        name=_name(_text(fields, "name")),
        size=_text(fields, "size") or None,
        options=_options(fields.get("options", {})),
        boxes=_boxes(fields["boxes"], limits) if "boxes" in fields else None,
        whole_image=_flag(fields, "whole_image"),
        mask=_text(fields, "mask") or None,
        keep=_flag(fields, "keep"),
    )


def _form(content_type: str, body: bytes) -> dict[str, Any]:
    """The fields of a form; its text is read as JSON where JSON would hold something else than text."""
    fields: dict[str, Any] = {}
    filename = ""
    for part in read_form(content_type, body, most_parts=len(FIELDS)):
        if part.name in fields:
            raise RefusedError(400, f"{_shown(part.name)}: given more than once")
        if part.filename is not None and part.name != "image":
            raise RefusedError(400, f"{_shown(part.name)}: a file; only image is one")
        if part.name == "image":
            fields["image"], filename = bytes(part.data), part.filename or ""
            continue
        try:
            text = part.data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise RefusedError(400, f"{_shown(part.name)}: not UTF-8") from error
        fields[part.name] = _parse(text, part.name) if part.name in ("options", "boxes") else text
    return {"name": filename, **fields}


def _json(body: bytes) -> dict[str, Any]:
    fields = _parse(body, "body")
    if not isinstance(fields, dict):
        raise RefusedError(400, "body: expected a JSON object")
    if isinstance(fields.get("image"), str):
        try:
            fields["image"] = base64.b64decode(fields["image"], validate=True)
        except (binascii.Error, ValueError) as error:
            raise RefusedError(400, f"image: not base64 ({error})", "standard alphabet, no data: prefix") from error
    elif "image" in fields:
        raise RefusedError(400, "image: expected text in base64")
    return fields


def _parse(text: str | bytes, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise RefusedError(400, f"{name}: not JSON ({error})") from error


def _text(fields: Mapping[str, Any], name: str) -> str:
    value = fields.get(name, "")
    if not isinstance(value, str):
        raise RefusedError(400, f"{name}: expected text, got {_shown(value)}")
    return value


def _name(given: str) -> str:
    """The last part of a file name, printable and of bounded length: it is only ever shown."""
    last = given.replace("\\", "/").rsplit("/", 1)[-1]
    return "".join(c for c in last if c.isprintable())[:200].strip() or "upload"


def _flag(fields: Mapping[str, Any], name: str) -> bool:
    value = fields.get(name, False)
    if isinstance(value, str):
        value = _FLAGS.get(value, value)
    if not isinstance(value, bool):
        raise RefusedError(400, f"{name}: expected true or false, got {_shown(value)}")
    return value


def _options(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise RefusedError(400, f"options: expected an object, got {_shown(value)}", '{"flip": false}')
    return value


def _boxes(value: Any, limits: Limits) -> npt.NDArray[np.float32]:
    if not isinstance(value, list) or not all(_is_box(box) for box in value):
        raise RefusedError(400, f"boxes: expected a list of [x0, y0, x1, y1], got {_shown(value)}")
    if len(value) > limits.max_people:
        raise RefusedError(413, f"boxes: {len(value)} are more than the limit of {limits.max_people}")
    return np.array(value, np.float64).reshape(-1, 4).astype(np.float32)


def _is_box(box: Any) -> bool:
    # Beyond 1e9 a number is no pixel, and beyond 1e308 no float.
    return (
        isinstance(box, list)
        and len(box) == 4
        and all(isinstance(v, int | float) and not isinstance(v, bool) and abs(v) < 1e9 for v in box)
    )


def _shown(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
