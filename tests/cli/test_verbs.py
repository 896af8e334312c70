"""The verbs beside `predict`."""

import json
from pathlib import Path

import pytest
from command import sapiens_cli
from helpers_hub import Hub, serve

import sapiens
from sapiens.weights import licence


@pytest.fixture
def root(tmp_path: Path, monkeypatch) -> Path:
    monkeypatch.setenv("SAPIENS_CHECKPOINT_ROOT", str(tmp_path / "root"))
    monkeypatch.setenv("HF_HUB_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("HF_HUB_OFFLINE", raising=False)
    return tmp_path / "root"


def tiny_safetensors() -> bytes:
    header = json.dumps({"x": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    return len(header).to_bytes(8, "little") + header + bytes(4)


def test_download__puts_the_file_in_its_place_and_shows_the_licence_once(root: Path, monkeypatch) -> None:
    name = "/facebook/sapiens2-seg-0.4b/resolve/main/sapiens2_0.4b_seg.safetensors"
    with serve(Hub(files={name: tiny_safetensors(), name.replace("seg", "pose"): tiny_safetensors()})) as hub:
        monkeypatch.setenv("HF_ENDPOINT", hub.url)
        first = sapiens_cli("download", "seg", "--size", "0.4b")
        second = sapiens_cli("download", "pose", "--size", "0.4b")
    assert (first.exit_code, second.exit_code) == (0, 0), (first.shown, second.shown)
    path = root / "seg/sapiens2_0.4b_seg.safetensors"
    assert first.stdout.strip() == str(path)
    assert path.read_bytes() == tiny_safetensors()
    assert "Sapiens2 License" in first.stderr
    assert "Sapiens2 License" not in second.stderr
    assert licence.pending_notice() is None


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["segg"], "unknown task 'segg'", id="task"),
        pytest.param(["seg", "--size", "9b"], "unknown size '9b'", id="size"),
        pytest.param(["albedo"], "no albedo weights at 1b are on the Hub", id="not released"),
        pytest.param(["detector", "yolo"], "unknown detector 'yolo'", id="detector"),
    ],
)
def test_download__bad_arguments(arguments: list[str], message: str, root: Path) -> None:
    result = sapiens_cli("download", *arguments)
    assert result.exit_code == 1
    assert message in result.shown
    assert not root.exists()


def test_download__offline(root: Path, monkeypatch) -> None:
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    result = sapiens_cli("download", "seg", "--size", "0.4b")
    assert result.exit_code == 1
    assert "HF_HUB_OFFLINE is set" in result.shown


def test_doctor__versions_devices_weights(root: Path) -> None:
    path = root / "seg/sapiens2_0.4b_seg.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(tiny_safetensors())
    report = json.loads(sapiens_cli("doctor", "--json").stdout)
    assert report["versions"]["sapiens"] == sapiens.__version__
    assert report["weights"]["found"] == ["seg/sapiens2_0.4b_seg.safetensors  0.00 GB"]
    assert "float" in report["devices"]["auto means"]
    text = sapiens_cli("doctor").stdout
    assert "checkpoint root" in text
    assert "torch" in text


def test_doctor__weights_in_the_hub_cache(root: Path, tmp_path: Path) -> None:
    folder = tmp_path / "cache/models--facebook--sapiens2-seg-0.4b"
    path = folder / "snapshots/abc/sapiens2_0.4b_seg.safetensors"
    path.parent.mkdir(parents=True)
    path.write_bytes(tiny_safetensors())
    (folder / "refs").mkdir()
    (folder / "refs/main").write_text("abc")
    report = json.loads(sapiens_cli("doctor", "--json").stdout)["weights"]
    assert report["found"] == []
    assert report["found there"] == [f"{path.relative_to(tmp_path / 'cache').as_posix()}  0.00 GB"]


def test_models__counts_beside_published_figures() -> None:
    rows = {row["name"]: row for row in json.loads(sapiens_cli("models", "pretrain", "--json").stdout)}
    assert rows["sapiens2_0.1b_pretrain"]["parameters"] == 113_993_472
    assert rows["sapiens2_1b_4k_pretrain"]["parameters"] == 1_606_588_928
    assert rows["sapiens2_0.1b_pretrain"]["published_flops"] == 0.342
    table = sapiens_cli("models", "pretrain").stdout
    assert "5,066,902,976" in table
    assert "1,140,739,584" in table  # generation 1
    assert "published" in table
    assert "multiply-adds" in table


def test_models__unknown_task() -> None:
    result = sapiens_cli("models", "poze")
    assert result.exit_code == 1
    assert "did you mean 'pose'" in str(result.exception)


def test_bench__startup_prints_a_table() -> None:
    report = json.loads(sapiens_cli("bench", "startup", "--repeats", "1", "--json").stdout)
    assert [row["case"] for row in report["rows"]][:2] == ["python alone", "import sapiens"]
    assert all(row["ms"] > 0 for row in report["rows"])


def test_bench__unknown_subject() -> None:
    result = sapiens_cli("bench", "everything")
    assert result.exit_code == 1
    assert "unknown benchmark 'everything'" in result.shown


def test_version() -> None:
    assert sapiens_cli("--version").stdout.strip() == sapiens.__version__
