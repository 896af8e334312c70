"""What a run shows in TensorBoard: every number of the log, and pictures."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from sapiens.errors import require
from sapiens.imaging.frame import ImageU8

NO_CURVES = ("update", "seen", "eta_s")
"""Numbers of a log line that say where it stands, or follow from the others."""


class Board:
    """Event files of a run, below its folder; what an interrupted run wrote after its checkpoint is dropped.

    Args:
        folder: for the event files.
        update: updates that the run has done already.

    Raises:
        MissingDependencyError: tensorboard is not installed.
    """

    def __init__(self, folder: Path, update: int = 0) -> None:
        require("tensorboard", "train")
        from torch.utils.tensorboard import SummaryWriter

        self._writer: Any = SummaryWriter(str(folder), purge_step=update + 1 if update else None)

    def line(self, line: Mapping[str, Any]) -> None:
        """Add the numbers of a log line."""
        for name, value in line.items():
            if isinstance(value, int | float) and name not in NO_CURVES:
                group = name if name.startswith("val/") else f"train/{name}"
                self._writer.add_scalar(group, value, line["update"])

    def beside(self, report: Callable[[dict[str, Any]], None]) -> Callable[[dict[str, Any]], None]:
        """Something that receives log lines, and hands them to this and to another one."""

        def both(line: dict[str, Any]) -> None:
            self.line(line)
            report(line)

        return both

    def picture(self, image: ImageU8, update: int) -> None:
        """Add a picture (H, W, 3) RGB."""
        self._writer.add_image("input, target, prediction", image, update, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Write what is still in memory."""
        self._writer.close()
