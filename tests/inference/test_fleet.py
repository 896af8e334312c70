"""One network on several devices: same results in the same order, passes at once, errors and stops as ever."""

import threading
import time

import numpy as np
import pytest
import torch
from toy import broken, grey, source, toy_predictor

import sapiens
from sapiens.errors import InputError
from sapiens.imaging.frame import Frame
from sapiens.inference.engine import run
from sapiens.inference.fleet import Fleet, device_names
from sapiens.inference.item import Source


def fleet(count: int = 3, **changes) -> Fleet:
    return Fleet([toy_predictor(**changes) for _ in range(count)])


def alive() -> list[str]:
    # The thread of a test server (sapiens-desk) lives as long as the server.
    ours = [t for t in threading.enumerate() if t.name.startswith("sapiens-") and t.name != "sapiens-desk"]
    for thread in ours:
        thread.join(5)
    return [t.name for t in ours if t.is_alive()]


def values(items) -> list[int]:
    return [round(float(i.results["toy"].means[0, 0]) * 58.395 + 123.675) for i in items]


def test_fleet__results_in_order_whoever_is_faster() -> None:
    def forward(model, x, setup):
        time.sleep(float(torch.rand(())) * 0.02)
        return {"means": model(x)}

    items = list(run([source(v) for v in range(50)], [fleet(batch_size=3, forward=forward)]))
    assert values(items) == list(range(50))
    assert alive() == []


def test_fleet__as_many_passes_at_once_as_copies() -> None:
    running, most, lock = [0], [0], threading.Lock()

    def forward(model, x, setup):
        with lock:
            running[0] += 1
            most[0] = max(most[0], running[0])
        time.sleep(0.03)
        with lock:
            running[0] -= 1
        return {"means": model(x)}

    list(run([source(v) for v in range(24)], [fleet(3, batch_size=2, forward=forward)]))
    assert most == [3]


def test_fleet__every_copy_works() -> None:
    predictors = [toy_predictor(batch_size=1, forward=lambda m, x, s: (time.sleep(0.01), {"means": m(x)})[1])
                  for _ in range(2)]  # fmt: skip
    list(run([source(v) for v in range(20)], [Fleet(predictors)]))
    assert all(len(p.model.batches) > 2 for p in predictors)


def test_fleet__people_across_batches_meet_again() -> None:
    predictors = Fleet([toy_predictor(batch_size=2, top_down=True) for _ in range(2)])
    boxes = [[k, 0, k + 1, 2] for k in range(5)]
    sources = [Source(f"p{n}", lambda n=n: Frame(grey(n, 9, 9), "p")) for n in range(6)]
    items = list(run(sources, [predictors], find=predictors.people_finder(boxes=lambda item: boxes)))
    for item in items:
        assert np.allclose(item.results["toy"].means[:, 0] * 58.395 + 123.675, range(5), atol=1e-3)


def test_fleet__failed_pictures_wait_their_turn() -> None:
    items = list(run([source(0), broken("bad"), source(2)], [fleet()]))
    assert [i.error is None for i in items] == [True, False, True]


def test_fleet__error_ends_the_run_and_names_the_pictures() -> None:
    def forward(model, x, setup):
        raise RuntimeError("out of memory")

    with pytest.raises(RuntimeError, match="out of memory") as caught:
        list(run([source(v) for v in range(20)], [fleet(forward=forward)]))
    assert any("while working on p0" in note for note in caught.value.__notes__)
    assert alive() == []


def test_fleet__early_stop_leaves_no_thread() -> None:
    items = run((source(v % 200) for v in range(1000)), [fleet()])
    next(items)
    items.close()
    assert alive() == []


def test_fleet__must_be_one_network() -> None:
    with pytest.raises(InputError, match="at least one"):
        Fleet([])
    with pytest.raises(InputError, match="the same network"):
        Fleet([toy_predictor(), toy_predictor(compat="reference")])


@pytest.mark.parametrize(
    ("text", "wanted"),
    [("0,1", ["cuda:0", "cuda:1"]), ("cpu, cpu", ["cpu", "cpu"]), ("cuda:3", ["cuda:3"])],
)
def test_device_names(text: str, wanted: list[str]) -> None:
    assert device_names(text) == wanted


def test_device_names__none() -> None:
    with pytest.raises(InputError, match="expected numbers of GPUs"):
        device_names(" ,")


def test_fleet__real_network_gives_what_one_gives() -> None:
    one, other = (sapiens.load("seg", size="nano", weights="untrained", device="cpu") for _ in range(2))
    images = [np.random.default_rng(n).integers(0, 255, (20 + n, 30, 3), np.uint8) for n in range(5)]
    from sapiens.inference.predictor import picture_source

    items = run((picture_source(image, n) for n, image in enumerate(images)), [Fleet([one, other])])
    for item, wanted in zip(items, one(images), strict=True):
        assert np.array_equal(item.results["seg"].labels, wanted.labels)
