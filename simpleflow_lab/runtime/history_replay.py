"""A whole history, replayed with the code that this process has: for a look, and for tests of changed code.

Rule: it decides nothing, runs no activity and writes nothing; what the workflow prints or logs is dropped.
"""

from __future__ import annotations

from simpleflow_lab.data.fields import Fields
from simpleflow_lab.exceptions import DecisionTaskError
from simpleflow_lab.replay.muted_output import watched_output
from simpleflow_lab.replay.replay import Replay
from simpleflow_lab.replay.replay_thread import ReplayThread
from simpleflow_lab.runtime.captured_output import ensure_streams
from simpleflow_lab.swf.history import History
from simpleflow_lab.workflow import Workflow


def replay_history(
    workflow: type[Workflow],
    history: History,
    *,
    domain: str = "",
    workflow_id: str = "",
    run_id: str = "",
    fields: Fields | None = None,
) -> DecisionTaskError | None:
    """The error of the decision in which the code decides otherwise than the history records; `None` if there is none.

    The ids of children are made of those of the execution, which are not in its history. `fields` reads large fields of
    the history. Raises what is no matter of the decisions: `HistoryError` for a history with gaps, `StoreError` for a
    large value that can't be read.
    """

    def replay() -> DecisionTaskError | None:
        ensure_streams()
        with watched_output(lambda text: None):
            replayed = Replay(workflow, domain=domain, workflow_id=workflow_id, run_id=run_id, fields=fields)
            try:
                replayed.feed(history)
                replayed.replay_last_batch()
            except DecisionTaskError as error:
                return error
            finally:
                replayed.close()
        return None

    with ReplayThread("offline replay") as thread:
        return thread.call(replay)


def decisions_of(history: History) -> int:
    """The number of decisions that a history records."""
    return sum(event.type == "DecisionTaskCompleted" for event in history)
