"""Matte files."""

import cv2
import numpy as np
from helpers_dense import make_meta, random_picture
from PIL import Image

from sapiens.tasks.matting import TASK, MattingResult

ALPHA = np.linspace(0, 1, 6, dtype=np.float32).reshape(2, 3)
COLOUR = np.random.default_rng(0).random((2, 3, 3), np.float32)


def make(foreground, image=None):
    return MattingResult(meta=make_meta("matting", (2, 3)), alpha=ALPHA, foreground=foreground, image=image)


def write(kind, result, folder):
    export = TASK.exports[kind]
    path = folder / f"x{export.suffix}"
    export.write(result, path)
    return path


def test_npy__as_the_original_writes_it(tmp_path):
    path = write("npy", make(None), tmp_path)
    assert path.name == "x_alpha.npy"
    assert np.load(path).dtype == np.float32
    np.testing.assert_array_equal(np.load(path), ALPHA)


def test_alpha__sixteen_bits(tmp_path):
    stored = cv2.imread(str(write("alpha", make(None), tmp_path)), cv2.IMREAD_UNCHANGED)
    assert stored.dtype == np.uint16
    assert stored.ravel().tolist() == [0, 13107, 26214, 39321, 52428, 65535]


def test_cutout__straight_rgba(tmp_path):
    result = make(COLOUR * ALPHA[..., None])
    with Image.open(write("cutout", result, tmp_path)) as stored:
        assert stored.mode == "RGBA"
        np.testing.assert_array_equal(np.asarray(stored), result.cutout())


def test_cutout__alpha_only_takes_the_picture(tmp_path):
    image = random_picture((2, 3))
    with Image.open(write("cutout", make(None, image), tmp_path)) as stored:
        np.testing.assert_array_equal(np.asarray(stored)[1, :, :3], image[1])


def test_premultiplied__colours_as_predicted(tmp_path):
    result = make(COLOUR * ALPHA[..., None])
    with Image.open(write("premultiplied", result, tmp_path)) as stored:
        np.testing.assert_array_equal(np.asarray(stored)[..., :3], np.rint(result.foreground * 255))
        np.testing.assert_array_equal(np.asarray(stored)[..., 3], result.cutout()[..., 3])
