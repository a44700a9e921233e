"""`await execution`, in a program with a loop of its own."""

from __future__ import annotations

import asyncio
import threading
import time
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow
from simpleflow_lab.exceptions import UsageError, WorkflowExecutionFailed


class Answering(Workflow):
    name, version, task_list = "awaiting.answering", "1", "awaiting"

    def run(self, answer, rounds=0):
        if answer is None:
            raise ValueError("no answer")
        self.submit(self.wait_signal("go")).wait()
        if rounds:
            self.submit(self.continue_as_new(answer, rounds - 1)).wait()
        return answer


def waiting_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate() if "waits for" in thread.name]


def run(coroutine: Any) -> Any:
    return asyncio.run(coroutine)


def test_several_are_awaited_at_once(lab: Lab) -> None:
    async def main() -> Any:
        executions = [lab.start(Answering, number) for number in range(3)]
        for execution in executions:
            execution.signal("go")
        return await asyncio.gather(*executions)

    assert run(main()) == [0, 1, 2]


def test_runs_that_continue_as_new_are_followed(lab: Lab) -> None:
    async def main() -> Any:
        execution = lab.start(Answering, 5, rounds=1)
        execution.signal("go")
        waiting = asyncio.ensure_future(execution)
        while (following := execution.next_run) is None:
            await asyncio.sleep(0.01)
        following.signal("go")
        assert following.next_run is None
        return await waiting

    assert run(main()) == 5


def test_it_raises_as_result_does(lab: Lab) -> None:
    async def main() -> None:
        await lab.start(Answering, None)

    with pytest.raises(WorkflowExecutionFailed, match="no answer"):
        run(main())


def test_what_nobody_awaits_any_more_goes_on_and_its_thread_ends(lab: Lab) -> None:
    async def main() -> Any:
        execution = lab.start(Answering, 1)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(execution, 0.1)
        return execution

    execution = run(main())
    assert execution.status == "OPEN"
    deadline = time.monotonic() + 200
    while waiting_threads():
        assert time.monotonic() < deadline
        time.sleep(0.01)
    execution.terminate()


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda execution: execution.terminate("x" * 257), "the reason of a termination has 257 characters"),
        (lambda execution: execution.terminate("why", "x" * 32_769), "the details of a termination has 32769"),
        (lambda execution: execution.signal("a:b"), "the name of a signal 'a:b' is none that SWF takes"),
        (lambda execution: execution.signal(""), "the name of a signal is empty"),
        (lambda execution: execution.restart(), "is open: restart(terminate=True) ends it first"),
    ],
)
def test_what_swf_does_not_take_is_told_before_it_is_asked(lab: Lab, ask: Any, told: str) -> None:
    execution = lab.start(Answering, 1)
    with pytest.raises(UsageError) as caught:
        ask(execution)
    assert told in str(caught.value)
    assert "\n" not in str(caught.value)
    assert execution.status == "OPEN"


def test_it_is_started_again_with_all_that_it_had(lab: Lab) -> None:
    execution = lab.start(Answering, 7, workflow_id="again", tag_list=["a", "b"])
    again = execution.restart(terminate=True)

    assert execution.status == "TERMINATED"
    first, second = (each.history()[0].attributes for each in (execution, again))
    assert {name: second[name] for name in first} == dict(first)
    again.signal("go")
    assert again.result(200) == 7
    assert lab.execution("again").run_id == again.run_id
