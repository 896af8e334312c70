"""The description of the service in OpenAPI 3.1, made from the same tables that the service works by."""

from __future__ import annotations

from typing import Any

from sapiens._version import __version__
from sapiens.app.answers import ARRAYS, JSON, has_json_files, kinds, media_type
from sapiens.app.features import SERVED, served_task
from sapiens.app.limits import Limits
from sapiens.app.options import option_schemas
from sapiens.app.shelf import MASK_TASKS

Schema = dict[str, Any]

_REASONS = {
    "400": "The request or its picture cannot be used; the error says why.",
    "401": "The server was started with a token, and the request does not carry it.",
    "403": "Asked under a foreign host name or from a page of another site.",
    "404": "No such task, or no weights of this size on this machine.",
    "406": "None of the media types in Accept can be answered.",
    "408": "The request was not sent in time.",
    "413": "More bytes, pixels or boxes than the server takes.",
    "415": "The body is neither a form nor JSON.",
    "429": "As many requests at work as the server takes; Retry-After says when to ask again.",
    "500": "The network or the server failed.",
    "503": "The server is shutting down, or the weights cannot be used.",
    "504": "No result in time.",
}


def describe(limits: Limits) -> Schema:
    """The document of `GET /openapi.json`."""
    tasks = [served_task(name) for name in SERVED]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "sapiens",
            "version": __version__,
            "description": "People in pictures, measured. Everything stays on the machine that runs the server.",
        },
        "paths": {
            **{f"/v1/predict/{task.name}": {"post": _predict(task, limits)} for task in tasks},
            **{
                f"/v1/tasks/{task.name}": {"get": _get(f"{task.title}: names, colours, options.", "Task")}
                for task in tasks
            },
            "/v1/models": {"get": _get("The networks on this machine.", "Models")},
            "/health": {"get": _get("Whether the server takes requests.", "Health", secured=False) | _health()},
            "/metrics": {"get": _metrics()},
        },
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {"token": {"type": "http", "scheme": "bearer"}},
        },
    }


def _predict(task: Any, limits: Limits) -> Schema:
    fields = _fields(task, limits)
    encoded = {**fields, "image": {"type": "string", "contentEncoding": "base64", "minLength": 4}}
    fields["image"] = {"type": "string", "format": "binary", "contentMediaType": "image/*"}
    # Parts of a form are text: lists and objects travel as JSON, flags as true or false.
    encoding = {name: {"contentType": "application/json"} for name in ("options", "boxes") if name in fields}
    answers: dict[str, Schema] = {media_type(task, kind): {"schema": {}} for kind in kinds(task)}
    # Some tasks also write JSON files of other programs' formats.
    others: list[Schema] = [{"type": "object"}, {"type": "array"}] if has_json_files(task) else []
    answers[JSON] = {"schema": {"anyOf": [{"$ref": "#/components/schemas/Result"}, *others]}}
    return {
        "summary": task.title,
        "operationId": f"predict_{task.name}",
        "security": [{}, {"token": []}],
        "parameters": [
            _query("as", {"enum": kinds(task)}, "Form of the answer; goes before Accept."),
            _query(
                "arrays",
                {"enum": list(ARRAYS)},
                "Of JSON: 'small' leaves out arrays with a value per pixel, 'mask' all of these but the foreground.",
            ),
        ],
        "requestBody": {
            "required": True,
            "content": {
                "multipart/form-data": {"schema": _object(fields), "encoding": encoding},
                "application/json": {"schema": _object(encoded)},
            },
        },
        "responses": {
            "200": {
                "description": "The result, as JSON, PNG or npz by Accept, or as a file by `as`.",
                "headers": {
                    "X-Model": {"schema": {"type": "string"}, "description": "The network it comes from."},
                    "X-Notes": {"schema": {"type": "string"}, "description": "What must be known of it."},
                },
                "content": answers,
            },
            **{status: _error(status) for status in _REASONS},
        },
    }


def _fields(task: Any, limits: Limits) -> dict[str, Schema]:
    """The fields of a request besides its picture."""
    fields: dict[str, Schema] = {
        "name": {"type": "string", "description": "What the result is called."},
        "size": {"type": "string", "description": "Size of the network, one of GET /v1/models."},
        "options": _object(option_schemas(task), required=()),
        "keep": {"type": "boolean", "description": f"Hold the result up to {limits.kept_s:g} s for other forms."},
    }
    if task.top_down:
        box = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
        fields["boxes"] = {"type": "array", "items": box, "maxItems": limits.max_people}
        fields["whole_image"] = {"type": "boolean"}
    elif any(field.name == "mask" for field in task.result.__dataclass_fields__.values()):
        fields["mask"] = {"enum": list(MASK_TASKS), "description": "Task that finds the foreground first."}
    return fields


def _object(properties: dict[str, Schema], required: tuple[str, ...] = ("image",)) -> Schema:
    told: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return told | ({"required": list(required)} if required else {})


def _query(name: str, schema: Schema, text: str) -> Schema:
    return {"name": name, "in": "query", "required": False, "schema": {"type": "string"} | schema, "description": text}


def _get(text: str, schema: str, *, secured: bool = True) -> Schema:
    statuses = ("401", "403") if secured else ("403",)
    content = {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema}"}}}
    return {
        "summary": text,
        "security": [{}, {"token": []}] if secured else [],
        "responses": {
            "200": {"description": text, "content": content},
            **{status: _error(status) for status in statuses},
        },
    }


def _health() -> Schema:
    told = _get("Whether the server takes requests.", "Health", secured=False)
    draining = {**told["responses"]["200"], "description": "It is shutting down."}
    return {"responses": {**told["responses"], "503": draining}}


def _metrics() -> Schema:
    told = _get("Counters in Prometheus' text format.", "Health")
    told["responses"]["200"]["content"] = {"text/plain": {"schema": {"type": "string"}}}
    return told


def _error(status: str) -> Schema:
    told: Schema = {
        "description": _REASONS[status],
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if status == "429":
        told["headers"] = {"Retry-After": {"schema": {"type": "integer"}, "required": True}}
    return told


def _schemas() -> dict[str, Schema]:
    text: Schema = {"type": "string"}
    size: Schema = {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2}
    array = {
        "type": "object",
        "description": "Nested lists in `data` (null: not finite), or little-endian bytes in C order in `base64`.",
        "properties": {
            "dtype": text,
            "shape": {"type": "array", "items": {"type": "integer"}},
            "data": {},
            "base64": text,
        },
        "required": ["dtype", "shape"],
    }
    result = {
        "image_id": text,
        "size_hw": size,
        "task": text,
        "model": text,
        "weights": text,
        "dtype": text,
        "compat": text,
        "notes": {"type": "array", "items": text},
        "arrays": {"type": "object", "additionalProperties": array},
    }
    model: Schema = {
        "task": text,
        "size": text,
        "name": text,
        "default": {"type": "boolean"},
        "loaded": {"type": "boolean"},
        "input_hw": size,
        "note": {"type": ["string", "null"]},
    }
    task = {"task": text, "title": text, "answers": {"type": "object"}, "options": {"type": "object"}}
    models = {"type": "array", "items": _whole(model)}
    return {
        "Error": _whole({"error": text, "hint": {"type": ["string", "null"]}}),
        "Result": {"type": "object", "properties": result, "required": list(result)},
        "Models": _whole({"models": models}),
        "Task": {"type": "object", "properties": task, "required": list(task)},
        "Health": _whole({"status": {"enum": ["ok", "draining"]}, "version": text}),
    }


def _whole(properties: dict[str, Schema]) -> Schema:
    return _object(properties, required=tuple(properties))
