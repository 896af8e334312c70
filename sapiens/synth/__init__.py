"""Procedural people: batches of pictures with exact truth for every task, from a seed and nothing else."""

from __future__ import annotations

from sapiens.synth.scene import SceneBatch, render, render_clip, stream

__all__ = ["SceneBatch", "render", "render_clip", "stream"]
