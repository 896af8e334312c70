"""What the server allows, in one place."""

from __future__ import annotations

from dataclasses import dataclass, fields

from sapiens.errors import InputError


@dataclass(frozen=True)
class Limits:
    """Bounds on what requests may ask for.

    Attributes:
        max_bytes: of an uploaded picture.
        max_pixels: of a picture, by its header, before it is decoded.
        max_people: person boxes in a request.
        max_requests: requests that are read, waiting or at work; more are answered 429.
        max_connections: open connections; more are answered 503.
        max_batch: requests that the network takes together.
        max_models: released networks in memory; the one used longest ago is let go. nano always stays.
        upload_s: for sending a request.
        answer_s: for the prediction, waiting included.
        kept_bytes: results that the page asked to keep for further downloads.
        kept_s: how long they are kept.
    """

    max_bytes: int = 32 << 20
    max_pixels: int = 25_000_000
    max_people: int = 100
    max_requests: int = 32
    max_connections: int = 256
    max_batch: int = 8
    max_models: int = 2
    upload_s: float = 30.0
    answer_s: float = 120.0
    kept_bytes: int = 512 << 20
    kept_s: float = 300.0

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            # Nothing kept is a choice; nothing allowed is a mistake.
            if value < 0 or (value == 0 and not field.name.startswith("kept")):
                raise InputError(f"{field.name}: expected more than 0, got {value}")
