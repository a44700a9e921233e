"""The options of a start and of a child are refused by one list, under the names that their author has written."""

from __future__ import annotations

from typing import Any

import pytest

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.executions.start_requests import START_OPTIONS
from simpleflow_lab.swf.names import check_execution_options

REFUSED: dict[str, Any] = {
    "task_list": "a:b",
    "task_priority": "high",
    "tag_list": ["x"] * 6,
    "execution_start_to_close_timeout": "NONE",
    "task_start_to_close_timeout": "0",
    "child_policy": "KEEP",
    "lambda_role": "x" * 1601,
}


def test_each_option_of_a_start_has_a_check() -> None:
    assert {"workflow_id", *REFUSED} == START_OPTIONS.keys()


@pytest.mark.parametrize("option", REFUSED)
def test_an_option_is_refused_under_the_name_that_is_written(option: str) -> None:
    with pytest.raises(UsageError, match=rf"^order: .*\b{option}\b"):
        check_execution_options("order: ", {option: REFUSED[option]})
    with pytest.raises(UsageError, match=r"^order: .*\bmine\b"):
        check_execution_options("order: ", {option: REFUSED[option]}, {option: "mine"})


def test_an_option_that_is_not_given_is_not_refused() -> None:
    check_execution_options("order: ", dict.fromkeys(REFUSED))
