"""Names of commands elsewhere: by schedulers, container tools, other workflow systems, and in notebooks.

Who types such a name is told the one that it has here.

Rule: only names that can mean one thing; a name that is spelled like a command is found by its spelling.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

OTHER_NAMES: Final[Mapping[str, str]] = {
    **dict.fromkeys(("start", "run", "submit", "execute", "exec", "trigger", "launch", "invoke"), "workflow.start"),
    **dict.fromkeys(("ls", "list", "ps", "status", "executions", "runs", "jobs"), "workflow.list"),
    **dict.fromkeys(("show", "describe", "get", "inspect"), "workflow.info"),
    **dict.fromkeys(("logs", "log", "tail"), "workflow.logs"),
    **dict.fromkeys(("tasks", "attempts"), "workflow.tasks"),
    **dict.fromkeys(("history", "events"), "workflow.history"),
    **dict.fromkeys(("profile", "timing", "timings"), "workflow.profile"),
    **dict.fromkeys(("chart", "timeline", "graph", "plot"), "gantt"),
    **dict.fromkeys(("signal", "send"), "workflow.signal"),
    "cancel": "workflow.cancel",
    "abort": "workflow.cancel",
    "stop": "workflow.cancel or workflow.terminate",
    **dict.fromkeys(("kill", "terminate", "rm"), "workflow.terminate"),
    **dict.fromkeys(("restart", "retry"), "workflow.restart"),
    "rerun": "workflow.restart or activity.rerun",
    "replay": "workflow.replay",
    "to_test": "workflow.to_test",
    "why": "workflow.explain",
    "explain": "workflow.explain",
    "continue": "resume",
    "recover": "resume",
    **dict.fromkeys(("queue", "queues", "backlog"), "task_list.list"),
    "domains": "domain.list",
    **dict.fromkeys(("workers", "nodes"), "worker.list"),
    **dict.fromkeys(("serve", "server", "up", "daemon"), "engine.start"),
    **dict.fromkeys(("config", "settings", "env"), "info"),
    **dict.fromkeys(("check", "diagnose"), "doctor"),
    "version": "simpleflow --version",
    "binaries.download": "the PATH of the workers: install programs there; nothing that an input names is downloaded",
    "export": "%simpleflow export FILE, in a notebook, whose definitions it writes to a module",
    "live": "%simpleflow live, in a notebook",
    "connect": "%simpleflow connect, in a notebook; in a shell, --store ADDRESS before the command",
    **dict.fromkeys(("ui", "web", "dashboard", "notebook"), "%load_ext simpleflow_lab, in a notebook of JupyterLab"),
}
"""The words to type instead of a name."""


def here(name: str, known: Iterable[str]) -> str | None:
    """The name here of a command of this name, of those that are known; `None` if that can't be told.

    `workflow.ls` and `ls` are both `workflow.list`; of another noun a command is meant only if that has it.
    """
    name = name.lower().replace("-", "_")
    noun, _, verb = name.rpartition(".")
    words = OTHER_NAMES.get(verb)
    if words is None or name in OTHER_NAMES:
        return OTHER_NAMES.get(name)
    commands = set(known)
    same_noun = [f"{noun}.{each.rpartition('.')[2]}" for each in words.split(" or ")]
    found = [each for each in same_noun if each in commands]
    return " or ".join(found) or None
