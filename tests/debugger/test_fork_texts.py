"""What a fork inherits comes from a history, and so from anybody: damaged or hostile, it is refused in one line."""

import base64
import json
import zlib
from datetime import UTC, datetime

import pytest

from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.replay.inherited import InheritedRun, Splice, from_text, to_text
from simpleflow_lab.swf.fork_start import EXTRA, KEY, ForkedFrom, forked_from, tag_of_origin, tags_of_run
from simpleflow_lab.swf.history import HistoryEvent
from simpleflow_lab.swf.inherited_text import pack, unpack
from simpleflow_lab.views.reused_tasks import reused_tasks

NOW = datetime(2026, 11, 29, 4, 0, 0, 123_000, tzinfo=UTC)
RUN = InheritedRun(
    workflow_id="w",
    run_id="r",
    events=[
        HistoryEvent(2, "DecisionTaskScheduled", NOW, {}),
        HistoryEvent(3, "DecisionTaskStarted", NOW, {"scheduledEventId": 2, "identity": "me"}),
    ],
    given={"a-1": '"é"', "a-2": None},
    children={"c-1": '{"args": []}'},
)


def packed(value: object) -> str:
    plain = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.b85encode(zlib.compress(plain)).decode()


def test_what_is_written_is_read() -> None:
    text = to_text([RUN, RUN])
    assert from_text(text) == [RUN, RUN]
    assert json.dumps(text) == f'"{text}"'


WRONG_EVENTS = [
    ["WorkflowExecutionCompleted", 0, {"result": "1"}],
    ["WorkflowExecutionStarted", 0, {"input": "1"}],
    ["DecisionTaskCompleted", 0, {}],
    ["DecisionTaskStarted", 0, {"scheduledEventId": -7}],
    ["DecisionTaskStarted", 0, {"scheduledEventId": True}],
    ["ActivityTaskScheduled", 0, {"activityId": [1], "activityType": {"name": "a", "version": "1"}}],
    ["ActivityTaskScheduled", 0, {"activityId": "a", "activityType": "s"}],
    ["ActivityTaskCompleted", 0, {"scheduledEventId": 1, "result": 5}],
    ["ActivityTaskCompleted", 0, {}],
    ["WorkflowExecutionSignaled", 0, {"signalName": 5}],
    ["WorkflowExecutionSignaled", 0, {}],
    ["MarkerRecorded", 0, {"markerName": None}],
    ["TimerFired", 0, {"timerId": 1, "startedEventId": 1}],
    ["ChildWorkflowExecutionCompleted", 0, {"workflowExecution": 3, "initiatedEventId": 1}],
]


@pytest.mark.parametrize("event", WRONG_EVENTS)
def test_an_event_of_a_wrong_shape_is_refused_at_the_door(event: object) -> None:
    with pytest.raises(HistoryError, match="can't be read: ValueError: "):
        from_text(packed([{"workflow_id": "w", "run_id": "r", "events": [event], "given": {}}]))


TASK = ["ActivityTaskScheduled", 0, {"activityId": "a", "activityType": {"name": "load", "version": "1"}}]
CLOSED = ["ActivityTaskCompleted", 0, {"scheduledEventId": 2, "result": "5"}]


def reused(text: str) -> list[tuple[str, str, str | None]]:
    origin = ForkedFrom(workflow_id="w", run_id="r", at="", results=1, replaced=(), inherited=text)
    input = json.dumps({"args": [], EXTRA: {KEY: origin.member()}})
    started = HistoryEvent(1, "WorkflowExecutionStarted", NOW, {"input": input})
    return [(task.id, task.name, task.result) for task in reused_tasks([started])]


def test_a_view_reads_the_tasks_of_a_text_and_none_of_a_damaged_one() -> None:
    run = {"workflow_id": "w", "run_id": "r", "given": {}}
    assert reused(packed([{**run, "events": [TASK, CLOSED]}])) == [("a", "load", "5")]
    assert reused(packed([{**run, "events": [TASK], "given": {"a": "7"}}])) == [("a", "load", "7")]
    assert reused(packed([{**run, "events": [TASK, CLOSED, TASK]}])) == []
    assert reused(packed([{**run, "events": [TASK, CLOSED]}])[:-5]) == []
    odd = ["ActivityTaskCompleted", 0, {"scheduledEventId": [2]}]
    for event in [*WRONG_EVENTS, odd, 1, [], ["A"], [1, 2, {}], None]:
        assert reused(packed([{**run, "events": [event, TASK], "given": 5}])) == []
    for value in ({}, [1], [{}], 5, None, [{**run, "events": 5}]):
        assert reused(packed(value)) == []


EVENTS = [["DecisionTaskScheduled", 0, {}]]


@pytest.mark.parametrize("given", [{"a": 5}, {"a": [1]}, [["a", "1"]], 5])
def test_a_given_result_or_a_child_of_a_wrong_shape_is_refused_at_the_door(given: object) -> None:
    with pytest.raises(HistoryError, match="what this fork inherits can't be read"):
        from_text(packed([{"workflow_id": "w", "run_id": "r", "events": EVENTS, "given": given}]))
    with pytest.raises(HistoryError, match="what this fork inherits can't be read"):
        from_text(packed([{"workflow_id": "w", "run_id": "r", "events": EVENTS, "given": {}, "children": given}]))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "é",
        "~~~",
        packed(b"\xff"),
        packed(b"[" * 100_000),
        packed({}) + "0",
        packed([1]),
        packed([{}]),
        packed([{"workflow_id": "w", "run_id": "r", "events": [1], "given": {}}]),
        packed([{"workflow_id": "w", "run_id": "r", "events": [[1, 2, {}]], "given": {}}]),
        packed([{"workflow_id": "w", "run_id": "r", "events": [["A", "x", {}]], "given": {}}]),
        packed([{"workflow_id": "w", "run_id": "r", "events": [["A", 10**30, {}]], "given": {}}]),
        packed([{"workflow_id": "w", "run_id": "r", "events": [["A", 0, {"scheduledEventId": 9}]], "given": {}}]),
        packed([{"workflow_id": "w", "run_id": "r", "events": [["A", 0, {"scheduledEventId": "1"}]], "given": {}}]),
        packed([{"workflow_id": "w", "run_id": "r", "events": EVENTS, "given": []}]),
        to_text([RUN])[:-5],
    ],
)
def test_any_other_text_is_refused_in_one_line(text: str) -> None:
    with pytest.raises(HistoryError, match="this fork inherits") as caught:
        from_text(text)
    assert "\n" not in str(caught.value)


def test_a_text_that_expands_without_end_is_refused() -> None:
    with pytest.raises(HistoryError, match="larger than"):
        unpack(packed(b" " * 1_000_000), max_bytes=1_000)
    with pytest.raises(HistoryError, match="at most 1,000"):
        pack(["x"] * 1_000, max_bytes=1_000)


def test_a_spliced_history_has_no_gaps_and_points_back() -> None:
    started = HistoryEvent(1, "WorkflowExecutionStarted", NOW, {})
    own = HistoryEvent(4, "DecisionTaskCompleted", NOW, {"scheduledEventId": 2, "startedEventId": 3})
    splice = Splice(started, [RUN, RUN])
    assert [event.id for event in splice.events] == [1, 2, 3, 4, 5]
    assert splice.events[4].attributes["scheduledEventId"] == 4
    inside = splice.inside(own)
    assert (inside.id, dict(inside.attributes)) == (8, {"scheduledEventId": 6, "startedEventId": 7})
    assert splice.outside(inside) == own
    assert [splice.id_outside(splice.id_inside(number)) for number in (0, 1, 2, 9)] == [0, 1, 2, 9]
    assert sorted(splice.crossings) == [4, 6]


def test_only_a_whole_record_says_that_a_run_is_a_fork() -> None:
    origin = ForkedFrom(workflow_id="w", run_id="r", at="at a-1", results=2, replaced=("a-1",), inherited="x")
    given = {"args": [], "kwargs": {}, EXTRA: {KEY: origin.member()}}
    assert forked_from({"input": json.dumps(given)}) == origin
    assert str(origin) == "forked from w at a-1: up to 2 results reused, 1 of them replaced"
    assert origin.words(0, forked_children=2).endswith("replaced, beside those of 2 children that are forks")
    assert origin.words(1) == "forked from w at a-1: 1 result reused, 1 of them replaced"
    for name in ("workflow_id", "run_id", "at", "inherited", "results", "replaced"):
        for wrong in (None, {}, True):
            broken = {**given, EXTRA: {KEY: {**origin.member(), name: wrong}}}
            assert forked_from({"input": json.dumps(broken)}) is None
    for text in (None, 1, "", KEY, f'{{"{KEY}": 1}}', f"{{{KEY}", json.dumps({EXTRA: [KEY]})):
        assert forked_from({"input": text}) is None
    assert tags_of_run(["a", "forked-from:r"]) == ["a"]
    assert tag_of_origin(["a", "forked-from:r"]) == "r"
    assert tag_of_origin(None) is None
