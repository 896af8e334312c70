"""Pose estimation: 308 keypoints of body, feet, hands and face for every person."""

from __future__ import annotations

from functools import partial

from sapiens.tasks.base import Export, RunExport, Task
from sapiens.tasks.pose.config import RELEASED
from sapiens.tasks.pose.formats import PREDICTIONS_SUFFIX, write_coco, write_openpose, write_predictions
from sapiens.tasks.pose.head import build_head
from sapiens.tasks.pose.process import PoseOptions, decode, forward, postprocess, preprocess
from sapiens.tasks.pose.result import PoseResult

TASK = Task(
    name="pose",
    title="Pose",
    build_head=build_head,
    result=PoseResult,
    preprocess=preprocess,
    forward=forward,
    decode=decode,
    postprocess=postprocess,
    released=RELEASED,
    top_down=True,
    options=PoseOptions,
    size_options={"nano": {"refine": "centroid"}},
    exports={"openpose": Export("_keypoints.json", write_openpose)},
    run_exports={
        "coco": RunExport("coco17_results.json", write_coco),
        "coco133": RunExport("coco133_results.json", partial(write_coco, layout="wholebody133")),
        "coco308": RunExport("coco308_results.json", partial(write_coco, layout="sapiens308")),
        "predictions": RunExport("{label}" + PREDICTIONS_SUFFIX, write_predictions),
    },
)
