"""Point maps: where in space every pixel lies, in metres.

x right, y down, z forward; `sapiens.tasks.pointmap.result` says more about axes and the camera.
"""

from __future__ import annotations

from sapiens.tasks.base import Export, Task
from sapiens.tasks.pointmap.config import NANO_FOCAL_PX, RELEASED
from sapiens.tasks.pointmap.formats import write_depth, write_ply, write_points
from sapiens.tasks.pointmap.glb import write_glb
from sapiens.tasks.pointmap.head import build_head
from sapiens.tasks.pointmap.process import PointmapOptions, forward, postprocess, preprocess
from sapiens.tasks.pointmap.result import PointmapResult

TASK = Task(
    name="pointmap",
    title="Point map",
    build_head=build_head,
    result=PointmapResult,
    preprocess=preprocess,
    forward=forward,
    postprocess=postprocess,
    released=RELEASED,
    options=PointmapOptions,
    size_options={"nano": {"canonical_focal_px": NANO_FOCAL_PX}},
    exports={
        "ply": Export(".ply", lambda result, path: write_ply(result, path, double=result.meta.compat == "reference")),
        "glb": Export(".glb", write_glb),
        "mesh": Export(".glb", lambda result, path: write_glb(result, path, mesh=True)),
        "npy": Export(".npy", write_points),
        "depth": Export("_depth.npy", write_depth),
    },
)
