"""Person detectors side by side: size, work and time per picture, with random weights at their own input sizes."""

from __future__ import annotations

import statistics
import time
from collections.abc import Iterable
from typing import Any

import numpy as np
import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sapiens.bench.table import report
from sapiens.detection.boxes import Detector
from sapiens.detection.detr import Detr
from sapiens.detection.detr_detector import DetrDetector
from sapiens.detection.transformers_detectors import Input, TransformersDetector
from sapiens.detection.zoo import DETECTORS
from sapiens.errors import require

PICTURE_HW = (720, 1280)
"""Height and width of the picture that every detector gets."""

# What differs from the default of the configuration class, as in the released config.json files: for the HGNetv2
# backbones the stem's channels, the stages, and whether blocks end in a learnable scale and shift.
STAGE_FIELDS = (
    "stage_in_channels",
    "stage_mid_channels",
    "stage_out_channels",
    "stage_num_blocks",
    "stage_numb_of_layers",
)
HGNET = {
    "dfine-s": (
        (16, 16),
        [(16, 16, 64, 1, 3), (64, 32, 256, 1, 3), (256, 64, 512, 2, 3), (512, 128, 1024, 1, 3)],
        True,
    ),
    "dfine-m": (
        (24, 32),
        [(32, 32, 96, 1, 4), (96, 64, 384, 1, 4), (384, 128, 768, 3, 4), (768, 256, 1536, 1, 4)],
        True,
    ),
    "dfine-l": (
        (32, 48),
        [(48, 48, 128, 1, 6), (128, 96, 512, 1, 6), (512, 192, 1024, 3, 6), (1024, 384, 2048, 1, 6)],
        False,
    ),
    "dfine-x": (
        (32, 64),
        [(64, 64, 128, 1, 6), (128, 128, 512, 2, 6), (512, 256, 1024, 5, 6), (1024, 512, 2048, 2, 6)],
        False,
    ),
}
DFINE: dict[str, dict[str, Any]] = {
    "dfine-s": {"decoder_layers": 3, "depth_mult": 0.34, "hidden_expansion": 0.5},
    "dfine-m": {"decoder_layers": 4, "depth_mult": 0.67},
    "dfine-l": {},
    "dfine-x": {
        "encoder_hidden_dim": 384,
        "encoder_ffn_dim": 2048,
        "decoder_in_channels": [384, 384, 384],
        "reg_scale": 8.0,
    },
}
RTDETR: dict[str, tuple[dict[str, Any], dict[str, Any]]] = {
    "rtdetrv2-r18": (
        {"depths": [2, 2, 2, 2], "hidden_sizes": [64, 128, 256, 512], "layer_type": "basic"},
        {"encoder_in_channels": [128, 256, 512], "hidden_expansion": 0.5, "decoder_layers": 3},
    ),
    "rtdetrv2-r50": ({}, {}),
}


def run(repeats: int = 5, names: Iterable[str] = tuple(DETECTORS)) -> dict[str, Any]:
    """Time whole calls, resizing and boxes included, one picture at a time.

    Args:
        repeats: timed calls per detector, interleaved, after one that is not timed.
        names: which of `DETECTORS`.

    Raises:
        MissingDependencyError: a detector needs `transformers`, which is not installed.
    """
    picture = np.random.default_rng(0).integers(0, 256, (*PICTURE_HW, 3), np.uint8)
    torch.manual_seed(0)
    networks = {name: random_network(name) for name in names}
    detectors = {name: _detector(name, network) for name, network in networks.items()}
    work = {name: _multiply_adds(detector, picture) for name, detector in detectors.items()}
    times: dict[str, list[float]] = {name: [] for name in detectors}
    for _ in range(repeats):
        for name, detector in detectors.items():
            start = time.perf_counter()
            detector([picture])
            times[name].append(time.perf_counter() - start)
    rows = [
        {
            "detector": name,
            "COCO AP (published)": DETECTORS[name].coco_ap,
            "parameters, M": round(sum(p.numel() for p in network.parameters()) / 1e6, 1),
            "multiply-adds, G": round(work[name] / 1e9, 1),
            "ms, median": round(1e3 * statistics.median(times[name])),
            "ms, fastest": round(1e3 * min(times[name])),
        }
        for name, network in networks.items()
    ]
    height, width = PICTURE_HW
    return report(f"person detectors, one {width}x{height} picture, float32, random weights, {repeats} calls", rows)


def random_network(name: str) -> nn.Module:
    """A detector's network with the released dimensions and random weights.

    Raises:
        MissingDependencyError: `transformers` is not installed.
    """
    if name == "detr":
        return Detr()
    transformers = require("transformers", "detect")
    if name in DFINE:
        stem, stages, affine = HGNET[name]
        values = dict(zip(STAGE_FIELDS, map(list, zip(*stages, strict=True)), strict=True))
        backbone = transformers.HGNetV2Config(
            stem_channels=[3, *stem],
            hidden_sizes=values["stage_out_channels"],
            out_features=["stage2", "stage3", "stage4"],
            use_learnable_affine_block=affine,
            **values,
        )
        widths = values["stage_out_channels"][1:]
        config = transformers.DFineConfig(
            backbone_config=backbone,
            encoder_in_channels=widths,
            decoder_n_points=[3, 6, 3],
            num_labels=80,
            **DFINE[name],
        )
        return transformers.DFineForObjectDetection(config)  # type: ignore[no-any-return]
    backbone_part, rest = RTDETR[name]
    backbone = transformers.RTDetrResNetConfig(out_features=["stage2", "stage3", "stage4"], **backbone_part)
    config = transformers.RTDetrV2Config(backbone_config=backbone, num_labels=80, **rest)
    return transformers.RTDetrV2ForObjectDetection(config)  # type: ignore[no-any-return]


def _detector(name: str, network: nn.Module) -> Detector:
    if isinstance(network, Detr):
        return DetrDetector(network)
    return TransformersDetector(network, Input((640, 640), (0.0,) * 3, (1.0,) * 3), person=0, name=name)


def _multiply_adds(detector: Detector, picture: Any) -> float:
    with FlopCounterMode(display=False) as counter:
        detector([picture])
    return float(counter.get_total_flops()) / 2
