"""Which tasks `workflow.tasks` shows, and what `gantt -o` writes: the morning of the documentation, from its file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Command
from tools.draw_pictures import morning


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "morning.json"
    path.write_text(morning().to_json())
    return str(path)


def shown(simpleflow: Command, file: str, *words: str) -> list[list[str]]:
    ended = simpleflow("--format", "tsv", "--no-header", "workflow.tasks", "--file", file, *words)
    assert (ended.code, ended.err) == (0, "")
    return [line.split("\t") for line in ended.out.splitlines()]


def test_tasks_are_those_of_a_state(simpleflow: Command, file: str) -> None:
    assert [row[:2] for row in shown(simpleflow, file, "--state", "failed")] == [["prices.mail", "failed"]]
    assert shown(simpleflow, file, "--state", "open") == []
    both = shown(simpleflow, file, "--state", "failed", "--state", "completed")
    assert both == shown(simpleflow, file)
    assert len(both) == 14


def test_tasks_are_those_of_a_name_or_of_an_id(simpleflow: Command, file: str) -> None:
    assert {row[0] for row in shown(simpleflow, file, "--name", "fetch")} == {"prices.fetch"}
    assert shown(simpleflow, file, "--name", "prices.fetch") == shown(simpleflow, file, "--name", "fetch")
    assert len(shown(simpleflow, file, "--name", "activity-prices.fetch-2")) == 1


def test_all_are_all_attempts_and_timers(simpleflow: Command, file: str) -> None:
    rows = shown(simpleflow, file, "--all")

    assert len(rows) == 15  # not the timer of the retry: the decider started it for itself
    assert [row[1] for row in rows if row[0] == "prices.fetch"].count("failed") == 1


def test_the_slowest_come_first_with_their_times(simpleflow: Command, file: str) -> None:
    rows = shown(simpleflow, file, "--slowest", "3", "--all")

    times = [float(row[-1]) for row in rows]
    assert times == sorted(times, reverse=True)
    assert times[0] == 6.6
    assert len(rows) == 3


def test_a_name_that_is_none_is_told_with_those_that_are(simpleflow: Command, file: str) -> None:
    ended = simpleflow("workflow.tasks", "--file", file, "--name", "fetsch")

    assert ended.code == 2
    assert ended.err == (
        "simpleflow: no task 'fetsch' in this execution: there are prices.clean, prices.fetch, prices.mail, "
        "prices.total\n"
    )
    ended = simpleflow("workflow.tasks", "--file", file, "--name", "mail", "--state", "completed")
    assert (ended.code, ended.out) == (0, "")


@pytest.mark.parametrize(("name", "begins"), [("m.svg", "<svg "), ("m.csv", "kind,"), ("m.trace.json", '{"display')])
def test_the_chart_is_written_as_the_name_of_the_file_says(
    simpleflow: Command, file: str, tmp_path: Path, name: str, begins: str
) -> None:
    path = tmp_path / name

    assert simpleflow("gantt", "--file", file, "-o", str(path)).out == f"{path}\n"
    assert path.read_text().startswith(begins)
    again = simpleflow("gantt", "--file", file, "-o", str(path))
    assert (again.code, again.err) == (2, f"simpleflow: {path} is there already: --force replaces it\n")
    assert simpleflow("gantt", "--file", file, "-o", str(path), "--force").code == 0


def test_what_failed_comes_first_where_not_all_tasks_are_shown_and_that_is_said(simpleflow: Command, file: str) -> None:
    ended = simpleflow("--format", "tsv", "--no-header", "workflow.tasks", "--file", file, "-n", "2")

    assert [line.split("\t")[:2] for line in ended.out.splitlines()] == [
        ["prices.mail", "failed"],
        ["prices.total", "completed"],
    ]
    assert ended.err == "simpleflow: what failed comes first (1 in all); 12 more tasks not shown\n"


def test_the_columns_of_a_notebook_are_known_in_a_shell(simpleflow: Command, file: str) -> None:
    rows = shown(simpleflow, file, "--columns", "id,state,Last State,running", "--filter", "id=*mail*")

    assert [row[:3] for row in rows] == [["activity-prices.mail-1", "failed", "failed"]]
    assert len(shown(simpleflow, file)[0]) == 4


def test_the_slowest_are_told_apart_by_their_ids(simpleflow: Command, file: str) -> None:
    ids = [row[-2] for row in shown(simpleflow, file, "--slowest", "3")]

    assert len({*ids}) == 3
    assert all(each.startswith("activity-prices.") for each in ids)


@pytest.mark.parametrize("name", ["m.png", "m.PDF", "m.txt"])
def test_no_page_is_written_where_the_name_promises_something_else(
    simpleflow: Command, file: str, tmp_path: Path, name: str
) -> None:
    ended = simpleflow("gantt", "--file", file, "-o", str(tmp_path / name))
    assert ended.code == 2
    assert "ends with none of .html, .svg" in ended.err
    assert not (tmp_path / name).exists()
