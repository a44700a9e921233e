"""The event table against the service model that AWS ships with botocore."""

import datetime

import botocore.session
import pytest

from simpleflow_lab.swf import event_types
from simpleflow_lab.swf.decisions import DECISION_TYPES
from simpleflow_lab.swf.event_types import CLOSE_STATUS, EVENT_TYPES, attributes_key
from simpleflow_lab.swf.history import HistoryEvent

NOW = datetime.datetime(2024, 5, 1, tzinfo=datetime.UTC)


@pytest.fixture(scope="module")
def model():
    return botocore.session.get_session().get_service_model("swf")


def test_every_event_type_of_swf_has_a_row(model):
    assert set(EVENT_TYPES) == set(model.shape_for("EventType").enum)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_a_row_names_only_attributes_that_the_event_has(model, name):
    members = model.shape_for("HistoryEvent").members[attributes_key(name)].members
    find = EVENT_TYPES[name].find
    for attribute in (find.follows, find.follows_open, find.name):
        assert attribute is None or attribute in members


def test_every_close_status_of_swf_has_its_event(model):
    assert set(CLOSE_STATUS.values()) == set(model.shape_for("CloseStatus").enum)
    assert all(EVENT_TYPES[name].closes and EVENT_TYPES[name].entity == event_types.EXECUTION for name in CLOSE_STATUS)


def test_canceled_is_spelled_as_swf_spells_it():
    states = {row.state for row in EVENT_TYPES.values()}
    assert "canceled" in states
    assert not any("cancelled" in state for state in states)


def test_every_decision_type_is_recorded_by_an_event_when_carried_out_and_by_another_when_refused():
    recorded = [row.decision for row in EVENT_TYPES.values() if row.decision is not None]
    assert {decision: recorded.count(decision) for decision in recorded} == dict.fromkeys(DECISION_TYPES, 2)


@pytest.mark.parametrize("name", EVENT_TYPES)
def test_the_events_that_record_a_decision_say_which_decision_task_made_it(model, name):
    members = model.shape_for("HistoryEvent").members[attributes_key(name)].members
    assert (EVENT_TYPES[name].decision is not None) == ("decisionTaskCompletedEventId" in members)


@pytest.mark.parametrize(("initiated", "decision"), [(0, "StartChildWorkflowExecution"), (5, None)])
def test_a_child_that_fails_to_start_later_records_no_decision(initiated, decision):
    attributes = {"workflowId": "w", "initiatedEventId": initiated, "decisionTaskCompletedEventId": 4}
    event = HistoryEvent(6, "StartChildWorkflowExecutionFailed", NOW, attributes)
    assert event.decision == decision
