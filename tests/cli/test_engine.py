"""`simpleflow engine.start`: a store that any SWF program can use."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import pytest

from simpleflow_lab import Lab


def command(store: str, *options: str) -> list[str]:
    """The command line that serves a store."""
    return [sys.executable, "-m", "simpleflow_lab.cli", "--store", store, "engine.start", *options]


@contextlib.contextmanager
def serving(store: str, *options: str) -> Iterator[tuple[subprocess.Popen[str], dict[str, str]]]:
    """The process of the command, and the variables that it printed."""
    process = subprocess.Popen(command(store, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    try:
        yield process, dict(re.fullmatch(r"export (\w+)=(\S+)\n", line).groups() for line in lines[1:])
    finally:
        process.kill()
        process.communicate()


def client_with(variables: dict[str, str]) -> Any:
    """A client of boto3 with these variables, which tries each request once."""
    return boto3.client(
        "swf",
        endpoint_url=variables["AWS_ENDPOINT_URL_SWF"],
        aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
        region_name=variables["AWS_DEFAULT_REGION"],
        config=botocore.config.Config(retries={"total_max_attempts": 1}),
    )


def domains(client: Any) -> list[str]:
    """The names of the domains that a service has."""
    return [info["name"] for info in client.list_domains(registrationStatus="REGISTERED")["domainInfos"]]


@pytest.fixture
def served(tmp_path: Path):
    """The process of the command, and the variables that it printed."""
    with serving(str(tmp_path / "store.sqlite")) as both:
        yield both


def test_its_variables_are_all_that_boto3_needs(served, monkeypatch):
    _, variables = served
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
    process, _ = served
    assert (tmp_path / "store.sqlite.endpoint").exists()
    assert process.stderr.readline() == "simpleflow: serving until interrupted (Ctrl-C)\n"
    process.send_signal(how)
    assert process.wait(10) == 0
    assert not (tmp_path / "store.sqlite.endpoint").exists()


def test_a_port_that_is_taken_is_one_line_and_exit_code_2(served, tmp_path):
    _, variables = served
    port = variables["AWS_ENDPOINT_URL_SWF"].rpartition(":")[2]
    refused = subprocess.run(command(":memory:", "--port", port), capture_output=True, text=True, env={**os.environ})
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "name another port" in refused.stderr


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_a_program_that_was_configured_once_goes_on_after_a_restart(tmp_path, how):
    store = str(tmp_path / "store.sqlite")
    with serving(store) as (process, before):
        client = client_with(before)
        assert domains(client) == ["lab"]
        process.send_signal(how)
        process.wait(20)
    with serving(store) as (_, after):
        assert after == before
        assert domains(client) == ["lab"]
    client.close()


def test_the_port_that_was_asked_for_is_that_of_the_next_start_too(tmp_path):
    store = str(tmp_path / "store.sqlite")
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with serving(store, "--port", str(port)) as (_, asked):
        assert asked["AWS_ENDPOINT_URL_SWF"].endswith(f":{port}")
    with serving(store) as (_, remembered):
        assert remembered == asked


def test_another_port_is_taken_and_told_if_that_of_the_last_time_is_not_free(tmp_path):
    store = str(tmp_path / "store.sqlite")
    with serving(store) as (_, before):
        port = int(before["AWS_ENDPOINT_URL_SWF"].rpartition(":")[2])
    with socket.create_server(("127.0.0.1", port)), serving(store) as (process, after):
        assert after["AWS_ENDPOINT_URL_SWF"] != before["AWS_ENDPOINT_URL_SWF"]
        notice = f"simpleflow: port {port}, at which the store was served before, is taken: programs need the new URL\n"
        assert process.stderr.readline() == notice
        client = client_with(after)
        assert domains(client) == ["lab"]
        client.close()


def test_rotated_keys_lock_programs_out_that_have_the_old_ones_and_no_process_of_ours(tmp_path):
    store = str(tmp_path / "store.sqlite")
    with serving(store) as (_, before):
        old = client_with(before)
        assert domains(old) == ["lab"]
    with serving(store, "--rotate-keys") as (_, after):
        assert {name for name in after if after[name] != before[name]} == {
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        }
        with pytest.raises(botocore.exceptions.ClientError, match="the access key is not the one of this engine"):
            domains(old)
        new = client_with(after)
        with Lab(store) as lab:
            assert domains(new) == lab.domains() == ["lab"]
        new.close()
    old.close()
    with serving(store) as (_, again):
        assert again == after
