"""What is released, under which repository and file name."""

from __future__ import annotations

RELEASED: dict[str, tuple[str, ...]] = {
    "pose": ("0.4b", "0.8b", "1b", "5b"),
    "seg": ("0.4b", "0.8b", "1b", "5b"),
    "normal": ("0.4b", "0.8b", "1b", "5b"),
    "pointmap": ("0.4b", "0.8b", "1b", "5b"),
    "matting": ("1b",),
    "albedo": (),
    "pretrain": ("0.1b", "0.4b", "0.8b", "1b", "1b-4k", "5b"),
}
"""Task (and "pretrain", the bare backbone) -> sizes whose weights are on the Hub. Albedo has configurations only."""

SUFFIXES = (".safetensors", ".pth", ".pt", ".bin")
"""Kinds of checkpoint files that can be read."""


def file_stem(task: str, size: str) -> str:
    """Name of a checkpoint without its suffix, e.g. "sapiens2_0.4b_pose" or "sapiens2_1b_4k_pretrain"."""
    return f"sapiens2_{size.replace('-', '_')}_{task}"


def file_name(task: str, size: str) -> str:
    """Name of the released file, e.g. "sapiens2_0.4b_pose.safetensors"."""
    return f"{file_stem(task, size)}.safetensors"


def repo_id(task: str, size: str) -> str | None:
    """Hub repository that holds the file, e.g. "facebook/sapiens2-pose-0.4b"; None if it was not released."""
    return f"facebook/sapiens2-{task}-{size}" if size in RELEASED.get(task, ()) else None


def download_command(task: str, size: str) -> str:
    """What to type to get the file."""
    return f"sapiens download {task} --size {size}"
