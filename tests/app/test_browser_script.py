"""What `make test` does and says about the browser, with a stand-in for apt-get."""

import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "browser.sh"
TOOLS = ("sh", "timeout", "mktemp", "grep", "head", "rm", "touch", "chmod")
SKIPPED = "browser tests are skipped: chromium and chromedriver are not installed"


@pytest.fixture
def tools(tmp_path):
    """A folder with all the commands that the script sees, and a way to put further ones there."""
    for name in TOOLS:
        (tmp_path / name).symlink_to(shutil.which(name))

    def add(name: str, *lines: str) -> None:
        (tmp_path / name).write_text("\n".join(["#!/bin/sh", *lines, ""]))
        (tmp_path / name).chmod(0o755)

    return tmp_path, add


def run(folder: Path) -> str:
    done = subprocess.run([folder / "sh", SCRIPT], env={"PATH": str(folder)}, capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def test_script__is_silent_where_the_browser_is(tools) -> None:
    folder, add = tools
    add("chromium")
    add("chromedriver")
    assert run(folder) == ""


def test_script__installs_it_as_root(tools) -> None:
    folder, add = tools
    made = " ".join(str(folder / name) for name in ("chromium", "chromedriver"))
    add("id", "echo 0")
    add("apt-get", f'[ "$2" = update ] || {{ touch {made}; chmod +x {made}; }}', f'echo "$@" >> {folder}/said')
    assert run(folder) == ""
    said = (folder / "said").read_text().splitlines()
    assert said == ["-qq update", "-qq install -y --no-install-recommends chromium chromium-driver"]


@pytest.mark.parametrize(
    ("word", "user", "apt", "reason"),
    [
        ("no root", "1000", "exit 1", "(only root can install them, and with apt-get)"),
        ("no network", "0", "echo 'E: no route' >&2; exit 100", "(apt-get: E: no route)"),
        ("something else of that name", "0", "exit 0", "(apt-get: no such programs in its packages)"),
    ],
)
def test_script__else_says_in_one_line_that_tests_are_skipped(tools, word, user, apt, reason) -> None:
    folder, add = tools
    add("id", f"echo {user}")
    add("apt-get", apt)
    assert run(folder) == f"{SKIPPED} {reason}\n"
