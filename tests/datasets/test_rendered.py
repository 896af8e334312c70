import numpy as np
import pytest

from sapiens.datasets.rendered import RenderedPeople, RenderSpec, part_path
from sapiens.errors import InputError

SPEC = RenderSpec(seed=2, count=3, size_hw=(24, 16))


def test_rendered__files_hold_what_rendering_gives(tmp_path) -> None:
    kept, fresh = RenderedPeople(SPEC, tmp_path), RenderedPeople(SPEC)
    assert len(kept) == 3
    for one, other in zip(kept, fresh, strict=True):
        np.testing.assert_array_equal(one.image, other.image)
        for name, value in other.fields.items():
            np.testing.assert_array_equal(one.fields[name], value)


def test_rendered__damaged_part_is_a_clear_line(tmp_path) -> None:
    path = part_path(tmp_path, SPEC, 0)
    path.parent.mkdir(parents=True)
    path.write_bytes(b"no")
    with pytest.raises(InputError, match=r"part_00000\.safetensors: damaged"):
        RenderedPeople(SPEC, tmp_path)[0]
