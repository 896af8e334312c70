"""`--frames`: which numbers are in, and what is refused."""

import pytest

from sapiens.errors import InputError
from sapiens.imaging.frame_range import FrameRange


@pytest.mark.parametrize(
    ("text", "inside"),
    [
        pytest.param("2:7:2", [2, 4, 6], id="start, stop, step"),
        pytest.param("7:", [7, 8, 9], id="from"),
        pytest.param(":3", [0, 1, 2], id="until"),
        pytest.param("::4", [0, 4, 8], id="step alone"),
        pytest.param("5", [5], id="one frame"),
        pytest.param(":", list(range(10)), id="all"),
        pytest.param(" 2 : 4 ", [2, 3], id="blanks"),
    ],
)
def test_parse__as_python_slices(text: str, inside: list[int]) -> None:
    chosen = FrameRange.parse(text)
    assert [n for n in range(10) if n in chosen] == inside


@pytest.mark.parametrize("text", ["", "a:b", "1:2:3:4", "-1:", "5:5", "7:3", "1:9:0", "1.5:", "1:2:-1", "²:"])
def test_parse__refused_in_one_line(text: str) -> None:
    with pytest.raises(InputError, match=r"frames .*expected START:STOP:STEP") as caught:
        FrameRange.parse(text)
    assert "\n" not in str(caught.value)


def test_ends_before__only_with_a_stop() -> None:
    assert [FrameRange(0, 5).ends_before(n) for n in (4, 5)] == [False, True]
    assert not FrameRange(3).ends_before(10**9)
