"""The engine on a toy task: order, batches, failures, early stops."""

import dataclasses
import errno
import os
import resource
import threading
import time

import numpy as np
import pytest
import torch
from toy import _postprocess, _preprocess, broken, grey, source, toy_predictor

from sapiens.errors import InputError, NumericError
from sapiens.imaging.frame import Frame
from sapiens.inference.engine import default_threads, run
from sapiens.inference.item import Item, Source
from sapiens.inference.people import NOBODY


def alive() -> list[str]:
    """Our threads that do not end within five seconds."""
    # The thread of a test server (sapiens-desk) lives as long as the server.
    ours = [t for t in threading.enumerate() if t.name.startswith("sapiens-") and t.name != "sapiens-desk"]
    for thread in ours:
        thread.join(5)
    return [t.name for t in ours if t.is_alive()]


def values(results) -> list[float]:
    return [round(float(r.means[0, 0]) * 58.395 + 123.675) for r in results]


def test_call__results_in_order_and_batched() -> None:
    predictor = toy_predictor(batch_size=4)
    results = predictor([grey(v, 3 + v, 9 - v % 4) for v in range(10)])
    assert values(results) == list(range(10))
    assert predictor.model.batches == [4, 4, 2]


def test_call__single_picture_gives_one_result() -> None:
    result = toy_predictor()(grey(7))
    assert values([result]) == [7]
    assert result.meta.size_hw == (5, 7)
    assert result.image is not None


def test_call__reference_mode_never_batches_across_pictures() -> None:
    predictor = toy_predictor(compat="reference")
    predictor([grey(v) for v in range(3)])
    assert predictor.model.batches == [1, 1, 1]


def test_run__next_pass_starts_while_a_whole_batch_is_being_finished_and_written() -> None:
    second_pass, waited = threading.Event(), []

    def forward(model, x, setup):
        raw = {"means": model(x)}
        if len(model.batches) == 2:
            second_pass.set()
        return raw

    def finish(raw, prepared, frame, *rest):
        waited.append(second_pass.wait(10) if frame.id < "p4" else None)
        return _postprocess(raw, prepared, frame, *rest)

    predictor = toy_predictor(batch_size=4, forward=forward, postprocess=finish)
    items = list(run([source(v) for v in range(8)], [predictor], write=lambda item: None, threads=2))
    assert values([item.results["toy"] for item in items]) == list(range(8))
    assert sorted(waited, key=str) == [None] * 4 + [True] * 4


def test_default_threads__half_of_the_cores_within_bounds(monkeypatch) -> None:
    for cores, threads in ((1, 2), (2, 2), (16, 8), (64, 16)):
        monkeypatch.setattr(os, "sched_getaffinity", lambda _, cores=cores: set(range(cores)), raising=False)
        assert default_threads() == threads


def test_run__failed_picture_stops_nobody() -> None:
    items = list(run([source(1), broken("bad"), source(2)], [toy_predictor()]))
    assert [str(i.error) if i.error else None for i in items] == [None, "bad: is broken", None]
    assert values([items[0].results["toy"], items[2].results["toy"]]) == [1, 2]
    assert alive() == []


def test_call__failed_picture_raises_with_its_name() -> None:
    with pytest.raises(InputError, match=r"array-1.*expected uint8"):
        toy_predictor()([grey(1), np.zeros((3, 3), np.uint8)])


def test_run__nan_from_the_network_fails_that_picture_alone() -> None:
    def forward(model, x, setup):
        out = model(x)
        return {"means": torch.where(out[:, :1].isclose((torch.tensor(2.0) - 123.675) / 58.395), torch.nan, out)}

    items = list(run([source(v) for v in range(4)], [toy_predictor(forward=forward)]))
    assert [type(i.error) for i in items] == [type(None), type(None), NumericError, type(None)]
    assert "p2: the toy network produced NaN or Inf in float32" in str(items[2].error)


ENGINE_STEPS = ("find", "refine", "write", "collect")


@pytest.mark.parametrize("stage", ["read", "preprocess", "forward", "postprocess", *ENGINE_STEPS])
def test_run__unexpected_error_in_any_stage_ends_the_run_and_names_the_picture(stage: str) -> None:
    def fail(*args):
        raise RuntimeError("a bug")

    changes = {stage: fail} if stage not in ("read", *ENGINE_STEPS) else {}
    if stage == "find":
        changes["top_down"] = True
    sources = [source(0), broken("p1", RuntimeError("a bug")) if stage == "read" else source(1), source(2)]
    steps = {stage: fail} if stage in ENGINE_STEPS else {}
    with pytest.raises(RuntimeError, match="a bug") as caught:
        list(run(sources, [toy_predictor(**changes)], **steps))
    assert any("while working on p" in note for note in caught.value.__notes__)
    assert alive() == []


@pytest.mark.parametrize("stage", ["read", "find", "preprocess", "postprocess", "refine", "write", "collect"])
def test_run__what_was_finished_before_an_error_is_handed_over(stage: str) -> None:
    """Also what waits for a batch to fill, and whatever the stage."""
    calls = []

    def fail_late(item, *args):
        calls.append(item)
        name = item.source.id if isinstance(item, Item) else item.id
        if name == "p7":
            raise RuntimeError("a bug")

    def failing_preprocess(frame, boxes, setup):
        fail_late(frame)
        return _preprocess(frame, boxes, setup)

    def failing_postprocess(raw, prepared, frame, *rest):
        fail_late(frame)
        return _postprocess(raw, prepared, frame, *rest)

    changes = {"preprocess": failing_preprocess} if stage == "preprocess" else {}
    changes |= {"postprocess": failing_postprocess} if stage == "postprocess" else {}
    changes |= {"top_down": True, "preprocess": lambda f, b, s: _preprocess(f, None, s)} if stage == "find" else {}
    steps = {stage: fail_late} if stage in ENGINE_STEPS else {}
    sources = [broken("p7", RuntimeError("a bug")) if stage == "read" and v == 7 else source(v) for v in range(20)]
    done = []
    with pytest.raises(RuntimeError, match="a bug"):
        done.extend(item.index for item in run(sources, [toy_predictor(batch_size=4, **changes)], **steps))
    assert done == list(range(7))
    assert alive() == []


@pytest.mark.parametrize("stage", ["read", "find", "refine", "write", "collect"])
def test_run__a_full_disk_ends_the_run_at_once(stage: str) -> None:
    def fail(item=None):
        raise InputError("out.png: cannot be written (No space left on device)") from OSError(errno.ENOSPC, "full")

    sources = [Source("p0", fail), source(1)] if stage == "read" else [source(0), source(1)]
    steps = {stage: fail} if stage != "read" else {}
    predictor = top_down() if stage == "find" else toy_predictor()
    with pytest.raises(InputError, match="No space left"):
        list(run(sources, [predictor], **steps))
    assert alive() == []


def test_run__ctrl_c_ends_at_once_without_a_thread() -> None:
    """Raised in the middle of the network's work, where it nearly always comes."""

    def interrupt(model, x, setup):
        raise KeyboardInterrupt

    start = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        list(run((source(v % 200) for v in range(10_000)), [toy_predictor(forward=interrupt)]))
    assert time.monotonic() - start < 3
    assert alive() == []


def test_run__collect_sees_all_items_in_order_also_failed_ones() -> None:
    seen = []
    sources = [source(0), broken("bad"), *[source(v) for v in range(2, 30)]]
    items = list(run(sources, [toy_predictor()], write=lambda item: time.sleep(0.003 * (item.index % 3)),
                     collect=lambda item: seen.append((item.index, item.error is None))))  # fmt: skip
    assert seen == [(n, n != 1) for n in range(30)]
    assert len(items) == 30


def test_run__refine_may_change_results_in_order_before_they_are_written() -> None:
    written = {}

    def refine(item) -> None:
        item.results["toy"] = dataclasses.replace(item.results["toy"], means=np.full((1, 3), item.index, np.float32))

    def write(item) -> None:
        written[item.index] = float(item.results["toy"].means[0, 0])

    list(run([source(v) for v in range(9)], [toy_predictor()], refine=refine, write=write))
    assert written == {n: n for n in range(9)}


def resident_mb() -> float:
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * resource.getpagesize() / 2**20


@pytest.mark.skipif(not os.path.exists("/proc/self/statm"), reason="reads /proc")
def test_run__memory_does_not_grow_with_the_length() -> None:
    """10,000 frames of 27 kB: all of them would be 270 MB."""
    picture = grey(7, 96, 96)
    sources = (Source(f"p{n}", lambda: Frame(picture.copy(), "p")) for n in range(10_000))
    seen = []
    for item in run(sources, [toy_predictor(batch_size=8)], write=lambda item: None, collect=lambda item: None):
        if item.index in (1500, 9999):
            seen.append(resident_mb())
    assert seen[1] - seen[0] < 12


def test_run__consumer_that_stops_leaves_no_thread() -> None:
    items = run((source(v % 200) for v in range(10_000)), [toy_predictor()])
    next(items)
    items.close()
    assert alive() == []


def test_run__reads_only_so_far_ahead() -> None:
    taken = []

    def sources():
        for v in range(1000):
            taken.append(v)
            yield source(v % 200)

    items = run(sources(), [toy_predictor(batch_size=4)])
    next(items)
    items.close()
    assert len(taken) < 40


def test_run__several_tasks_share_one_reading() -> None:
    reads = []

    def counted(value: int):
        inner = source(value)
        return type(inner)(inner.id, lambda: (reads.append(value), inner.read())[1])

    first, second = toy_predictor(), toy_predictor(name="other")
    items = list(run([counted(3), counted(4)], [first, second]))
    assert sorted(items[0].results) == ["other", "toy"]
    assert sorted(reads) == [3, 4]


def top_down(**changes):
    return toy_predictor(top_down=True, **changes)


def test_boxes__batched_across_pictures_and_empty_pictures_wait_their_turn() -> None:
    predictor = top_down(batch_size=4)
    boxes = [[[1, 0, 4, 3], [2, 0, 5, 3], [3, 0, 6, 3]], np.zeros((0, 4)), [[4, 0, 6, 3], [5, 0, 6, 3]]]
    results = predictor([grey(9, 8, 8)] * 3, boxes=boxes)
    assert [len(r.means) for r in results] == [3, 0, 2]
    assert predictor.model.batches == [4, 1]
    assert results[1].meta.notes == (NOBODY,)


def test_boxes__length_must_match() -> None:
    with pytest.raises(InputError, match=r"boxes: expected a list with one entry per picture \(2\), got 1 entries"):
        top_down()([grey(1), grey(2)], boxes=[[[0, 0, 1, 1]]])


def test_boxes__refused_by_a_dense_task() -> None:
    with pytest.raises(InputError, match="works on whole pictures"):
        toy_predictor()(grey(1), boxes=[[0, 0, 1, 1]])


def test_whole_image__is_marked() -> None:
    result = top_down()(grey(1), whole_image=True)
    assert len(result.means) == 1
    assert "whole picture" in result.meta.notes[0]


def test_detector__any_callable(monkeypatch) -> None:
    from sapiens.detection import Detections

    predictor = top_down()
    predictor._detector = lambda images: [Detections(np.array([[2, 0, 4, 4]], np.float32), np.ones(1, np.float32))]
    assert values([predictor(grey(50))]) == [2]


def test_detector__finding_nobody_is_an_empty_result_and_a_whole_picture_in_reference_mode() -> None:
    from sapiens.detection import Detections

    def nobody(images):
        return [Detections(np.zeros((0, 4), np.float32), np.zeros(0, np.float32)) for _ in images]

    plain, reference = top_down(), top_down(compat="reference")
    plain._detector = reference._detector = nobody
    assert len(plain(grey(1)).means) == 0
    assert len(reference(grey(1)).means) == 1


def test_stream__is_lazy_and_ordered() -> None:
    assert values(toy_predictor().stream(grey(v) for v in range(5))) == list(range(5))


def test_predictor__from_several_threads() -> None:
    predictor, got = toy_predictor(), {}

    def work(start: int) -> None:
        got[start] = values(predictor([grey(v) for v in range(start, start + 5)]))

    workers = [threading.Thread(target=work, args=(n * 10,)) for n in range(4)]
    for w in workers:
        w.start()
    for w in workers:
        w.join()
    assert got == {n * 10: list(range(n * 10, n * 10 + 5)) for n in range(4)}
