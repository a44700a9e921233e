"""Every execution of a Lab replayed anew from its whole history: the code must ask for what was recorded."""

from __future__ import annotations

from simpleflow_lab import Lab, workflow
from simpleflow_lab.replay.replay import Replay


def replay_everything(lab: Lab) -> None:
    """Raises `NondeterminismError` if a decider that starts now would decide otherwise than those that kept going."""
    for info in lab.execution_infos():
        kind, names = info["workflowType"], info["execution"]
        definition = workflow.registry[kind["name"], kind["version"]]
        replay = Replay(definition, domain=lab.domain, workflow_id=names["workflowId"], run_id=names["runId"])
        try:
            replay.feed(lab.execution(names["workflowId"], names["runId"]).history())
        finally:
            replay.close()
