"""Ids of tasks."""

import datetime
import hashlib

from simpleflow_lab.replay.history_reader import RULES, SECOND_RULES
from simpleflow_lab.replay.task_ids import TaskIds
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
    assert hash_of([{"b": 1, "a": 2}, {3, 1, 2}], {}) == hash_of([{"a": 2, "b": 1}, {2, 3, 1}], {})
    # What upstream computes: a recorded id of an idempotent task without arguments.
    assert hash_of([], {}) == "1c819d1df3ad46e07eced4ec93147ce9"


def hash_of(args, kwargs, rules=RULES):
    return TaskIds("w", "r").of_arguments("activity-a", args, kwargs, rules=rules)


NOON = datetime.datetime(2026, 1, 2, 12, 0, 0, 123456, datetime.UTC)


def test_calls_that_upstream_would_take_for_one_are_told_apart_the_same_way_in_each_rerun():
    ids = TaskIds("w", "r")
    later = NOON.replace(microsecond=123999)
    first, second = (ids.of_arguments("activity-a", [when], {}, rules=RULES) for when in (NOON, later))
    # What upstream computes for both.
    assert first == hashlib.md5(b'{"args":["2026-01-02T12:00:00.123Z"],"kwargs":{}}').hexdigest()
    assert second.startswith(f"{first}-")
    ids.begin_rerun()
    assert [ids.of_arguments("activity-a", [when], {}, rules=RULES) for when in (later, NOON)] == [second, first]
    assert ids.of_arguments("activity-b", [later], {}, rules=RULES) == first


def test_decisions_of_earlier_versions_keep_the_ids_that_they_gave():
    """They made them of times as Python writes them."""
    assert hash_of([NOON.replace(microsecond=0)], {}, rules=SECOND_RULES) == (
        hashlib.md5(b'{"args":["2026-01-02T12:00:00+00:00"],"kwargs":{}}').hexdigest()
    )
