"""Person boxes: detectors by name, boxes from files, checks of boxes that users give.

A detector takes a list of (H, W, 3) uint8 RGB pictures and returns one `Detections` for each.
"""

from __future__ import annotations

from sapiens.detection.boxes import WHOLE_IMAGE_NOTE, Detections, Detector, validate_boxes, whole_image
from sapiens.detection.boxes_file import BoxTable, load_boxes
from sapiens.detection.find import default_detector_name, download, find_detector, local_folder, locate
from sapiens.detection.nms import nms
from sapiens.detection.zoo import DETECTORS

__all__ = [
    "DETECTORS",
    "WHOLE_IMAGE_NOTE",
    "BoxTable",
    "Detections",
    "Detector",
    "default_detector_name",
    "download",
    "find_detector",
    "load_boxes",
    "local_folder",
    "locate",
    "nms",
    "validate_boxes",
    "whole_image",
]
