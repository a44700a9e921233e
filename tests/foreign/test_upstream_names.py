"""Every name that upstream 0.36 gives to authors is here, or stands in a table that says why not."""

from __future__ import annotations

import importlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.foreign.test_upstream import simpleflow  # noqa: F401  a fixture

MODULES = (
    *("activity", "base", "canvas", "constants", "download", "exceptions", "execute", "futures", "history", "log"),
    *("marker", "metrology", "registry", "signal", "task", "workflow", "swf.task", "swf.executor", "local.executor"),
    *("step.constants", "step.submittable", "step.tasks", "step.workflow"),
)
"""What an author's program imports from. The rest is how upstream is made: its object layer, processes, settings."""

NOT_HERE: Mapping[str, str] = {
    "canvas.ChainFuture": "a chain has a GroupFuture",
    "constants.SIMPLEFLOW_ENV": "no smaller limits for tests",
    "constants.MAX_LOG_FIELD": "logging is the program's own",
    "constants.JUMBO_FIELDS_PREFIX": "see jumbo fields",
    "constants.JUMBO_FIELDS_MAX_SIZE": "see jumbo fields",
    "constants.CACHE_DIR": "the cache is in the user's own folder",
    "futures.get_result_or_raise": "future.result, as upstream says itself",
    "log.ColorModes": "logging is the program's own",
    "log.SimpleflowFormatter": "logging is the program's own",
    "log.SyslogFormatter": "logging is the program's own",
    "log.color_mode": "logging is the program's own",
    "log.colorize": "logging is the program's own",
    "log.setup_logging": "logging is the program's own",
    "log.setup_syslog_logging": "logging is the program's own",
    "task.get_actual_value": "futures are resolved at any depth",
    "swf.executor.NOTSET": "how upstream is made",
    "swf.executor.TaskRegistry": "how upstream is made",
    "swf.executor.run_fake_activity_task": "how upstream is made",
    "swf.executor.run_fake_child_workflow_task": "how upstream is made",
    "swf.executor.run_fake_task_worker": "how upstream is made",
    "download.download_binaries": "nothing named by a history is downloaded and run",
    "download.SIMPLEFLOW_BINARIES_DIRECTORY": "nothing named by a history is downloaded and run",
    "execute.MAX_ARGUMENTS_JSON_LENGTH": "arguments never stand on a command line",
    "execute.RequiredArgument": "how upstream is made",
    "execute.format_arguments_json": "arguments never stand on a command line",
    "metrology.StepExecution": "how upstream is made",
    "execute.wait_subprocess": "how upstream is made",
    "execute.get_name": "how upstream is made",
    "step.tasks.UNKNOWN_CONTEXT": "how upstream is made",
    "step.constants.UNKNOWN_CONTEXT": "how upstream is made",
}

LIST = """
import importlib, inspect, json, sys
found = {}
for name in sys.argv[1:]:
    module = importlib.import_module("simpleflow." + name)
    found[name] = [
        key for key, value in vars(module).items()
        if not key.startswith("_") and not inspect.ismodule(value) and key != "TYPE_CHECKING"
        and getattr(value, "__module__", module.__name__) == module.__name__
        and type(value).__module__ != "__future__"
    ]
print(json.dumps(found))
"""


@pytest.mark.slow
def test_every_name_upstream_gives_to_authors_is_here_or_said_not_to_be(simpleflow: str) -> None:  # noqa: F811
    python = str(Path(simpleflow).with_name("python"))
    done = subprocess.run([python, "-c", LIST, *MODULES], check=True, capture_output=True, text=True)
    missing = []
    for module, names in json.loads(done.stdout).items():
        try:
            here = importlib.import_module(f"simpleflow_lab.{module}")
        except ModuleNotFoundError:
            here = None
        missing += [f"{module}.{name}" for name in names if not hasattr(here, name)]
    assert sorted(set(missing) - set(NOT_HERE)) == []
