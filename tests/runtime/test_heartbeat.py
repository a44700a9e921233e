"""Heartbeats: how often, with what, and what comes back."""

from __future__ import annotations

import contextlib
import json
import queue
import threading
import time
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from simpleflow_lab import activity
from simpleflow_lab.activity_context import RunningTask, heartbeat_details, set_current_task
from simpleflow_lab.exceptions import ActivityCanceled, ThrottlingException, UnknownResourceFault
from simpleflow_lab.runtime.coroutines import run_to_end
from simpleflow_lab.runtime.heartbeat import Heartbeats, interval
from simpleflow_lab.swf.limits import MAX_HEARTBEAT_DETAILS


class Service:
    """Answers heartbeats as the test wants, and records them."""

    def __init__(self):
        self.beats: queue.Queue[tuple[float, str, str | None]] = queue.Queue()
        self.answers: dict[str, object] = {}

    def record_activity_task_heartbeat(self, *, taskToken, details=None):
        self.beats.put((time.monotonic(), taskToken, details))
        answer = self.answers.get(taskToken, False)
        if isinstance(answer, Exception):
            raise answer
        return {"cancelRequested": answer}

    def next(self):
        return self.beats.get(timeout=200)


@pytest.fixture
def service() -> Service:
    return Service()


@pytest.fixture
def heartbeats(service) -> Iterator[Heartbeats]:
    sender = Heartbeats(service)
    yield sender
    sender.stop()


def begun(heartbeats, token="token", timeout="300"):
    task = RunningTask(
        {"activity_id": token, "name": "work", "run_id": "run"},
        report=lambda text: heartbeats.send_soon(token),
        finish=run_to_end,
    )
    heartbeats.begin(token, task, timeout)
    return task


def until_canceled(task):
    """Send heartbeats until the answer is that it should stop; gives why."""
    with set_current_task(task):
        try:
            while True:
                activity.heartbeat("working")
        except ActivityCanceled as error:
            return str(error)


@pytest.mark.parametrize(
    ("timeout", "seconds"), [("3", 1), ("300", 60), ("60", 20), ("NONE", 60), ("0", 0.3), ("1", 1 / 3)]
)
def test_a_heartbeat_comes_three_times_in_its_timeout(timeout, seconds):
    """P7: upstream's interval has nothing to do with the timeout."""
    assert interval(timeout) == seconds


def test_a_task_is_reported_whatever_it_does(heartbeats, service):
    begun(heartbeats, timeout="1")
    first, second = service.next(), service.next()
    assert first[1:] == second[1:] == ("token", None)
    assert second[0] - first[0] > 0.3


def test_the_first_report_goes_out_at_once_and_then_the_newest_now_and_then(heartbeats, service):
    task = begun(heartbeats, timeout="3")
    began = time.monotonic()
    with set_current_task(task):
        activity.heartbeat(0)
        beats = [service.next()]
        assert json.loads(beats[0][2]) == {"progress": 0}
        while len(beats) < 3:
            for step in range(1000):
                activity.heartbeat(step, "steps")
            with contextlib.suppress(queue.Empty):
                beats.append(service.beats.get_nowait())
    while json.loads(beats[-1][2]) != {"progress": 999, "details": "steps"}:
        beats.append(service.next())
    assert len(beats) <= 2 + 3 * (time.monotonic() - began)  # three times in a third of the timeout


def test_a_loop_that_says_all_the_time_how_far_it_is_costs_few_calls(heartbeats, service):
    began = time.monotonic()
    task = begun(heartbeats, timeout="9")
    with set_current_task(task):
        for step in range(5000):
            activity.heartbeat(step / 5000)
    assert service.next()
    assert service.beats.qsize() <= 3 + (time.monotonic() - began)  # three times in a third of the timeout


@pytest.mark.parametrize("error", [ThrottlingException("slow down"), ConnectionError("no route"), ValueError("a bug")])
def test_heartbeats_never_die_of_an_error(heartbeats, service, error):
    """P3: three errors killed upstream's poller."""
    service.answers["token"] = error
    task = begun(heartbeats, timeout="1")
    for _ in range(4):
        service.next()
    service.answers["token"] = True
    service.next()
    assert until_canceled(task) == "it was asked to cancel"


def test_a_heartbeat_that_fails_is_repeated_sooner_than_the_next_one_is_due(heartbeats, service):
    service.answers["token"] = ThrottlingException("slow down")
    task = begun(heartbeats, timeout="30")
    with set_current_task(task):
        activity.heartbeat(0)
    first, second = service.next(), service.next()
    assert second[0] - first[0] < 9  # 1.25 to 2.5 s, where ten are the rule


def test_a_cancel_request_is_raised_once_in_each_thread(heartbeats, service):
    service.answers["token"] = True
    task = begun(heartbeats, timeout="1")
    raised = []

    def helper():
        raised.append(until_canceled(task))

    thread = threading.Thread(target=helper)
    thread.start()
    until_canceled(task)
    with set_current_task(task):
        activity.heartbeat("cleaning up")
    thread.join(60)
    assert raised == ["it was asked to cancel"]


def test_a_task_that_is_gone_is_canceled_in_other_words_and_has_no_more_heartbeats(heartbeats, service):
    service.answers["token"] = UnknownResourceFault("Unknown execution")
    task = begun(heartbeats, timeout="1")
    assert until_canceled(task) == "nobody waits for it any more: Unknown execution"
    assert task.is_gone
    assert heartbeats.tasks == []


def test_one_slow_call_does_not_keep_the_others_waiting(heartbeats, service):
    gate = threading.Event()
    answer = service.record_activity_task_heartbeat

    def slow(*, taskToken, details=None):
        if taskToken == "slow":
            gate.wait(60)
        return answer(taskToken=taskToken, details=details)

    service.record_activity_task_heartbeat = slow
    begun(heartbeats, "slow", "1")
    for number in range(10):
        begun(heartbeats, f"quick {number}", "1")
    found: set[str] = set()
    while len(found) < 10:  # all of them come, while the slow one does not
        found.add(service.next()[1])
    assert "slow" not in found
    gate.set()


def test_a_heartbeat_outside_an_activity_does_nothing():
    assert activity.heartbeat(0.5, "alone") is None
    assert activity.current_context() == {}


def test_what_a_task_says_is_there_to_be_seen(heartbeats):
    task = begun(heartbeats)
    assert task.progress.progress is None
    task.send_heartbeat(heartbeat_details(0.25, {"file": "a.csv"}))
    found = heartbeats.tasks[0].progress
    assert (found.name, found.activity_id, found.progress, found.details) == ("work", "token", 0.25, {"file": "a.csv"})


class Sullen:
    def __str__(self):
        raise RuntimeError("no")


_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.binary()
    | st.builds(Sullen)
    | st.builds(object),
    lambda inner: st.lists(inner) | st.dictionaries(st.text() | st.integers(), inner),
    max_leaves=20,
)


@given(
    _values | st.text(min_size=1000, max_size=4000),
    _values | st.text(alphabet="é😀\ud800x", min_size=500, max_size=4000),
)
def test_no_progress_and_no_details_are_too_much(progress, details):
    text = heartbeat_details(progress, details)
    if text is None:
        assert progress is None
        assert details is None
    else:
        assert len(text) <= MAX_HEARTBEAT_DETAILS
        assert set(json.loads(text)) <= {"progress", "details"}


def test_long_details_keep_their_beginning():
    record = json.loads(heartbeat_details(0.5, {"log": "x" * 10_000}))
    assert record["progress"] == "0.5"
    assert record["details"].startswith('{"log":"xxx')
    assert len(record["details"]) > 1500
