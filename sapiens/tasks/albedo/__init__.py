"""Albedo: the colour of every surface without light and shade."""

from __future__ import annotations

from sapiens.tasks.albedo.config import RELEASED
from sapiens.tasks.albedo.formats import write_albedo
from sapiens.tasks.albedo.head import build_head
from sapiens.tasks.albedo.process import forward, postprocess, preprocess
from sapiens.tasks.albedo.result import AlbedoResult
from sapiens.tasks.base import Export, Task

TASK = Task(
    name="albedo",
    title="Albedo",
    build_head=build_head,
    result=AlbedoResult,
    preprocess=preprocess,
    forward=forward,
    postprocess=postprocess,
    released=RELEASED,
    exports={"npy": Export(".npy", write_albedo)},
)
