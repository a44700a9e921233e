"""The fault suite in a small size; the whole of it is `python -m tests.faults`."""

from __future__ import annotations

import signal
from pathlib import Path

import pytest

from simpleflow_lab.engine import crash_points
from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.exceptions import UsageError
from tests.examples_count import repeats, trials
from tests.faults import restarts, several
from tests.faults import trials as faults
from tests.faults.findings import Figures

pytestmark = pytest.mark.slow

POINTS = [point for point in crash_points.POINTS if point != "checkpoint"]


def fine(figures: Figures) -> bool:
    """Nothing was lost, nothing happened twice, nothing is wrong: or it is shown what was."""
    assert figures.wrong == []
    assert (figures.lost, figures.duplicated, figures.re_executed, figures.locked) == (0, 0, 0, 0)
    return True


@pytest.mark.parametrize("kills", [3, *repeats([10])])
def test_f1_executions_of_50_activities_survive_kills_at_random_moments(tmp_path: Path, kills: int) -> None:
    figures = faults.random_kills(tmp_path, kills=kills, seed=7)
    assert fine(figures)
    assert figures.kills == kills


@pytest.mark.parametrize("hit", [4, *repeats([1, 8])])
@pytest.mark.parametrize("point", POINTS)
def test_f2_an_execution_survives_a_crash_at_each_point(tmp_path: Path, point: str, hit: int) -> None:
    # How often a run passes by depends on how many calls share a transaction: eight times it always does.
    figures = faults.crash_points(tmp_path, [point], passages=[hit])
    assert fine(figures)
    assert figures.crashes == {point: 1}


def test_f2_a_store_survives_a_crash_at_the_checkpoint(tmp_path: Path) -> None:
    """Before it, and after it: a process that closes its store passes there twice, and is not stopped a third time."""
    figures = faults.crash_points(tmp_path, ["checkpoint"])
    assert fine(figures)
    assert figures.crashes == {"checkpoint": 2}


def test_f2_a_crash_that_can_not_be_planned_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for text in ("nowhere:1", "checkpoint", "checkpoint:0", "checkpoint:x"):
        monkeypatch.setenv(crash_points.VARIABLE, text)
        with pytest.raises(UsageError, match="write <point>:<n>"):
            EmbeddedSWF(tmp_path / "store.sqlite")


def test_f6_a_decision_that_was_not_answered_is_made_again(tmp_path: Path) -> None:
    assert fine(faults.dead_deciders(tmp_path, kills=3, seed=7))


def test_f6_a_decision_task_times_out_when_its_decider_dies_in_another_process(tmp_path: Path) -> None:
    assert fine(faults.dead_remote_deciders(tmp_path, kills=1, seed=7))


def test_f6_a_workflow_that_loops_for_ever_is_interrupted_and_stops_no_other(tmp_path: Path) -> None:
    assert fine(faults.looping_deciders(tmp_path, loops=1))


def test_f13_a_store_without_room_waits_for_it_and_goes_on_by_itself(tmp_path: Path) -> None:
    figures = faults.full_disk(tmp_path, outages=2)
    assert fine(figures)
    assert figures.executions == 3


def test_f13_calls_raise_when_a_store_is_closed_while_it_has_no_room(tmp_path: Path) -> None:
    """Acknowledged changes are there when it is opened again; calls that waited are refused, and theirs are not."""
    assert fine(faults.closed_without_room(tmp_path))


def test_f13_a_write_error_that_leaves_open_what_was_written_stops_the_store(tmp_path: Path) -> None:
    assert fine(faults.short_files(tmp_path, outages=1, seed=7))


def test_f13_a_disk_that_is_full(tmp_path: Path) -> None:
    figures = faults.small_disks(tmp_path, outages=1)
    assert fine(figures)
    if not figures.faults:
        pytest.skip("a small disk can't be mounted here")


@pytest.mark.parametrize("seconds", [3, *repeats([10])])
def test_f17_two_kernels_and_four_workers_on_one_store_survive_each_others_deaths(tmp_path: Path, seconds: int) -> None:
    figures = faults.shared_store(tmp_path, seconds=seconds, seed=7)
    assert fine(figures)
    assert figures.faults["owner killed"]


@pytest.mark.parametrize(
    "ends", [[signal.SIGKILL], *trials([[signal.SIGTERM]]), *repeats([[signal.SIGTERM] * 5, [signal.SIGKILL] * 5])]
)
def test_programs_made_with_boto3_alone_go_on_when_the_engine_is_started_again(
    tmp_path: Path, ends: list[signal.Signals]
) -> None:
    figures = restarts.boto3_programs(tmp_path, ends, seed=7)
    assert fine(figures)
    assert figures.executions == restarts.EXECUTIONS * len(ends)


@pytest.mark.parametrize(
    "ends", [[signal.SIGTERM], *repeats([[signal.SIGTERM] * 4, [signal.SIGTERM, signal.SIGKILL] * 2])]
)
def test_kernels_that_work_hand_their_store_over_and_take_it_back(tmp_path: Path, ends: list[signal.Signals]) -> None:
    figures = restarts.hand_overs(tmp_path, ends, seed=7)
    assert fine(figures)
    assert figures.executions


@pytest.mark.parametrize(("kills", "executions"), [(6, 10), *repeats([(20, 60)])])
def test_executions_of_several_processes_survive_the_deaths_of_any_of_them(
    tmp_path: Path, kills: int, executions: int
) -> None:
    figures = several.killed_processes(tmp_path, kills=kills, seed=7, executions=executions)
    assert fine(figures)
    assert figures.timed_out == 0
    assert figures.executions == 4 * executions


@pytest.mark.parametrize("rounds", [6, *repeats([30])])
def test_each_process_runs_its_own_definition_while_it_edits_it(tmp_path: Path, rounds: int) -> None:
    figures = several.differing_definitions(tmp_path, rounds=rounds, seed=7)
    assert fine(figures)
    assert figures.faults["definition edited"] == rounds
