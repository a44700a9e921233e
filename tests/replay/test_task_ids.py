"""Ids of tasks."""

import hashlib

from simpleflow_lab.replay.task_ids import TaskIds, arguments_hash
from simpleflow_lab.swf.limits import MAX_ID


def test_calls_of_a_name_are_numbered_in_the_order_of_submission():
    ids = TaskIds("w", "r")
    assert [ids.next_number("a"), ids.next_number("b"), ids.next_number("a")] == ["1", "1", "2"]
    assert ids.task_id("activity-a", "2") == "activity-a-2"


def test_an_id_over_the_limit_is_cut_and_stays_unique():
    ids = TaskIds("w", "r")
    long = [ids.task_id("activity-" + "x" * 300, str(n)) for n in (1, 2)]
    whole = "activity-" + "x" * 300 + "-1"
    assert long[0] == f"{whole[:223]}-{hashlib.md5(whole.encode()).hexdigest()}"
    assert len(set(long)) == 2
    assert all(len(task_id) <= MAX_ID for task_id in long)
    just = "a" * (MAX_ID - 2)
    assert ids.task_id(just, "1") == just + "-1"


def test_a_childs_id_carries_its_parent_and_its_run():
    assert TaskIds("parent", "run").child_id("workflow-c", "1") == "workflow-c-parent--2b10156--1"
    assert TaskIds("parent", "other").child_id("workflow-c", "1") != TaskIds("parent", "run").child_id(
        "workflow-c", "1"
    )


def test_equal_arguments_have_equal_hashes_however_they_are_ordered():
    assert arguments_hash([{"b": 1, "a": 2}, {3, 1, 2}], {}) == arguments_hash([{"a": 2, "b": 1}, {2, 3, 1}], {})
    # What upstream computes: a recorded id of an idempotent task without arguments.
    assert arguments_hash([], {}) == "1c819d1df3ad46e07eced4ec93147ce9"
