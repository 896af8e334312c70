"""Reading request bodies within their limits, and noticing clients that go away."""

from __future__ import annotations

import asyncio
import time

from starlette.datastructures import Headers
from starlette.types import Receive

from sapiens.app.refusal import ClientGoneError, RefusedError

_DISCARD_S = 5.0


async def read_body(headers: Headers, receive: Receive, *, limit: int, seconds: float) -> bytes:
    """The whole body of a request.

    Raises:
        RefusedError: longer than `limit` bytes, or not there within `seconds`.
        ClientGoneError: the client left before it was whole.
    """
    told = headers.get("content-length", "")
    if told.isdecimal() and int(told) > limit:
        await discard(headers, receive, most=2 * limit)
        raise RefusedError(413, f"the request's {int(told)} bytes are more than the limit of {limit}")
    body = bytearray()
    try:
        async with asyncio.timeout(seconds):
            while True:
                chunk, more = await _chunk(receive)
                body += chunk
                if len(body) > limit:
                    break
                if not more:
                    return bytes(body)
    except TimeoutError as error:
        raise RefusedError(
            408, f"the request was not there within {seconds:g} s", headers={"Connection": "close"}
        ) from error
    body.clear()
    await discard(headers, receive, most=limit)
    raise RefusedError(413, f"the request is longer than the limit of {limit} bytes", headers={"Connection": "close"})


async def discard(headers: Headers, receive: Receive, *, most: int) -> None:
    """Read on without keeping anything: clients that cannot listen while they send would miss the answer."""
    if headers.get("expect", "").lower() == "100-continue":
        return  # it asks first, and is answered now
    end = time.monotonic() + _DISCARD_S
    more = True
    while more and most > 0 and time.monotonic() < end:
        try:
            chunk, more = await asyncio.wait_for(_chunk(receive), timeout=max(0.01, end - time.monotonic()))
        except TimeoutError:
            return
        most -= len(chunk)


async def until_gone(receive: Receive) -> None:
    """Return when the client has closed its connection; the body must have been read."""
    while (await receive())["type"] != "http.disconnect":
        pass


async def _chunk(receive: Receive) -> tuple[bytes, bool]:
    message = await receive()
    if message["type"] == "http.disconnect":
        raise ClientGoneError("the client closed its connection")
    return message.get("body", b""), message.get("more_body", False)
