"""The two requests that a download needs, over the standard library."""

from __future__ import annotations

import importlib.util
import re
import ssl
import sys
import urllib.error
import urllib.request
from dataclasses import dataclass
from email.message import Message
from http.client import HTTPException, HTTPResponse
from typing import Any
from urllib.parse import urljoin, urlsplit

from sapiens import env
from sapiens._version import __version__
from sapiens.errors import WeightsError

TIMEOUT_S = 30.0
_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)


@dataclass(frozen=True)
class Remote:
    """A file on the Hub.

    Attributes:
        url: its address.
        size: bytes.
        etag: names this version of it.
    """

    url: str
    size: int
    etag: str

    @property
    def key(self) -> str:
        """Short name of this version, fit for a file name."""
        return re.sub(r"\W", "", self.etag)[:16]

    @property
    def sha256(self) -> str | None:
        """Checksum of the content; the Hub gives it as the etag of every large file."""
        return self.etag if re.fullmatch(r"[0-9a-f]{64}", self.etag) else None


def head(url: str) -> Remote:
    """Size and version of a file.

    The Hub answers with a redirect to its storage, and tells both in that answer already.

    Raises:
        WeightsError: the answer is not a Hub's.
        urllib.error.URLError, OSError, http.client.HTTPException: no network, no such file, ...
    """
    at = url
    for _ in range(_MAX_REDIRECTS):
        status, headers = _ask(at)
        etag, size = headers["X-Linked-ETag"], headers["X-Linked-Size"]
        if status not in _REDIRECTS:
            etag, size = etag or headers["ETag"], size or headers["Content-Length"]
        if etag and size:
            return Remote(url, int(size), etag.removeprefix("W/").strip('"'))
        if status not in _REDIRECTS:
            break
        at = urljoin(at, headers["Location"])
    raise WeightsError(
        f"{url}: the answer is not that of a Hugging Face Hub", "check HF_ENDPOINT and the proxy settings"
    )


def get(url: str, start: int = 0) -> HTTPResponse:
    """The content of a file from byte `start` on (status 206), or all of it (200) if the server cannot do that."""
    request = _request(url, "GET")
    if start:
        request.add_header("Range", f"bytes={start}-")
    return _open(request, follow=True)


def hub_reachable(timeout_s: float = 3.0) -> bool:
    """Whether the network may be used and something answers at `HF_ENDPOINT`."""
    if env.hub_offline():
        return False
    try:
        _ask(env.hub_endpoint(), timeout_s)
    except urllib.error.HTTPError:
        return True
    except (OSError, HTTPException):
        return False
    return True


def _ask(url: str, timeout_s: float = TIMEOUT_S) -> tuple[int, Message]:
    try:
        with _open(_request(url, "HEAD"), follow=False, timeout_s=timeout_s) as response:
            return response.status, response.headers
    except urllib.error.HTTPError as error:
        if error.code not in _REDIRECTS:
            raise
        return error.code, error.headers


def _request(url: str, method: str) -> urllib.request.Request:
    request = urllib.request.Request(url, method=method, headers={"User-Agent": f"sapiens/{__version__}"})
    token = _token() if _is_endpoint(url) else None
    if token:
        # Not sent on to the storage that the Hub redirects to: that address carries its own signature.
        request.add_unredirected_header("Authorization", f"Bearer {token}")
    return request


def _is_endpoint(url: str) -> bool:
    return urlsplit(url).netloc == urlsplit(env.hub_endpoint()).netloc


def _token() -> str | None:
    from huggingface_hub import get_token

    return get_token()


class _Stay(urllib.request.HTTPRedirectHandler):
    """Hands a redirect to the caller instead of following it."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


def _open(request: urllib.request.Request, *, follow: bool, timeout_s: float = TIMEOUT_S) -> HTTPResponse:
    secure = urllib.request.HTTPSHandler(context=_tls())
    opener = urllib.request.build_opener(secure) if follow else urllib.request.build_opener(secure, _Stay)
    try:
        response: HTTPResponse = opener.open(request, timeout=timeout_s)
    except urllib.error.HTTPError as error:
        # The error is the answer as well; its status and headers can be read after this, its connection is not kept.
        error.close()
        raise
    return response


def _tls() -> ssl.SSLContext:
    """Trust what the system trusts, also where Python alone does not find it."""
    if sys.platform == "darwin" and importlib.util.find_spec("truststore") is not None:
        keychain: ssl.SSLContext = importlib.import_module("truststore").SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        return keychain
    context = ssl.create_default_context()
    if importlib.util.find_spec("certifi") is not None:
        context.load_verify_locations(importlib.import_module("certifi").where())
    return context
