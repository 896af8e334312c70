"""What `sapiens predict` works with: networks, finder of people, smoothing and masks, from the words of a user."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sapiens.errors import InputError

if TYPE_CHECKING:
    from sapiens.inference.fleet import Fleet
    from sapiens.inference.follow import Follower
    from sapiens.inference.item import MaskOf
    from sapiens.inference.people import PeopleFinder
    from sapiens.inference.predictor import Predictor
    from sapiens.inference.steady import Steadier


def load_predictors(
    names: list[str],
    size: str | None,
    weights: dict[str, str],
    detector: str | None,
    options: list[str],
    devices: list[str],
    settings: dict[str, Any],
) -> list[Predictor | Fleet]:
    """The networks of the tasks in order, each on one device or as a fleet on several.

    Args:
        names, size, weights, detector, settings: as for `sapiens.load`; weights by task.
        options: NAME=VALUE.
        devices: one, or several for a fleet.

    Raises:
        SapiensError: as `sapiens.load`, or an option that none of the tasks has.
    """
    from sapiens.cli.options import task_options
    from sapiens.inference.fleet import Fleet
    from sapiens.inference.predictor import load
    from sapiens.tasks import get_task

    chosen = task_options(options, [get_task(name) for name in names])
    runners: list[Predictor | Fleet] = []
    for name in names:
        extra: dict[str, Any] = {"detector": detector} if get_task(name).top_down else {}
        extra |= {"weights": weights.get(name), **settings, **chosen[name]}
        copies = [load(name, size, device=device, **extra) for device in devices]
        runners.append(copies[0] if len(copies) == 1 else Fleet(copies))
    return runners


def pick_devices(device: str, devices: str | None) -> list[str]:
    """What `--device` and `--devices` amount to.

    Raises:
        InputError: both are given, or `--devices` names none.
    """
    from sapiens.inference.fleet import device_names

    if devices is None:
        return [device]
    if device != "auto":
        raise InputError(f"--device {device} and --devices {devices}: expected one of the two")
    return device_names(devices)


def make_follower(
    predictors: Sequence[Predictor | Fleet], boxes: Path | None, whole_image: bool, every: int, subject: str
) -> Follower | None:
    """Who finds and follows people, where a task needs them.

    Raises:
        InputError: options about people where no task needs them.
    """
    from sapiens.inference.follow import Follower, Subject

    chosen = Subject.parse(subject)
    top_down = next((p for p in predictors if p.task.top_down), None)
    if top_down is not None:
        return Follower(_finder(top_down, boxes, whole_image), every=every, subject=chosen)
    if boxes is not None or whole_image:
        raise InputError("--boxes and --whole-image are for pose; the other tasks work on whole pictures")
    if every != 1 or chosen.kind != "all":
        raise InputError("--detect-every and --subject are for pose; the other tasks work on whole pictures")
    return None


def make_steadier(predictors: Sequence[Predictor | Fleet], smooth: bool, clips: bool) -> Steadier | None:
    """What smooths keypoints, if asked for.

    Raises:
        InputError: nothing to smooth.
    """
    from sapiens.inference.steady import Steadier, has_keypoints

    if not smooth:
        return None
    if not any(has_keypoints(p.task) for p in predictors):
        raise InputError("--smooth is for pose; the other tasks have no keypoints")
    if not clips:
        raise InputError(
            "--smooth is for clips, and there is none among the inputs",
            hint="--sequence takes the pictures of a folder as one",
        )
    return Steadier()


def _finder(top_down: Predictor | Fleet, boxes: Path | None, whole_image: bool) -> PeopleFinder:
    if boxes is None:
        finder = top_down.people_finder(whole_image=whole_image)
        if not whole_image:
            finder.load()
        return finder
    from sapiens.detection import load_boxes

    table = load_boxes(boxes)
    return top_down.people_finder(boxes=lambda item: table.lookup(item.source.id), whole_image=whole_image)


def find_masks(mask: str | None) -> MaskOf | None:
    """Foreground from a task of the run, a file or a folder."""
    if mask is None:
        return None
    from sapiens.inference.masks import mask_from_path, mask_from_task

    return mask_from_task(mask) if mask in ("seg", "matting") else mask_from_path(Path(mask))
