"""Where weights are looked for, in which order, and what is said when they are nowhere."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path

import pytest

from sapiens import env
from sapiens.errors import UnknownNameError, WeightsError
from sapiens.weights import find_local, locate
from sapiens.weights.files import RELEASED, file_name, repo_id


@pytest.fixture(autouse=True)
def environment(tmp_path, monkeypatch):
    monkeypatch.setenv("SAPIENS_CHECKPOINT_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


def put(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(b"x")
    return path


@pytest.mark.parametrize(
    ("task", "size", "repo", "name"),
    [
        ("pose", "0.4b", "facebook/sapiens2-pose-0.4b", "sapiens2_0.4b_pose.safetensors"),
        ("matting", "1b", "facebook/sapiens2-matting-1b", "sapiens2_1b_matting.safetensors"),
        ("pretrain", "1b-4k", "facebook/sapiens2-pretrain-1b-4k", "sapiens2_1b_4k_pretrain.safetensors"),
        ("matting", "0.4b", None, "sapiens2_0.4b_matting.safetensors"),
        ("albedo", "1b", None, "sapiens2_1b_albedo.safetensors"),
    ],
)
def test_names__of_repositories_and_files(task, size, repo, name):
    assert (repo_id(task, size), file_name(task, size)) == (repo, name)


@pytest.mark.parametrize("task", sorted(set(RELEASED) - {"pretrain"}))
def test_released__agrees_with_the_task(task):
    assert RELEASED[task] == import_module(f"sapiens.tasks.{task}.config").RELEASED


def test_locate__order(tmp_path):
    repo = tmp_path / "cache" / "models--facebook--sapiens2-pose-1b"
    put(repo / "refs" / "main").write_text("abc\n")
    copy = put(repo / "snapshots" / "abc" / "model.safetensors")
    assert locate("pose", "1b") == copy
    cached = put(repo / "snapshots" / "abc" / "sapiens2_1b_pose.safetensors")
    assert locate("pose", "1b") == cached
    older = put(tmp_path / "root" / "pose" / "sapiens2_1b_pose.pth")
    assert locate("pose", "1b") == older
    own = put(tmp_path / "root" / "pose" / "sapiens2_1b_pose.safetensors")
    assert locate("pose", "1B") == own == find_local("pose", "1b")
    explicit = put(tmp_path / "mine.safetensors")
    assert locate("pose", "1b", explicit) == explicit


@pytest.mark.parametrize(
    "name",
    [
        "sapiens2_1b_pose.safetensors",
        "pose/sapiens2_1b_pose.safetensors",
        "model.safetensors",
        "pytorch_model.bin",
    ],
)
def test_locate__folder(tmp_path, name):
    wanted = put(tmp_path / "folder" / name)
    assert locate("pose", "1b", tmp_path / "folder") == wanted


def test_locate__home_directory(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    wanted = put(tmp_path / "mine.safetensors")
    assert locate("pose", "1b", "~/mine.safetensors") == wanted


def test_locate__offline_says_what_to_put_where(tmp_path):
    with pytest.raises(WeightsError, match=r"no pose weights at 0\.4b") as info:
        locate("pose", "0.4b")
    wanted = tmp_path / "root" / "pose" / "sapiens2_0.4b_pose.safetensors"
    for part in (str(wanted), str(tmp_path / "cache"), "HF_HUB_OFFLINE"):
        assert part in info.value.message
    for part in ("sapiens download pose --size 0.4b", f"copy the file to {wanted}", "untrained"):
        assert part in info.value.hint
    assert "\n" not in str(info.value)


def test_locate__albedo_has_no_released_weights(tmp_path):
    with pytest.raises(WeightsError, match=r"none are released \(for albedo: no size\)") as info:
        locate("albedo", "1b")
    assert str(tmp_path / "root" / "albedo" / "sapiens2_1b_albedo.safetensors") in info.value.message
    wanted = put(tmp_path / "root" / "albedo" / "sapiens2_1b_albedo.safetensors")
    assert locate("albedo", "1b") == wanted


def test_locate__missing_file_names_its_neighbour(tmp_path):
    put(tmp_path / "sapiens2_1b_pose.safetensors")
    with pytest.raises(WeightsError, match=r"sapiens2_1b_pse\.safetensors: no such file") as info:
        locate("pose", "1b", tmp_path / "sapiens2_1b_pse.safetensors")
    assert info.value.hint == f"did you mean {tmp_path / 'sapiens2_1b_pose.safetensors'}?"
    with pytest.raises(WeightsError, match="no such file") as info:
        locate("pose", "1b", tmp_path / "nowhere" / "x.safetensors")
    assert ".pth" in info.value.hint


def test_locate__folder_without_the_file(tmp_path):
    put(tmp_path / "folder" / "sapiens2_1b_seg.safetensors")
    with pytest.raises(WeightsError, match=r"neither sapiens2_1b_pose.* there is sapiens2_1b_seg\.safetensors"):
        locate("pose", "1b", tmp_path / "folder")


def test_locate__split_weights(tmp_path):
    put(tmp_path / "folder" / "model.safetensors.index.json")
    with pytest.raises(WeightsError, match="split over several files") as info:
        locate("pose", "1b", tmp_path / "folder")
    assert "max_shard_size" in info.value.hint


def test_locate__unknown_size():
    with pytest.raises(UnknownNameError, match="unknown size '2b'"):
        locate("pose", "2b")


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        pytest.param({}, "home/.cache/huggingface/hub", id="default"),
        pytest.param({"XDG_CACHE_HOME": "xdg"}, "xdg/huggingface/hub", id="XDG_CACHE_HOME"),
        pytest.param({"HF_HOME": "hf", "XDG_CACHE_HOME": "xdg"}, "hf/hub", id="HF_HOME"),
        pytest.param({"HF_HUB_CACHE": "own", "HF_HOME": "hf"}, "own", id="HF_HUB_CACHE"),
    ],
)
def test_env__hub_cache(monkeypatch, variables, expected):
    monkeypatch.setattr(Path, "home", lambda: Path("home"))
    for name in ("XDG_CACHE_HOME", "HF_HOME", "HF_HUB_CACHE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    assert env.hub_cache() == Path(expected)


@pytest.mark.parametrize(("value", "expected"), [("1", True), ("TRUE", True), ("0", False), ("", False)])
def test_env__offline(monkeypatch, value, expected):
    monkeypatch.delenv("TRANSFORMERS_OFFLINE", raising=False)
    monkeypatch.setenv("HF_HUB_OFFLINE", value)
    assert env.hub_offline() is expected


def test_env__endpoint_and_root(monkeypatch):
    monkeypatch.setenv("HF_ENDPOINT", "http://mirror.example/")
    assert env.hub_endpoint() == "http://mirror.example"
    monkeypatch.delenv("HF_ENDPOINT")
    assert env.hub_endpoint() == "https://huggingface.co"
    monkeypatch.delenv("SAPIENS_CHECKPOINT_ROOT")
    assert env.checkpoint_root() == Path.home() / "sapiens2_host"
