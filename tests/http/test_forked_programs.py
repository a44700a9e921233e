"""SWF programs that fork: their processes share the connections that were open."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from simpleflow_lab.engine.embedded import EmbeddedSWF
from simpleflow_lab.http.server import Endpoint


def test_processes_that_share_a_client_of_boto3_are_told_what_they_asked(tmp_path: Path) -> None:
    with EmbeddedSWF(":memory:") as engine:
        endpoint = Endpoint(engine)
        try:
            subprocess.run(
                [sys.executable, str(Path(__file__).with_name("forking_program.py"))],
                env={**os.environ, **endpoint.environment},
                check=True,
                timeout=200,
            )
        finally:
            endpoint.close()
