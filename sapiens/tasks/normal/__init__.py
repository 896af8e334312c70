"""Surface normals: which way the surface faces, for every pixel, in the camera's frame.

+x right, +y up, +z to the viewer, as released; `sapiens.tasks.normal.result` says more about axes.
"""

from __future__ import annotations

from sapiens.tasks.base import Export, Task
from sapiens.tasks.normal.config import RELEASED
from sapiens.tasks.normal.formats import write_normals
from sapiens.tasks.normal.head import build_head
from sapiens.tasks.normal.process import NormalOptions, forward, postprocess, preprocess
from sapiens.tasks.normal.result import NormalResult

TASK = Task(
    name="normal",
    title="Surface normals",
    build_head=build_head,
    result=NormalResult,
    preprocess=preprocess,
    forward=forward,
    postprocess=postprocess,
    released=RELEASED,
    options=NormalOptions,
    exports={"npy": Export(".npy", write_normals)},
)
