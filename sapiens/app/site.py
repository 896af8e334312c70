"""The page's own files, read once: no request ever names a path."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib.resources import files

MEDIA_TYPES = {
    "html": "text/html; charset=utf-8",
    "css": "text/css; charset=utf-8",
    "js": "text/javascript; charset=utf-8",
    "svg": "image/svg+xml",
    "webp": "image/webp",
    "png": "image/png",
}
PHOTOGRAPH = "astronaut.png"
"""Eileen Collins, NASA, public domain."""


@dataclass(frozen=True)
class SiteFile:
    """A file of the page.

    Attributes:
        body: its bytes.
        media_type: what they are.
    """

    body: bytes
    media_type: str


@cache
def site() -> dict[str, SiteFile]:
    """Every file of the page by its name, and the photograph of the package."""
    static = files("sapiens.app").joinpath("static")
    found = {entry.name: entry for entry in static.iterdir() if entry.name.rsplit(".", 1)[-1] in MEDIA_TYPES}
    found[PHOTOGRAPH] = files("sapiens").joinpath("assets", PHOTOGRAPH)
    return {name: SiteFile(entry.read_bytes(), MEDIA_TYPES[name.rsplit(".", 1)[-1]]) for name, entry in found.items()}
