"""What a server does before it says its address, so that the first picture is as fast as the next."""

import asyncio
import subprocess
import sys

from helpers_app import command, numbers

from sapiens.app.features import SERVED
from sapiens.app.limits import Limits
from sapiens.app.service import Service
from sapiens.app.shelf import Shelf
from sapiens.tasks import TASKS

IMPORTS = """
import asyncio, sys
from sapiens.app.limits import Limits
from sapiens.app.service import Service
from sapiens.app.shelf import Shelf
service = Service(Shelf(Limits()), Limits())
asyncio.run(service.warm())
service.desk.close()
assert service.shelf.loaded() == 6
print(*sorted({"torch._dynamo", "sympy", "transformers", "scipy", "av"} & set(sys.modules)))
"""


def test_address__is_said_when_every_network_has_run() -> None:
    with command() as (_, client):
        found = numbers(client)
    assert found["sapiens_loaded_models"] == len(TASKS)
    assert found["sapiens_waiting_requests"] == 0
    assert all(found[f'sapiens_batches_total{{task="{task}"}}'] >= 1 for task in SERVED)


def test_first_run__imports_no_compiler() -> None:
    """torch's takes a second to import, and is a call on the meta device away."""
    done = subprocess.run([sys.executable, "-c", IMPORTS], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == ""


class Broken(Shelf):
    """One network that cannot be had."""

    def predictors(self, key):
        if key.task == "pose":
            raise RuntimeError("no such luck")
        return super().predictors(key)


def test_first_run__that_fails_is_said_and_the_others_work(caplog) -> None:
    limits = Limits()
    service = Service(Broken(limits), limits)
    asyncio.run(service.warm())
    service.desk.close()
    assert "pose: the first run failed: no such luck" in caplog.text
    assert service.shelf.loaded() == len(TASKS) - 1
