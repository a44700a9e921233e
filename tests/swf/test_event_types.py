"""The event table against the service model that AWS ships with botocore."""

import botocore.session
import pytest

from simpleflow_lab.swf import event_types
from simpleflow_lab.swf.event_types import CLOSE_STATUS, EVENT_TYPES, attributes_key


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
