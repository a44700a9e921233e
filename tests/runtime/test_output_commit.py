"""What a decision shows outside waits until the completion that it follows from is on disk: else `kill -9` could lose a
result that somebody saw."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import Lab, Workflow, activity
from simpleflow_lab.engine.sqlite_store import SQLiteStore
from tests.engine.test_threads import SOON
from tests.waiting import until

seen: list[str] = []
held: list[Callable[[], None]] = []


class Recorder:
    """A stream that keeps what is written."""

    def write(self, text: str) -> int:
        seen.append(text)
        return len(text)

    def flush(self) -> None:
        pass


@activity.with_attributes(version="1", task_list="output-commit")
def hold_the_disk() -> int:
    held.pop()()
    return 42


class Prints(Workflow):
    name, version, task_list = "output-commit-prints", "1", "output-commit"

    def run(self) -> Any:
        result = self.submit(hold_the_disk).result
        print("saw", result)
        return result


class Logs(Workflow):
    name, version, task_list = "output-commit-logs", "1", "output-commit"

    def run(self) -> Any:
        result = self.submit(hold_the_disk).result
        logging.getLogger("output-commit").warning("saw %s", result)
        return result


class HasHook(Workflow):
    name, version, task_list = "output-commit-hook", "1", "output-commit"

    def run(self) -> Any:
        return self.submit(hold_the_disk).result

    def on_completed(self, history: Any) -> None:
        seen.append("saw 42")


@pytest.mark.parametrize("workflow", [Prints, Logs, HasHook])
def test_nothing_is_shown_of_a_result_that_is_not_on_disk(
    workflow: type[Workflow], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen.clear()
    monkeypatch.setattr("sys.stdout", Recorder())
    monkeypatch.setattr(logging.getLogger("output-commit"), "handlers", [logging.StreamHandler(Recorder())])
    gate, reached = threading.Event(), threading.Event()
    with Lab(str(tmp_path / "store.sqlite")) as lab:
        engine = lab.service.engine  # type: ignore[attr-defined]
        store = engine._durable.store
        assert isinstance(store, SQLiteStore)

        def hold(_: object) -> None:
            reached.set()
            assert gate.wait(SOON)

        def begin() -> None:
            threading.Thread(target=store._query, args=(hold,)).start()
            assert reached.wait(SOON)

        held.append(begin)
        try:
            execution = lab.start(workflow)
            assert reached.wait(SOON)
            until(lambda: "ActivityTaskCompleted" in types_in_memory(engine))
            threading.Event().wait(0.2)  # in which a decider that does not wait is done
            assert "saw 42" not in "".join(seen)
        finally:
            gate.set()
        assert execution.result(timeout=SOON) == 42
    assert "".join(seen).count("saw 42") == 1


def types_in_memory(engine: Any) -> list[str]:
    """The types of the events of the one execution, in memory; the completion alone if it has closed."""
    for found in list(engine._durable.state.open.values()):
        return [event.type for event in found.events]
    return ["ActivityTaskCompleted"]
