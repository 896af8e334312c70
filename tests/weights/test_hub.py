"""Downloads, against a server on this machine."""

from __future__ import annotations

import logging
import os
import shutil
import socket
from collections import namedtuple
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
import torch
from helpers_hub import Hub, serve
from safetensors.torch import save

from sapiens.errors import UnknownNameError, WeightsError
from sapiens.weights import hub, hub_reachable, licence, locate

PATH = "/facebook/sapiens2-pose-0.4b/resolve/main/sapiens2_0.4b_pose.safetensors"
CONTENT = save({"a": torch.arange(50_000, dtype=torch.float32)})


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "HF_HUB_CACHE", "http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.setenv("SAPIENS_CHECKPOINT_ROOT", str(tmp_path / "root"))
    monkeypatch.setattr(hub, "PAUSE_S", 0.0)
    monkeypatch.setattr(hub, "CHUNK_BYTES", 10_000)


@pytest.fixture
def server(monkeypatch):
    with serve(Hub(files={PATH: CONTENT})) as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url + "/")
        yield running


@pytest.fixture
def target(tmp_path):
    return tmp_path / "root" / "pose" / "sapiens2_0.4b_pose.safetensors"


def ranges(server: Hub) -> list[str | None]:
    return [value for method, path, value in server.requests if method == "GET" and path.startswith("/storage")]


@pytest.mark.parametrize("storage", [True, False], ids=["redirect to storage", "served directly"])
def test_download__complete_file(server, target, storage):
    server.storage = storage
    seen = []
    assert hub.download("pose", "0.4b", progress=lambda done, total: seen.append((done, total))) == target
    assert target.read_bytes() == CONTENT
    assert seen[0] == (0, len(CONTENT))
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert [p.name for p in target.parent.iterdir() if p.suffix == ".part"] == []


def test_download__there_already(server, target):
    hub.download("pose", "0.4b")
    asked = len(server.requests)
    assert hub.download("pose", "0.4B") == target
    assert len(server.requests) == asked


def test_download__there_already_but_damaged(server, target):
    hub.download("pose", "0.4b")
    target.write_bytes(CONTENT[:-1])
    with pytest.raises(WeightsError, match="cut short") as info:
        hub.download("pose", "0.4b")
    assert info.value.hint == "delete it, then sapiens download pose --size 0.4b"


def test_download__token_stays_with_the_hub(server):
    hub.download("pose", "0.4b")
    sent = dict(server.authorised)
    assert sent == {PATH: "Bearer secret", "/storage" + PATH: None}


def test_download__connection_cut_is_resumed_within_the_run(server, target):
    server.cuts = [30_000, 50_000]
    hub.download("pose", "0.4b")
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=30000-", "bytes=80000-"]


def test_download__stopped_run_is_resumed_by_the_next(server, target):
    def stop(done: int, total: int) -> None:
        if done >= 40_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        hub.download("pose", "0.4b", progress=stop)
    assert not target.exists()
    hub.download("pose", "0.4b")
    assert target.read_bytes() == CONTENT
    assert ranges(server) == [None, "bytes=40000-"]


def test_download__two_at_once_fetch_it_once(server, target):
    with ThreadPoolExecutor(2) as pool:
        found = list(pool.map(lambda _: hub.download("pose", "0.4b", notify=lambda text: None), range(2)))
    assert found == [target, target]
    assert ranges(server) == [None]


def test_download__new_version_starts_over(server, target):
    server.cuts = [1000] + [0] * 5
    with pytest.raises(WeightsError):
        hub.download("pose", "0.4b")
    server.files[PATH] = newer = save({"a": torch.zeros(1000)})
    server.cuts.clear()
    hub.download("pose", "0.4b")
    assert target.read_bytes() == newer
    assert list(target.parent.glob(".*.part")) == []


def test_download__server_without_ranges(server, target):
    server.ranges = False
    server.cuts = [30_000]
    hub.download("pose", "0.4b")
    assert target.read_bytes() == CONTENT


def test_download__busy_server_is_asked_again(server, target):
    server.statuses = [503, 429]
    hub.download("pose", "0.4b")
    assert target.read_bytes() == CONTENT


def test_download__nothing_more_arrives(server):
    server.cuts = [30_000] + [0] * 5
    with pytest.raises(WeightsError, match=r"stopped after 0\.030 MB of 0\.200 MB: the connection was closed") as info:
        hub.download("pose", "0.4b")
    assert "sapiens download pose --size 0.4b" in info.value.hint


def test_download__damaged_content(server, target):
    server.etag = "0" * 64
    with pytest.raises(WeightsError, match="the download is damaged"):
        hub.download("pose", "0.4b")
    assert [p for p in target.parent.iterdir() if p.suffix != ".lock"] == []


def test_download__web_page_instead(server, target):
    server.files[PATH] = b"<!DOCTYPE html><html>Please log in</html>"
    server.etag = "page"
    with pytest.raises(WeightsError, match="a web page, not weights"):
        hub.download("pose", "0.4b")
    assert not target.exists()


def test_download__not_found(server):
    server.files.clear()
    with pytest.raises(WeightsError, match=r"sapiens2_0.4b_pose.safetensors: not there \(404\)") as info:
        hub.download("pose", "0.4b")
    assert "HF_ENDPOINT" in info.value.hint


def test_download__not_a_hub(server):
    server.storage, server.etag = False, ""
    with pytest.raises(WeightsError, match="the answer is not that of a Hugging Face Hub"):
        hub.download("pose", "0.4b")


def test_download__nobody_listens(monkeypatch):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{free.getsockname()[1]}")
        with pytest.raises(WeightsError, match="cannot be reached: Connection refused") as info:
            hub.download("pose", "0.4b")
    assert "put it at" in info.value.hint


def test_download__no_space(server, monkeypatch, target):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**6, 10**6 - 5000, 5000))
    with pytest.raises(WeightsError, match=r"not enough space: 0\.200 MB are missing, 0\.005 MB are free") as info:
        hub.download("pose", "0.4b")
    assert "SAPIENS_CHECKPOINT_ROOT" in info.value.hint
    assert ranges(server) == []


def test_download__disk_full_on_the_way(server, monkeypatch):
    def full(remote, part, done, progress):
        raise OSError(28, os.strerror(28))

    monkeypatch.setattr(hub, "_append", full)
    with pytest.raises(WeightsError, match="the disk is full"):
        hub.download("pose", "0.4b")


def test_download__offline(server, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(WeightsError, match="HF_HUB_OFFLINE is set") as info:
        hub.download("pose", "0.4b")
    assert str(Path("pose") / "sapiens2_0.4b_pose.safetensors") in info.value.hint
    assert server.requests == []


@pytest.mark.parametrize(
    ("task", "size", "message"),
    [
        pytest.param("albedo", "1b", "no albedo weights at 1b are on the Hub; .* albedo: no size", id="albedo"),
        pytest.param("matting", "5b", "released for matting: 1b", id="matting at 5b"),
        pytest.param("pose", "nano", "no pose weights at nano", id="nano"),
    ],
)
def test_download__not_released(task, size, message):
    with pytest.raises(WeightsError, match=message):
        hub.download(task, size)


def test_download__unknown_names():
    with pytest.raises(UnknownNameError, match="unknown task 'poes'"):
        hub.download("poes", "1b")
    with pytest.raises(UnknownNameError, match=r"unknown size '0\.5b'"):
        hub.download("pose", "0.5b")


def test_download__licence_is_shown_once(server, tmp_path, caplog):
    said = []
    hub.download("pose", "0.4b", notify=said.append)
    assert said == [licence.NOTICE]
    assert "Sapiens2 License" in said[0]
    shutil.rmtree(tmp_path / "root" / "pose")
    with caplog.at_level(logging.WARNING):
        hub.download("pose", "0.4b", notify=said.append)
    assert len(said) == 1


def test_hub_reachable(server, monkeypatch):
    assert hub_reachable()
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    assert not hub_reachable()
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:1")
    assert not hub_reachable()


def test_locate__downloads_what_is_missing(server, target, caplog):
    with caplog.at_level(logging.WARNING):
        assert locate("pose", "0.4b") == target
    assert "Sapiens2 License" in caplog.text
    assert target.read_bytes() == CONTENT
