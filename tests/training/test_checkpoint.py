import errno
import resource
import signal

import pytest
import safetensors
import torch

from sapiens.errors import InputError, WeightsError
from sapiens.training import checkpoint as module
from sapiens.training.checkpoint import Checkpoint, Progress, list_checkpoints, read_checkpoint, save_checkpoint


def make(update: int, size: int = 10) -> Checkpoint:
    tensor = torch.full((size,), float(update))
    return Checkpoint(Progress(update, 4 * update, (0.5, 1)), {"w": tensor}, {"w:step": torch.tensor(1.0)})


def test_save__comes_back_whole(tmp_path) -> None:
    found = read_checkpoint(save_checkpoint(tmp_path, make(3), keep=1))
    assert found.progress == make(3).progress
    assert found.model["w"].tolist() == [3.0] * 10
    assert found.ema == {}


def test_save__keeps_the_last(tmp_path) -> None:
    for update in (1, 2, 10):
        save_checkpoint(tmp_path, make(update), keep=2)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_00000002", "step_00000010"]


@pytest.mark.parametrize(
    "error",
    [OSError(errno.ENOSPC, "No space left on device"), safetensors.SafetensorError("No space left on device")],
    ids=["system", "safetensors"],
)
def test_save__full_disk_keeps_the_old_one(error, tmp_path, monkeypatch) -> None:
    save_checkpoint(tmp_path, make(1), keep=1)

    def fail(*args, **kwargs):
        raise error

    monkeypatch.setattr(module, "save_file", fail)
    with pytest.raises(InputError, match=r"checkpoint not written.*No space left") as caught:
        save_checkpoint(tmp_path, make(2), keep=1)
    assert "resume" in caught.value.hint
    assert [path.name for path in (tmp_path / "checkpoints").iterdir()] == ["step_00000001"]


def test_save__file_size_limit_keeps_the_old_one(tmp_path) -> None:
    """The system refuses to write on, as it does on a full disk."""
    save_checkpoint(tmp_path, make(1), keep=1)
    before, handler = resource.getrlimit(resource.RLIMIT_FSIZE), signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    try:
        with pytest.raises(InputError, match="checkpoint not written"):
            save_checkpoint(tmp_path, make(2, size=100_000), keep=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_00000001"]


def test_read__damaged(tmp_path) -> None:
    folder = save_checkpoint(tmp_path, make(1), keep=1)
    (folder / "model.safetensors").write_bytes(b"no")
    with pytest.raises(WeightsError, match="not a whole checkpoint"):
        read_checkpoint(folder)
