"""`sapiens download`: put released weights where they belong."""

from __future__ import annotations

from typing import Annotated

import typer

from sapiens.cli.console import put, say
from sapiens.errors import UnknownNameError

DETECTOR = "detector"


def register(app: typer.Typer) -> None:
    """Add the verb."""
    app.command("download")(download)


def download(
    task: Annotated[str, typer.Argument(help="pose, seg, normal, pointmap, matting, pretrain, or detector.")],
    name: Annotated[str | None, typer.Argument(help="For detector: its name; default the usual one.")] = None,
    size: Annotated[str, typer.Option(help="0.1b (pretrain), 0.4b, 0.8b, 1b, 1b-4k (pretrain), 5b.")] = "1b",
) -> None:
    """Download released weights below $SAPIENS_CHECKPOINT_ROOT (default ~/sapiens2_host) and print the path.

    An interrupted download goes on where it stopped. HF_ENDPOINT and HF_HUB_OFFLINE are honoured.
    """
    if task == DETECTOR:
        from sapiens.detection import default_detector_name
        from sapiens.detection import download as download_detector

        put(str(download_detector(name or default_detector_name())))
        return
    from sapiens.weights import download as download_weights
    from sapiens.weights.files import RELEASED

    if task not in RELEASED:
        raise UnknownNameError("task", task, [*RELEASED, DETECTOR])
    put(str(download_weights(task, size, notify=lambda notice: say("licence", notice))))
