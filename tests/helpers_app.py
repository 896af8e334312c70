"""Servers and a client for the tests of the app; everything listens at 127.0.0.1 and ends with its test."""

import base64
import http.client
import io
import json
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from urllib.parse import urlsplit

import numpy as np
import uvicorn
from PIL import Image

from sapiens.app.limits import Limits
from sapiens.app.server import LOOPBACK_NAMES
from sapiens.app.service import Service, build_app
from sapiens.app.shelf import Shelf


@dataclass
class Answer:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self):
        return json.loads(self.body)

    def array(self, name: str) -> np.ndarray:
        told = self.json["arrays"][name]
        if "base64" in told:
            return np.frombuffer(base64.b64decode(told["base64"]), told["dtype"]).reshape(told["shape"])
        return np.array(told["data"], told["dtype"]).reshape(told["shape"])


class Client:
    """Asks one server; every request on a connection of its own."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.host, self.port = urlsplit(url).hostname, urlsplit(url).port

    def ask(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        connection = http.client.HTTPConnection(self.host, self.port, timeout=60)
        try:
            connection.request(method, path, body, headers or {})
            response = connection.getresponse()
            return Answer(response.status, {k.lower(): v for k, v in response.getheaders()}, response.read())
        finally:
            connection.close()

    def get(self, path: str, **headers: str) -> Answer:
        return self.ask("GET", path, headers=headers)

    def predict(self, task: str, image: bytes, fields=None, *, name="a.png", query="", headers=None) -> Answer:
        body, kind = form(image, fields or {}, name)
        return self.ask("POST", f"/v1/predict/{task}{query}", body, {"Content-Type": kind, **(headers or {})})

    def predict_json(self, task: str, body: object, headers=None, query="") -> Answer:
        text = body if isinstance(body, bytes) else json.dumps(body).encode()
        told = {"Content-Type": "application/json", **(headers or {})}
        return self.ask("POST", f"/v1/predict/{task}{query}", text, told)


def form(image: bytes | None, fields: dict[str, str], name: str) -> tuple[bytes, str]:
    """A multipart body and its content type."""
    line = uuid.uuid4().hex
    parts = [
        f'--{line}\r\nContent-Disposition: form-data; name="{k}"\r\n\r\n{v}\r\n'.encode() for k, v in fields.items()
    ]
    if image is not None:
        head = f'--{line}\r\nContent-Disposition: form-data; name="image"; filename="{name}"\r\n\r\n'.encode()
        parts.append(head + image + b"\r\n")
    return b"".join([*parts, f"--{line}--\r\n".encode()]), f"multipart/form-data; boundary={line}"


def picture(seed: int = 0, height: int = 60, width: int = 48) -> np.ndarray:
    """(H, W, 3) uint8: smooth colours that differ by seed."""
    rng = np.random.default_rng(seed)
    small = Image.fromarray(rng.integers(0, 256, (6, 5, 3), np.uint8))
    return np.asarray(small.resize((width, height), Image.Resampling.BICUBIC))


def encoded(image: np.ndarray | Image.Image, form: str = "PNG", **options) -> bytes:
    stream = io.BytesIO()
    (Image.fromarray(image) if isinstance(image, np.ndarray) else image).save(stream, form, **options)
    return stream.getvalue()


@contextmanager
def running(
    limits: Limits | None = None, token: str | None = None, shelf: Shelf | None = None, embed_in: tuple[str, ...] = ()
) -> Iterator[Client]:
    """A server in a thread of this process."""
    chosen = limits or Limits()
    service = Service(shelf or Shelf(chosen), chosen)
    server = uvicorn.Server(
        uvicorn.Config(
            build_app(service, token=token, hosts=LOOPBACK_NAMES, embed_in=embed_in),
            host="127.0.0.1",
            port=0,
            log_level="warning",
            ws="none",
            lifespan="on",
            timeout_graceful_shutdown=20,
        )
    )
    thread = threading.Thread(target=server.run)
    thread.start()
    try:
        wait_for(lambda: server.started)
        client = Client(f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}")
        client.service = service
        yield client
    finally:
        server.should_exit = True
        thread.join(timeout=60)
        assert not thread.is_alive()


@contextmanager
def command(*arguments: object) -> Iterator[tuple[subprocess.Popen, Client]]:
    """`sapiens serve` as users start it, in a process of its own."""
    line = [sys.executable, "-m", "sapiens.cli.main", "serve", "--port", "0", *map(str, arguments)]
    process = subprocess.Popen(line, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        url = process.stdout.readline().strip()
        assert url, process.stderr.read()
        yield process, Client(url.partition("#")[0])
    finally:
        process.terminate()
        process.communicate(timeout=60)


def numbers(client) -> dict[str, float]:
    """What `GET /metrics` tells, by name with labels."""
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = [line for line in answer.body.decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


def wait_for(condition, seconds: float = 30) -> None:
    """Poll until it is true."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)
