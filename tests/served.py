"""`simpleflow engine.start` in a process of its own, for tests of SWF programs that outlive it."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from types import TracebackType
from typing import Any

import boto3
import botocore.config


def command(store: str, *options: str) -> list[str]:
    """The command line that serves a store."""
    return [sys.executable, "-m", "simpleflow_lab.cli", "--store", store, "engine.start", *options]


class Served:
    """A store that is served, from construction to the end of a `with` block."""

    def __init__(self, store: str, *options: str):
        self.process = subprocess.Popen(
            command(store, *options), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        lines = [self.process.stdout.readline() for _ in range(5)]
        assert lines[-1], self.process.communicate()[1]
        found = [re.fullmatch(r"export (\w+)=(\S+)\n", line) for line in lines[1:]]
        self.variables = {match[1]: match[2] for match in found if match is not None}
        """The variables that it printed."""

    def __enter__(self) -> Served:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None
    ) -> None:
        if self.process.returncode is None:
            self.end(signal.SIGKILL)

    @property
    def port(self) -> int:
        """The port of its URL."""
        return int(self.variables["AWS_ENDPOINT_URL_SWF"].rpartition(":")[2])

    def said(self) -> str:
        """The next line that it says to a person."""
        assert self.process.stderr is not None
        return self.process.stderr.readline()

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Send a signal, and wait for the end; gives the exit code."""
        self.process.send_signal(how)
        self.process.communicate(timeout=200)
        return self.process.returncode

    def client(self) -> Any:
        """A client of boto3, which tries each request once."""
        return boto3.client(
            "swf",
            endpoint_url=self.variables["AWS_ENDPOINT_URL_SWF"],
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            region_name=self.variables["AWS_DEFAULT_REGION"],
            config=botocore.config.Config(retries={"total_max_attempts": 1}),
        )


def domains(client: Any) -> list[str]:
    """The names of the domains that a service has."""
    return [info["name"] for info in client.list_domains(registrationStatus="REGISTERED")["domainInfos"]]
