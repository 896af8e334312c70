"""What the tests of the pose task share: recorded arrays, maps from parameters, and made-up results."""

from pathlib import Path

import numpy as np
import pytest

from sapiens.tasks.base import Meta
from sapiens.tasks.pose.keypoints import NAMES
from sapiens.tasks.pose.result import PoseResult

GOLDEN = Path(__file__).parents[2] / "golden" / "io"


def read(name):
    with np.load(GOLDEN / f"{name}.npz", allow_pickle=False) as archive:
        return {key: archive[key] for key in archive.files}


@pytest.fixture(scope="session")
def codec_golden():
    """Recorded inputs and outputs of the codec."""
    return read("pose_codec")


@pytest.fixture(scope="session")
def golden():
    """The recorded run of the whole task: one picture, two people, both passes."""
    return read("pose_end_to_end")


@pytest.fixture(scope="session")
def maps_from_params():
    """(K, 4) rows cx, cy, sigma, height and a grid -> (K, h, w) float32 Gaussians; constant where height <= 0."""

    def make(params, height, width):
        cx, cy, s, top = np.asarray(params, np.float64).T[..., None]
        rows = np.exp(-((np.arange(height) - cy) ** 2) / (2 * s**2))
        columns = np.exp(-((np.arange(width) - cx) ** 2) / (2 * s**2))
        maps = rows[:, :, None] * (top * columns)[:, None, :]
        maps[top[:, 0] <= 0] = top[top[:, 0] <= 0][..., None]
        return maps.astype(np.float32)

    return make


@pytest.fixture
def make_result():
    """A result with made-up people, without a picture unless one is given."""

    def make(people=2, size_hw=(40, 60), compat="default", image_id="clips/000000000139.jpg", seed=0, **fields):
        random = np.random.default_rng(seed)
        low = random.uniform(0, 10, (people, 2))
        values = {
            "boxes_xyxy": np.concatenate([low, low + random.uniform(5, 30, (people, 2))], 1),
            "box_scores": random.uniform(0.5, 1, people),
            "keypoints": random.uniform(0, size_hw[::-1], (people, len(NAMES), 2)),
            "scores": random.uniform(-0.1, 1.1, (people, len(NAMES))),
        }
        values = {name: np.asarray(value, np.float32) for name, value in values.items()}
        meta = Meta(image_id, size_hw, "pose", "sapiens2_nano_pose", "untrained", "float32", compat)
        return PoseResult(meta=meta, **(values | fields))

    return make
