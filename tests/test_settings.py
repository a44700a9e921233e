"""What the environment says: one table, read when needed, refused in one line."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import socket
import subprocess
import sys
import threading

import pytest

from simpleflow_lab import Lab, Workflow, activity, settings
from simpleflow_lab.exceptions import SimpleflowLabError, UsageError
from simpleflow_lab.replay.history_reader import RULES
from simpleflow_lab.runtime.identity import poller_identity
from simpleflow_lab.settings import Settings
from simpleflow_lab.swf.limits import MAX_IDENTITY


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch):
    """No variable of the table comes from whoever runs the tests."""
    for variable in settings.variables():
        monkeypatch.delenv(variable.name, raising=False)
    monkeypatch.delenv(settings.MODULE_VARIABLE, raising=False)
    yield
    settings.reset()


def test_without_an_environment_the_settings_are_the_tables_defaults():
    assert settings.current() == Settings()


def test_every_variable_is_named_once_and_its_field_follows_from_it():
    names = [variable.name for variable in settings.variables()]
    assert len(names) == len(set(names))
    for variable in settings.variables():
        short = variable.name.removeprefix("SIMPLEFLOW_").lower()
        assert variable.field == short
        assert variable.meaning
        assert f"`{variable.name}`" in settings.reference()


def test_settings_are_read_when_they_are_asked_for(monkeypatch):
    assert settings.current().jumbo_fields_bucket is None
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", "bucket/prefix")
    assert settings.current().jumbo_fields_bucket == "bucket/prefix"
    monkeypatch.setenv("SIMPLEFLOW_JUMBO_FIELDS_BUCKET", "")
    assert settings.current().jumbo_fields_bucket is None


@pytest.mark.parametrize("name", ["SIMPLEFLOW_ENABLE_DISK_CACHE", "SIMPLEFLOW_S3_SSE"])
@pytest.mark.parametrize(
    ("text", "value"),
    [("False", False), ("0", False), ("no", False), ("off", False), ("true", True), ("1", True), ("YES", True)],
)
def test_a_flag_means_what_it_says(monkeypatch, name, text, value):
    """J10, ENV-01: for upstream every text is true, "False" included."""
    monkeypatch.setenv(name, text)
    assert getattr(settings.current(), name.removeprefix("SIMPLEFLOW_").lower()) is value


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("SIMPLEFLOW_S3_SSE", "maybe"),
        ("SIMPLEFLOW_ENABLE_DISK_CACHE", "2"),
        ("SWF_CONNECTION_RETRIES", "abc"),
        ("SWF_CONNECTION_RETRIES", "-1"),
        ("SWF_MAX_OPEN_ACTIVITY_COUNT", "0"),
        ("SWF_MAX_OPEN_ACTIVITY_COUNT", "1e3"),
        ("ACTIVITY_DEFAULT_TIMEOUT", "5 minutes"),
        ("ACTIVITY_HEARTBEAT_TIMEOUT", "-5"),
        ("ACTIVITY_SIGTERM_WAIT_SEC", "nan"),
        ("WORKFLOW_DEFAULT_EXECUTION_TIME", "NONE"),
    ],
)
def test_what_can_not_be_read_is_one_line_that_names_the_variable(monkeypatch, name, text):
    """X3: upstream crashes while it is imported."""
    monkeypatch.setenv(name, text)
    with pytest.raises(UsageError, match=rf"{name} is '{text}': it can be ") as refused:
        settings.current()
    assert "\n" not in str(refused.value)
    with pytest.raises(UsageError, match=name):
        Lab(":memory:")


def test_the_package_is_imported_whatever_the_environment_says():
    odd = {variable.name: "\x01odd" for variable in settings.variables()} | {settings.MODULE_VARIABLE: "no.such"}
    code = "import simpleflow_lab, simpleflow_lab.settings, simpleflow_lab.runtime.pool"
    done = subprocess.run([sys.executable, "-c", code], env={**os.environ, **odd}, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_four_timeouts_of_activities_have_one_default(monkeypatch):
    monkeypatch.setenv("ACTIVITY_DEFAULT_TIMEOUT", "60")
    monkeypatch.setenv("ACTIVITY_HEARTBEAT_TIMEOUT", "none")
    found = settings.current()
    assert (found.activity_start_to_close_timeout, found.activity_schedule_to_close_timeout) == ("60", "60")
    assert found.activity_heartbeat_timeout == "NONE"


def test_a_module_of_the_user_is_asked_after_the_environment(monkeypatch, tmp_path):
    """ENV-01."""
    (tmp_path / "my_settings_of_tests.py").write_text(
        "SIMPLEFLOW_S3_SSE = True\nSTEP_BUCKET = 'steps'\nSWF_CONNECTION_RETRIES = 2\n"
    )
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(settings.MODULE_VARIABLE, "my_settings_of_tests")
    monkeypatch.setenv("STEP_BUCKET", "other")
    found = settings.current()
    assert (found.s3_sse, found.step_bucket, found.swf_connection_retries) == (True, "other", 2)


@pytest.mark.parametrize(
    ("text", "told"),
    [("raise RuntimeError('two\\nlines')", "RuntimeError: two lines"), ("SIMPLEFLOW_S3_SSE = 3", "SIMPLEFLOW_S3_SSE")],
)
def test_a_module_that_is_wrong_is_told_in_one_line(monkeypatch, tmp_path, text, told):
    name = f"wrong_settings_of_tests_{len(text)}"
    (tmp_path / f"{name}.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv(settings.MODULE_VARIABLE, name)
    with pytest.raises(UsageError, match=told) as refused:
        settings.current()
    assert "\n" not in str(refused.value)
    assert name in str(refused.value)


def test_an_override_holds_within_its_block_before_everything_else(monkeypatch):
    """ENV-07."""
    monkeypatch.setenv("STEP_BUCKET", "of the environment")
    with settings.override(step_bucket="mine", s3_sse="yes") as found:
        assert (found.step_bucket, found.s3_sse) == ("mine", True)
        with settings.override(step_bucket=None):
            assert settings.current().step_bucket is None
        assert settings.current().step_bucket == "mine"
    assert settings.current().step_bucket == "of the environment"


def test_configure_takes_upstreams_names_until_reset():
    """ENV-07."""
    settings.configure({"SIMPLEFLOW_S3_SSE": True}, swf_domain="etl")
    settings.put_setting("STEP_BUCKET", "steps")
    assert settings.default_domain() == "etl"
    assert (settings.current().s3_sse, settings.current().step_bucket) == (True, "steps")
    settings.reset()
    assert settings.current() == Settings()


def test_a_setting_is_had_by_its_variable_as_upstream_has_it():
    with settings.override(step_bucket="steps"):
        assert settings.STEP_BUCKET == "steps"
    with pytest.raises(AttributeError):
        settings.NO_SUCH_BUCKET


@pytest.mark.parametrize("values", [{"nosuch": 1}, {"s3_sse": "maybe"}, {"swf_connection_retries": None}])
def test_what_can_not_be_set_sets_nothing(values):
    with pytest.raises(UsageError):
        settings.configure({"step_bucket": "steps", **values})
    assert settings.current() == Settings()


# -- what they do ------------------------------------------------------------------------------------------------------


@activity.with_attributes(name="settings.nothing", version="1")
def nothing():
    return None


@activity.with_attributes(name="settings.said", task_list="settings-said", start_to_close_timeout=7, version="1")
def said():
    return None


class TwoActivities(Workflow):
    name = "settings.two"

    def run(self):
        self.submit(nothing).wait()
        self.submit(said).wait()


class ManyActivities(Workflow):
    name = "settings.many"

    def run(self, count):
        futures = [self.submit(nothing) for _ in range(count)]
        return len([future.result for future in futures])


def events_of(execution, kind):
    return [event.attributes for event in execution.history() if event.type == kind]


def test_what_a_workflow_and_its_activities_do_not_say_comes_from_the_settings(monkeypatch):
    """ENV-02, ENV-03."""
    for name, value in {
        "WORKFLOW_DEFAULT_TASK_LIST": "decisions-of-tests",
        "WORKFLOW_DEFAULT_EXECUTION_TIME": "1234",
        "WORKFLOW_DEFAULT_DECISION_TASK_TIMEOUT": "55",
        "ACTIVITY_DEFAULT_TASK_LIST": "activities-of-tests",
        "ACTIVITY_DEFAULT_TIMEOUT": "66",
        "ACTIVITY_HEARTBEAT_TIMEOUT": "9",
    }.items():
        monkeypatch.setenv(name, value)
    with Lab(":memory:") as lab:
        execution = lab.start(TwoActivities)
        execution.result(timeout=200)
        started = events_of(execution, "WorkflowExecutionStarted")[0]
        unset, given = events_of(execution, "ActivityTaskScheduled")
    assert started["taskList"] == {"name": "decisions-of-tests"}
    assert (started["executionStartToCloseTimeout"], started["taskStartToCloseTimeout"]) == ("1234", "55")
    assert unset["taskList"] == {"name": "activities-of-tests"}
    assert (unset["startToCloseTimeout"], unset["heartbeatTimeout"]) == ("66", "9")
    assert (given["taskList"], given["startToCloseTimeout"]) == ({"name": "settings-said"}, "7")


def most_open(execution):
    still_open = most = 0
    for event in execution.history():
        still_open += {"ActivityTaskScheduled": 1, "ActivityTaskCompleted": -1}.get(event.type, 0)
        most = max(most, still_open)
    return most


def test_an_execution_has_no_more_activities_open_than_the_settings_allow():
    """ENV-05, and a decider with another limit goes on with the same history."""
    with settings.override(swf_max_open_activity_count=3), Lab(":memory:") as lab:
        execution = lab.start(ManyActivities, 10)
        assert execution.result(timeout=200) == 10
        assert most_open(execution) == 3
        history = execution.history()
    from simpleflow_lab.replay.replay import Replay

    Replay(ManyActivities, workflow_id=execution.workflow_id, run_id=execution.run_id).feed(history)


# -- the identity ------------------------------------------------------------------------------------------------------


def test_the_identity_takes_what_the_environment_adds_and_null_removes():
    """SD-24."""
    found = json.loads(poller_identity('{"team": "etl", "user": null, "pid": "mine"}'))
    assert (found["team"], found["pid"]) == ("etl", "mine")
    assert "user" not in found
    assert "hostname" in found


@pytest.mark.parametrize(
    "given",
    ["[1]", "1", '"s"', "null", "{", "not json", "NaN", '{"a": NaN}', '{"a": "\\ud800"}', "true", "[]", "[" * 200_000,
     json.dumps({f"k{n}": n for n in range(21)})],
)  # fmt: skip
def test_an_identity_that_is_no_object_is_told_once_and_not_used(given, caplog):
    """X2, T18: with upstream every poll fails."""
    with caplog.at_level(logging.WARNING):
        assert poller_identity(given) == poller_identity()
    assert [record.getMessage().partition(":")[0] for record in caplog.records] == [
        "SIMPLEFLOW_IDENTITY is no JSON object of up to 20 keys"
    ]


@pytest.mark.parametrize(
    "extra", [{"a": "x" * 1000}, {f"key{n}": "é" * 20 for n in range(20)}, {"a": {"b": [1] * 300}}]
)
def test_an_identity_that_is_too_long_loses_keys_and_stays_json(extra):
    text = poller_identity(json.dumps(extra))
    assert len(text) <= MAX_IDENTITY
    found = json.loads(text)
    assert found["simpleflow_lab"] == RULES
    assert found["pid"] == os.getpid()


def test_an_odd_identity_keeps_nobody_from_polling(monkeypatch):
    monkeypatch.setenv("SIMPLEFLOW_IDENTITY", "[1]")
    with Lab(":memory:") as lab:
        assert lab.start(ManyActivities, 1).result(timeout=200) == 1
    monkeypatch.setenv("SIMPLEFLOW_IDENTITY", '{"simpleflow_lab": null, "team": "etl"}')
    with Lab(":memory:") as lab:
        execution = lab.start(ManyActivities, 1)
        execution.result(timeout=200)
        assert '"team": "etl"' in events_of(execution, "DecisionTaskStarted")[0]["identity"]
        assert f'"simpleflow_lab": {RULES}' in events_of(execution, "DecisionTaskStarted")[0]["identity"]


# -- calls to Amazon SWF -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("retries", [0, 1])
def test_a_call_that_fails_is_made_again_as_often_as_the_settings_say(monkeypatch, retries):
    """SD-23."""
    calls = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def answer():
            with contextlib.suppress(OSError):
                while True:
                    connection, _ = server.accept()
                    with connection:
                        calls.append(connection.recv(1 << 16).partition(b" ")[0])
                        connection.sendall(b"HTTP/1.1 500 no\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        threading.Thread(target=answer, daemon=True).start()
        for name, value in {
            "AWS_ENDPOINT_URL_SWF": f"http://127.0.0.1:{server.getsockname()[1]}",
            "AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9",
            "AWS_CONFIG_FILE": "/dev/null",
            "AWS_ACCESS_KEY_ID": "none",
            "AWS_SECRET_ACCESS_KEY": "none",
            "NO_PROXY": "127.0.0.1",
            "SWF_CONNECTION_RETRIES": str(retries),
        }.items():
            monkeypatch.setenv(name, value)
        with pytest.raises(SimpleflowLabError):
            Lab("aws://us-east-1/lab", notice=lambda _: None)
        server.shutdown(socket.SHUT_RDWR)
    assert calls == [b"POST"] * (retries + 1)
