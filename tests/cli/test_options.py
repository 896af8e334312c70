"""`--option NAME=VALUE` is read as the type the option has, or refused."""

from typing import Any

import pytest

from sapiens.cli.options import task_options
from sapiens.errors import InputError
from sapiens.tasks import get_task


@pytest.mark.parametrize(
    ("text", "value"),
    [
        pytest.param("flip=false", False, id="false"),
        pytest.param("flip=False", False, id="as Python writes it"),
        pytest.param("flip=no", False, id="no"),
        pytest.param("flip=0", False, id="zero"),
        pytest.param("flip=on", True, id="on"),
        pytest.param("padding=1.5", 1.5, id="number"),
        pytest.param("padding=2", 2.0, id="whole number"),
        pytest.param("max_step=none", None, id="none"),
        pytest.param("max_step=1e1", 10.0, id="number or none"),
    ],
)
def test_value__in_its_type(text: str, value: Any) -> None:
    ((name, got),) = task_options([text], [get_task("pose")])["pose"].items()
    assert name == text.partition("=")[0]
    assert got == value
    assert type(got) is type(value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("flip", "expected NAME=VALUE", id="no value"),
        pytest.param("flip=maybe", "--option flip=maybe: expected true or false", id="no truth value"),
        pytest.param("flip=none", "expected true or false", id="none where it may not be"),
        pytest.param("padding=wide", "--option padding=wide: expected a number", id="no number"),
        pytest.param("padding=true", "expected a number", id="a truth value for a number"),
        pytest.param("max_step=", "expected a number", id="empty"),
        pytest.param("flop=1", "unknown option 'flop'; known: pose: flip, padding, refine, max_step; ", id="unknown"),
    ],
)
def test_value__refused(text: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        task_options([text], [get_task("pose"), get_task("seg")])
    assert message in caught.value.message


def test_options__go_to_the_tasks_that_have_them() -> None:
    tasks = [get_task(name) for name in ("pose", "normal", "albedo")]
    chosen = task_options(["axes=opencv", "padding=1"], tasks)
    assert chosen == {"pose": {"padding": 1.0}, "normal": {"axes": "opencv"}, "albedo": {}}
