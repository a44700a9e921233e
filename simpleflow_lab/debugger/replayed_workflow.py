"""The workflow class with which a history is replayed, if nobody names one."""

from __future__ import annotations

from typing import Any

from simpleflow_lab.data.fields import Fields
from simpleflow_lab.exceptions import UsageError, WorkflowNotRegisteredError
from simpleflow_lab.runtime.decision_replay import registered_workflow
from simpleflow_lab.swf.history import History
from simpleflow_lab.workflow import Workflow, registry


def defined_here(history: History) -> bool:
    """Whether this process defines the workflow of a history. Raises `UsageError` for an empty one."""
    if not history:
        raise UsageError("this history has no events: there is nothing to replay")
    of_type: Any = history[0].attributes.get("workflowType") or {}
    try:
        registered_workflow(str(of_type.get("name")), str(of_type.get("version")), history[0], Fields())
    except WorkflowNotRegisteredError:
        return False
    return True


def definition_for(history: History, workflow: Any = None, fields: Fields | None = None) -> type[Workflow]:
    """The workflow class given, or else the one that this process defines for the type of this history.

    Raises `UsageError` in one line for an empty history, for what is no workflow, and if none is defined.
    """
    if not history:
        raise UsageError("this history has no events: there is nothing to replay")
    if workflow is not None:
        if not (isinstance(workflow, type) and issubclass(workflow, Workflow)):
            raise UsageError(f"{workflow!r:.80} is no workflow: give a subclass of simpleflow_lab.Workflow")
        return workflow
    of_type: Any = history[0].attributes.get("workflowType") or {}
    name, version = str(of_type.get("name")), str(of_type.get("version"))
    try:
        return registered_workflow(name, version, history[0], fields or Fields())
    except WorkflowNotRegisteredError:
        known = sorted({f"{each} {of}" for each, of in registry})
        here = f"defined here: {', '.join(known[:8])}" if known else "none is defined here yet"
        raise UsageError(
            f"this history is of workflow {name} in version {version}, which is not defined here ({here}): "
            "import what defines it, in a shell with --module MODULE, or give the class, as in replay(MyWorkflow)"
        ) from None
