"""Download from the Hub: resumed after an interruption, checked against the checksum that the Hub gives.

The Hub's own client deletes what it has of a file when its process ends: 20 GB that were stopped half way start over.
Here the part stays beside its target and the next run goes on from it, with a plain HTTP range request.
"""

from __future__ import annotations

import errno
import hashlib
import http.client
import logging
import os
import re
import shutil
import time
import urllib.error
from collections.abc import Callable
from pathlib import Path

from sapiens import env
from sapiens.backbones.sizes import get_size
from sapiens.errors import UnknownNameError, WeightsError
from sapiens.weights import licence
from sapiens.weights.files import RELEASED, download_command, file_name, repo_id
from sapiens.weights.header import read_header
from sapiens.weights.progress import Progress, terminal_bar
from sapiens.weights.remote import Remote, get, head

logger = logging.getLogger(__name__)

CHUNK_BYTES = 1 << 20
ATTEMPTS = 5
"""Connections in a row that may end without a single new byte."""
PAUSE_S = 1.0
"""Wait before the next attempt."""


def target_path(task: str, size: str, root: Path | None = None) -> Path:
    """Where a released file belongs: `<root>/<task>/<file>`."""
    return (root or env.checkpoint_root()) / task / file_name(task, size)


def file_url(task: str, size: str) -> str:
    """Address of a released file at the endpoint in use.

    Raises:
        UnknownNameError: no such task or size.
        WeightsError: exists, but was not released.
    """
    if task not in RELEASED:
        raise UnknownNameError("task", task, RELEASED)
    repo = repo_id(task, size)
    if repo is None:
        known = ", ".join(RELEASED[task]) or "no size"
        raise WeightsError(f"no {task} weights at {size} are on the Hub; released for {task}: {known}")
    return f"{env.hub_endpoint()}/{repo}/resolve/main/{file_name(task, size)}"


def download(
    task: str,
    size: str,
    *,
    root: Path | None = None,
    progress: Progress | None = None,
    notify: Callable[[str], None] = logger.warning,
) -> Path:
    """Get a released file, unless it is there already.

    Args:
        task: a task name, or "pretrain" for the bare backbone.
        size: e.g. "0.4b".
        root: folder to put `<task>/<file>` in; default `$SAPIENS_CHECKPOINT_ROOT`.
        progress: called with (bytes so far, bytes in all); default a bar on the terminal, if there is one.
        notify: called with the licence notice, the first time something is downloaded into this root.

    Returns:
        path of the complete, checked file.

    Raises:
        UnknownNameError, WeightsError: not released, no network, no space, ...; says what to do.
    """
    size = get_size(size).name
    url, target = file_url(task, size), target_path(task, size, root)
    if target.exists():
        return _intact(target, download_command(task, size))
    if env.hub_offline():
        raise WeightsError(f"cannot download {target.name}: HF_HUB_OFFLINE is set", _by_hand(url, target))

    def announce() -> None:
        notice = licence.pending_notice(root)
        if notice is not None:
            notify(notice)
            licence.mark_shown(root)

    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        return _download(url, target, progress, download_command(task, size), announce)
    except (OSError, http.client.HTTPException) as error:
        raise _explain(error, url, target) from error


def _intact(target: Path, command: str) -> Path:
    try:
        read_header(target)
    except WeightsError as error:
        raise WeightsError(error.message, f"delete it, then {command}") from error
    return target


def _download(url: str, target: Path, progress: Progress | None, command: str, announce: Callable[[], None]) -> Path:
    # Required by both torch and huggingface_hub; two processes must not write one part.
    from filelock import FileLock

    with FileLock(target.with_name(f".{target.name}.lock")):
        if target.exists():
            return target
        remote = head(url)
        part = target.with_name(f".{target.name}.{remote.key}.part")
        _check_space(remote.size, part)
        announce()
        if progress is None:
            with terminal_bar(target.name, remote.size) as bar:
                _receive(remote, part, bar, command)
        else:
            _receive(remote, part, progress, command)
        _check(remote, part)
        os.replace(part, target)
        for stale in target.parent.glob(f".{target.name}.*.part"):
            stale.unlink()
    return target


def _receive(remote: Remote, part: Path, progress: Progress, command: str) -> None:
    """Fetch what is missing, again and again as long as something arrives."""
    attempts = ATTEMPTS
    while (done := _size(part)) < remote.size:
        reason = "the connection was closed"
        try:
            _append(remote, part, done, progress)
        except (OSError, http.client.HTTPException) as error:
            if not _is_passing(error):
                raise
            reason = _reason(error)
        if _size(part) == remote.size:
            break
        attempts = ATTEMPTS if _size(part) > done else attempts - 1
        if attempts == 0:
            raise WeightsError(
                f"{remote.url}: stopped after {_gb(_size(part))} of {_gb(remote.size)}: {reason}",
                f"run it again, it goes on from there: {command}",
            )
        logger.info("%s: %s; going on at %s", remote.url, reason, _gb(_size(part)))
        time.sleep(PAUSE_S)


def _append(remote: Remote, part: Path, done: int, progress: Progress) -> None:
    with get(remote.url, start=done) as response:
        resumed = response.status == http.client.PARTIAL_CONTENT
        # A server that ignores the range sends everything again.
        done = done if resumed else 0
        with part.open("ab" if resumed else "wb") as file:
            progress(done, remote.size)
            while done < remote.size and (chunk := response.read(min(CHUNK_BYTES, remote.size - done))):
                file.write(chunk)
                done += len(chunk)
                progress(done, remote.size)


def _check(remote: Remote, part: Path) -> None:
    """Drop a part that is not what the Hub holds."""
    if remote.sha256 is not None:
        with part.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != remote.sha256:
            part.unlink()
            raise WeightsError(f"{remote.url}: the download is damaged (sha256 {found[:12]}…)", "download it again")
    try:
        read_header(part, remote.url)
    except WeightsError:
        part.unlink()
        raise


def _check_space(size: int, part: Path) -> None:
    if _size(part) > size:
        part.unlink()
    missing, free = size - _size(part), shutil.disk_usage(part.parent).free
    if missing > free:
        raise WeightsError(
            f"{part.parent}: not enough space: {_gb(missing)} are missing, {_gb(free)} are free",
            "free some, or set SAPIENS_CHECKPOINT_ROOT to a folder on another disk",
        )


def _is_passing(error: BaseException) -> bool:
    """Whether another attempt may succeed."""
    if isinstance(error, urllib.error.HTTPError):
        return error.code in (408, 429) or error.code >= 500
    return isinstance(error, http.client.HTTPException | urllib.error.URLError | ConnectionError | TimeoutError)


def _explain(error: OSError | http.client.HTTPException, url: str, target: Path) -> WeightsError:
    """One line for a failure of the network or the disk."""
    if isinstance(error, urllib.error.HTTPError):
        if error.code == 404:
            return WeightsError(f"{url}: not there (404)", f"check HF_ENDPOINT; {_by_hand(url, target)}")
        if error.code in (401, 403):
            return WeightsError(
                f"{url}: access refused ({error.code})", "no such repository there, or it needs a login: set HF_TOKEN"
            )
        return WeightsError(f"{url}: the server answers {error.code}", f"try again later; {_by_hand(url, target)}")
    if isinstance(error, urllib.error.URLError | http.client.HTTPException | ConnectionError | TimeoutError):
        return WeightsError(f"{url}: cannot be reached: {_reason(error)}", _by_hand(url, target))
    if error.errno == errno.ENOSPC:
        return WeightsError(f"{target.parent}: the disk is full", "free some space and run it again, it goes on")
    return WeightsError(
        f"{target}: cannot be written: {_reason(error)}", "set SAPIENS_CHECKPOINT_ROOT to another folder"
    )


def _reason(error: BaseException) -> str:
    inner = error.reason if isinstance(error, urllib.error.URLError) else error
    text = inner.strerror if isinstance(inner, OSError) and inner.strerror else str(inner)
    return re.sub(r"\s+", " ", text) or type(inner).__name__


def _by_hand(url: str, target: Path) -> str:
    return f"where there is a network, get {url} and put it at {target}"


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _gb(size: int) -> str:
    return f"{size / 1e9:.2f} GB" if size >= 1e7 else f"{size / 1e6:.3f} MB"
