"""What `sapiens serve` refuses before it serves; how it serves is tested in tests/app."""

import socket

import pytest
from command import sapiens_cli

from sapiens.app.limits import Limits
from sapiens.app.server import is_loopback
from sapiens.errors import InputError


def test_serve__port_in_use() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = sapiens_cli("serve", "--port", taken.getsockname()[1])
    assert result.exit_code == 1
    assert "cannot listen there" in result.shown


@pytest.mark.parametrize(
    ("word", "content", "told"),
    [("empty", b"\n", "one line"), ("two lines", b"a\nb", "one line"), ("no text", b"\xff\xfe", "cannot be read")],
)
def test_serve__token_file_that_holds_none(tmp_path, word, content, told) -> None:
    (tmp_path / "token").write_bytes(content)
    result = sapiens_cli("serve", "--port", 0, "--token-file", tmp_path / "token")
    assert (result.exit_code, told in result.shown) == (1, True), word


def test_serve__token_file_that_is_not_there(tmp_path) -> None:
    assert "cannot be read" in sapiens_cli("serve", "--token-file", tmp_path / "none").shown


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--size", "7b"], "unknown size"),
        (["--device", "abacus"], "device"),
        (["--detector", "dfine"], "not on this machine"),
        (["--host", "no.such.host.invalid"], "listen"),
    ],
)
def test_serve__settings_that_cannot_be(arguments, told) -> None:
    result = sapiens_cli("serve", "--port", 0, *arguments)
    assert (result.exit_code, told in result.shown) == (1, True), result.shown


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False),
     ("10.0.0.1", False), ("localhost.example.org", False)],
)  # fmt: skip
def test_is_loopback(host, local) -> None:
    assert is_loopback(host) == local


def test_limits__nothing_allowed_is_a_mistake() -> None:
    with pytest.raises(InputError, match="max_bytes"):
        Limits(max_bytes=0)
    assert Limits(kept_s=0).kept_s == 0
