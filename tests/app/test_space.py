"""The container of a hosted Space, as far as it can be tried without building it."""

import json
import os
import re
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import pytest
from helpers_app import Client, encoded, picture

SPACE = Path(__file__).parents[2] / "deploy" / "space"
DOCKERFILE = (SPACE / "Dockerfile").read_text().replace("\\\n", "")
PNG = encoded(picture(1))


def lines(word: str) -> list[str]:
    """What stands behind an instruction, for each time it is given."""
    return re.findall(rf"^{word} +(.*)$", DOCKERFILE, re.MULTILINE)


def front_matter() -> dict[str, str]:
    _, head, _ = (SPACE / "README.md").read_text().split("---\n", 2)
    return dict(line.split(": ", 1) for line in head.splitlines())


COMMAND = json.loads(lines("CMD")[0])
SETTINGS = dict(word.split("=", 1) for word in lines("ENV")[0].split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """What is uploaded to the Space."""
    made = tmp_path_factory.mktemp("space") / "upload"
    subprocess.run(["sh", str(SPACE / "assemble.sh"), str(made)], check=True)
    return made


@contextmanager
def space(folder: Path, home: Path, **environment: str):
    """The very command of the Dockerfile with its settings, on the uploaded files; only the port is a free one."""
    words = [sys.executable, "-m", "sapiens.cli.main", *COMMAND[1:]]
    words[words.index("--port") + 1] = "0"
    settings = {name: value.replace("/home/user", str(home)) for name, value in SETTINGS.items() if name != "PATH"}
    process = subprocess.Popen(
        words,
        cwd=folder,
        env={**os.environ, **settings, "PYTHONPATH": str(folder), "PYTHONDONTWRITEBYTECODE": "1", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        url = process.stdout.readline().strip()
        assert url.startswith("http://0.0.0.0:"), process.stderr.read()
        yield Client(url.replace("0.0.0.0", "127.0.0.1"))
    finally:
        process.terminate()
        process.communicate(timeout=60)


def test_dockerfile__agrees_with_the_front_matter_and_the_user_of_spaces() -> None:
    told = front_matter()
    assert (told["sdk"], told["license"]) == ("docker", "apache-2.0")
    assert told["app_port"] == COMMAND[COMMAND.index("--port") + 1] == lines("EXPOSE")[0]
    assert "--uid 1000 user" in lines("RUN")[0]
    assert lines("USER") == ["user"]
    assert all(SETTINGS[name].startswith("/home/user") for name in ("HOME", "HF_HOME"))
    assert lines("WORKDIR")[0].startswith(f"{SETTINGS['HOME']}/")


def test_upload__has_what_the_dockerfile_copies_and_no_more(folder) -> None:
    copied = [word for line in lines("COPY") for word in line.split()[1:-1]]
    assert all((folder / name).exists() for name in copied)
    assert {path.name for path in folder.iterdir()} == {"Dockerfile", *copied}
    assert not list(folder.rglob("__pycache__"))
    assert (folder / "sapiens" / "assets" / "sapiens2_nano.safetensors").stat().st_size > 1_000_000


def test_upload__never_goes_into_a_folder_that_is_there(tmp_path) -> None:
    done = subprocess.run(["sh", str(SPACE / "assemble.sh"), str(tmp_path)], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (1, f"{tmp_path}: exists already\n")


def test_command__serves_the_page_to_the_space_and_its_limits_hold(folder, tmp_path) -> None:
    with space(folder, tmp_path, SAPIENS_TOKEN="") as client:
        page = client.get("/", Host="owner-name.hf.space")
        assert page.status == 200
        assert page.headers["content-security-policy"].endswith("; frame-ancestors https://huggingface.co")
        assert "x-frame-options" not in page.headers
        assert "camera=(self)" in page.headers["permissions-policy"]
        origin = {"Host": "owner-name.hf.space", "Origin": "https://owner-name.hf.space"}
        assert client.predict("seg", PNG, headers=origin).status == 200
        behind = {**origin, "Host": "10.0.0.7:7860", "Sec-Fetch-Site": "same-origin"}
        assert client.predict("seg", PNG, headers=behind).status == 200
        foreign = {**origin, "Origin": "https://evil.example", "Sec-Fetch-Site": "cross-site"}
        assert client.predict("seg", PNG, headers=foreign).status == 403
        assert client.predict("seg", bytes(17 << 20)).status == 413
    assert list(tmp_path.rglob("*")) == []


def test_command__asks_for_the_token_that_is_a_secret_of_the_space(folder, tmp_path) -> None:
    with space(folder, tmp_path, SAPIENS_TOKEN="secret") as client:
        assert client.predict("seg", PNG).status == 401
        assert client.predict("seg", PNG, headers={"Authorization": "Bearer secret"}).status == 200
