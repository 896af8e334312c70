"""Reading multipart/form-data (RFC 7578) in memory: an upload never touches the disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from python_multipart import MultipartParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import parse_options_header

from sapiens.app.refusal import RefusedError

_MOST_HEADER_BYTES = 8 << 10


@dataclass
class Part:
    """One field of a form.

    Attributes:
        name: of the field.
        filename: None: no file.
        data: its bytes.
    """

    name: str = ""
    filename: str | None = None
    data: bytearray = field(default_factory=bytearray)


def read_form(content_type: str, body: bytes, *, most_parts: int) -> list[Part]:
    """The fields of a form in their order.

    Raises:
        RefusedError: not such a form, cut off, or of more fields.
    """
    _, parameters = parse_options_header(content_type)
    boundary = parameters.get(b"boundary")
    if not boundary:
        raise RefusedError(400, "form: Content-Type names no boundary")
    reader = _Reader(most_parts)
    try:
        parser = MultipartParser(boundary, reader.callbacks)  # type: ignore[arg-type]
        parser.write(body)
        parser.finalize()
    except (FormParserError, UnicodeDecodeError) as error:
        raise RefusedError(400, f"form: {error}") from error
    if not reader.ended:
        raise RefusedError(400, "form: cut off before its last boundary")
    return reader.parts


class _Reader:
    """Collects what the parser finds."""

    def __init__(self, most_parts: int) -> None:
        self.parts: list[Part] = []
        self.ended = False
        self._most = most_parts
        self._header, self._value = bytearray(), bytearray()

    @property
    def callbacks(self) -> dict[str, Callable[..., None]]:
        return {
            "on_part_begin": self._begin,
            "on_header_field": lambda data, start, end: self._collect(self._header, data[start:end]),
            "on_header_value": lambda data, start, end: self._collect(self._value, data[start:end]),
            "on_header_end": self._end_header,
            "on_headers_finished": self._check_name,
            "on_part_data": lambda data, start, end: self.parts[-1].data.extend(data[start:end]),
            "on_end": self._end,
        }

    def _begin(self) -> None:
        if len(self.parts) == self._most:
            raise RefusedError(400, f"form: more than {self._most} fields")
        self.parts.append(Part())

    def _collect(self, target: bytearray, data: bytes) -> None:
        if len(target) + len(data) > _MOST_HEADER_BYTES:
            raise RefusedError(400, "form: a header is too long")
        target.extend(data)

    def _end_header(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, parameters = parse_options_header(bytes(self._value))
            part = self.parts[-1]
            part.name = parameters.get(b"name", b"").decode("utf-8", "replace")
            filename = parameters.get(b"filename")
            part.filename = None if filename is None else filename.decode("utf-8", "replace")
        self._header.clear()
        self._value.clear()

    def _check_name(self) -> None:
        if not self.parts[-1].name:
            raise RefusedError(400, "form: a field without a name")

    def _end(self) -> None:
        self.ended = True
