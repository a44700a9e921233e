"""A fork runs the code of today: what that asks for as before is reused, and the rest runs."""

from collections import Counter

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.replay.trace import watch

TASKS = {"task_list": "edits", "version": "1"}
calls: Counter[str] = Counter()


@activity.with_attributes(name="edits.increment", **TASKS)
def increment(number):
    calls[f"increment {number}"] += 1
    return number + 1


class Sum(Workflow):
    name, version, task_list = "edits.sum", "1", "edits"

    def run(self, number):
        first = self.submit(increment, number).result
        second = self.submit(increment, first).result
        return [first, second, self.submit(increment, second).result]


def edited(self, number):
    first = self.submit(increment, number).result
    second = self.submit(increment, first).result
    self.submit(increment, 100).wait()
    return [first, second, self.submit(increment, second * 10).result]


def test_an_edited_run_reuses_what_it_asks_for_as_before(monkeypatch):
    calls.clear()
    with Lab(":memory:") as lab:
        origin = lab.start(Sum, 1)
        assert origin.result(timeout=200) == [2, 3, 4]
        monkeypatch.setattr(Sum, "run", edited)
        fork = origin.fork(at=4)
        assert fork.result(timeout=200) == [2, 3, 31]
        assert calls == {"increment 1": 1, "increment 2": 1, "increment 3": 1, "increment 100": 1, "increment 30": 1}
        steps = fork.replay()
        assert steps.first_divergence() is None
        history, names = fork.history(), {"workflow_id": fork.workflow_id, "run_id": fork.run_id}
        for until in range(1, len(history) + 1):
            records = list(watch(Sum, history, until=until, **names))
            assert [record.commands for record in records] == [step.commands for step in steps][: len(records)]
