"""Body-part segmentation: one of 29 parts for every pixel."""

from __future__ import annotations

from sapiens.tasks.base import Export, Task
from sapiens.tasks.seg.config import RELEASED
from sapiens.tasks.seg.formats import write_label_picture, write_labels
from sapiens.tasks.seg.head import build_head
from sapiens.tasks.seg.process import SegOptions, forward, postprocess, preprocess
from sapiens.tasks.seg.result import SegResult

TASK = Task(
    name="seg",
    title="Body parts",
    build_head=build_head,
    result=SegResult,
    preprocess=preprocess,
    forward=forward,
    postprocess=postprocess,
    released=RELEASED,
    options=SegOptions,
    exports={
        "labels": Export(".png", write_label_picture),
        "npy": Export("_seg.npy", write_labels),
    },
)
