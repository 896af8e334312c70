"""The released detectors: names, repositories and published figures (docs/detectors.md names the sources)."""

from __future__ import annotations

from dataclasses import dataclass

from sapiens.detection.transformers_detectors import FILES


@dataclass(frozen=True)
class Known:
    """A released detector.

    Attributes:
        name: what users type.
        title: what users read.
        repo: repository on the Hub.
        coco_ap: published box AP on COCO val2017, over all 80 classes.
        params_m: published parameters in millions.
        files: what must be there, in the repository's own names.
        licence: of the weights.
    """

    name: str
    title: str
    repo: str
    coco_ap: float
    params_m: int
    files: tuple[str, ...] = FILES
    licence: str = "Apache-2.0"


DETR = Known(
    "detr",
    "DETR-ResNet-101-DC5",
    "facebook/detr-resnet-101-dc5",
    44.9,
    60,
    files=("model.safetensors",),
)
DETECTORS: dict[str, Known] = {
    known.name: known
    for known in (
        DETR,
        Known("dfine-s", "D-FINE-S", "ustc-community/dfine-small-coco", 48.5, 10),
        Known("dfine-m", "D-FINE-M", "ustc-community/dfine-medium-coco", 52.3, 19),
        Known("dfine-l", "D-FINE-L", "ustc-community/dfine-large-coco", 54.0, 31),
        Known("dfine-x", "D-FINE-X", "ustc-community/dfine-xlarge-coco", 55.8, 62),
        Known("rtdetrv2-r18", "RT-DETRv2-S", "PekingU/rtdetr_v2_r18vd", 48.1, 20),
        Known("rtdetrv2-r50", "RT-DETRv2-L", "PekingU/rtdetr_v2_r50vd", 53.4, 42),
    )
}

RELEASED, BEST = "detr", "dfine-x"
"""The detector of the released pose pipeline, and the most accurate one."""
