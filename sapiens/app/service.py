"""The endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import time
from collections.abc import AsyncIterator, Sequence
from typing import Any

import numpy as np
from starlette.applications import Starlette
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sapiens._version import __version__
from sapiens.app.answers import Answer, Wish, choose, render
from sapiens.app.bodies import discard, read_body, until_gone
from sapiens.app.desk import Desk, Job
from sapiens.app.features import SERVED, served_task
from sapiens.app.guard import Guard, error_response
from sapiens.app.kept import Kept
from sapiens.app.limits import Limits
from sapiens.app.metrics import MEDIA_TYPE, Metrics
from sapiens.app.openapi import describe
from sapiens.app.order import Order, body_limit, read_order
from sapiens.app.refusal import ClientGoneError, RefusedError
from sapiens.app.shelf import NANO, Shelf
from sapiens.app.site import site
from sapiens.app.words import task_words
from sapiens.errors import SapiensError, UnknownNameError
from sapiens.imaging.containers import open_container
from sapiens.imaging.write import encode_image
from sapiens.tasks.base import Result

_SWEEP_S = 30.0
_log = logging.getLogger("sapiens")


class Service:
    """Everything a running server holds.

    Args:
        shelf: the networks.
        limits: what requests may ask for.
    """

    def __init__(self, shelf: Shelf, limits: Limits) -> None:
        self.shelf, self.limits, self.metrics = shelf, limits, Metrics()
        self.desk = Desk(shelf, limits, self.metrics)
        self.kept = Kept(limits)
        self.active = 0
        self.draining = False

    async def warm(self) -> None:
        """Run nano once for every task that takes it by default, so that the first picture is not the slow one."""
        picture = encode_image(np.full((64, 48, 3), 128, np.uint8), ".png")
        jobs = [
            Job(order, self.shelf.key(task, order), math.inf)
            for task in SERVED
            if self.shelf.sizes(task)[:1] == [NANO]
            for order in _first_orders(task, picture)
        ]
        for job in jobs:
            self.desk.put(job)
        outcomes = await asyncio.gather(*(asyncio.wrap_future(job.future) for job in jobs), return_exceptions=True)
        for job, outcome in zip(jobs, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                # Requests get the same error, and a server for the other tasks may still be of use.
                _log.warning("%s: the first run failed: %s", job.key.task, outcome)

    async def predict(self, scope: Scope, receive: Receive, send: Send) -> None:
        """`POST /v1/predict/{task}`: from its first to its last byte a request has one of the places."""
        task, start = scope["path_params"]["task"], time.monotonic()
        known = task if task in SERVED else "unknown"
        if self.active >= self.limits.max_requests or self.draining:
            error = self._busy()
            await discard(Headers(scope=scope), receive, most=self.limits.max_bytes)
            self.metrics.answer(known, error.status, 0)
            raise error
        self.active += 1
        self.metrics.accept()
        gone = False
        try:
            try:
                response: Response = await self._answer(task, Request(scope, receive), start)
            except ClientGoneError:
                gone = True
                return
            except SapiensError as error:
                response = error_response(error)
            except Exception:  # noqa: BLE001 - logged, and told to the client without what it says
                _log.exception("%s failed (request %s)", task, scope["state"]["request_id"])
                response = error_response(_failed())
            await response(scope, receive, send)
            self.metrics.answer(known, response.status_code, time.monotonic() - start)
        finally:
            self.active -= 1
            self.metrics.finish(gone=gone)

    async def _answer(self, task: str, request: Request, start: float) -> Response:
        kind = request.headers.get("content-type", "")
        limit = body_limit(kind, self.limits)
        body = await read_body(request.headers, request.receive, limit=limit, seconds=self.limits.upload_s)
        if task not in SERVED:
            unknown = UnknownNameError("task", task, SERVED)
            raise RefusedError(404, unknown.message, unknown.hint)
        query = request.query_params
        wish = choose(served_task(task), request.headers.get("accept"), query.get("as"), query.get("arrays"))
        order = await asyncio.to_thread(read_order, request.headers, body, self.limits)
        del body
        await asyncio.to_thread(_check_picture, order.image, order.name, self.limits)
        job = Job(order, self.shelf.key(task, order), start + self.limits.answer_s)
        result = self.kept.get(order, job.key) if order.keep else None
        if result is None:
            result = await self._wait(job, request.receive)
            if order.keep:
                self.kept.put(order, job.key, result)
        return _response(await asyncio.to_thread(render, served_task(task), result, wish), result, wish)

    async def _wait(self, job: Job, receive: Receive) -> Result:
        """The job's result, unless its client leaves or its time is up first."""
        self.desk.put(job)
        done = asyncio.wrap_future(job.future)
        left: asyncio.Future[None] = asyncio.ensure_future(until_gone(receive))
        waited: set[asyncio.Future[Any]] = {done, left}
        try:
            await asyncio.wait(waited, timeout=job.deadline - time.monotonic(), return_when="FIRST_COMPLETED")
            if done.done():
                return done.result()
            if left.done():
                raise ClientGoneError(f"{job.order.name}: the client closed its connection")
            raise RefusedError(
                504, f"{job.order.name}: no result within {self.limits.answer_s:g} s", "a smaller network?"
            )
        finally:
            job.drop()
            left.cancel()
            if not done.done():
                # Whatever still comes of it, nobody is there to hear it.
                done.add_done_callback(lambda late: late.cancelled() or late.exception())

    def _busy(self) -> RefusedError:
        if self.draining:
            return RefusedError(503, "the server is shutting down", headers={"Connection": "close"})
        seconds = self.desk.retry_after(self.active)
        return RefusedError(
            429,
            f"{self.active} requests are read, waiting or at work, as many as this server takes",
            f"again in {seconds} s",
            {"Retry-After": str(seconds)},
        )

    async def health(self, request: Request) -> Response:
        """`GET /health`."""
        state = "draining" if self.draining else "ok"
        return JSONResponse({"status": state, "version": __version__}, 503 if self.draining else 200)

    async def models(self, request: Request) -> Response:
        """`GET /v1/models`."""
        return JSONResponse({"models": await asyncio.to_thread(self.shelf.models)})

    async def task(self, request: Request) -> Response:
        """`GET /v1/tasks/{task}`: names, colours and links of what its results hold."""
        name = request.path_params["task"]
        if name not in SERVED:
            error = UnknownNameError("task", name, SERVED)
            raise RefusedError(404, error.message, error.hint)
        return JSONResponse(task_words(served_task(name)))

    async def numbers(self, request: Request) -> Response:
        """`GET /metrics`."""
        gauges = {
            "active_requests": ("Requests that are read, waiting or at work.", self.active),
            "waiting_requests": ("Requests that wait for the network.", len(self.desk)),
            "loaded_models": ("Networks in memory.", self.shelf.loaded()),
            "kept_results": ("Results kept for further downloads.", len(self.kept)),
        }
        return Response(self.metrics.text(gauges), headers={"Content-Type": MEDIA_TYPE})

    async def openapi(self, request: Request) -> Response:
        """`GET /openapi.json`."""
        return JSONResponse(describe(self.limits))

    async def page(self, request: Request) -> Response:
        """`GET /` and `GET /static/{name}`."""
        name = request.path_params.get("name", "index.html")
        found = site().get(name)
        if found is None:
            raise RefusedError(404, f"{request.url.path}: no such page")
        return Response(found.body, headers={"Content-Type": found.media_type, "Cache-Control": "no-cache"})

    @contextlib.asynccontextmanager
    async def lifespan(self, app: Starlette) -> AsyncIterator[None]:
        """Lets go of old results while the server runs, and of everything at its end."""

        async def sweep() -> None:
            while True:
                await asyncio.sleep(_SWEEP_S)
                self.kept.sweep()

        await self.warm()
        sweeping = asyncio.ensure_future(sweep())
        try:
            yield
        finally:
            sweeping.cancel()
            self.draining = True
            await asyncio.to_thread(self.desk.close)


class _Predict:
    """`Service.predict` as an ASGI application: it sees the client leave, which a plain endpoint does not."""

    def __init__(self, service: Service) -> None:
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await self._service.predict(scope, receive, send)


def build_app(
    service: Service,
    *,
    token: str | None = None,
    hosts: frozenset[str] | None = None,
    embed_in: Sequence[str] = (),
) -> Any:
    """The ASGI application.

    Args:
        service: what answers.
        token, hosts, embed_in: see `Guard`.
    """
    routes = [
        Route("/v1/predict/{task}", _Predict(service), methods=["POST"]),
        Route("/v1/models", service.models),
        Route("/v1/tasks/{task}", service.task),
        Route("/health", service.health),
        Route("/metrics", service.numbers),
        Route("/openapi.json", service.openapi),
        Route("/", service.page),
        Route("/static/{name}", service.page),
    ]
    handlers: Any = {HTTPException: _http_error, SapiensError: _sapiens_error, Exception: _any_error}
    app = Starlette(routes=routes, lifespan=service.lifespan, exception_handlers=handlers)
    return Guard(app, token=token, hosts=hosts, embed_in=embed_in)


def _first_orders(task: str, picture: bytes) -> list[Order]:
    """What makes a task run all it has: with pose also the network itself, as nobody is found in an empty picture."""
    orders = [Order(picture, "warm-up")]
    if served_task(task).top_down:
        orders.append(Order(picture, "warm-up", boxes=np.array([[0, 0, 48, 64]], np.float32)))
    return orders


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    told = f"{request.method} {request.url.path}: {error.detail}"
    return error_response(RefusedError(error.status_code, told, "GET /openapi.json lists what there is", error.headers))


async def _any_error(request: Request, error: Exception) -> Response:
    return error_response(_failed())


def _failed() -> RefusedError:
    return RefusedError(500, "the server failed on this request", "its log says more, under X-Request-Id")


async def _sapiens_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, SapiensError)
    return error_response(error)


def _check_picture(image: bytes, name: str, limits: Limits) -> None:
    """Refuse what is no picture, or too large a one, before it takes a place in the queue."""
    if not image:
        raise RefusedError(400, f"{name}: the file is empty")
    height, width = open_container(image, name).size_hw
    if height * width > limits.max_pixels:
        raise RefusedError(413, f"{name}: {width}x{height} pixels are more than the limit of {limits.max_pixels}")


def _response(answer: Answer, result: Result, wish: Wish) -> Response:
    notes = "; ".join(result.meta.notes).encode("ascii", "replace").decode()
    headers = {"X-Model": result.meta.model, "X-Notes": notes, "Cache-Control": "no-store"}
    if wish.kind != "json":
        headers["Content-Disposition"] = f'attachment; filename="{answer.filename}"'
    return Response(answer.body, media_type=answer.media_type, headers=headers)
