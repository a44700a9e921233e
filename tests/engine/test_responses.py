"""What the engine's responses share with its state."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator

import pytest

from simpleflow_lab.swf.history import shared_events
from tests.engine.test_client_sessions import Engine


@pytest.fixture
def engine() -> Iterator[Engine]:
    opened = Engine().prepare()
    yield opened
    opened.swf.close()


def test_a_caller_may_change_the_events_of_a_response(engine):
    execution = engine.start("a")
    task = engine.poll("decision", None)
    task["events"][0]["workflowExecutionStartedEventAttributes"]["taskList"]["name"] = "changed"
    again = engine.events(execution)[0]
    assert again["workflowExecutionStartedEventAttributes"]["taskList"] == {"name": "l"}


def test_our_decider_keeps_no_second_copy_of_the_events(engine):
    execution = engine.start("a")
    taken = shared_events(engine.poll("decision", None)["events"])
    kept = shared_events(engine.events(execution))
    assert [id(event) for event in taken] == [id(event) for event in kept]


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_the_events_of_a_response_can_be_copied_and_pickled(engine, copied):
    event = engine.events(engine.start("a"))[0]
    assert copied(event) == event
    assert shared_events([copied(event)]) == shared_events([event])
