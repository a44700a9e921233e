"""What simpleflow's decider recorded, simulated with nothing changed, takes as long as it took.

The histories were recorded by upstream simpleflow 0.36 on our endpoint, as `test_upstream_programs` records them.
"""

import importlib
from pathlib import Path

import pytest

from simpleflow_lab import open_history
from tests.replay.recorded_by_upstream import forget_others

RECORDED = sorted((Path(__file__).parent / "recorded").glob("*.json"))
PROGRAMS = Path(__file__).parents[1] / "authors"


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in RECORDED])
def test_what_it_recorded_takes_as_long_as_it_took(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    forget_others(monkeypatch)
    monkeypatch.syspath_prepend(PROGRAMS)  # there, too, the modules are in `programs`
    module, _, name = path.stem.partition(".")
    recorded = open_history(path)
    unchanged = recorded.what_if(getattr(importlib.import_module(f"programs.{module}"), name))
    assert unchanged.status == recorded.history().close_status == "COMPLETED"
    assert "the code here" not in str(unchanged)
    assert unchanged.history[-1].attributes["result"] == recorded.history()[-1].attributes["result"]
    assert unchanged.seconds == pytest.approx(unchanged.recorded_seconds, rel=0.01)
    assert [event.type for event in unchanged.history] == [event.type for event in recorded.history()]
