"""What stands before every request: who may ask, from where, and what a browser may do with the answer."""

from __future__ import annotations

import hmac
import uuid
from collections.abc import Mapping

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sapiens.app.refusal import RefusedError, status_of
from sapiens.errors import SapiensError

OPEN_PATHS = ("/", "/health", "/openapi.json")
"""What is answered without the token, and everything below /static/: nothing that anybody uploaded."""

SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; media-src blob:; "
        "connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
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
    """

    def __init__(self, app: ASGIApp, *, token: str | None = None, hosts: frozenset[str] | None = None) -> None:
        self._app, self._token, self._hosts = app, token, hosts

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """See ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        number = uuid.uuid4().hex

        async def send_guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                _add(message, {**SECURITY_HEADERS, "X-Request-Id": number})
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
        if origin is not None and origin.partition("://")[2] != host:
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
