"""Every view of an execution is there from its first event on, before any decision was made."""

import inspect
from collections.abc import Sequence

import pytest

from simpleflow_lab.recorded_execution import RecordedExecution
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.history_views import HistoryViews
from tests.views.story import eventful

WITHOUT_ARGUMENTS = sorted(
    name
    for name, method in inspect.getmembers(HistoryViews, inspect.isfunction)
    if not name.startswith("_")
    and all(
        parameter.default is not parameter.empty or parameter.kind is parameter.VAR_KEYWORD
        for parameter in list(inspect.signature(method).parameters.values())[1:]
    )
)


@pytest.fixture(scope="module")
def beginnings() -> Sequence[RecordedExecution]:
    events = list(eventful())
    return [RecordedExecution(History(events[:length])) for length in range(1, 5)]


@pytest.mark.parametrize("view", WITHOUT_ARGUMENTS)
def test_a_view_is_there_from_the_first_event_on(beginnings: Sequence[RecordedExecution], view: str) -> None:
    for beginning in beginnings:
        getattr(beginning, view)()
