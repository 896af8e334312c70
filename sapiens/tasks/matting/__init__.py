"""Human matting: how much of every pixel is the person, and the person's own colour there."""

from __future__ import annotations

from sapiens.tasks.base import Export, Task
from sapiens.tasks.matting.config import RELEASED
from sapiens.tasks.matting.formats import write_alpha, write_alpha_picture, write_cutout, write_premultiplied
from sapiens.tasks.matting.head import build_head
from sapiens.tasks.matting.process import forward, postprocess, preprocess
from sapiens.tasks.matting.result import MattingResult

TASK = Task(
    name="matting",
    title="Matting",
    build_head=build_head,
    result=MattingResult,
    preprocess=preprocess,
    forward=forward,
    postprocess=postprocess,
    released=RELEASED,
    exports={
        "alpha": Export(".png", write_alpha_picture),
        "cutout": Export(".png", write_cutout),
        "premultiplied": Export(".png", write_premultiplied),
        "npy": Export("_alpha.npy", write_alpha),
    },
)
