"""Two kernels on one store: what both define alike is anybody's to run, what they define differently its own's."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from simpleflow_lab import Lab
from simpleflow_lab.swf.conventions import DEFINITION_DIFFERS_KEY
from tests.examples_count import repeats
from tests.notebook.kernel import Kernel

pytestmark = [pytest.mark.slow, pytest.mark.trial]

CELL = """
import time
from simpleflow_lab import Workflow, activity

TASKS = dict(task_list="together", version="1", retry=3)

@activity.with_attributes(name="together.same", **TASKS)
def same(number):
    time.sleep(0.05)
    return number

@activity.with_attributes(name="together.own", **TASKS)
def own(number):
    return ["{name}", {edition}, number]

class Together(Workflow):
    name, version, task_list = "together", "1", "together"

    def run(self, number):
        return [self.submit(own, self.submit(same, number).result).result for _ in range(4)]
"""


class Notebook:
    """A kernel with its definitions, of which there are editions."""

    def __init__(self, kernel: Kernel, name: str, edition: int = 0):
        self.kernel, self.name, self.edition = kernel, name, edition
        self.run("from simpleflow_lab import Lab\nlab = Lab()")
        self.define()

    def run(self, code: str) -> str:
        reply = self.kernel.run(code)
        assert reply.error is None, reply.shown
        return reply.stdout

    def define(self) -> None:
        self.run(CELL.format(name=self.name, edition=self.edition))


@pytest.mark.parametrize(("killed", "seed"), [("b", 1), ("a", 2), *repeats([("b", seed) for seed in range(3, 8)])])
def test_each_kernel_runs_what_it_has_started_while_both_edit_and_one_is_killed(
    tmp_path: Path, killed: str, seed: int
) -> None:
    """Kernel `a` owns the store. When `b` is killed, `a` may run what that has started, and its attempts say so."""
    store = tmp_path / "store.sqlite"
    chance = random.Random(seed)
    started: dict[str, list[int]] = {"a": [], "b": []}
    with Kernel(store) as first, Kernel(store) as second, Kernel(store) as third:
        notebooks = {"a": Notebook(first, "a"), "b": Notebook(second, "b")}
        for number in range(24):
            notebook = notebooks[chance.choice("ab")]
            if chance.random() < 0.3:
                notebook.edition += 1
                notebook.define()
            notebook.run(f"lab.start(Together, {number}, workflow_id='{notebook.name}-{number}')")
            started[notebook.name].append(number)
        notebooks[killed].kernel.kill()
        again = notebooks[killed] = Notebook(third, killed, notebooks[killed].edition)
        again.run("resumed = lab.resume()")
        for notebook in notebooks.values():
            ids = [f"{notebook.name}-{number}" for number in started[notebook.name]]
            found = json.loads(
                notebook.run(f"import json\nprint(json.dumps([lab.execution(i).result(60) for i in {ids}]))")
            )
            for number, results in zip(started[notebook.name], found, strict=True):
                assert [each[2] for each in results] == [number] * 4
                assert {each[0] for each in results} <= {"a", "b"}
                own_editions = [each[1] for each in results if each[0] == notebook.name]
                assert own_editions == sorted(own_editions)
    with Lab(store, serve="nothing") as lab:
        for name, numbers in started.items():
            for number in numbers:
                history = lab.execution(f"{name}-{number}").history()
                events = {event.id: event for event in history}
                for event in history:
                    result = event.attributes.get("result") if event.type == "ActivityTaskCompleted" else None
                    if result is None or not result.startswith("["):
                        continue
                    ran = json.loads(result)[0]
                    identity = json.loads(events[event.attributes["startedEventId"]].attributes["identity"])
                    if ran != name and killed == "b":
                        assert (name, DEFINITION_DIFFERS_KEY in identity) == ("b", True)
