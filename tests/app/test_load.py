"""A server as users start it, under load and at its end."""

import signal
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import psutil
import pytest
from helpers_app import Client, command, encoded, picture, wait_for

import sapiens
from sapiens.tasks import TASKS, get_task

IMAGES = [picture(seed, 40 + 9 * seed, 64 - 5 * seed) for seed in range(4)]
FILES = [encoded(image) for image in IMAGES]
FLAT_BYTES = 64 << 20
"""More than the allocator's play, far less than what 200 leaked requests would hold."""


@pytest.fixture(scope="module")
def expected():
    """What every answer must say: by task and picture, one number that tells them apart."""
    found = {}
    for task in TASKS:
        predictor = sapiens.load(task, "nano")
        options = {"whole_image": True} if get_task(task).top_down else {}
        for number, result in enumerate(predictor(IMAGES, **options)):
            found[task, number] = {name: float(np.mean(array)) for name, array in result.arrays().items()}
    return found


def ask(client: Client, number: int) -> tuple[str, int, object]:
    """Request number so and so of a mixed load; every eighth is one that must be refused."""
    task, image = list(TASKS)[number % 6], number % 4
    fields = {"whole_image": "true"} if get_task(task).top_down else {}
    body = b"no picture" if number % 8 == 7 else FILES[image]
    while True:
        answer = client.predict(task, body, fields, name=f"{number}.png")
        if answer.status != 429:
            return task, image, answer
        time.sleep(0.1 * int(answer.headers["retry-after"]))


@pytest.fixture(scope="module")
def served():
    """The process and a client of it; the last test ends it."""
    with command("--max-requests", 12) as (process, client):
        wait_for(lambda: client.get("/v1/models").status == 200)
        yield process, client


def test_load__200_mixed_requests_from_16_clients(expected, served) -> None:
    process, client = served
    memory = psutil.Process(process.pid).memory_info
    with ThreadPoolExecutor(16) as pool:
        # What the first requests load stays; what the others take must not.
        list(pool.map(lambda number: ask(client, number), range(24)))
        before = memory().rss
        answers = list(pool.map(lambda number: ask(client, number), range(200)))
    grown = memory().rss - before
    metrics = client.get("/metrics").body.decode()
    statuses = Counter(answer.status for _, _, answer in answers)
    assert statuses == {200: 175, 400: 25}
    for number, (task, image, answer) in enumerate(answers):
        if answer.status == 400:
            assert answer.json["error"].startswith(f"{number}.png:")
            continue
        assert (answer.json["image_id"], answer.json["task"]) == (f"{number}.png", task)
        assert answer.json["size_hw"] == list(IMAGES[image].shape[:2])
        for name, mean in expected[task, image].items():
            assert np.mean(answer.array(name)) == pytest.approx(mean, rel=1e-3, abs=1e-3), (number, name)
    assert len({answer.headers["x-request-id"] for _, _, answer in answers}) == 200
    assert grown < FLAT_BYTES
    passes = sum(float(line.split()[-1]) for line in metrics.splitlines() if line.startswith("sapiens_batches_total"))
    batched = [line for line in metrics.splitlines() if line.startswith("sapiens_batched_requests_total")]
    assert passes < sum(float(line.split()[-1]) for line in batched), "requests were never taken together"


def test_sigterm__loses_no_accepted_request(served) -> None:
    process, client = served
    statuses: Counter[int | str] = Counter()
    lock = threading.Lock()

    def keep_asking() -> None:
        status: int | str = 200
        while status != "not taken":
            try:
                status = client.predict("albedo", FILES[0]).status
            except OSError:
                status = "not taken"
            with lock:
                statuses[status] += 1

    accepted = counted(client, "accepted")
    threads = [threading.Thread(target=keep_asking) for _ in range(8)]
    for thread in threads:
        thread.start()
    wait_for(lambda: statuses[200] > 10)
    process.send_signal(signal.SIGTERM)
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    assert process.wait(60) == 0
    # Every thread ends with a connection that was not taken; everything that was accepted before was answered.
    assert statuses["not taken"] == 8
    assert set(statuses) <= {200, 503, "not taken"}
    total = accepted + statuses[200]
    assert f"{total} requests accepted, {total} answered, 0 left" in process.stderr.read()


def counted(client: Client, name: str) -> int:
    lines = client.get("/metrics").body.decode().splitlines()
    return int(next(line for line in lines if line.startswith(f"sapiens_{name}_total ")).split()[-1])
