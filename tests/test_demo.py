"""`extras/demo`: the story of the README in a shell."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]


@pytest.mark.trial
@pytest.mark.slow
@pytest.mark.timeout(600)
def test_the_demo_tells_its_story_and_leaves_nothing_behind(tmp_path: Path) -> None:
    environment = {**os.environ, "DEMO_FOLDER": str(tmp_path)}
    done = subprocess.run([ROOT / "extras" / "demo"], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "was killed by SIGKILL; it starts again in 0.5 s" in done.stderr
    assert (tmp_path / "demo.html").stat().st_size > 1_000
    story, _, end = done.stdout.rpartition("$ simpleflow standalone")
    assert "COMPLETED" in story
    assert "\n4\n" in end
    assert done.stdout.endswith("# That was it.\x1b[0m\n")
    assert list((tmp_path / "state").rglob("*.json")) == []
