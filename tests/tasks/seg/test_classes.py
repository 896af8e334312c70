"""The table of parts."""

import numpy as np
import pytest

from sapiens.errors import UnknownNameError
from sapiens.tasks.seg.classes import (
    IGNORE_INDEX,
    LABEL_SETS,
    LOSS_WEIGHTS,
    NAMES,
    PARTS,
    SWAP_INDEX,
    mapping_from,
    palette_rgb,
    part_index,
)


def test_parts__count_and_order():
    assert len(PARTS) == len(NAMES) == len(LOSS_WEIGHTS) == 29
    assert [part.index for part in PARTS] == list(range(29))
    assert (NAMES[0], NAMES[28]) == ("Background", "Tongue")
    assert len(set(NAMES)) == 29


def test_swap__exchanges_left_and_right():
    assert [SWAP_INDEX[SWAP_INDEX[i]] for i in range(29)] == list(range(29))
    exchange = {"Left": "Right", "Right": "Left"}
    for part in PARTS:
        side, _, rest = part.name.partition("_")
        partner = f"{exchange[side]}_{rest}" if side in exchange else part.name
        assert NAMES[part.swap_index] == partner


def test_palette__colours_then_black():
    palette = palette_rgb()
    assert palette.shape == (256, 3)
    assert palette[0].tolist() == [50, 50, 50]
    assert palette[4].tolist() == [255, 0, 109]
    assert not palette[29:].any()
    assert not palette.flags.writeable


@pytest.mark.parametrize(
    ("label_set", "source", "target"),
    [
        pytest.param("internal32", 2, "Face_Neck", id="nose"),
        pytest.param("internal32", 30, "Background", id="chair"),
        pytest.param("internal32", 17, None, id="whole arm"),
        pytest.param("dome34", 4, "Eyeglass", id="lenses"),
        pytest.param("dome34", 28, None, id="badge"),
        pytest.param("dome52", 46, "Left_Hand", id="thumb nail"),
        pytest.param("dome52", 52, None, id="beyond the set"),
    ],
)
def test_mapping_from__single_labels(label_set, source, target):
    expected = IGNORE_INDEX if target is None else part_index(target)
    assert mapping_from(label_set)[source] == expected


@pytest.mark.parametrize(("label_set", "count"), [("internal32", 33), ("dome34", 34), ("dome52", 52)])
def test_mapping_from__whole_sets(label_set, count):
    mapping = mapping_from(label_set)
    assert mapping.shape == (256,)
    assert np.all(mapping[count:] == IGNORE_INDEX)
    assert set(mapping[:count].tolist()) <= {*range(29), IGNORE_INDEX}
    assert label_set in LABEL_SETS


def test_mapping_from__unknown():
    with pytest.raises(UnknownNameError, match="did you mean 'dome34'"):
        mapping_from("dome3")
