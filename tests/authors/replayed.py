"""Every execution of a Lab replayed anew from its whole history: its commands must be those that were recorded."""

from __future__ import annotations

from simpleflow_lab import Lab, workflow
from simpleflow_lab.replay.replay import Replay
from tests.replay.trace_laws import check_trace
from tests.views.wait_laws import check_waits


def replay_everything(lab: Lab) -> None:
    """Raises `NondeterminismError` if a decider that starts now would decide otherwise than those that kept going.

    Each is watched, too: what its records must say, they say.
    """
    for info in lab.execution_infos():
        kind, names = info["workflowType"], info["execution"]
        definition = workflow.registry[kind["name"], kind["version"]]
        replay = Replay(definition, domain=lab.domain, workflow_id=names["workflowId"], run_id=names["runId"])
        try:
            history = lab.execution(names["workflowId"], names["runId"]).history()
            replay.feed(history)
        finally:
            replay.close()
        check_waits(history, names["workflowId"])
        check_trace(
            definition,
            history,
            cuts=[len(history) // 2],
            domain=lab.domain,
            workflow_id=names["workflowId"],
            run_id=names["runId"],
        )
