"""What the process says and returns when a verb ends early."""

import sys

import pytest

from sapiens.cli import doctor, main
from sapiens.errors import InputError


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        pytest.param(KeyboardInterrupt(), 130, "error: interrupted; what was finished is written\n", id="Ctrl-C"),
        pytest.param(InputError("x.png: bad", "try y"), 1, "error: x.png: bad\nhint: try y\n", id="expected error"),
    ],
)
def test_main__one_line_and_the_exit_code(error: BaseException, code: int, message: str, monkeypatch, capsys) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(doctor, "_versions", fail)
    monkeypatch.setattr(sys, "argv", ["sapiens", "doctor"])
    with pytest.raises(SystemExit) as stop:
        main.main()
    assert stop.value.code == code
    assert capsys.readouterr() == ("", message)
