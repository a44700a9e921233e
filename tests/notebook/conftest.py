"""A real IPython shell with the extension loaded, on a store of its own."""

from __future__ import annotations

import atexit
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from traitlets.config import Config

from simpleflow_lab import Lab, activity, workflow


@pytest.fixture(autouse=True)
def registries() -> Iterator[None]:
    """A test finds nothing defined, and what it defines is forgotten after it. What a module of helpers defines that it
    was the first to import stays, since the next import of it defines nothing."""
    of_one_type = {kind: dict(same) for kind, same in workflow.same_type.items()}
    saved: list[tuple[dict[Any, Any], dict[Any, Any]]] = [
        *((registry, dict(registry)) for registry in (activity.registry, workflow.registry)),
        (workflow.same_type, of_one_type),
    ]
    modules = set(sys.modules)
    for registry, _ in saved:
        registry.clear()
    yield
    imported = {name for name in sys.modules.keys() - modules if name.startswith("tests.")}
    for registry, content in saved:
        found = dict(registry)
        registry.clear()
        registry.update(content)
        for key, definition in found.items():
            if isinstance(definition, dict):  # the workflows of one type
                stay = {each: kind for each, kind in definition.items() if kind.__module__ in imported}
                if stay:
                    registry[key] = {**content.get(key, {}), **stay}
            elif definition.__module__ in imported:
                registry[key] = definition


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The store of `Lab()` in this test; nothing has run in it yet."""
    path = tmp_path / "store.sqlite"
    Lab(path).close()
    monkeypatch.setenv("SIMPLEFLOW_LAB_STORE", str(path))
    monkeypatch.delenv("SWF_DOMAIN", raising=False)
    return path


@pytest.fixture
def bare_shell(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[InteractiveShell]:
    """A shell without the extension."""
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    InteractiveShell.clear_instance()
    config = Config()
    config.HistoryManager.enabled = False
    config.InteractiveShell.colors = "nocolor"
    config.InteractiveShell.xmode = "Plain"
    shell: Any = InteractiveShell.instance(config=config)
    yield shell
    atexit.unregister(shell.atexit_operations)  # it can be done once
    shell.displayhook.do_full_cache = False  # else it collects garbage, in all that this process holds
    shell.atexit_operations()
    InteractiveShell.clear_instance()


@pytest.fixture
def shell(bare_shell: InteractiveShell, store: Path) -> Iterator[InteractiveShell]:
    """A shell with the extension."""
    bare_shell.extension_manager.load_extension("simpleflow_lab")
    yield bare_shell
    bare_shell.extension_manager.unload_extension("simpleflow_lab")
