"""`ExecutionBlocked` raised by the author: upstream's way to wait for whichever comes first."""

import pytest

from simpleflow_lab import Chain, Group, Workflow, activity
from simpleflow_lab.exceptions import DecisionTaskError, ExecutionBlocked
from simpleflow_lab.replay.replay import Replay
from tests.test_properties import replays_as_recorded

TASKS = {"task_list": "blocked", "version": "1"}


@activity.with_attributes(name="blocked.steal", **TASKS)
def steal(initial, target):
    return min(initial + 60, target)


@activity.with_attributes(name="blocked.find", **TASKS)
def find(what):
    found.append(what)
    return what


found: list[str] = []


class Pirate(Workflow):
    """After upstream's examples/pirate."""

    name = "blocked.pirate"
    task_list = "blocked"

    def run(self, money_needed=150):
        entered.append(self)
        money = 0
        while money < money_needed:
            money = self.submit(steal, initial=money, target=money_needed).result
        built, stolen, crew = self.submit(find, "built"), self.submit(find, "stolen"), self.submit(find, "crew")
        self.submit(find, "parrot")
        if not (crew.finished and (built.finished or stolen.finished)):
            raise ExecutionBlocked()
        return [money, crew.result]


entered: list[Workflow] = []


def scheduled(execution):
    return [e.attributes["activityId"] for e in execution.history() if e.type == "ActivityTaskScheduled"]


@pytest.mark.parametrize("replay_cache_size", [0, 500])
def test_pirates_wait_for_a_crew_and_any_ship(lab, replay_cache_size):
    entered.clear()
    execution = lab.start(Pirate, 150)
    assert execution.result(200) == [150, "crew"]
    assert sorted(scheduled(execution)) == sorted(
        [f"activity-blocked.steal-{n}" for n in (1, 2, 3)] + [f"activity-blocked.find-{n}" for n in (1, 2, 3, 4)]
    )
    assert len(set(map(id, entered))) > 1
    replays_as_recorded(Pirate, execution.history(), execution.workflow_id, execution.run_id)


class Everything(Workflow):
    """Raises `ExecutionBlocked` before each step, with tasks of all kinds submitted and fibers suspended."""

    name = "blocked.everything"
    task_list = "blocked"

    def run(self, order):
        chain = self.submit(Chain((find, "c1"), (find, "c2"), (find, "c3")))
        few = self.submit(Group((find, "g1"), (find, "g2"), (find, "g3"), max_parallel=1))
        steps = [self.step(what) for what in order]
        late = self.submit(find, few)
        try:
            for future in (*steps, chain, few, late):
                if not future.finished:
                    raise ExecutionBlocked
        except ExecutionBlocked:
            raise
        after = self.submit(find, "after").result
        return [chain.result, few.result, late.result, after, [m.name for m in self.list_markers()]]

    def step(self, what):
        match what:
            case "child":
                return self.submit(Child, "child")
            case "timer":
                return self.submit(self.start_timer("hour", 3600))
            case "marker":
                return self.submit(self.record_marker("noted", {"n": 1}))
            case "signal":
                self.submit(self.signal("heard", 7))
                return self.submit(self.wait_signal("heard"))
            case "flaky":
                return self.submit(flaky)
            case _:
                return self.submit(find, what)


class Child(Workflow):
    name = "blocked.child"
    task_list = "blocked"

    def run(self, x):
        return x


@activity.with_attributes(name="blocked.flaky", retry=2, **TASKS)
def flaky():
    if activity.current_context()["run_id"] not in tried:
        tried.add(activity.current_context()["run_id"])
        raise RuntimeError("once")


tried: set[str] = set()

ORDERS = [
    ["child", "timer", "marker", "signal", "flaky", "other"],
    ["flaky", "timer"],
    ["signal", "child", "marker"],
]


@pytest.mark.parametrize("order", ORDERS, ids=["everything", "flaky", "signal"])
def test_no_command_of_any_kind_is_made_twice(virtual_lab, order):
    execution = virtual_lab.start(Everything, order)
    groups = [["c1", "c2", "c3"], ["g1", "g2", "g3"]]
    assert execution.result(200) == [*groups, ["g1", "g2", "g3"], "after", ["noted"] if "marker" in order else []]
    types = [event.type for event in execution.history()]
    assert types.count("ActivityTaskScheduled") == 8 + ("other" in order) + 2 * ("flaky" in order)
    assert types.count("StartChildWorkflowExecutionInitiated") == ("child" in order)
    assert types.count("TimerStarted") == ("timer" in order)
    assert types.count("MarkerRecorded") == ("marker" in order)
    assert types.count("SignalExternalWorkflowExecutionInitiated") == ("signal" in order)
    replays_as_recorded(Everything, execution.history(), execution.workflow_id, execution.run_id)


def test_a_fiber_that_raises_it_blocks_the_workflow(lab):
    from simpleflow_lab import FuncGroup

    class InAStrand(Workflow):
        name = "blocked.in_a_fiber"
        task_list = "blocked"

        def run(self):
            other = self.submit(find, "other")

            def second(first):
                if not other.finished:
                    raise ExecutionBlocked
                return Group((find, first + other.result))

            return self.submit(Chain((find, "first"), FuncGroup(second), send_result=True)).result

    assert lab.start(InAStrand).result(200) == ["first", ["firstother"]]


def test_another_command_at_the_same_place_is_found_out_and_names_both_lines(lab):
    class Shifty(Workflow):
        name = "blocked.shifty"
        task_list = "blocked"

        def run(self):
            self.submit(find, "first")
            if self.executor.history.last_event_id > 3:
                self.submit(find, "squeezed in")
            self.submit(find, "second")
            raise ExecutionBlocked

    execution = lab.start(Shifty)
    with pytest.raises(DecisionTaskError) as stuck:
        execution.result(200)
    assert "squeezed in" in str(stuck.value)
    assert 'self.submit(find, "second")' in str(stuck.value)
    execution.terminate()


def test_an_error_of_the_same_id_can_not_be_swallowed(lab):
    class Swallows(Workflow):
        name = "blocked.swallows"
        task_list = "blocked"

        def run(self):
            try:
                self.submit(find, "again" if self.executor.history.last_event_id > 3 else "once")
            except Exception:
                return "swallowed"
            raise ExecutionBlocked

    execution = lab.start(Swallows)
    with pytest.raises(DecisionTaskError):
        execution.result(200)
    execution.terminate()


def test_a_cached_replay_and_one_made_anew_are_suspended_at_the_same_place(lab):
    class Halfway(Workflow):
        name = "blocked.halfway"
        task_list = "blocked"

        def run(self):
            first, second = self.submit(find, "first"), self.submit(find, "second")
            if not first.finished:
                raise ExecutionBlocked
            return [first.result, second.result, self.submit(find, "third").result]

    execution = lab.start(Halfway)
    assert execution.result(200) == ["first", "second", "third"]
    replays_as_recorded(Halfway, execution.history(), execution.workflow_id, execution.run_id)
    replay = Replay(Halfway, workflow_id=execution.workflow_id, run_id=execution.run_id)
    for event in execution.history():
        replay.feed([event])
    replay.close()
