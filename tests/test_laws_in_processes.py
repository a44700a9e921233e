"""The laws of `test_properties`, with the decider in one process and its workers in two others."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given

from simpleflow_lab import Lab
from tests.engine.invariants import violations
from tests.examples_count import TIMEOUT, examples
from tests.test_properties import ATTEMPTS, Program, plain, programs, raw_events, replays_as_recorded, with_children

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A Lab of this process, which serves nothing, on a store that three processes serve."""
    folder: Path = tmp_path_factory.mktemp("laws")
    store = folder / "laws.sqlite"
    (folder / "attempts").mkdir()
    with contextlib.ExitStack() as closing:
        patch = closing.enter_context(pytest.MonkeyPatch.context())
        patch.setenv(ATTEMPTS, str(folder / "attempts"))
        for serve in ("decisions", "activities", "activities"):
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.laws_process", str(store), serve],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            closing.callback(process.communicate)
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"
        yield closing.enter_context(Lab(store, serve="nothing"))


@examples(60, 2000)
@given(programs)
def test_a_program_gives_what_plain_python_gives_in_whichever_process_its_tasks_are_done(lab, program):
    execution = lab.start(Program, program)
    assert execution.result(60) == plain(program)
    for workflow, each in with_children(lab, execution):
        events = raw_events(lab, each)
        assert violations(events) == []
        replays_as_recorded(workflow, each.history(), each.workflow_id, each.run_id)
        workers = {
            event["activityTaskStartedEventAttributes"]["identity"]
            for event in events
            if event["eventType"] == "ActivityTaskStarted"
        }
        deciders = {
            event["decisionTaskStartedEventAttributes"]["identity"]
            for event in events
            if event["eventType"] == "DecisionTaskStarted"
        }
        assert not workers & deciders
