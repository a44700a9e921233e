"""`simpleflow engine.start`: a store that any SWF program can use."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from pathlib import Path

import boto3
import botocore.config
import botocore.exceptions
import pytest

from simpleflow_lab import Lab
from tests.served import Served, command, domains


@pytest.fixture
def served(tmp_path: Path):
    with Served(str(tmp_path / "store.sqlite")) as started:
        yield started


def test_its_variables_are_all_that_boto3_needs(served, monkeypatch):
    variables = served.variables
    assert set(variables) == {
        "AWS_ENDPOINT_URL_SWF",
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_DEFAULT_REGION",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    client = boto3.session.Session().client("swf")  # the default session keeps the first keys that it had
    assert client.list_domains(registrationStatus="REGISTERED")["domainInfos"][0]["name"] == "lab"
    client.close()


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupt_ends_it_and_leaves_no_connection_file(served, tmp_path, how):
    assert (tmp_path / "store.sqlite.endpoint").exists()
    assert served.said() == f"simpleflow: a new store was made: {tmp_path / 'store.sqlite'}\n"
    assert served.said() == "simpleflow: serving until interrupted (Ctrl-C)\n"
    assert served.end(how) == 0
    assert not (tmp_path / "store.sqlite.endpoint").exists()


def test_a_port_that_is_taken_is_one_line_and_exit_code_2(served, tmp_path):
    port = str(served.port)
    refused = subprocess.run(command(":memory:", "--port", port), capture_output=True, text=True, env={**os.environ})
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "name another port" in refused.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_was_configured_once_goes_on_after_a_restart(tmp_path, how):
    store = str(tmp_path / "store.sqlite")
    with Served(store) as before:
        client = before.client()
        assert domains(client) == ["lab"]
        before.end(how)
    with Served(store) as after:
        assert after.variables == before.variables
        assert domains(client) == ["lab"]
    client.close()


def test_the_port_that_was_asked_for_is_that_of_the_next_start_too(tmp_path):
    store = str(tmp_path / "store.sqlite")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with Served(store, "--port", str(port)) as asked:
        assert asked.port == port
    with Served(store) as remembered:
        assert remembered.variables == asked.variables


def test_another_port_is_taken_and_told_if_that_of_the_last_time_is_not_free(tmp_path):
    store = str(tmp_path / "store.sqlite")
    with Served(store) as before:
        before.end()
    with socket.create_server(("127.0.0.1", before.port)), Served(store) as after:
        assert after.port != before.port
        taken = f"port {before.port}, at which the store was served before, is taken: programs need the new URL"
        assert after.said() == f"simpleflow: {taken}\n"
        client = after.client()
        assert domains(client) == ["lab"]
        client.close()


def test_rotated_keys_lock_programs_out_that_have_the_old_ones_and_no_process_of_ours(tmp_path):
    store = str(tmp_path / "store.sqlite")
    with Served(store) as before:
        old = before.client()
        assert domains(old) == ["lab"]
        before.end()
    with Served(store, "--rotate-keys") as after:
        changed = {name for name, value in after.variables.items() if value != before.variables[name]}
        assert changed == {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"}
        with pytest.raises(botocore.exceptions.ClientError, match="the access key is not the one of this engine"):
            domains(old)
        new = after.client()
        with Lab(store) as lab:
            assert domains(new) == lab.domains() == ["lab"]
        new.close()
        after.end()
    old.close()
    with Served(store) as again:
        assert again.variables == after.variables


@pytest.mark.slow
def test_a_program_that_polls_in_vain_is_answered_soon_enough_to_end(tmp_path: Path) -> None:
    with Lab(tmp_path / "lab.sqlite", serve="nothing") as lab:
        variables = lab.serve_store(port=0).environment
        swf = boto3.client(
            "swf",
            endpoint_url=variables["AWS_ENDPOINT_URL_SWF"],
            region_name=variables["AWS_DEFAULT_REGION"],
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            # SWF's own 60 s, or half of them, would be an error here.
            config=botocore.config.Config(read_timeout=25, retries={"total_max_attempts": 1}),
        )
        assert not swf.poll_for_activity_task(domain="lab", taskList={"name": "empty"}).get("taskToken")
