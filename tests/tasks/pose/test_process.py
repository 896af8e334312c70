import json

import cv2
import numpy as np
import pytest
import torch
from torch import nn

from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.tasks import get_task
from sapiens.tasks.base import Meta, People, Setup, stack_inputs
from sapiens.tasks.pose.formats import predictions
from sapiens.tasks.pose.keypoints import NAMES, SWAP_INDEX
from sapiens.tasks.pose.process import PoseOptions

TASK = get_task("pose")
MEAN, STD = np.array([123.675, 116.28, 103.53]), np.array([58.395, 57.12, 57.375])
QUIRK = 5
"""The keypoint of person 0 that has no positive value."""


class Recorded(nn.Module):
    """A network that returns one stored tensor per pass."""

    def __init__(self, *passes: torch.Tensor) -> None:
        super().__init__()
        self.passes, self.seen = list(passes), []

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.seen.append(x)
        return self.passes.pop(0).clone()


def make_meta(size_hw=(301, 227), compat="default") -> Meta:
    return Meta("clips/x.jpg", size_hw, "pose", "sapiens2_nano_pose", "untrained", "float32", compat)


def make_setup(input_hw=(1024, 768), compat="default", **options) -> Setup:
    return Setup(input_hw, compat, PoseOptions(**options))


@pytest.fixture(scope="module")
def both_passes(golden, maps_from_params):
    return [
        torch.from_numpy(np.stack([maps_from_params(person, 256, 192) for person in golden[f"params_{name}"]]))
        for name in ("plain", "mirrored")
    ]


@pytest.fixture(scope="module")
def frame(golden):
    return Frame(np.ascontiguousarray(golden["image"][..., ::-1]), "clips/x.jpg")


@pytest.fixture(scope="module")
def finished(golden, both_passes, frame):
    """The recorded run, once per mode."""

    def run(compat):
        setup = make_setup(compat=compat)
        people = People(golden["bboxes"], np.ones(2, np.float32))
        prepared = TASK.preprocess(frame, people.boxes_xyxy, setup)
        raw = TASK.decode(TASK.forward(Recorded(*both_passes), torch.zeros(2, 3, 4, 4), setup), setup)
        return TASK.postprocess(raw, prepared, frame, people, setup, make_meta(compat=compat))

    return {compat: run(compat) for compat in ("default", "reference")}


def test_preprocess__recorded_network_input(golden, frame) -> None:
    prepared = TASK.preprocess(frame, golden["bboxes"], make_setup())
    pixels = stack_inputs(prepared).numpy()[:, :, ::16, ::16].astype(np.float64)
    normalised = (pixels - MEAN[:, None, None]) / STD[:, None, None]
    tolerance = 0.02 if cv2.__version__.startswith("5") else 0.08
    np.testing.assert_allclose(normalised, golden["network_input_every16"], atol=tolerance)


def test_task__recorded_keypoints_reference(golden, finished) -> None:
    result = finished["reference"]
    np.testing.assert_allclose(result.keypoints, golden["keypoints"], atol=5e-3)
    np.testing.assert_allclose(result.scores, golden["scores"], atol=1e-6)
    np.testing.assert_array_equal(result.boxes_xyxy, golden["bboxes"])


def test_task__recorded_keypoints_default(golden, finished) -> None:
    result = finished["default"]
    same = np.ones((2, len(NAMES)), bool)
    same[0, QUIRK] = False
    np.testing.assert_allclose(result.keypoints[same], golden["keypoints"][same], atol=5e-3)
    np.testing.assert_allclose(result.scores, golden["scores"], atol=1e-6)
    assert result.scores[0, QUIRK] <= 0
    # The original puts it a cell outside the crop; here it is a cell of the map.
    assert np.isfinite(result.keypoints[0, QUIRK]).all()
    assert (result.keypoints[0, QUIRK] > golden["keypoints"][0, QUIRK]).all()


def test_task__recorded_drawing(golden, finished) -> None:
    style = {name: golden[f"vis_{name}"].item() for name in ("radius", "thickness", "threshold")}
    drawn = np.asarray(finished["reference"].draw(**style))
    np.testing.assert_array_equal(drawn[..., ::-1], golden["vis_bgr"])


def test_task__recorded_predictions_file(golden, finished) -> None:
    head = json.loads(str(golden["json_head"]))
    content = json.loads(json.dumps(predictions([finished["reference"]], "clip")))
    frames = content.pop("frames")
    keys = {name: head.pop(name) for name in ("frame_keys", "instance_keys")}
    assert content == head
    assert [sorted(entry) for entry in frames] == [keys["frame_keys"]]
    assert [sorted(person) for person in frames[0]["instances"]] == [keys["instance_keys"]] * 2
    assert frames[0]["image_name"] == "x.jpg"
    for name, recorded, atol in [("bbox", "json_bbox", 0), ("keypoints", "keypoints", 5e-3)]:
        np.testing.assert_allclose([person[name] for person in frames[0]["instances"]], golden[recorded], atol=atol)


def test_forward__mirrored_pass_is_put_back_and_averaged() -> None:
    random = torch.Generator().manual_seed(0)
    plain, mirrored = (torch.randn(2, len(NAMES), 8, 6, generator=random) for _ in range(2))
    x = torch.randn(2, 3, 32, 24, generator=random)
    network = Recorded(plain, mirrored)
    heatmaps = TASK.forward(network, x, make_setup())["heatmaps"]
    torch.testing.assert_close(heatmaps, (plain + mirrored[:, list(SWAP_INDEX)].flip(-1)) / 2)
    assert torch.equal(network.seen[0], x)
    assert torch.equal(network.seen[1], x.flip(-1))


def test_forward__without_flip_runs_once() -> None:
    plain = torch.randn(1, len(NAMES), 8, 6)
    network = Recorded(plain)
    assert torch.equal(TASK.forward(network, torch.zeros(1, 3, 32, 24), make_setup(flip=False))["heatmaps"], plain)
    assert len(network.seen) == 1


def test_forward__averages_in_float32() -> None:
    plain, mirrored = (torch.rand(1, len(NAMES), 8, 6).bfloat16() for _ in range(2))
    heatmaps = TASK.forward(Recorded(plain, mirrored), torch.zeros(1, 3, 32, 24), make_setup())["heatmaps"]
    assert heatmaps.dtype == torch.float32
    torch.testing.assert_close(heatmaps, (plain.float() + mirrored[:, list(SWAP_INDEX)].flip(-1).float()) / 2)


def test_decode__batch_first_and_grid_known() -> None:
    raw = TASK.decode({"heatmaps": torch.rand(3, len(NAMES), 16, 12)}, make_setup())
    assert {name: tuple(value.shape) for name, value in raw.items()} == {
        "peaks_uv": (3, 308, 2),
        "scores": (3, 308),
        "grid_hw": (3, 2),
    }
    assert raw["grid_hw"].tolist() == [[16, 12]] * 3


@pytest.mark.parametrize("divisor", [4, 16], ids=["usual", "4K backbone"])
def test_postprocess__corners_of_the_crop(divisor: int) -> None:
    frame, box = Frame(np.zeros((90, 70, 3), np.uint8), "x"), np.array([[10, 20, 40, 60]], np.float32)
    setup = make_setup((64, 48), padding=1.0)
    prepared = TASK.preprocess(frame, box, setup)
    rows, columns = 64 // divisor, 48 // divisor
    peaks = torch.zeros(1, len(NAMES), 2)
    peaks[0, 1] = torch.tensor([columns - 1, rows - 1])
    raw = {"peaks_uv": peaks, "scores": torch.ones(1, len(NAMES)), "grid_hw": torch.tensor([[rows, columns]])}
    result = TASK.postprocess(raw, prepared, frame, People(box, np.ones(1, np.float32)), setup, make_meta((90, 70)))
    # The box is 30x40, exactly 3:4.
    np.testing.assert_allclose(result.keypoints[0, :2], box.reshape(2, 2), atol=1e-5)


def test_task__found_points_lie_where_the_crop_shows_them() -> None:
    """A dot in the picture, its place in the network input, and the keypoint of a peak there."""
    image = np.zeros((200, 150, 3), np.uint8)
    image[120, 70] = 255
    frame, setup = Frame(image, "x"), make_setup((256, 192), flip=False)
    box = np.array([[30, 40, 110, 190]], np.float32)
    (prepared,) = TASK.preprocess(frame, box, setup)
    weights = prepared.input[..., 0].astype(float)
    y, x = (np.mgrid[0:256, 0:192] * weights).sum((1, 2)) / weights.sum()
    peak = torch.tensor([x / 191 * 47, y / 255 * 63], dtype=torch.float32)
    raw = {"peaks_uv": peak.expand(1, len(NAMES), 2), "scores": torch.ones(1, 308), "grid_hw": torch.tensor([[64, 48]])}
    result = TASK.postprocess(raw, [prepared], frame, People(box, np.ones(1, np.float32)), setup, make_meta((200, 150)))
    np.testing.assert_allclose(result.keypoints[0, 0], [70, 120], atol=0.1)


def test_task__nobody_gives_an_empty_result_with_its_note() -> None:
    frame = Frame(np.zeros((20, 30, 3), np.uint8), "x")
    nobody = People(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), "no person found")
    assert TASK.preprocess(frame, nobody.boxes_xyxy, make_setup()) == []
    result = TASK.postprocess({}, [], frame, nobody, make_setup(), make_meta((20, 30)))
    assert len(result) == 0
    assert result.meta.notes == ("no person found",)
    assert {name: value.shape for name, value in result.arrays().items()} == {
        "boxes_xyxy": (0, 4),
        "box_scores": (0,),
        "keypoints": (0, 308, 2),
        "scores": (0, 308),
    }


def test_postprocess__a_note_already_there_is_not_repeated() -> None:
    frame = Frame(np.zeros((20, 30, 3), np.uint8), "x")
    nobody = People(np.zeros((0, 4), np.float32), np.zeros(0, np.float32), "no person found")
    meta = make_meta((20, 30)).with_notes("no person found")
    assert TASK.postprocess({}, [], frame, nobody, make_setup(), meta).meta.notes == ("no person found",)


def test_preprocess__needs_boxes() -> None:
    with pytest.raises(InputError, match="x: pose needs person boxes"):
        TASK.preprocess(Frame(np.zeros((20, 30, 3), np.uint8), "x"), None, make_setup())


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"padding": 0.0}, "padding: expected a positive factor", id="no padding"),
        pytest.param({"padding": float("nan")}, "padding: expected a positive factor", id="padding not a number"),
        pytest.param({"max_step": -1.0}, "max_step: expected 0 or more", id="negative step"),
    ],
)
def test_options__checked(options, message: str) -> None:
    with pytest.raises(InputError, match=message):
        PoseOptions(**options)
