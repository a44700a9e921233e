"""Every command and option of upstream 0.36 is here, or stands in a table that says why not."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import click
import pytest

from simpleflow_lab.commands.command_table import table
from tests.foreign.test_upstream import simpleflow  # noqa: F401  a fixture

NOT_HERE: Mapping[str, str] = {
    "binaries.download": "nothing named by a history is downloaded and run",
    "workflow.history --reverse-order": "the file of it is whole and in order; see the guide",
}

LIST = """
import json
from simpleflow.command import cli
print(json.dumps({
    name: [option for parameter in command.params for option in parameter.opts if option.startswith("--")]
    for name, command in cli.commands.items()
}))
"""


@pytest.mark.slow
def test_every_command_and_option_of_upstream_is_here_or_said_not_to_be(simpleflow: str) -> None:  # noqa: F811
    python = str(Path(simpleflow).with_name("python"))
    done = subprocess.run([python, "-c", LIST], check=True, capture_output=True, text=True)
    missing = set()
    for name, options in json.loads(done.stdout).items():
        command = table.get_command(click.Context(table), name)
        if command is None:
            missing.add(name)
            continue
        known = {option for parameter in command.params for option in (*parameter.opts, *parameter.secondary_opts)}
        missing |= {f"{name} {option}" for option in options if option not in known}
    assert missing == set(NOT_HERE)
