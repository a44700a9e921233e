"""Signals of this package as upstream's decider reads them."""

import json
import subprocess
from pathlib import Path

import pytest

from simpleflow_lab import Lab
from tests.authors.test_signals import ChildSignalsParent, ChildSignalsSibling, ParentSignalsChild, TwoChildren
from tests.examples_count import trials
from tests.foreign.test_upstream import simpleflow as simpleflow  # its fixture


@pytest.mark.slow
@pytest.mark.parametrize(
    "workflow",
    [TwoChildren, *trials([ParentSignalsChild, ChildSignalsSibling, ChildSignalsParent])],
    ids=lambda workflow: workflow.name,
)
def test_upstream_would_pass_on_no_signal_that_we_did_not(simpleflow, workflow):
    """SM-03: who got what is in the histories as upstream looks for it, so that a family may be decided by both."""
    python = Path(simpleflow).with_name("python")
    script = Path(__file__).with_name("upstream_signals.py")
    with Lab(":memory:", clock="virtual") as lab:
        lab.start(workflow).result(200)
        histories = [
            lab.execution(info["execution"]["workflowId"], info["execution"]["runId"]).history()
            for info in lab.execution_infos()
        ]
    assert len(histories) >= 2
    for history in histories:
        read = subprocess.run([python, script], input=history.to_json(), capture_output=True, text=True, check=True)
        for signal in json.loads(read.stdout).values():
            assert signal == {"input": {"args": [], "kwargs": {}, "__propagate": True}, "left": []}
