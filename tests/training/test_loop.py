import json
import random
import signal

import numpy as np
import pytest
import torch
from helpers_training import Pictures, Toy, make_trainer
from safetensors.torch import load_file

import sapiens
from sapiens.config import Optim
from sapiens.errors import InputError, NumericError, StoppedError
from sapiens.training.checkpoint import list_checkpoints


def log(folder):
    return [json.loads(line) for line in (folder / "log.jsonl").read_text().splitlines()]


def assert_equal(first, second, **tolerance) -> None:
    assert first.keys() == second.keys()
    for name in first:
        if tolerance and name == "decode_head.conv_layers.0.bias":
            continue  # an instance norm follows: its gradient is rounding noise, which Adam blows up
        torch.testing.assert_close(first[name], second[name], **(tolerance or {"rtol": 0, "atol": 0}), msg=name)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A run never interrupted, with a running mean of the weights."""
    folder = tmp_path_factory.mktemp("finished")
    make_trainer(folder, ema=0.5).run()
    return folder


def test_run__export_loads_and_predicts(finished) -> None:
    predictor = sapiens.load("seg", size="nano", weights=finished, dtype="float32", device="cpu")
    result = predictor(np.zeros((20, 30, 3), np.uint8))
    assert result.labels.shape == (20, 30)


def test_run__loss_falls_and_old_checkpoints_go(finished) -> None:
    losses = [line["loss"] for line in log(finished)]
    assert len(losses) == 6
    assert losses[-1] < losses[0]
    assert [path.name for path in list_checkpoints(finished)] == ["step_00000004", "step_00000006"]


@pytest.mark.parametrize("seed", [0, 1])
def test_resume__after_sigkill_the_same_weights(seed, finished, tmp_path, run_script) -> None:
    at = random.Random(seed).randint(1, 6)
    codes, _ = run_script([{"folder": str(tmp_path), "ema": 0.5, "die": at}])
    assert codes == [-9]
    make_trainer(tmp_path, ema=0.5, resume=True).run()
    assert_equal(load_file(tmp_path / "model.safetensors"), load_file(finished / "model.safetensors"))
    mine, theirs = (read_last(folder) for folder in (tmp_path, finished))
    assert_equal(mine, theirs)
    assert [line["update"] for line in log(tmp_path)] == [1, 2, 3, 4, 5, 6]


def read_last(folder):
    last = list_checkpoints(folder)[-1]
    return load_file(last / "optimiser.safetensors") | load_file(last / "model.safetensors")


def assert_moved_alike(first, second, start) -> None:
    """Differences are small beside the way that the weights have gone."""
    for name, before in start.items():
        if name == "decode_head.conv_layers.0.bias":
            continue  # an instance norm follows: its gradient is rounding noise, which Adam blows up
        apart, way = (first[name] - second[name]).norm(), (second[name] - before).norm()
        assert apart <= 5e-3 * way, (name, float(apart), float(way))


WAYS = {
    "copies": {},
    "shards": {"parallel": "fsdp"},
    "shards, checkpointing, passes": {"parallel": "fsdp", "checkpointing": True, "batch_size": 1, "accumulate": 2},
}


@pytest.mark.parametrize("kind", ["adamw", "muon"])
def test_two_processes__equal_one(kind, tmp_path, run_script) -> None:
    settings = {"optim": {"kind": kind, "lr": 1e-3, "warmup_iters": 2}, "iterations": 3}
    one = make_trainer(tmp_path / "one", batch_size=4, iterations=3, optim=Optim(**settings["optim"]))
    start = {name: tensor.clone() for name, tensor in one.weights().items()}
    want = load_file(one.run())
    codes, errors = run_script([{"folder": str(tmp_path / w), **settings, **how} for w, how in WAYS.items()], world=2)
    assert codes == [0, 0], errors
    for way in WAYS:
        assert_moved_alike(load_file(tmp_path / way / "model.safetensors"), want, start)
        assert log(tmp_path / way)[-1]["loss"] == pytest.approx(log(tmp_path / "one")[-1]["loss"], rel=1e-4)
        assert log(tmp_path / way)[-1]["seen"] == 12


@pytest.mark.slow
def test_two_processes__bf16_shards_are_near_float32(tmp_path, run_script) -> None:
    jobs = [{"folder": str(tmp_path / kind), "iterations": 1, "parallel": "fsdp", "precision": kind}
            for kind in ("bf16", "float32")]  # fmt: skip
    codes, errors = run_script(jobs, world=2)
    assert codes == [0, 0], errors
    bf16, float32 = (log(tmp_path / kind)[-1] for kind in ("bf16", "float32"))
    assert bf16["loss"] == pytest.approx(float32["loss"], rel=2e-2)
    assert bf16["loss"] != float32["loss"]
    assert load_file(tmp_path / "bf16" / "model.safetensors")["decode_head.conv_seg.weight"].dtype == torch.float32


@pytest.mark.parametrize("by", [signal.SIGINT, signal.SIGTERM], ids=["Ctrl-C", "SIGTERM"])
def test_stop__saves_and_goes_on_to_the_same_weights(by, finished, tmp_path) -> None:
    with pytest.raises(StoppedError, match="stopped after update 3 of 6; all is saved") as caught:
        make_trainer(tmp_path, Toy(die=3, by=by), ema=0.5).run()
    assert caught.value.signal == by
    assert list_checkpoints(tmp_path)[-1].name == "step_00000003"
    make_trainer(tmp_path, ema=0.5, resume=True).run()
    assert_equal(load_file(tmp_path / "model.safetensors"), load_file(finished / "model.safetensors"))


WAYS_TO_RESUME = [
    ("muon", {"optim": Optim(kind="muon", lr=1e-3, warmup_iters=2)}),
    ("lora", {"tune": "lora:2", "ema": 0.5}),
    ("passes", {"accumulate": 2, "batch_size": 1}),
]


@pytest.mark.parametrize("settings", [row[1] for row in WAYS_TO_RESUME], ids=[row[0] for row in WAYS_TO_RESUME])
def test_resume__whatever_is_trained(settings, tmp_path) -> None:
    make_trainer(tmp_path / "whole", iterations=4, **settings).run()
    with pytest.raises(StoppedError):
        make_trainer(tmp_path / "parts", Toy(die=2, by=signal.SIGTERM), iterations=4, **settings).run()
    make_trainer(tmp_path / "parts", iterations=4, resume=True, **settings).run()
    assert_equal(*(load_file(tmp_path / name / "model.safetensors") for name in ("whole", "parts")))
    assert_equal(*(read_last(tmp_path / name) for name in ("whole", "parts")))


def test_stop__in_the_last_update_the_run_ends_as_ever(tmp_path) -> None:
    path = make_trainer(tmp_path, Toy(die=6, by=signal.SIGTERM)).run()
    assert path.exists()


def test_stop__signals_are_as_before_afterwards(tmp_path) -> None:
    before = signal.getsignal(signal.SIGINT)
    make_trainer(tmp_path, iterations=1).run()
    assert signal.getsignal(signal.SIGINT) is before


@pytest.mark.slow
def test_stop__one_process_stops_all_after_the_same_update(tmp_path, run_script) -> None:
    codes, errors = run_script([{"folder": str(tmp_path), "die": 3, "by": signal.SIGTERM, "rank": 1}], world=2)
    assert codes == [1, 1], errors
    assert errors.count("stopped after update 3 of 6") == 2
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_00000002", "step_00000003"]


def test_resume__of_a_finished_run_changes_nothing(finished) -> None:
    before, lines = load_file(finished / "model.safetensors"), log(finished)
    make_trainer(finished, ema=0.5, resume=True).run()
    assert_equal(load_file(finished / "model.safetensors"), before)
    assert log(finished) == lines


def test_draw__gets_the_weights_when_due_and_at_the_end(tmp_path) -> None:
    drawn = {}
    trainer = make_trainer(tmp_path, draw=lambda weights, update: drawn.setdefault(update, weights), pictures_every=4)
    exported = load_file(trainer.run())
    assert list(drawn) == [4, 6]
    assert_equal(drawn[6], exported)


def test_log__has_memory_and_pace(finished) -> None:
    for line in log(finished):
        assert line["host_mb"] > 50
        assert line["step_s"] > 0
    assert [round(line["eta_s"] / line["step_s"]) for line in log(finished)] == [5, 4, 3, 2, 1, 0]


def test_accumulate__equals_a_larger_batch(tmp_path) -> None:
    first = make_trainer(tmp_path / "a", batch_size=4, iterations=2).run()
    second = make_trainer(tmp_path / "b", batch_size=2, accumulate=2, iterations=2).run()
    assert_equal(load_file(first), load_file(second), rtol=1e-3, atol=1e-5)


def test_ema__is_the_running_mean(tmp_path) -> None:
    name, states = "decode_head.conv_seg.weight", []
    trainer = make_trainer(tmp_path, ema=0.75, iterations=3, save_every=0)
    weight = trainer.model.get_parameter(name)
    mean = weight.detach().clone()
    trainer.report = lambda line: states.append(weight.detach().clone())
    path = trainer.run()
    for state in states:
        mean = 0.75 * mean + 0.25 * state
    torch.testing.assert_close(load_file(path)[name], mean)


@pytest.mark.parametrize("tune", ["head", "blocks:2", "lora:2"])
def test_tune__frozen_weights_stay(tune, tmp_path) -> None:
    trainer = make_trainer(tmp_path, tune=tune, iterations=2)
    before = {n: t.clone() for n, t in trainer.weights().items()}
    after = load_file(trainer.run())
    moved = {name for name in after if not torch.equal(before[name], after[name])}
    parts = {
        "head": ("decode_head.",),
        "blocks:2": ("decode_head.", "backbone.blocks.4.", "backbone.blocks.5.", "backbone.ln1."),
        "lora:2": ("decode_head.", "backbone.blocks."),
    }[tune]
    assert moved
    assert all(name.startswith(parts) for name in moved)
    if tune == "lora:2":
        assert all(".attn." in name and name.endswith(".weight") for name in moved if name.startswith("backbone"))


def test_nan__stop_names_the_pictures_and_keeps_the_checkpoint(tmp_path) -> None:
    with pytest.raises(NumericError, match=r"update 4: NaN or Inf.*pictures: picture") as caught:
        make_trainer(tmp_path, Toy(nan=(4,))).run()
    assert "step_00000002" in caught.value.hint
    assert [path.name for path in list_checkpoints(tmp_path)] == ["step_00000002"]


def test_nan__skip_leaves_the_update_out(tmp_path) -> None:
    trainer = make_trainer(tmp_path, Toy(nan=(2,)), on_nan="skip")
    trainer.run()
    assert trainer.progress.skipped == 1
    assert all(tensor.isfinite().all() for tensor in trainer.weights().values())


def test_nan__skip_ends_when_nothing_else_comes(tmp_path) -> None:
    trainer = make_trainer(tmp_path, Toy(nan=range(999)), on_nan="skip", iterations=200, save_every=0, log_every=0)
    with pytest.raises(NumericError, match="100 updates in a row"):
        trainer.run()


def test_bad_records__skipped_and_counted(tmp_path) -> None:
    trainer = make_trainer(tmp_path, pictures=Pictures(7, bad=(1, 3)))
    trainer.run()
    assert trainer.progress.bad_records > 0
    assert any("is damaged" in problem for line in log(tmp_path) for problem in line.get("problems", []))


@pytest.mark.parametrize(("bad", "changes"), [((1, 3), {"on_bad_record": "stop"}), (range(7), {})], ids=["stop", "all"])
def test_bad_records__end_the_run(bad, changes, tmp_path) -> None:
    with pytest.raises(InputError, match="is damaged"):
        make_trainer(tmp_path, pictures=Pictures(7, bad=bad), **changes).run()


def test_validate__keeps_the_best(tmp_path) -> None:
    values = iter([0.2, 0.9, 0.5])
    seen = []

    def validate(weights):
        seen.append(weights["decode_head.conv_seg.weight"])
        return {"score": next(values)}

    trainer = make_trainer(tmp_path, validate=validate, validate_every=2)
    trainer.run()
    assert trainer.progress.best == (0.9, 4)
    assert torch.equal(load_file(tmp_path / "best.safetensors")["decode_head.conv_seg.weight"], seen[1])


def test_folder__a_run_is_not_overwritten(finished) -> None:
    with pytest.raises(InputError, match="holds a run"):
        make_trainer(finished)
    with pytest.raises(InputError, match=r"other settings: seed, ema|other settings: ema, seed"):
        make_trainer(finished, seed=5, resume=True)


def test_bf16__runs_with_float32_weights(tmp_path) -> None:
    weights = load_file(make_trainer(tmp_path, precision="bf16", checkpointing=True, iterations=1).run())
    assert weights["decode_head.conv_seg.weight"].dtype == torch.float32
