"""Deciders: cached replays, and those made anew."""

import pytest

from simpleflow_lab import Lab, Workflow, activity, futures
from simpleflow_lab.exceptions import UsageError

TASKS = {"task_list": "deciders", "version": "1"}


@activity.with_attributes(name="deciders.increment", **TASKS)
def increment(x):
    return x + 1


class Steps(Workflow):
    """Waits, branches and fans out."""

    name = "deciders.steps"
    task_list = "deciders"

    def run(self, n):
        entered.append(1)
        value = 0
        for _ in range(n):
            value = self.submit(increment, value)
            if value.result % 2:
                futures.wait(self.map(increment, range(2)))
        return value.result


entered: list[int] = []


def commands(execution):
    """The events that decisions caused, in order, without times."""
    return [
        (event.type, event.attributes.get("activityId"), event.attributes.get("input"), event.attributes.get("result"))
        for event in execution.history()
        if "decisionTaskCompletedEventId" in event.attributes
    ]


def test_a_cached_replay_runs_the_code_once():
    entered.clear()
    with Lab(":memory:", activity_threads=4) as lab:
        assert lab.start(Steps, 6).result(30) == 6
    assert len(entered) == 1


def test_a_replay_made_anew_each_time_decides_as_a_cached_one():
    commanded = []
    for size in (0, 500):
        entered.clear()
        with Lab(":memory:", activity_threads=4, replay_cache_size=size) as lab:
            execution = lab.start(Steps, 6)
            assert execution.result(30) == 6
            commanded.append(commands(execution))
        assert len(entered) > 6 if size == 0 else len(entered) == 1
    assert commanded[0] == commanded[1]


def test_a_cache_of_a_negative_size_is_refused():
    with pytest.raises(UsageError, match="replay_cache_size must be 0 or more"):
        Lab(":memory:", replay_cache_size=-1)


def test_executions_side_by_side_are_decided_each_for_itself():
    with Lab(":memory:", activity_threads=3) as lab:
        executions = [lab.start(Steps, n) for n in range(1, 20)]
        assert [execution.result(60) for execution in executions] == list(range(1, 20))


def test_an_activity_that_is_not_defined_here_fails_with_the_way_out(lab):
    gone = activity.with_attributes(name="deciders.gone", raises_on_failure=True, **TASKS)(lambda: None)

    class NeedsIt(Workflow):
        name = "deciders.needs_it"
        task_list = "deciders"

        def run(self):
            del activity.registry["deciders.gone", "1"]
            return self.submit(gone).exception.reason

    assert "no activity 'deciders.gone' version '1' is defined in this process" in lab.start(NeedsIt).result(30)


def test_no_thread_is_left_when_a_lab_is_closed():
    import threading

    before = {thread.name for thread in threading.enumerate()}
    with Lab(":memory:", activity_threads=3) as lab:
        lab.start(Steps, 2).result(30)
    left = [thread for thread in threading.enumerate() if thread.name not in before and thread.is_alive()]
    for thread in left:
        thread.join(30)
    assert [thread.name for thread in left if thread.is_alive()] == []
