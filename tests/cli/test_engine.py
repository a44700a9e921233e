"""`simpleflow engine.start`: a store that any SWF program can use."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import boto3
import pytest


@pytest.fixture
def served(tmp_path: Path):
    """The process of the command, and the variables that it printed."""
    command = [sys.executable, "-m", "simpleflow_lab.cli", "--store", str(tmp_path / "store.sqlite"), "engine.start"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(5)]
    yield process, dict(re.fullmatch(r"export (\w+)=(\S+)\n", line).groups() for line in lines[1:])
    process.kill()
    process.communicate()


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
    command = [sys.executable, "-m", "simpleflow_lab.cli", "--store", ":memory:", "engine.start", "--port", port]
    refused = subprocess.run(command, capture_output=True, text=True, env={**os.environ})
    assert refused.returncode == 2
    assert refused.stderr.count("\n") == 1
    assert "name another port" in refused.stderr
