"""What stands before every request: who may ask, from where, and what a browser may do with the answer."""

from __future__ import annotations

import hmac
import re
import uuid
from collections.abc import Mapping, Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sapiens.app.refusal import RefusedError, status_of
from sapiens.errors import InputError, SapiensError

OPEN_PATHS = ("/", "/health", "/openapi.json")
"""What is answered without the token, and everything below /static/: nothing that anybody uploaded."""

_ORIGIN = re.compile(
    r"(https://[a-z0-9]([a-z0-9.-]*[a-z0-9])?|http://(localhost|127\.0\.0\.1|\[::1\]))(:[0-9]{1,5})?", re.IGNORECASE
)
"""Sites that can show the page: of TLS, or on the same machine. No lists, patterns or paths."""


def security_headers(embed_in: Sequence[str] = ()) -> dict[str, str]:
    """What every answer tells a browser to do and not to do.

    Args:
        embed_in: origins of the sites that may show the page in a frame; none by default.

    Raises:
        InputError: something else than an origin.
    """
    for origin in embed_in:
        if not _ORIGIN.fullmatch(origin):
            raise InputError(
                f"embed-in: expected the origin of a site with https, got {origin!r}", "https://huggingface.co"
            )
    ancestors = " ".join(embed_in) or "'none'"
    return {
        "Content-Security-Policy": (
            "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; "
            f"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors {ancestors}"
        ),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
        "Cross-Origin-Resource-Policy": "same-origin",
        # In a frame the site around it must allow the camera too.
        "Permissions-Policy": "camera=(self), microphone=(), geolocation=()",
    }


def error_response(error: SapiensError) -> JSONResponse:
    """An error as every answer tells it: {"error": one line, "hint": what to do or null}."""
    headers = error.headers if isinstance(error, RefusedError) else {}
    return JSONResponse({"error": error.message, "hint": error.hint}, status_of(error), headers)


class Guard:
    """Refuses strangers, and names every request in `X-Request-Id`.

    Args:
        app: what it guards.
        token: that requests must carry as `Authorization: Bearer`, or None.
        hosts: names this server goes by; None: any. A page whose name is made to point here (DNS rebinding) has
            another.
        embed_in: see `security_headers`.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        token: str | None = None,
        hosts: frozenset[str] | None = None,
        embed_in: Sequence[str] = (),
    ) -> None:
        self._app, self._token, self._hosts = app, token, hosts
        self._headers = security_headers(embed_in)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = uuid.uuid4().hex

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(message, {**self._headers, "X-Request-Id": number})
            await send(message)

        scope.setdefault("state", {})["request_id"] = number
        try:
            self._check(scope)
            await self._app(scope, receive, send_guarded)
        except SapiensError as error:
            await error_response(error)(scope, receive, send_guarded)

    def _check(self, scope: Scope) -> None:
        headers = Headers(scope=scope)
        host = headers.get("host", "")
        if self._hosts is not None and _name(host) not in self._hosts:
            raise RefusedError(403, f"Host {host[:100]!r} is not this server's", "open the address it printed")
        origin = headers.get("origin")
        # Behind a proxy Host may be another than the browser asked for; what it says of where it asks from holds there
        # too: pages cannot set it.
        same = headers.get("sec-fetch-site") == "same-origin"
        if origin is not None and origin.partition("://")[2] != host and not same:
            raise RefusedError(403, f"Origin {origin[:100]!r}: pages of other sites may not ask here")
        path = scope["path"]
        if self._token is None or path in OPEN_PATHS or path.startswith("/static/"):
            return
        given = headers.get("authorization", "").removeprefix("Bearer ").encode()
        if not hmac.compare_digest(given, self._token.encode()):
            raise RefusedError(401, "this server asks for its token", "Authorization: Bearer TOKEN",
                          {"WWW-Authenticate": "Bearer"})  # fmt: skip


def _add(message: Message, headers: Mapping[str, str]) -> None:
    found = MutableHeaders(scope=message)
    for name, value in headers.items():
        found.setdefault(name, value)


def _name(host: str) -> str:
    """A Host header without its port."""
    return host[: host.index("]") + 1] if host.startswith("[") and "]" in host else host.partition(":")[0]
