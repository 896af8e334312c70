from __future__ import annotations

import importlib.util

import pytest

from sapiens.detection import DETECTORS, default_detector_name, download, find_detector, local_folder, locate
from sapiens.detection.detr_detector import DetrDetector
from sapiens.detection.transformers_detectors import TransformersDetector
from sapiens.errors import UnknownNameError, WeightsError


@pytest.fixture
def place(checkpoint_root, detr_folder, tiny_checkpoints):
    """Puts a detector's files below the checkpoint root, or into the Hub cache."""

    def put(name, in_cache=False):
        source = detr_folder if name == "detr" else tiny_checkpoints["d_fine"]
        target = local_folder(name)
        if in_cache:
            repo = checkpoint_root.parent / "hub" / f"models--{DETECTORS[name].repo.replace('/', '--')}"
            (repo / "refs").mkdir(parents=True)
            (repo / "refs/main").write_text("0123abcd")
            target = repo / "snapshots/0123abcd"
        target.mkdir(parents=True)
        for file in source.iterdir():
            (target / file.name).symlink_to(file)
        return target

    return put


@pytest.mark.parametrize("in_cache", [False, True], ids=["checkpoint root", "hub cache"])
@pytest.mark.parametrize(("name", "kind"), [("detr", DetrDetector), ("dfine-x", TransformersDetector)])
def test_find_detector__local(place, name, kind, in_cache):
    folder = place(name, in_cache)
    assert locate(name) == folder
    detector = find_detector(name)
    assert isinstance(detector, kind)
    assert detector.name == name


def test_local_folder__as_in_the_original_layout(checkpoint_root):
    assert local_folder("detr") == checkpoint_root / "detector/detr-resnet-101-dc5"


def test_locate__a_folder_without_all_files_does_not_count(place):
    folder = place("dfine-x")
    (folder / "config.json").unlink()
    assert locate("dfine-x") is None


def test_locate__detr_as_pytorch_model_bin(checkpoint_root):
    local_folder("detr").mkdir(parents=True)
    assert locate("detr") is None
    (local_folder("detr") / "pytorch_model.bin").touch()
    assert locate("detr") == local_folder("detr")


@pytest.mark.parametrize("kind", ["d_fine", "rt_detr_v2"])
def test_find_detector__any_folder(tiny_checkpoints, checkpoint_root, kind):
    detector = find_detector(str(tiny_checkpoints[kind]))
    assert isinstance(detector, TransformersDetector)
    assert detector.name == tiny_checkpoints[kind].name


def test_find_detector__any_weights_file(detr_folder):
    assert isinstance(find_detector(str(detr_folder / "model.safetensors")), DetrDetector)


def test_find_detector__folder_of_another_network(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "vit", "id2label": {"0": "person"}}')
    for name in ("preprocessor_config.json", "model.safetensors"):
        (tmp_path / name).touch()
    with pytest.raises(WeightsError, match="network of type 'vit'"):
        find_detector(str(tmp_path))


@pytest.mark.parametrize("name", ["detr", "dfine-x", "someone/some-detector"])
def test_find_detector__nothing_there_and_no_network(checkpoint_root, name):
    with pytest.raises(WeightsError) as caught:
        find_detector(name)
    error = caught.value
    folder = DETECTORS[name].repo.split("/")[1] if name in DETECTORS else "some-detector"
    assert str(checkpoint_root / "detector" / folder) in error.message
    assert "\n" not in str(error)
    assert error.hint is not None
    for part in ("model.safetensors", f"sapiens download detector {name}", "boxes=", "--boxes", "--whole-image"):
        assert part in error.hint


def test_download__what_the_hub_says_is_passed_on(checkpoint_root, monkeypatch):
    def refuse(repo, file, **where):
        raise OSError(f"404: {repo}/{file}\nRequest ID: 1")

    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("sapiens.detection.find.hub_reachable", lambda: True)
    monkeypatch.setattr("huggingface_hub.hf_hub_download", refuse)
    with pytest.raises(WeightsError, match=r"no download \(404: ustc-community/dfine-xlarge-coco/config.json\)"):
        download("dfine-x")


def test_download__no_network_is_said_at_once(checkpoint_root, monkeypatch):
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")  # the discard port: nobody listens
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: pytest.fail("downloads"))
    with pytest.raises(WeightsError, match=r"no download \(http://127.0.0.1:9 cannot be reached\)"):
        download("dfine-x")


def test_download__every_file_below_the_checkpoint_root(checkpoint_root, monkeypatch):
    asked = []
    monkeypatch.delenv("HF_HUB_OFFLINE")
    monkeypatch.setattr("sapiens.detection.find.hub_reachable", lambda: True)
    monkeypatch.setattr(
        "huggingface_hub.hf_hub_download", lambda repo, file, **where: asked.append((repo, file, where))
    )
    folder = checkpoint_root / "detector/detr-resnet-101-dc5"
    assert download("detr") == folder
    where = {"local_dir": folder, "endpoint": "https://huggingface.co"}
    assert asked == [("facebook/detr-resnet-101-dc5", "model.safetensors", where)]


def test_download__nothing_to_do(place, monkeypatch):
    monkeypatch.setattr("huggingface_hub.hf_hub_download", lambda *_, **__: pytest.fail("downloads"))
    assert place("detr") == download("detr")


@pytest.mark.parametrize("name", ["dter", "no/such/folder", "./nothing", "/nothing/here"])
def test_find_detector__unknown(checkpoint_root, name):
    with pytest.raises(UnknownNameError, match=f"unknown detector '{name}'; known: detr, dfine-s"):
        find_detector(name)


@pytest.mark.parametrize(
    ("present", "transformers", "expected"),
    [
        pytest.param((), True, "dfine-x", id="nothing there: the best, to be downloaded"),
        pytest.param((), False, "detr", id="nothing there, no transformers"),
        pytest.param(("detr",), True, "detr", id="the released one is there"),
        pytest.param(("dfine-x",), True, "dfine-x", id="the best one is there"),
        pytest.param(("detr", "dfine-x"), True, "dfine-x", id="both"),
        pytest.param(("detr", "dfine-x"), False, "detr", id="both, no transformers"),
    ],
)
def test_default_detector_name(place, monkeypatch, present, transformers, expected):
    for name in present:
        place(name)
    if not transformers:
        monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert default_detector_name() == expected
    assert default_detector_name("reference") == "detr"


def test_find_detector__default(place):
    place("dfine-x")
    place("detr")
    assert find_detector().name == "dfine-x"
    assert find_detector(compat="reference").name == "detr"
