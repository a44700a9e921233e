"""Histories in and out, whole and broken."""

import datetime
import json
import random
from pathlib import Path

import pytest

from simpleflow_lab import open_history
from simpleflow_lab.exceptions import HistoryError
from simpleflow_lab.swf.event_types import ACTIVITY, EXECUTION
from simpleflow_lab.swf.history import MAX_EVENTS, History, event_from_wire
from simpleflow_lab.swf.history_entities import fold

HISTORIES = sorted((Path(__file__).parents[1] / "histories").glob("*.json"))


def a_history() -> dict:
    return json.loads(HISTORIES[0].read_text())


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_recorded_history_comes_back_from_its_json(path):
    history = History.from_file(path)
    assert History.from_json(history.to_json()) == history
    assert json.loads(history.to_json()) == json.loads(path.read_text())


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_recorded_history_folds_and_every_closed_execution_is_closed_in_the_fold(path):
    history = History.from_file(path)
    entities = fold(history)
    assert entities.execution is not None
    assert entities.execution.kind == EXECUTION
    assert entities.execution.closed == (history.close_status is not None)
    assert all(activity.first.id < activity.last.id for activity in entities.of(ACTIVITY) if activity.closed)


def test_timestamps_of_both_versions_of_the_aws_cli_mean_the_same_moment():
    seconds, iso = a_history(), a_history()
    for event in iso["events"]:
        event["eventTimestamp"] = datetime.datetime.fromtimestamp(
            event["eventTimestamp"], datetime.timezone(datetime.timedelta(hours=2))
        ).isoformat()
    assert History.from_json(json.dumps(iso)) == History.from_json(json.dumps(seconds))


def test_times_of_boto3_which_are_in_the_time_zone_of_the_machine_are_in_utc():
    """What a workflow makes of its clock is the same on every machine that replays it."""
    elsewhere = datetime.datetime(2026, 3, 1, 1, 30, tzinfo=datetime.timezone(datetime.timedelta(hours=2)))
    event = event_from_wire({"eventId": 1, "eventType": "WorkflowExecutionStarted", "eventTimestamp": elsewhere})
    assert str(event.timestamp) == "2026-02-28 23:30:00+00:00"


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_a_history_in_reverse_order_is_the_same_history(path):
    data = json.loads(path.read_text())
    data["events"].reverse()
    assert History.from_json(json.dumps(data)) == History.from_file(path)


@pytest.mark.parametrize("path", HISTORIES, ids=lambda path: path.stem)
def test_the_rows_of_workflow_history_are_the_same_history(path):
    history = History.from_file(path)
    rows = [
        {"id": each.id, "type": each.type, "timestamp": each.timestamp.isoformat(), "attributes": dict(each.attributes)}
        for each in history
    ]
    assert History.from_json(json.dumps(rows)) == history
    assert History.from_json(json.dumps({"events": rows[::-1]})) == history
    rows[1]["id"] = 7
    with pytest.raises(HistoryError, match="event 2 has eventId 7"):
        History.from_json(json.dumps(rows))


def test_a_page_is_told_to_be_one_and_what_saves_all(tmp_path):
    path = tmp_path / "page.json"
    path.write_text(json.dumps({"events": a_history()["events"][:6], "NextToken": "AAAA"}))
    with pytest.raises(
        HistoryError, match=r"page\.json: these 6 events are one page of a history: NextToken .* save all"
    ):
        open_history(path)


@pytest.mark.parametrize(
    ("part", "said"),
    [
        (slice(6, None), "events 7 to "),
        (slice(None, 6, -1), "events 8 to "),
        (slice(8, 4, -1), "events 6 to 9 are one page"),
        (slice(4, 5), "event 5 alone is one page"),
    ],
    ids=["the last page", "the first in reverse order", "one between in reverse order", "one event"],
)
@pytest.mark.parametrize("token", [{}, {"nextPageToken": "AAAA"}], ids=["without a token", "with its token"])
def test_a_page_from_which_the_first_events_are_missing_is_told_to_be_one(part, said, token):
    page = a_history()["events"][part]
    with pytest.raises(HistoryError, match=f"these {len(page)} events are one page" if token else said) as refused:
        History.from_json(json.dumps({"events": page, **token}))
    assert "save all, as aws swf get-workflow-execution-history does" in str(refused.value)


def test_pages_that_were_joined_in_another_order_are_the_same_history():
    data = a_history()
    events = data["events"]
    for joined in (events[6:] + events[:6], events[:5:-1] + events[5::-1], events[5::-1] + events[:5:-1]):
        assert History.from_json(json.dumps({"events": joined})) == History.from_json(json.dumps(data))


def test_a_token_that_names_no_further_page_is_none():
    data = a_history() | {"nextPageToken": None}
    assert History.from_json(json.dumps(data)) == History.from_json(json.dumps(a_history()))


def test_an_event_of_an_unknown_type_is_read_and_written():
    data = a_history()
    data["events"].append(
        {
            "eventId": len(data["events"]) + 1,
            "eventTimestamp": data["events"][-1]["eventTimestamp"],
            "eventType": "SomethingNewHappened",
            "somethingNewHappenedEventAttributes": {"what": "new"},
        }
    )
    history = History.from_json(json.dumps(data))
    assert history[-1].attributes == {"what": "new"}
    assert fold(history).get(history[-1].id).kind == "unknown"


def _broken():
    def changed(change):
        data = a_history()
        change(data["events"])
        return json.dumps(data)

    def attributes(event):
        return next(value for name, value in event.items() if name.endswith("EventAttributes"))

    yield "empty", ""
    yield "not JSON", "{"
    yield "a number", "1"
    yield "no events", '{"events": []}'
    yield "events of strings", '{"events": ["a"]}'
    yield "not a history", '{"event": []}'
    yield "deep", "[" * 100_000
    yield "a gap", changed(lambda events: events.pop(3))
    yield "a double", changed(lambda events: events.insert(3, events[3]))
    yield "wrong order and a gap", changed(lambda events: (events.insert(1, events.pop(3)), events.pop(5)))
    yield "reversed, without its start", changed(lambda events: (events.reverse(), events.pop()))
    yield "no id", changed(lambda events: events[2].pop("eventId"))
    yield "no type", changed(lambda events: events[2].pop("eventType"))
    yield "no timestamp", changed(lambda events: events[2].pop("eventTimestamp"))
    yield "a naive timestamp", changed(lambda events: events[2].update(eventTimestamp="2020-01-01T00:00:00"))
    yield "year 300000", changed(lambda events: events[2].update(eventTimestamp=1e15))
    yield "NaN", changed(lambda events: events[2].update(eventTimestamp=float("nan")))
    yield "forward reference", changed(lambda events: attributes(events[2]).update(scheduledEventId=9))
    yield "reference to itself", changed(lambda events: attributes(events[2]).update(scheduledEventId=3))
    yield "reference as text", changed(lambda events: attributes(events[2]).update(scheduledEventId="2"))
    yield "an input that is no string", changed(lambda events: attributes(events[0]).update(input={"args": []}))
    yield "a page of SWF", json.dumps({"events": a_history()["events"][:6], "nextPageToken": "AAAA"})
    yield "a page of the AWS CLI", json.dumps({"events": a_history()["events"][:6], "NextToken": "AAAA"})
    yield "the last page", json.dumps({"events": a_history()["events"][6:]})
    yield "a page of a reversed one", json.dumps({"events": a_history()["events"][:6:-1], "nextPageToken": "AAAA"})
    yield "a second start", changed(lambda events: events.append({**events[0], "eventId": len(events) + 1}))
    yield "an event after the close", changed(lambda events: events.append({**events[1], "eventId": len(events) + 1}))
    yield "too many events", json.dumps({"events": [{}] * (MAX_EVENTS + 1)})


@pytest.mark.parametrize(("name", "text"), list(_broken()), ids=lambda value: value if len(value) < 40 else "")
def test_what_is_no_history_is_refused_in_one_line(name, text):
    with pytest.raises(HistoryError) as refused:
        History.from_json(text)
    assert "\n" not in str(refused.value)
    assert len(str(refused.value)) < 250


def test_a_mutated_history_is_read_or_refused_and_nothing_else():
    """Reading and folding whatever comes raises nothing but HistoryError."""
    chance = random.Random(20261123)
    values = [None, 0, -1, 3, 10**30, 1.5, "", "x", "\ud800", [], {}, True, {"name": 1}]
    refused = 0
    for _ in range(3000):
        data = json.loads(chance.choice(HISTORIES).read_text())
        event = chance.choice(data["events"])
        target = event
        inner = [value for value in event.values() if isinstance(value, dict)]
        if inner and chance.random() < 0.7:
            target = chance.choice(inner)
        if target:
            key = chance.choice(list(target))
            if chance.random() < 0.3:
                del target[key]
            else:
                target[key] = chance.choice(values)
        try:
            fold(History.from_json(json.dumps(data)))
        except HistoryError:
            refused += 1
    assert 500 < refused < 3000


def test_a_file_that_opens_can_be_looked_at_from_all_sides(tmp_path):
    """A file whose events contradict each other is refused when it is opened, and not at each look."""
    chance = random.Random(20261128)
    path = tmp_path / "changed.json"
    values = [None, 3, 10**30, "", "x", [], {}, {"name": 1}, '{"a": NaN}', '{"line": 3, "depends_on": 5}']
    looked = 0
    for _ in range(40):
        data = json.loads(chance.choice(HISTORIES).read_text())
        events = data["events"]
        target = chance.choice([value for value in chance.choice(events).values() if isinstance(value, dict)] or events)
        key = chance.choice(list(target))
        target.pop(key) if chance.random() < 0.4 else target.update({key: chance.choice(values)})
        path.write_text(json.dumps(data))
        try:
            opened = open_history(path)
        except HistoryError:
            continue
        looked += 1
        for look in (opened.events, opened.tasks, opened.point_events, opened.decisions, opened.profile, opened.steps):
            look()
        opened.unhandled_failures(), opened.waiting_for(), opened._repr_html_(), repr(opened)
    assert 5 < looked < 40


def test_a_missing_file_is_reported_with_its_name(tmp_path):
    with pytest.raises(HistoryError, match=r"nothing\.json"):
        History.from_file(tmp_path / "nothing.json")
