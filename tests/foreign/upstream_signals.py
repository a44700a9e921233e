"""Run by upstream's Python: reads a history, says which signals upstream would still pass on, and with what input."""

import datetime
import json
import sys

from simpleflow.history import History
from simpleflow.swf.mapper.models.history import History as RecordedHistory

events = json.load(sys.stdin)["events"]
for event in events:
    event["eventTimestamp"] = datetime.datetime.fromtimestamp(event["eventTimestamp"], datetime.UTC)
history = History(RecordedHistory.from_event_list(events))
history.parse()

parent = events[0]["workflowExecutionStartedEventAttributes"].get("parentWorkflowExecution")
family = {(parent["workflowId"], parent["runId"])} if parent else set()
# Those that have closed too: none was left out.
family |= {(child["workflow_id"], child["run_id"]) for child in history.child_workflows.values()}

found = {}
for name, signal in history.signals.items():
    sender = (signal["external_workflow_id"], signal["external_run_id"])
    signaled = {(target["workflow_id"], target["run_id"]) for target in history.signaled_workflows[name]}
    found[name] = {"input": dict(signal["input"]), "left": sorted(family - signaled - {sender})}
json.dump(found, sys.stdout)
