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
        assert lab.start(Steps, 6).result(200) == 6
    assert len(entered) == 1


def test_a_replay_made_anew_each_time_decides_as_a_cached_one():
    commanded = []
    for size in (0, 500):
        entered.clear()
        with Lab(":memory:", activity_threads=4, replay_cache_size=size) as lab:
            execution = lab.start(Steps, 6)
            assert execution.result(200) == 6
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


def test_an_activity_that_no_process_defines_waits_until_one_does(lab):
    gone = activity.with_attributes(name="deciders.gone", raises_on_failure=True, **TASKS)(lambda: None)

    class NeedsIt(Workflow):
        name = "deciders.needs_it"
        task_list = "deciders"

        def run(self):
            return self.submit(gone).result

    del activity.registry["deciders.gone", "1"]
    execution = lab.start(NeedsIt)
    ids = {"workflowId": execution.workflow_id, "runId": execution.run_id}
    while not any(event.type == "ActivityTaskScheduled" for event in execution.history()):
        next(execution.watch(timeout=200))
    with pytest.raises(TimeoutError):
        execution.result(0.5)
    waiting = lab.service.describe_waiting(domain=lab.domain, execution=ids)["tasks"]
    assert [task["reason"] for task in waiting] == ["no process defines deciders.gone 1"]
    activity.with_attributes(name="deciders.gone", raises_on_failure=True, **TASKS)(lambda: "found")
    assert execution.result(200) == "found"


def test_no_thread_is_left_when_a_lab_is_closed():
    import threading

    before = set(threading.enumerate())
    with Lab(":memory:", activity_threads=3) as lab:
        lab.start(Steps, 2).result(200)
    left = [thread for thread in threading.enumerate() if thread not in before]
    for thread in left:
        thread.join(200)
    assert [thread.name for thread in left if thread.is_alive()] == []
