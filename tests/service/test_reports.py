"""What deciders report: kept within a bound, and told of an execution and of those above it."""

from __future__ import annotations

import pytest

from simpleflow_lab.service.reports import MAX_BELOW, MAX_RUNS, MAX_TEXT, MAX_WARNINGS, Reports, RunName

ERROR = {"startedEventId": 3, "error": "NondeterminismError", "message": "no", "endsWait": True, "pid": 7}


def run(name: str) -> RunName:
    return ("lab", name, f"run of {name}")


def family(**parents: str):
    return lambda name: run(parents[name[1]]) if name[1] in parents else None


def told(reports: Reports, name: str, **parents: str) -> list[str]:
    answer = reports.describe(run(name), family(**parents))
    return [error["execution"]["workflowId"] for error in answer["decisionErrors"]]


def test_nothing_is_known_before_a_report() -> None:
    reports = Reports()
    assert reports.is_empty
    assert reports.describe(run("a"), family()) == {"decisionErrors": [], "warnings": []}


def test_an_error_is_told_of_its_execution_and_of_those_above_it() -> None:
    reports = Reports()
    reports.block(run("child"), ERROR, 5.0)
    parents = {"child": "parent", "parent": "grandparent"}

    for name in ("child", "parent", "grandparent"):
        assert told(reports, name, **parents) == ["child"]
    assert told(reports, "somebody", **parents) == []
    assert told(reports, "child")[0] == "child"


def test_the_error_of_the_execution_itself_comes_first() -> None:
    reports = Reports()
    reports.block(run("child"), ERROR, 5.0)
    reports.block(run("parent"), ERROR, 5.0)

    assert told(reports, "parent", child="parent") == ["parent", "child"]


def test_executions_that_are_their_own_ancestors_end_no_program() -> None:
    reports = Reports()
    reports.block(run("a"), ERROR, 5.0)

    assert told(reports, "elsewhere", a="b", b="a") == []


def test_what_is_not_blocked_any_more_or_has_closed_is_forgotten() -> None:
    reports = Reports()
    reports.block(run("a"), ERROR, 5.0)
    reports.warn(run("a"), "slow")
    reports.unblock(run("a")[2])
    assert reports.describe(run("a"), family()) == {"decisionErrors": [], "warnings": ["slow"]}
    reports.drop(run("a")[2])
    assert reports.is_empty


def test_reports_are_bounded() -> None:
    reports = Reports()
    for number in range(MAX_RUNS + 10):
        reports.block(run(str(number)), {**ERROR, "message": "x" * 100_000}, 5.0)
        reports.warn(run(str(number)), "x" * 100_000)
    assert told(reports, "9") == []
    assert told(reports, "10") == ["10"]
    answer = reports.describe(run("10"), family())
    assert len(answer["decisionErrors"][0]["message"]) == len(answer["warnings"][0]) == MAX_TEXT
    assert len(reports.describe(run("top"), lambda name: run("top"))["decisionErrors"]) <= MAX_BELOW + 1
    for number in range(MAX_WARNINGS + 10):
        reports.warn(run("10"), f"warning {number}")
    assert len(reports.describe(run("10"), family())["warnings"]) == MAX_WARNINGS


@pytest.mark.parametrize("error", [{"error": None}, {"error": 1, "message": [], "endsWait": "x", "pid": "7"}])
def test_a_report_may_hold_anything(error: dict[str, object]) -> None:
    reports = Reports()
    reports.block(run("a"), error, 5.0)

    (answer,) = reports.describe(run("a"), family())["decisionErrors"]
    assert isinstance(answer["error"], str)
    assert isinstance(answer["message"], str)
    assert isinstance(answer["endsWait"], bool)
    assert "pid" not in answer


def test_an_execution_is_blocked_since_it_was_reported_first_until_a_decision_was_made() -> None:
    reports = Reports()
    for now in (5.0, 9.0):
        reports.block(run("a"), ERROR, now)
    assert reports.describe(run("a"), family())["decisionErrors"][0]["since"] == 5.0
    reports.unblock("run of a")
    reports.block(run("a"), ERROR, 12.0)
    assert reports.describe(run("a"), family())["decisionErrors"][0]["since"] == 12.0
