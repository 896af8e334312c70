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
    detail: str = "whole",
) -> list[Predictor | Fleet]:
    """The networks of the tasks in order, each on one device or as a fleet on several.

    Args:
        names, size, weights, detector, settings: as for `sapiens.load`; weights by task.
        options: NAME=VALUE.
        devices: one, or several for a fleet.
        detail: of the dense tasks; see `sapiens.load`.

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
        top_down = get_task(name).top_down
        extra: dict[str, Any] = {"detector": detector} if top_down or detail == "people" else {}
        extra |= {} if top_down else {"detail": detail}
        extra |= {"weights": weights.get(name), **settings, **chosen[name]}
        copies = [load(name, size, device=device, **extra) for device in devices]
        runners.append(copies[0] if len(copies) == 1 else Fleet(copies))
    return runners


def pick_detail(per_person: bool, tiles: bool, names: Sequence[str]) -> str:
    """What `--per-person` and `--tiles` amount to.

    Raises:
        InputError: both, or no task that is looked at in pieces.
    """
    from sapiens.tasks import get_task

    if per_person and tiles:
        raise InputError("--per-person and --tiles: expected one of the two")
    if not (per_person or tiles):
        return "whole"
    if all(get_task(name).top_down for name in names):
        option = "--tiles" if tiles else "--per-person"
        raise InputError(
            f"{option} is for seg, normal, pointmap, matting and albedo; {names[0]} sees every person closely anyway"
        )
    return "tiles" if tiles else "people"


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
    """Who finds and follows people, where a task or crops of them need them.

    Raises:
        InputError: options about people where no task needs them.
    """
    from sapiens.inference.follow import Follower, Subject

    chosen = Subject.parse(subject)
    top_down = next((p for p in predictors if p.task.top_down), None)
    looking = top_down or next((p for p in predictors if p.needs_people), None)
    if looking is not None:
        if whole_image and top_down is None:
            raise InputError("--whole-image is for pose; --per-person is about people within the picture")
        return Follower(_finder(looking, boxes, whole_image), every=every, subject=chosen)
    hint = "--per-person has them look at every person closely"
    if boxes is not None or whole_image:
        raise InputError("--boxes and --whole-image are for pose; the other tasks work on whole pictures", hint)
    if every != 1 or chosen.kind != "all":
        raise InputError("--detect-every and --subject are for pose; the other tasks work on whole pictures", hint)
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


def _finder(looking: Predictor | Fleet, boxes: Path | None, whole_image: bool) -> PeopleFinder:
    if boxes is None:
        finder = looking.people_finder(whole_image=whole_image)
        if not whole_image:
            finder.load()
        return finder
    from sapiens.detection import load_boxes

    table = load_boxes(boxes)
    return looking.people_finder(boxes=lambda item: table.lookup(item.source.id), whole_image=whole_image)


def find_masks(mask: str | None) -> MaskOf | None:
    """Foreground from a task of the run, a file or a folder."""
    if mask is None:
        return None
    from sapiens.inference.masks import mask_from_path, mask_from_task

    return mask_from_task(mask) if mask in ("seg", "matting") else mask_from_path(Path(mask))
