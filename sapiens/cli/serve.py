"""`sapiens serve`: the page and the service behind it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from sapiens.cli.console import put, say
from sapiens.errors import InputError, require


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("serve")(serve)


def serve(
    host: Annotated[str, typer.Option(help="Address to listen at; others than this machine's own need a token.")] = (
        "127.0.0.1"
    ),
    port: Annotated[int, typer.Option(min=0, max=65535, help="0 takes a free one.")] = 7860,
    size: Annotated[
        str | None,
        typer.Option(help="Model size taken by default, where its weights are there; else the best there is."),
    ] = None,
    device: Annotated[str, typer.Option(help="auto, cpu, cuda, cuda:1, mps.")] = "auto",
    detector: Annotated[str | None, typer.Option(help="Person detector: name, local folder, or parts.")] = None,
    token_file: Annotated[
        Path | None, typer.Option(help="File with the token that requests must carry; default SAPIENS_TOKEN.")
    ] = None,
    public: Annotated[
        bool,
        typer.Option("--public", help="Answer whoever reaches it, where no token is given, rather than make one up."),
    ] = False,
    embed_in: Annotated[
        list[str] | None,
        typer.Option(metavar="ORIGIN", help="Site that may show the page in a frame, e.g. https://huggingface.co."),
    ] = None,
    max_mb: Annotated[int, typer.Option(min=1, help="Largest upload, in MiB.")] = 32,
    max_pixels: Annotated[int, typer.Option(min=1, help="Largest picture, in pixels.")] = 25_000_000,
    max_requests: Annotated[int, typer.Option(min=1, help="Requests at work; more are answered 429.")] = 32,
    timeout: Annotated[float, typer.Option(min=0.1, help="Seconds for a prediction, waiting included.")] = 120.0,
    keep_minutes: Annotated[
        float, typer.Option(min=0, help="How long results that the page shows stay in memory for downloads.")
    ] = 5.0,
) -> None:
    """Serve a page for every task, and HTTP for programs, from this machine and to this machine alone.

    Uses the weights that are here and downloads none. SIGTERM and Ctrl-C finish what was accepted.
    """
    from sapiens import env

    env.share_cores()
    for module in ("starlette", "uvicorn", "python_multipart"):
        require(module, "app")
    from sapiens.app.limits import Limits
    from sapiens.app.server import ServeConfig
    from sapiens.app.server import serve as run
    from sapiens.backbones.sizes import get_size
    from sapiens.inference.devices import pick_device

    pick_device(device)
    limits = Limits(
        max_bytes=max_mb << 20,
        max_pixels=max_pixels,
        max_requests=max_requests,
        answer_s=timeout,
        kept_s=60 * keep_minutes,
    )
    token = _token(token_file) if token_file is not None else env.serve_token()
    config = ServeConfig(
        host,
        port,
        token,
        get_size(size).name if size else None,
        device,
        detector,
        limits,
        public=public,
        embed_in=tuple(embed_in or ()),
    )
    accepted, answered, gone = run(config, _announce)
    say("note", f"{accepted} requests accepted, {answered} answered, {gone} left by their clients")


def _announce(url: str, token: str | None) -> None:
    put(url if token is None else f"{url}#token={token}")
    say("note", "Ctrl-C stops; what was accepted is finished first")


def _token(path: Path) -> str:
    try:
        token = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{path}: cannot be read as a token") from error
    if not token or not token.isprintable() or not token.isascii():
        raise InputError(f"{path}: expected one line of printable ASCII as the token")
    return token
