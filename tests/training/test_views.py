"""Views for several tasks: truth moves with the picture."""

import dataclasses

import numpy as np
import pytest

from sapiens.datasets.rendered import RenderedPeople, RenderSpec
from sapiens.imaging.sample import Sample, flip
from sapiens.training.views import ViewConfig, take_view

STILL = ViewConfig(shift=0, zoom=1, aspect=1, light=0, noise=0)


@pytest.fixture(scope="module")
def people():
    return RenderedPeople(RenderSpec(seed=5, count=6, size_hw=(128, 96), people=(1, 2)))


def test_view__without_generator_is_the_letterboxed_picture(people):
    view = take_view(people[0], None, ViewConfig(), (64, 48))
    assert view.image.shape == (64, 48, 3)
    whole = people[0]
    assert abs(int(view.image.mean()) - int(whole.image.mean())) < 4
    assert set(np.unique(view.fields["labels"])) <= set(np.unique(whole.fields["labels"]))


def test_view__same_generator_same_view(people):
    first, second = (take_view(people[1], np.random.default_rng(3), ViewConfig(), (64, 48)) for _ in range(2))
    assert np.array_equal(first.image, second.image)
    assert np.array_equal(first.fields["keypoints"], second.fields["keypoints"])


@pytest.mark.parametrize("seed", range(4))
def test_view__keypoints_stay_on_their_pixels(people, seed):
    """A mark painted at a keypoint is found where the keypoint went."""
    sample = people[2]
    known = np.flatnonzero(sample.fields["keypoints"][:, 2] == 2)
    x, y = sample.fields["keypoints"][known[len(known) // 2], :2].round().astype(int)
    marked = np.zeros_like(sample.image)
    marked[max(0, y - 2) : y + 3, max(0, x - 2) : x + 3] = 255
    points = np.array([[x, y, 2.0]], np.float32)
    config = dataclasses.replace(STILL, shift=0.1, zoom=1.2, person=seed % 2)
    painted = Sample(marked, "marked", {"keypoints": points}, {"box_xyxy": sample.extra["box_xyxy"]})
    view = take_view(painted, np.random.default_rng(seed), config, (128, 96))
    rows, columns = np.nonzero(view.image[..., 0] > 128)
    if view.fields["keypoints"][0, 2] == 0 or len(rows) == 0:
        return
    assert np.abs(view.fields["keypoints"][0, :2] - (columns.mean(), rows.mean())).max() < 1.5


def test_view__depth_still_projects_where_it_is_seen(people):
    """Points from depth and the moved camera do not depend on the view."""
    sample = people[0]
    view = take_view(sample, np.random.default_rng(0), dataclasses.replace(STILL, zoom=1.3, shift=0.1), (128, 96))
    camera, known = view.extra["intrinsics"], view.fields["mask"]
    _, columns = np.nonzero(known)
    x = (columns - camera[0, 2]) / camera[0, 0] * view.fields["depth_m"][known]
    before, known_before = sample.extra["intrinsics"], sample.fields["mask"]
    _, columns_before = np.nonzero(known_before)
    x_before = (columns_before - before[0, 2]) / before[0, 0] * sample.fields["depth_m"][known_before]
    assert x.min() > x_before.min() - 0.05
    assert x.max() < x_before.max() + 0.05


def test_view__border_is_background_and_unknown(people):
    away = take_view(people[0], np.random.default_rng(1), dataclasses.replace(STILL, person=0, shift=0.9), (128, 96))
    black = (away.image == 0).all(-1)
    assert black.any()
    assert not away.fields["mask"][black].any()
    assert not away.fields["labels"][black].any()
    assert not away.fields["alpha"][black].any()


def test_view__whole_pictures_of_several_people_have_no_keypoints(people):
    crowd = next(people[k] for k in range(6) if people[k].extra["people"] > 1)
    view = take_view(crowd, np.random.default_rng(0), dataclasses.replace(STILL, person=0), (128, 96))
    assert not view.fields["keypoints"][:, 2].any()


def test_flip__twice_is_the_picture_again(people):
    sample = people[0]
    swaps = {"keypoints": list(range(308))[::-1], "labels": [0, 2, 1, *range(3, 29)]}
    twice = flip(flip(sample, swaps), swaps)
    assert np.array_equal(twice.image, sample.image)
    for name, value in sample.fields.items():
        assert np.allclose(twice.fields[name], value, atol=1e-4), name
    assert np.allclose(twice.extra["intrinsics"], sample.extra["intrinsics"])
