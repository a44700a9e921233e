"""What commands answer: one record per kind of answer. The faces show them, each in its way.

A record holds executions and plain values, never a table or a figure: what is drawn from an execution depends on who
looks.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from simpleflow_lab.exceptions import SimpleflowLabError
from simpleflow_lab.execution import Execution, RecordedExecution


@dataclass(frozen=True, kw_only=True)
class Record:
    """What a command answers."""


@dataclass(frozen=True, kw_only=True)
class Outcome(Record):
    """What became of an execution that a command started or took up again."""

    execution: Execution
    """The execution."""
    finished: bool
    """It closed. If not, nobody waited for it, or it is stuck (then `error` says why)."""
    result: Any = None
    """What its `run` returned, if it completed."""
    error: SimpleflowLabError | None = None
    """Why it has no result: a `WorkflowExecutionError` if it closed, a `DecisionTaskError` if it is stuck."""


@dataclass(frozen=True, kw_only=True)
class Started(Outcome):
    """`workflow.start`."""


@dataclass(frozen=True, kw_only=True)
class EngineStarted(Record):
    """`engine.start`."""

    store: str
    """The store that is served."""
    domain: str
    """A domain that is registered there."""
    url: str
    """Where it is served."""
    environment: Mapping[str, str]
    """The variables with which AWS SDKs find it."""

    def __repr__(self) -> str:
        # Without the key: what is shown in a notebook is saved with it.
        return f"<EngineStarted: {self.store} at {self.url}, for programs with the variables in .environment>"


@dataclass(frozen=True, kw_only=True)
class Resumed(Record):
    """`resume`."""

    outcomes: tuple[Outcome, ...]
    """One for each execution that was open, latest first."""


@dataclass(frozen=True, kw_only=True)
class Executions(Record):
    """`workflow.list`."""

    domain: str
    """Where they are."""
    infos: tuple[Mapping[str, Any], ...]
    """SWF's `executionInfos`, latest first."""


@dataclass(frozen=True, kw_only=True)
class Look(Record):
    """A look at one execution."""

    execution: Execution | RecordedExecution
    """The execution, of a store or from a file."""


@dataclass(frozen=True, kw_only=True)
class Info(Look):
    """`workflow.info`."""


@dataclass(frozen=True, kw_only=True)
class Tasks(Look):
    """`workflow.tasks`."""

    nb_tasks: int | None = None
    """At most so many."""


@dataclass(frozen=True, kw_only=True)
class Profile(Look):
    """`workflow.profile`."""

    nb_tasks: int | None = None
    """At most so many."""


@dataclass(frozen=True, kw_only=True)
class HistoryShown(Look):
    """`workflow.history`."""

    form: str
    """`events`, `raw` or `cooked`."""
    text: str
    """It as JSON: an array of events, the JSON of `aws swf get-workflow-execution-history`, an array of attempts."""
    file: Path | None = None
    """The file that it was written to."""


@dataclass(frozen=True, kw_only=True)
class Gantt(Look):
    """`gantt`."""

    file: Path | None = None
    """The HTML page that it was written to."""


@dataclass(frozen=True, kw_only=True)
class Opened(Look):
    """`open`: an execution from a file."""

    file: Path
    """The file."""


@dataclass(frozen=True, kw_only=True)
class Asked(Record):
    """`workflow.terminate`, `workflow.cancel`, `workflow.signal`: the service took the request."""

    execution: Execution
    """Of which execution."""
    message: str
    """What was asked, in a sentence."""


@dataclass(frozen=True, kw_only=True)
class About(Record):
    """`info`: sections of names and values, secrets redacted."""

    sections: Mapping[str, Mapping[str, str]]
    """By section: `versions`, `settings`, `environment`."""


@dataclass(frozen=True, kw_only=True)
class Help(Record):
    """`--help`, `help`, or no command at all."""

    text: str
    """To be shown as it is, in a font of fixed width."""


@dataclass(frozen=True, kw_only=True)
class Version(Record):
    """`--version`."""

    version: str
    """Of simpleflow_lab."""
