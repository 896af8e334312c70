import cv2
import numpy as np
import pytest
from datasets.tiny import people, write_deep
from PIL import Image

from sapiens.datasets import open_data
from sapiens.errors import InputError


def test_albedo__8_bits(made) -> None:
    for sample, truth in zip(open_data(made / "albedo/train", "albedo"), people(), strict=False):
        np.testing.assert_allclose(sample.fields["albedo"], truth.fields["albedo"], atol=0.5 / 255 + 1e-6)
        np.testing.assert_array_equal(sample.fields["mask"], truth.fields["mask"])


def test_albedo__16_bits_keep_their_depth(fresh) -> None:
    levels = np.rint(people()[0].fields["albedo"] * 65535).astype(np.uint16)
    write_deep(fresh / "albedo/train/albedo/0000.png", levels)
    albedo = open_data(fresh / "albedo/train", "albedo")[0].fields["albedo"]
    np.testing.assert_allclose(albedo, people()[0].fields["albedo"], atol=1e-5)


def test_albedo__channels_are_red_green_blue(fresh) -> None:
    picture = np.zeros((64, 48, 3), np.uint8)
    picture[..., 0] = np.arange(48) * 5  # red
    Image.fromarray(picture).save(fresh / "albedo/train/albedo/0000.png")
    albedo = open_data(fresh / "albedo/train", "albedo")[0].fields["albedo"]
    assert albedo[..., 0].max() > 0.5
    assert albedo[..., 1:].max() == 0


def test_albedo__without_variation_is_refused_unless_asked_for(fresh) -> None:
    cv2.imwrite(str(fresh / "albedo/train/albedo/0001.png"), np.full((64, 48, 3), 90, np.uint8))
    with pytest.raises(InputError, match=r"record 0001: .*albedo varies by 0 only"):
        open_data(fresh / "albedo/train", "albedo")
    assert len(open_data(f"{fresh / 'albedo/train'},min_std=0", "albedo")) == 4


def test_albedo__picture_of_another_size(fresh) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (32, 24, 3), dtype=np.uint8)
    Image.fromarray(noise).save(fresh / "albedo/train/albedo/0001.png")
    with pytest.raises(InputError, match=r"32x24 pixels, its mask 64x48"):
        open_data(fresh / "albedo/train", "albedo")
