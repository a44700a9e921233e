"""Whatever a workflow does: simulated with nothing changed it takes as long as it took, and ends as it ended."""

import time
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simpleflow_lab import Lab, Workflow, activity, canvas, futures
from tests.examples_count import examples

TASKS = {"task_list": "any", "version": "1"}
calls: Counter[str] = Counter()


@activity.with_attributes(name="any.work", retry=1, **TASKS)
def work(name, seconds, fails):
    calls[name] += 1
    time.sleep(seconds)
    if calls[name] <= fails:
        raise OSError(f"{name} failed")
    return len(name)


class Steps:
    """What both workflows do."""

    def run(self, plan):
        return [self.one(step, str(number)) for number, step in enumerate(plan)]

    def one(self, step, place):
        kind, *rest = step
        if kind == "work":
            seconds, fails = rest
            future = self.submit(work, f"{place} in {self.get_run_context()['workflow_id']}", seconds, fails)
            return [future.exception is None, None if future.exception else future.result]
        if kind == "group":
            found = self.submit(
                canvas.Group(
                    *(
                        (work, f"{place}.{n} in {self.get_run_context()['workflow_id']}", s, 0)
                        for n, s in enumerate(rest[0])
                    ),
                    max_parallel=rest[1],
                )
            )
            return found.result
        if kind == "timer":
            self.submit(self.start_timer(f"timer {place}", rest[0])).wait()
            return "timer"
        if kind == "marker":
            return self.submit(self.record_marker(f"marker {place}", rest[0])).result
        child = self.submit(Inner, rest[0])
        futures.wait([child])
        return child.result


class Inner(Steps, Workflow):
    name, version, task_list = "any.inner", "1", "any-decisions"


class Any(Steps, Workflow):
    name, version, task_list = "any.outer", "1", "any-decisions"


STEPS = st.one_of(
    st.tuples(st.just("work"), st.sampled_from([0, 0.02, 0.1]), st.sampled_from([0, 0, 1, 2])),
    st.tuples(
        st.just("group"), st.lists(st.sampled_from([0, 0.03]), min_size=1, max_size=5), st.sampled_from([None, 2])
    ),
    st.tuples(st.just("timer"), st.sampled_from([0, 1])),
    st.tuples(st.just("marker"), st.integers()),
)
PLANS = st.lists(
    st.one_of(STEPS, st.tuples(st.just("child"), st.lists(STEPS, max_size=2).map(list))), min_size=1, max_size=4
)


@pytest.fixture(scope="module")
def lab():
    with Lab(":memory:", activity_threads=3) as opened:
        yield opened


@pytest.mark.slow
@examples(6, 60)
@given(plan=PLANS)
def test_nothing_changed_is_as_long_and_any_fork_ends_the_same(lab, plan):
    calls.clear()
    execution = lab.start(Any, plan)
    result = execution.result(timeout=60)
    before = Counter(calls)
    found = execution.what_if()
    assert found.status == "COMPLETED"
    assert "the code here" not in str(found)
    # A busy machine fires a timer some milliseconds late, which no history says of its own.
    late = 0.05 * (1 + sum(event.type == "TimerFired" for event in execution.history()))
    assert found.seconds == pytest.approx(found.recorded_seconds, rel=0.05, abs=late)
    assert found.history[-1].attributes["result"] == execution.history()[-1].attributes["result"]
    assert calls == before
    last = len(execution.replay())
    assert execution.fork(at=last).result(timeout=60) == result
    assert calls == before, "all was recorded by then"
    middle = execution.fork(at=max(1, last // 2)).result(timeout=60)
    assert [type(each) for each in middle] == [type(each) for each in result]
