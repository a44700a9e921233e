"""The commands of the guide on operating run as they stand there, one after the other."""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable
from pathlib import Path
from typing import Any

GUIDE = Path(__file__).parents[2] / "docs" / "operating.md"


def test_the_commands_of_the_guide_run(simpleflow: Callable[..., Any]) -> None:
    blocks = re.findall(r"^```sh\n(.*?)^```$", GUIDE.read_text(), re.MULTILINE | re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines()]
    assert len(lines) > 15
    for line in lines:
        piped = ""
        for command in line.split(" | "):
            program, *words = shlex.split(command)
            assert program == "simpleflow"
            ended = simpleflow(*words, input=piped)
            assert ended.code == 0, (line, ended.err)
            assert ended.out or ended.err, line
            piped = ended.out
