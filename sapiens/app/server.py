"""Starting, announcing and stopping the server."""

from __future__ import annotations

import contextlib
import ipaddress
import secrets
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from types import FrameType
from typing import Any

import uvicorn

from sapiens.app.limits import Limits
from sapiens.app.service import Service, build_app
from sapiens.app.shelf import Shelf
from sapiens.errors import InputError

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "[::1]"})
_GRACE_S = 30


@dataclass(frozen=True)
class ServeConfig:
    """How to serve.

    Attributes:
        host: address to listen at.
        port: 0: any free one.
        token: that requests must carry; made up where others than this machine can reach the server.
        size, device, detector: see `Shelf`.
        limits: what requests may ask for.
        public: make up no token where others than this machine can reach the server.
        embed_in: origins of the sites that may show the page in a frame.
    """

    host: str = "127.0.0.1"
    port: int = 7860
    token: str | None = None
    size: str | None = None
    device: str = "auto"
    detector: str | None = None
    limits: Limits = field(default_factory=Limits)
    public: bool = False
    embed_in: tuple[str, ...] = ()


class _Server(uvicorn.Server):
    """uvicorn, which says when it takes connections, and on SIGTERM or Ctrl-C finishes what it has begun and then ends
    without a signal of its own."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        super().__init__(config)
        self._announce = announce

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Warm up, then take connections, then say so."""
        await super().startup(sockets)
        if self.started:
            self._announce()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Handle both signals for as long as the server runs."""

        def stop(number: int, frame: FrameType | None) -> None:
            self.force_exit = self.should_exit and number == signal.SIGINT
            self.should_exit = True

        before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)


def serve(config: ServeConfig, announce: Callable[[str, str | None], None]) -> tuple[int, int, int]:
    """Serve until SIGTERM or Ctrl-C, then finish what was accepted; a second Ctrl-C ends at once.

    Args:
        config: how.
        announce: told the address of the page, and the token if there is one, once nano has run for the first time and
            connections are taken.

    Returns:
        how many requests for predictions were accepted, how many of them answered, and how many left by their client.

    Raises:
        InputError: the address cannot be listened at, or no site can have an origin that is to embed the page.
        WeightsError: the detector is not on this machine.
    """
    local = is_loopback(config.host)
    token = config.token if config.token or local or config.public else secrets.token_urlsafe(24)
    with contextlib.closing(_listen(config.host, config.port)) as listening:
        shelf = Shelf(config.limits, size=config.size, device=config.device, detector=config.detector)
        if config.detector is not None:
            shelf.make_detector()  # a wrong name is said now, not at the first picture
        service = Service(shelf, config.limits)
        hosts = LOOPBACK_NAMES | {config.host} if local else None
        app = build_app(service, token=token, hosts=hosts, embed_in=config.embed_in)
        host = f"[{config.host}]" if ":" in config.host else config.host
        url = f"http://{host}:{listening.getsockname()[1]}/"
        server = _Server(_settings(app, config.limits), lambda: announce(url, token))
        server.run(sockets=[listening])
    return service.metrics.totals


def _settings(app: Any, limits: Limits) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=limits.max_connections,
        timeout_graceful_shutdown=int(limits.answer_s) + _GRACE_S,
        lifespan="on",
        ws="none",
    )


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, so that a port in use is said in one line before anything is loaded."""
    found: socket.socket | None = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        found = socket.socket(family, socket.SOCK_STREAM)
        found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        found.bind((host, port))
        found.listen(128)
    except (OSError, UnicodeError) as error:
        if found is not None:
            found.close()
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise InputError(f"{host}:{port}: cannot listen there ({reason})", hint="--port 0 takes a free one") from error
    return found
