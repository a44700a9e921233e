"""Law: a program that raises `ExecutionBlocked` instead of waiting, and so runs again from its start, gives what plain
Python gives."""

from typing import Any

import pytest
from hypothesis import given

from simpleflow_lab.exceptions import ExecutionBlocked
from tests.engine.invariants import violations
from tests.examples_count import TIMEOUT, examples
from tests.test_properties import (
    Program,
    parts_of,
    plain,
    programs,
    raw_events,
    replays_as_recorded,
    shared_lab,  # noqa: F401  a fixture
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(TIMEOUT)]


class Blocks(Program):
    """Runs a program."""

    name = "laws.blocks"

    def run(self, program):
        submitted: list[Any] = []
        for position, (kind, waits, depends, node) in enumerate(program):
            future = self.one(kind, node, parts_of(position, depends, submitted))
            submitted.append(future)
            if waits and not future.done:
                raise ExecutionBlocked
        if not all(future.done for future in submitted):
            raise ExecutionBlocked
        return [self.read(future) for future in submitted]


@examples(100, 5000)
@given(programs)
def test_a_program_that_runs_again_from_its_start_gives_what_plain_python_gives_and_replays_at_every_prefix(
    shared_lab,  # noqa: F811
    program,
):
    execution = shared_lab.start(Blocks, program)
    assert execution.result(60) == plain(program)
    assert violations(raw_events(shared_lab, execution)) == []
    replays_as_recorded(Blocks, execution.history(), execution.workflow_id, execution.run_id)
