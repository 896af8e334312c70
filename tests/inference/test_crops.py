"""Crops of people: where they are cut, that they are pasted without seams, and that they keep still through clips."""

import numpy as np
import pytest
import torch
from helpers_pieces import DENSE, INPUT_HW, mirror, noise, smooth_picture, untrained

from sapiens.imaging.frame import Frame
from sapiens.inference.crops import CropFinder, Crops, crop_place, crop_windows, follow, padded
from sapiens.inference.engine import run
from sapiens.inference.fleet import Fleet
from sapiens.inference.item import Item, Source
from sapiens.inference.people import NOBODY
from sapiens.inference.predictor import picture_source
from sapiens.tasks.base import People
from sapiens.tasks.pieces import get_pieces

BOX = [20.0, 30.0, 32.0, 46.0]


def crops(*boxes: list[float], strength: float = 1.0) -> Crops:
    return Crops(padded(np.array(boxes, np.float32).reshape(-1, 4)), np.full(len(boxes), strength))


@pytest.mark.parametrize("where", ["middle", "corner", "beyond the edge"])
def test_crop_place__within_the_picture_at_the_inputs_aspect(where: str) -> None:
    x, y = {"middle": (40, 40), "corner": (0, 0), "beyond the edge": (90, 76)}[where]
    place = crop_place(np.array([x, y, x + 12.0, y + 24.0]), (80, 100), INPUT_HW)
    assert place is not None
    assert 0 <= place.rows.start < place.rows.stop <= 80
    assert 0 <= place.columns.start < place.columns.stop <= 100
    height, width = place.shape_hw
    assert abs(width - height * 0.75) <= 1


def test_crop_place__none_for_a_box_outside() -> None:
    assert crop_place(np.array([-30.0, 2.0, -1.0, 9.0]), (80, 100), INPUT_HW) is None
    assert crop_windows(crops([200, 200, 220, 240]), (80, 100), INPUT_HW) == []


def test_crop_windows__left_out_where_nothing_is_enlarged_and_fading_before() -> None:
    def strength(side: float) -> list[float]:
        return [w.strength for w in crop_windows(crops([0, 0, side * 0.75, side]), (160, 120), INPUT_HW)]

    assert strength(130) == []
    assert strength(20) == [1.0]
    assert 0 < strength(100)[0] < 1


@pytest.mark.parametrize("box", [BOX, [0, 0, 12, 20], [85, 60, 100, 80], [-5, 50, 12, 90], [0, 30, 100, 40]])
def test_people__a_network_that_gives_the_picture_back_shows_no_seam(box) -> None:
    image = smooth_picture(80, 100)
    truth = image / np.float32(255)
    whole = mirror("whole", input_hw=(48, 36))(image).albedo - truth
    pasted = mirror("people", input_hw=(48, 36))(image, [box]).albedo - truth
    assert np.abs(pasted).max() <= np.abs(whole).max() + 2 / 255
    for axis in (0, 1):
        # From pixel to pixel the error changes no faster than the whole picture's own does.
        assert np.abs(np.diff(pasted, axis=axis)).max() <= np.abs(np.diff(whole, axis=axis)).max() + 3 / 255


def test_people__the_person_is_seen_at_full_resolution_and_the_rest_stays() -> None:
    image = noise(40, 50).repeat(2, 0).repeat(2, 1)
    whole, pasted = (mirror("whole", input_hw=(48, 36))(image).albedo,
                     mirror("people", input_hw=(48, 36))(image, [BOX]).albedo)  # fmt: skip
    x1, y1, x2, y2 = (int(v) for v in BOX)
    error = [np.abs(a - image / 255)[y1:y2, x1:x2].mean() for a in (whole, pasted)]
    assert error[1] < 0.3 * error[0]
    assert np.array_equal(pasted[60:], whole[60:])
    assert np.array_equal(pasted[:, 50:], whole[:, 50:])


def test_people__nobody_is_the_whole_picture_to_the_last_bit() -> None:
    image = noise(80, 100)
    result = mirror("people")(image, np.zeros((0, 4), np.float32))
    np.testing.assert_array_equal(result.albedo, mirror("whole")(image).albedo)
    assert result.meta.notes == (NOBODY,)


@pytest.mark.parametrize("size_hw", [(1, 1), (1, 40), (5, 3)])
def test_people__pictures_of_a_few_pixels(size_hw) -> None:
    height, width = size_hw
    result = mirror("people")(noise(*size_hw), [[0, 0, max(width - 1, 0.5), max(height - 1, 0.5)]])
    assert result.albedo.shape == (height, width, 3)


def test_people__who_overlap_share_smoothly_and_each_keeps_its_own_middle() -> None:
    def forward(model, x, setup):
        # The whole picture is 0, the first crop 0.5, the second 1.
        return {"albedo": torch.arange(len(x)).view(-1, 1, 1, 1) * 0.5 + torch.zeros_like(x)}

    boxes = [[80, 80, 160, 200], [136, 88, 216, 208]]
    found = mirror("people", forward=forward)(smooth_picture(400, 480), boxes).albedo[..., 0]
    assert abs(found[140, 104] - 0.5) < 0.1
    assert abs(found[148, 192] - 1) < 0.1
    assert 0.6 < found[144, 148] < 0.9
    assert max(np.abs(np.diff(found, axis=axis)).max() for axis in (0, 1)) < 0.15
    assert found[20, 20] == 0
    assert found[360, 400] == 0


@pytest.mark.parametrize("task", DENSE)
def test_people__every_dense_task_alone_in_lists_and_with_options(task: str) -> None:
    network = untrained(task, **({"probabilities": True} if task == "seg" else {}))
    images, boxes = [noise(200, 150, 1), noise(90, 400, 2)], [[[30, 20, 70, 120], [60, 40, 99, 140]], None]
    results = network.with_detail("people")(images, [boxes[0], np.zeros((0, 4), np.float32)])
    alone = network(images[0], boxes[0], detail="people")
    plain = network(images)
    for name in get_pieces(task).arrays:
        if name not in alone.arrays():
            continue
        first, second = (r.arrays()[name] for r in results)
        np.testing.assert_allclose(first.astype(float), alone.arrays()[name].astype(float), atol=1e-4)
        np.testing.assert_array_equal(second, plain[1].arrays()[name])
        assert not np.array_equal(first, plain[0].arrays()[name])
        np.testing.assert_array_equal(first[180:], plain[0].arrays()[name][180:])
    assert network.detail == "whole"


def test_people__normals_are_of_unit_length_in_the_axes_asked_for() -> None:
    image = noise(200, 150)
    released, opencv = (untrained("normal", axes=axes)(image, [[30, 20, 70, 120]], detail="people")
                        for axes in ("opengl", "opencv"))  # fmt: skip
    np.testing.assert_allclose(np.linalg.norm(released.normals, axis=-1), 1, atol=1e-4)
    np.testing.assert_allclose(opencv.to_opengl().normals, released.normals, atol=1e-6)


def find(boxes):
    def step(item: Item) -> None:
        array = np.array(boxes, np.float32).reshape(-1, 4)
        item.people = People(array, np.ones(len(array), np.float32))

    return step


def test_people__several_tasks_share_boxes_and_a_fleet_gives_the_same() -> None:
    images = [noise(200, 150, n) for n in range(3)]
    tasks = ("seg", "matting")
    for copies in (1, 2):
        runners = [Fleet([untrained(t).with_detail("people")] * copies) for t in tasks]
        items = run((picture_source(m, n) for n, m in enumerate(images)), runners, find=find([[30, 20, 70, 120]]))
        for item, image in zip(items, images, strict=True):
            assert item.error is None
            for task in tasks:
                alone = untrained(task)(image, [[30, 20, 70, 120]], detail="people").arrays()
                for name, value in item.results[task].arrays().items():
                    np.testing.assert_allclose(value.astype(float), alone[name].astype(float), atol=1e-3)


def test_people__found_by_the_detector_given() -> None:
    from sapiens.detection import Detections

    seen = []

    def detect(images):
        seen.extend(images)
        return [Detections(np.array([BOX], np.float32), np.ones(1, np.float32)) for _ in images]

    network = mirror("people")
    network._detector = detect
    image = noise(80, 100)
    np.testing.assert_array_equal(network(image).albedo, mirror("people")(image, [BOX]).albedo)
    assert len(seen) == 1


# Through clips.


def frames(count: int, people) -> list[Item]:
    """Items of a clip at 25 frames a second; `people(k)` gives ids and boxes of frame k."""
    clip = object()
    items = []
    for k in range(count):
        item = Item(Source(f"f{k}", lambda: None, clip=clip), k)  # type: ignore[arg-type,return-value]
        item.frame = Frame(np.zeros((200, 200, 3), np.uint8), f"f{k}", k, k / 25)
        ids, boxes = people(k)
        array = np.array(boxes, np.float32).reshape(-1, 4)
        item.people = People(array, np.ones(len(array), np.float32), ids=np.array(ids, np.int32))
        items.append(item)
    return items


def held(items: list[Item]) -> list[Crops]:
    finder = CropFinder(lambda item: None)
    for item in items:
        finder(item)
    return [item.crops for item in items]


def test_clips__a_still_person_with_noisy_boxes_has_one_crop() -> None:
    rng = np.random.default_rng(0)
    got = held(frames(50, lambda k: ([1], np.array([[50, 40, 90, 140]]) + rng.normal(0, 1.2, (1, 4)))))
    assert all(np.array_equal(c.boxes_xyxy, got[0].boxes_xyxy) for c in got)
    assert all(c.strengths.tolist() == [1.0] for c in got)


def test_clips__a_walker_stays_inside_and_the_crop_glides() -> None:
    def walk(k: int):
        return [1], [[20 + 3 * k, 40, 60 + 3 * k, 140]]

    got = held(frames(40, walk))
    edges = np.array([c.boxes_xyxy[0] for c in got])
    for k, box in enumerate(edges):
        (person,) = walk(k)[1]
        assert box[0] <= person[0]
        assert box[1] <= person[1]
        assert box[2] >= person[2]
        assert box[3] >= person[3]
    assert np.abs(np.diff(edges, axis=0)).max() < 8
    assert edges[-1, 0] - edges[0, 0] > 90


def test_clips__people_who_come_and_go_fade() -> None:
    got = held(frames(40, lambda k: ([1, 2], [BOX, [80, 40, 120, 140]]) if 10 <= k < 20 else ([1], [BOX])))
    second = [dict(enumerate(c.strengths)).get(1, 0.0) for c in got]
    assert second[9] == 0
    assert 0 < second[10] < 0.5
    assert second[17] == 1.0
    assert 0 < second[22] < 1
    assert second[30] == 0
    assert max(np.abs(np.diff(second))) < 0.3
    assert all(c.strengths[0] == 1 for c in got)


def test_clips__another_clip_begins_anew() -> None:
    finder = CropFinder(lambda item: None)
    for x in (10, 100):
        (item,) = frames(1, lambda k, x=x: ([1], [[x, 40, x + 40, 140]]))
        finder(item)
        np.testing.assert_allclose(item.crops.boxes_xyxy, padded(np.array([[x, 40, x + 40, 140]])))


def test_follow__a_jump_is_followed_at_once_as_far_as_the_person_needs() -> None:
    box, moving = np.array([0.0, 0.0, 50.0, 100.0]), np.zeros(4, bool)
    follow(box, moving, np.array([80.0, 0.0, 130.0, 100.0]), 0.1)
    assert box[2] >= 115  # the person without the rim ends there
    assert box[0] < 80


def test_stream__clip_of_pictures_has_steady_crops() -> None:
    from sapiens.detection import Detections

    rng = np.random.default_rng(1)

    def detect(images):
        return [Detections((np.array([BOX]) + rng.normal(0, 0.3, (1, 4))).astype(np.float32), np.ones(1, np.float32))
                for _ in images]  # fmt: skip

    network = mirror("whole")
    network._detector = detect
    image = noise(80, 100)
    results = list(network.stream([image] * 5, sequence=True, detail="people", detect_every=2))
    assert [r.meta.frame for r in results] == list(range(5))
    for result in results[1:]:
        np.testing.assert_array_equal(result.albedo, results[0].albedo)
