"""A run of the tests leaves nothing in the system's folder for temporary files but what pytest keeps there."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path


def test_a_file_that_nobody_removes() -> None:
    """As notebooks and examples leave them; the next test looks for it."""
    Path(tempfile.mkdtemp(), "left").touch()


def test_what_nobody_removes_goes_with_the_run(tmp_path: Path) -> None:
    left = tmp_path / "left"
    left.mkdir()
    words = [__file__, "-k", test_a_file_that_nobody_removes.__name__, "-o", f"cache_dir={tmp_path / 'cache'}"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *words],
        cwd=Path(__file__).parents[1],
        env={**os.environ, "TMPDIR": str(left), "PYTEST_DEBUG_TEMPROOT": str(left), "PYTEST_ADDOPTS": ""},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(left.iterdir()) == []
