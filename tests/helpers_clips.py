"""Clips with known truth: procedural people that cross, boxes as a detector would see them, files to read."""

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path

import av
import numpy as np

from sapiens.synth import render_clip


@dataclass(frozen=True)
class Crossing:
    """People that walk past each other, the first nearest to the camera.

    images: (T, H, W, 3) uint8. boxes: (T, P, 4) float64 true boxes. seen: (T, P) part of a person that nobody hides.
    """

    images: np.ndarray
    boxes: np.ndarray
    seen: np.ndarray
    fps: float


@cache
def crossing(seed: int, people: int = 2, frames: int = 40, fps: float = 15.0, size_hw: tuple[int, int] = (96, 224)):
    """Procedural people, each rendered alone, moved past each other over one background."""
    height, width = size_hw
    rng = np.random.default_rng(seed)
    images = np.tile(rng.integers(60, 200, (1, height, width, 3)).astype(np.float32), (frames, 1, 1, 1))
    boxes, covers = np.zeros((frames, people, 4)), np.zeros((people, frames, height, width), np.float32)
    for p in reversed(range(people)):
        clip = render_clip(seed * 10 + p, frames, (height, 72), fps=fps)
        picture = clip.image.permute(0, 2, 3, 1).numpy()
        alpha = clip.alpha.numpy()
        start, end = (0, width - 72) if p % 2 == 0 else (width - 72, 0)
        for t in range(frames):
            left = round(start + (end - start) * t / (frames - 1)) + (p // 2) * 5
            left = min(max(left, 0), width - 72)
            covers[p, t, :, left : left + 72] = alpha[t]
            mix = alpha[t][..., None]
            images[t, :, left : left + 72] = images[t, :, left : left + 72] * (1 - mix) + picture[t] * mix
            rows, columns = np.nonzero(alpha[t] > 0.5)
            boxes[t, p] = columns.min() + left, rows.min(), columns.max() + left + 1, rows.max() + 1
    seen = np.ones((frames, people))
    for p in range(people):
        hidden = covers[:p].max(0, initial=0.0)
        seen[:, p] = (covers[p] * (1 - hidden)).sum((1, 2)) / covers[p].sum((1, 2))
    return Crossing(images.astype(np.uint8), boxes, seen, fps)


def detect(clip: Crossing, seed: int, noise: float = 0.03, least_seen: float = 0.4, miss: float = 0.05):
    """Boxes as a detector gives them: with noise, in any order, none of the hidden, some missed.

    Returns (truth, detections): per frame, (boxes (N, 4), ids) of who could be seen, and boxes (M, 4).
    """
    rng = np.random.default_rng(seed)
    truth, detections = [], []
    for boxes, seen in zip(clip.boxes, clip.seen, strict=True):
        visible = np.flatnonzero(seen >= least_seen)
        truth.append((boxes[visible], visible))
        found = visible[rng.random(len(visible)) >= miss]
        height = (boxes[found, 3] - boxes[found, 1])[:, None]
        noisy = boxes[found] + rng.normal(0, noise, (len(found), 4)) * height
        detections.append(noisy[rng.permutation(len(found))])
    return truth, detections


def write_clip(path: Path, images, *, times_ms=None, sound: bool = False, rotation: int = 0, codec: str = "libx264",
               sound_codec: str = "aac", pixels: str = "yuv420p", options: dict | None = None) -> Path:  # fmt: skip
    """A clip of (T, H, W, 3) uint8 pictures at 25 a second, or at the given times."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=25, options=options or {"crf": "4"})
        stream.height, stream.width, stream.pix_fmt = *images[0].shape[:2], pixels
        clock = Fraction(1, 25 if times_ms is None else 1000)
        stream.codec_context.time_base = clock
        if rotation:
            stream.set_display_rotation(rotation)
        times_ms = [40 * k for k in range(len(images))] if times_ms is None else times_ms
        audio = container.add_stream(sound_codec, rate=16000, layout="mono") if sound else None
        for image, time_ms in zip(images, times_ms, strict=True):
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(image), format="rgb24")
            frame.pts, frame.time_base = round(time_ms / 1000 / clock), clock
            container.mux(stream.encode(frame))
        if audio is not None:
            seconds = (times_ms[-1] + 40) / 1000
            wave = np.sin(np.arange(int(16000 * seconds)) * 2 * np.pi * 440 / 16000) * 0.5
            tone = av.AudioFrame.from_ndarray(wave.astype(np.float32)[None], format="fltp", layout="mono")
            tone.sample_rate, tone.pts = 16000, 0
            form = audio.codec_context.format.name
            for part in av.AudioResampler(format=form, layout="mono", rate=16000).resample(tone):
                container.mux(audio.encode(part))
            container.mux(audio.encode(None))
        container.mux(stream.encode(None))
    return path


def plain_frames(count: int, height: int = 32, width: int = 48) -> np.ndarray:
    """(T, H, W, 3) uint8; frame k is grey of level 8 + 8 * k (modulo 240)."""
    levels = 8 + (8 * np.arange(count)) % 240
    return np.broadcast_to(levels[:, None, None, None], (count, height, width, 3)).astype(np.uint8)


def level(image: np.ndarray) -> int:
    """Which frame of `plain_frames` a picture is, modulo 30."""
    return round((float(np.asarray(image)[..., :3].mean()) - 8) / 8)
