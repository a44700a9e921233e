"""Histories go to other processes, and are copied, as what they hold."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path

import pytest

from simpleflow_lab import History, open_history

PATH = Path(__file__).parent / "histories" / "child_workflow.json"


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))])
def test_a_history_and_a_recorded_execution_can_be_copied_and_pickled(copied):
    recorded = open_history(PATH)
    assert len(recorded.tasks()) > 0
    assert recorded.history().child_workflows
    again = copied(recorded)
    assert isinstance(again.history(), History)
    assert again.history() == copied(recorded.history()) == recorded.history()
    assert again.history().child_workflows == recorded.history().child_workflows
    assert again.tasks().equals(recorded.tasks())
