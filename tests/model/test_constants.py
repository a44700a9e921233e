"""What authors and the model know of SWF's limits is what the layer of SWF's words says."""

from __future__ import annotations

from simpleflow_lab import constants
from simpleflow_lab.step.constants import STEP_MARKER
from simpleflow_lab.step.submittable import _MAX_NAME, SIGNAL_PREFIX
from simpleflow_lab.swf import limits
from simpleflow_lab.views import step_tables

DATA = ("DETAILS", "EXECUTION_CONTEXT", "INPUT", "RESULT", "CONTROL")


def test_limits_of_fields_are_swfs():
    assert {getattr(constants, f"MAX_{name}_LENGTH") for name in DATA} == {limits.MAX_DATA}
    assert constants.MAX_REASON_LENGTH == limits.MAX_REASON
    assert constants.MAX_HEARTBEAT_DETAILS_LENGTH == limits.MAX_HEARTBEAT_DETAILS
    assert constants.MAX_IDENTITY_LENGTH == limits.MAX_IDENTITY
    assert len(SIGNAL_PREFIX) + _MAX_NAME == limits.MAX_ID


def test_the_table_of_steps_looks_for_the_markers_that_steps_leave():
    assert step_tables.STEP_MARKER == STEP_MARKER
