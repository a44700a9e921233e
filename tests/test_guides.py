"""The programs of the guides run, block after block, and what they claim holds."""

from __future__ import annotations

import linecache
import re
from pathlib import Path
from typing import Any

import pytest

from simpleflow_lab import lab

ROOT = Path(__file__).parents[1]


@pytest.mark.parametrize(
    "page",
    [
        "activities",
        "coming_from_simpleflow",
        "debugger",
        "determinism",
        "explain",
        "failures",
        "index",
        "output",
        "pictures",
        "tables",
        "waiting",
        pytest.param(
            "why_is_it_waiting",  # a workflow of it reads the clock, and the page says what comes of it
            marks=pytest.mark.filterwarnings("ignore::simpleflow_lab.exceptions.DeterminismWarning"),
        ),
        "workers",
    ],
)
def test_the_code_of_a_guide_runs(page: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A page is one program, whose blocks assert what the page says."""
    monkeypatch.chdir(tmp_path)
    blocks = re.findall(r"^```python\n(.*?)^```$", (ROOT / "docs" / f"{page}.md").read_text(), re.MULTILINE | re.DOTALL)
    assert blocks
    names: dict[str, Any] = {"__name__": f"docs.{page}"}
    open_before = set(lab._open_labs)
    try:
        for number, block in enumerate(blocks):
            # Messages quote the author's lines, as they do in a notebook.
            name = f"<{page}.md, block {number}>"
            linecache.cache[name] = (len(block), None, block.splitlines(keepends=True), name)
            exec(compile(block, name, "exec"), names)
    finally:
        for opened in lab._open_labs - open_before:  # some in no variable
            opened.close()


def test_the_examples_that_the_guides_name_are_there() -> None:
    for page in sorted((ROOT / "docs").glob("*.md")):
        for name in re.findall(r"`(?:examples/)?(\w+\.py)`", page.read_text()):
            assert (ROOT / "examples" / name).is_file(), (page.name, name)
