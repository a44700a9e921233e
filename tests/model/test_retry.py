"""Retry policies, asked directly."""

from collections import Counter

import pytest

from simpleflow_lab import Retry, Workflow, activity
from simpleflow_lab.data.failure_details import details_of, error_names
from simpleflow_lab.exceptions import TaskFailed, TimeoutError, UsageError
from simpleflow_lab.retry import FailedAttempt, back_off, policy_of


def after(policy, *kinds, error_names=frozenset(), elapsed=0.0, seed="run/task/1"):
    """The wait after attempts that failed so: "" or a timeout type each."""
    failures = Counter(kinds)
    return policy.wait_after(
        FailedAttempt(
            timeout_type=kinds[-1] or None,
            failures=failures,
            error_names=frozenset(error_names),
            elapsed=elapsed,
            seed=seed,
        )
    )


def waits(policy, count):
    return [after(policy, *[""] * n) for n in range(1, count + 1)]


def test_waits_grow_until_the_longest_and_end_with_the_attempts():
    policy = Retry(maximum_attempts=7, initial_interval=2, backoff_coefficient=3, maximum_interval=50)
    assert waits(policy, 8) == [2, 6, 18, 50, 50, 50, None, None]


def test_a_number_is_that_many_retries_at_once():
    assert waits(policy_of(2), 4) == [0, 0, None, None]
    assert waits(policy_of(0), 1) == [None]


def test_without_a_limit_of_attempts_the_waits_stay_within_what_swf_takes():
    policy = Retry(maximum_attempts=None, initial_interval=1000, maximum_interval=10**9)
    assert waits(policy, 3) == [1000, 2000, 4000]
    assert after(policy, *[""] * 100_000) == 31_536_000


def test_waits_are_whole_seconds_and_never_less_than_asked():
    assert waits(Retry(initial_interval=0.5, backoff_coefficient=1.5, maximum_attempts=4), 3) == [1, 1, 2]


def test_jitter_is_the_same_for_the_same_attempt_and_another_for_others():
    policy = Retry(initial_interval=1000, jitter=0.1)
    drawn = [after(policy, "", seed=f"run/task/{n}") for n in range(200)]
    assert drawn == [after(policy, "", seed=f"run/task/{n}") for n in range(200)]
    assert all(900 <= wait <= 1100 for wait in drawn)
    assert len(set(drawn)) > 100
    assert 980 < sum(drawn) / 200 < 1020


def test_no_attempt_begins_after_the_expiration():
    policy = Retry(maximum_attempts=None, initial_interval=10, backoff_coefficient=1, expiration=60)
    assert after(policy, "", elapsed=50) == 10
    assert after(policy, "", elapsed=51) is None


def test_each_type_of_timeout_has_its_own_count():
    """Issues 242 and 332 of upstream: more retries for heartbeats that stay out, none for tasks that run too long."""
    policy = Retry(maximum_attempts=2, initial_interval=0, timeouts={"HEARTBEAT": 3, "START_TO_CLOSE": 0})
    assert after(policy, "START_TO_CLOSE") is None
    assert [after(policy, *["HEARTBEAT"] * n) for n in (1, 2, 3, 4)] == [0, 0, 0, None]
    assert after(policy, "HEARTBEAT", "HEARTBEAT", "") == 0  # heartbeats don't use up the other attempts
    assert after(policy, "", "HEARTBEAT", "") is None
    assert after(policy, "SCHEDULE_TO_START") == 0  # not named: an error like any other
    assert after(policy, "", "SCHEDULE_TO_START") is None


class OfOurs(ConnectionError):
    pass


def failed(error):
    return error_names(TaskFailed("task", f"{type(error).__name__}: x", details_of(error)))


@pytest.mark.parametrize(
    ("policy", "names", "retried"),
    [
        (Retry(), failed(ValueError()), True),
        (Retry(on=[ValueError]), failed(ValueError()), True),
        (Retry(on=[ValueError]), failed(KeyError()), False),
        (Retry(on=ValueError), failed(ValueError()), True),
        (Retry(on=[OSError]), failed(OfOurs()), True),  # what its class derives from is recorded
        (Retry(on=[OfOurs]), failed(OfOurs()), True),
        (Retry(on=[OfOurs]), failed(ConnectionError()), False),
        (Retry(on=["OfOurs"]), failed(OfOurs()), True),
        (Retry(on=["elsewhere.OfOurs"]), failed(OfOurs()), False),
        (Retry(not_on=["builtins.OSError"]), failed(OfOurs()), False),
        (Retry(on=[Exception], not_on=[KeyError]), failed(KeyError()), False),
        (Retry(on=[LookupError]), error_names(TaskFailed("t", "KeyError: 'x'", "Traceback: ...")), True),  # a child's
        (Retry(on=[KeyError]), error_names(TaskFailed("t", "it went wrong: really", "words")), False),
        (Retry(on=[Exception]), error_names(TaskFailed("t", None)), True),
        (Retry(on=[TimeoutError]), error_names(TimeoutError("HEARTBEAT", 3)), True),
        (Retry(on=[TimeoutError]), failed(ValueError()), False),
        (Retry(not_on=[TaskFailed]), failed(ValueError()), False),
    ],
)
def test_errors_are_matched_by_what_was_recorded_of_them(policy, names, retried):
    assert (after(policy, "", error_names=names) is not None) is retried


def test_names_in_upstreams_details_are_enough_for_pythons_own_errors():
    details = '{"error": "ConnectionError", "error_type": "builtins.ConnectionError", "message": "", "traceback": []}'
    names = error_names(TaskFailed("task", "ConnectionError", details))
    assert after(Retry(on=[OSError]), "", error_names=names) is not None


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"maximum_attempts": 0}, "maximum_attempts must be a whole number, 1 or more, or None, not 0"),
        ({"maximum_attempts": 1.5}, "maximum_attempts"),
        ({"initial_interval": -1}, "initial_interval must be a number, 0 or more, not -1"),
        ({"initial_interval": "1"}, "initial_interval"),
        ({"backoff_coefficient": 0.5}, "backoff_coefficient must be a number, 1 or more"),
        ({"maximum_interval": float("inf")}, "maximum_interval must be seconds"),
        ({"jitter": 2}, "jitter is a part of the interval, 0 to 1, not 2"),
        ({"expiration": -1}, "expiration must be seconds"),
        ({"on": [int]}, "on takes exception classes or their names, not <class 'int'>"),
        ({"not_on": 7}, "not_on takes exception classes or their names, not 7"),
        ({"timeouts": {"heartbeat": 1}}, "timeouts has 'heartbeat': SWF's types are START_TO_CLOSE, "),
        ({"timeouts": {"HEARTBEAT": -1}}, "number of retries"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused_in_one_line(wrong, says):
    with pytest.raises(UsageError) as caught:
        Retry(**wrong)
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)


def test_activities_and_workflows_refuse_other_values():
    with pytest.raises(UsageError, match=r"activity retries\.odd: retry must be a number of retries, 0 or more, or a"):
        activity.with_attributes(name="retries.odd", retry="often")(lambda: None)
    with pytest.raises(UsageError, match="workflow Odd: retry must be a number of retries"):

        class Odd(Workflow):
            name = "retries.odd"
            retry = -1


def test_refusals_back_off_up_to_a_minute():
    assert [back_off(n) for n in (1, 2, 3, 6, 7, 8, 10_000)] == [1, 2, 4, 32, 60, 60, 60]
