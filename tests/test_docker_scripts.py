"""The scripts of the image: what they say where there is no Docker, and what goes into the image."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize("script", ["docker-build", "docker-run"])
def test_without_docker_it_is_one_line_and_exit_code_2(script: str, tmp_path: Path) -> None:
    for name in ("bash", "dirname", "env"):
        (tmp_path / name).symlink_to(Path("/usr/bin") / name)
    done = subprocess.run(
        ["/usr/bin/bash", ROOT / "script" / script], env={"PATH": str(tmp_path)}, capture_output=True, text=True
    )
    assert done.returncode == 2
    assert done.stderr == f"{script}: no Docker daemon answers: start one, or let this user talk to it\n"


def test_everything_that_the_image_is_built_from_is_there_and_nothing_else_goes_in() -> None:
    everything, *kept = (ROOT / ".dockerignore").read_text().splitlines()
    assert everything == "*"
    names = [line.removeprefix("!") for line in kept if line.startswith("!")]
    assert {"simpleflow_lab", "pyproject.toml", "constraints.txt"} <= set(names)
    assert all((ROOT / name).exists() for name in names)
    lines = (ROOT / "Dockerfile").read_text().splitlines()
    assert "USER lab" in lines
    assert lines.index("USER lab") < lines.index('ENTRYPOINT ["simpleflow"]')
