import importlib

import pytest

from sapiens.backbones.sizes import SIZES
from sapiens.errors import UnknownNameError
from sapiens.tasks import TASKS, get_task


def recipe(task, size):
    return importlib.import_module(f"{TASKS[task]}.recipe").recipe(size)


@pytest.mark.parametrize("task", list(TASKS))
@pytest.mark.parametrize("size", list(SIZES))
def test_recipe__every_size_can_be_trained(task, size) -> None:
    made = recipe(task, size)
    assert (made.task, made.size, made.input_hw) == (task, size, SIZES[size].input_hw)
    get_task(task).options(**made.options)
    assert [type(part).__name__ for part in (made.augment, made.loss)] == ["AugmentConfig", "LossConfig"]


@pytest.mark.parametrize(
    ("task", "size", "values"),
    [
        ("pose", "0.4b", (10_000, 5e-4, 0.80, 2, "fsdp", "bf16", 6)),
        ("pose", "5b", (20_000, 1e-4, 0.94, 4, "fsdp", "bf16", 2)),
        ("seg", "0.8b", (30_000, 5e-4, 0.85, 4, "ddp", "float32", 5)),
        ("normal", "1b", (40_000, 5e-4, 0.90, 4, "fsdp", "bf16", 7)),
        ("pointmap", "0.8b", (20_000, 5e-4, 0.85, 2, "fsdp", "float32", 6)),
        ("albedo", "5b", (40_000, 5e-4, 0.94, 4, "fsdp", "bf16", 3)),
        ("matting", "1b", (14_550, 5e-4, 0.90, 4, "fsdp", "bf16", 8)),
    ],
)
def test_recipe__released(task, size, values) -> None:
    made = recipe(task, size)
    optim = made.optim
    got = (
        made.iterations,
        optim.lr,
        optim.layer_decay,
        optim.clip_norm,
        made.parallel,
        made.precision,
        made.batch_size,
    )
    assert got == values
    assert (optim.weight_decay, optim.betas, optim.warmup_iters, optim.power) == (0.1, (0.9, 0.999), 500, 1)


def test_recipe__unknown_size() -> None:
    with pytest.raises(UnknownNameError, match="size"):
        recipe("seg", "2b")
