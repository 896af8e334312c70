"""The engine on a toy task: order, batches, failures, early stops."""

import threading

import numpy as np
import pytest
import torch
from toy import broken, grey, source, toy_predictor

from sapiens.errors import InputError, NumericError
from sapiens.inference.engine import run
from sapiens.inference.people import NOBODY


def alive() -> list[str]:
    """Our threads that do not end within five seconds."""
    ours = [t for t in threading.enumerate() if t.name.startswith("sapiens-")]
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


@pytest.mark.parametrize("stage", ["read", "preprocess", "forward", "postprocess", "write"])
def test_run__unexpected_error_in_any_stage_ends_the_run_and_names_the_picture(stage: str) -> None:
    def fail(*args):
        raise RuntimeError("a bug")

    changes = {stage: fail} if stage not in ("read", "write") else {}
    sources = [source(0), broken("p1", RuntimeError("a bug")) if stage == "read" else source(1), source(2)]
    with pytest.raises(RuntimeError, match="a bug") as caught:
        list(run(sources, [toy_predictor(**changes)], write=fail if stage == "write" else None))
    assert any("while working on p" in note for note in caught.value.__notes__)
    assert alive() == []


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
