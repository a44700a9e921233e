"""Where commands act: a Lab, opened when the first command needs it, and what the last ones were about.

A shell has a session for one command; a notebook has one for as long as its kernel lives.
"""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from simpleflow_lab.commands.records import Outcome
from simpleflow_lab.exceptions import DecisionTaskError, UsageError, ValidationException, WorkflowExecutionError
from simpleflow_lab.execution import Execution, RecordedExecution
from simpleflow_lab.lab import Lab
from simpleflow_lab.settings import default_store

OpenLab = Callable[[str | None, str | None], Lab]
"""From the address of a store and a domain to the Lab there, the one that is open if it is; `None` is the default."""
Watch = Callable[[Execution], None]
"""Called with an execution that a command waits for; returns when it has closed, raises `DecisionTaskError` if it is
stuck."""


@dataclass(frozen=True, kw_only=True)
class Output:
    """How the command line asks for its answer to be shown; faces that show things their own way ignore it."""

    format: str = "tabular"
    """One of `table.FORMATS`."""
    header: bool = False
    """Titles of columns, too."""
    color: str = "auto"
    """`auto`, `always` or `never`."""
    raw: bool = False
    """Values as they are: control characters not made visible, formulas in CSV not made harmless."""
    debug: bool = False
    """Errors with their Python traceback."""


def wait(execution: Execution) -> None:
    """The simplest `Watch`."""
    execution.wait()


class Session:
    """What commands share."""

    def __init__(self, open_lab: OpenLab | None = None, *, watch: Watch = wait):
        """`open_lab` is by default this session's `open`; the Labs that it opened are closed by `close`."""
        self._open_lab = open_lab or self.open
        self._watch = watch
        self._opened: dict[str | None, Lab] = {}
        self.store: str | None = None
        """The store that the command line names; `None` for the default."""
        self.virtual_time = False
        """The command line asks for a clock that jumps to the next deadline."""
        self.output = Output()
        """What the command line said last of how to show its answer."""
        self.modules: list[str] = []
        """Modules that were imported because the command line named them."""
        self.last: Execution | RecordedExecution | None = None
        """The execution that was started, resumed or opened last: the one that is meant where none is named."""

    def close(self) -> None:
        """Close the Labs that this session opened."""
        opened, self._opened = self._opened, {}
        for lab in opened.values():
            lab.close()

    def came_from(self, module: str) -> None:
        """Remember a module, to be named where it is said how to go on."""
        if module != "__main__" and module not in self.modules:
            self.modules.append(module)

    # -- the Lab --

    def open(self, store: str | None, domain: str | None) -> Lab:
        """The Lab of a store, which this session opens once and closes at its end."""
        if store not in self._opened:
            self._opened[store] = Lab(store, domain=domain, clock="virtual" if self.virtual_time else None)
        return self._opened[store]

    @property
    def address(self) -> str:
        """Where the Lab is, or would be opened."""
        opened = self._opened.get(self.store)
        return opened.address if opened is not None else self.store or default_store()

    def lab(self, domain: str | None = None) -> Lab:
        """The Lab to run things on, in this domain. Raises `UsageError` if it is open in another one."""
        lab = self._open_lab(self.store, domain)
        if self.virtual_time and not lab.is_virtual:
            raise UsageError("the Lab of this session goes by real time: open one as Lab(…, clock='virtual')")
        if domain is not None and lab.domain != domain:
            raise UsageError(
                f"the Lab of this session works in domain {lab.domain!r}, not {domain!r}: "
                f"open another one, as in Lab(…, domain={domain!r})"
            )
        return lab

    def known_domain(self, domain: str | None) -> str:
        """A domain of the store to look at, by default the Lab's own. Raises `UsageError` if it is not registered."""
        lab = self.lab()
        if domain is None or domain == lab.domain:
            return lab.domain
        domains = lab.domains()
        if domain not in domains:
            raise UsageError(f"no domain {domain!r} in this store: it has {', '.join(domains)}")
        return domain

    # -- executions --

    def execution(self, words: Sequence[str], domain: str | None = None) -> Execution:
        """The execution that `[DOMAIN] WORKFLOW_ID [RUN_ID]` names, or the last one. Raises `UsageError`.

        Of two words the first is a domain if the store has one of that name, and `domain` was not given.
        """
        if not words:
            if isinstance(self.last, Execution):
                return self.last
            if self.last is not None:
                raise UsageError("the last execution was opened from a file: give the WORKFLOW_ID of another one")
            raise UsageError("which execution? give its WORKFLOW_ID; workflow.list shows them")
        lab = self.lab()
        rest = list(words)
        if len(rest) == 3 or (len(rest) == 2 and domain is None and rest[0] in lab.domains()):
            named = rest.pop(0)
            if domain is not None and domain != named:
                raise UsageError(f"two domains were given, {named!r} and {domain!r}: leave one out")
            domain = named
        if len(rest) > 2:
            raise UsageError(f"{len(words)} words where [DOMAIN] WORKFLOW_ID [RUN_ID] is expected")
        domain = self.known_domain(domain)
        run_id = urllib.parse.unquote(rest[1]) if len(rest) > 1 else None
        if not any(run_id in (None, info["execution"]["runId"]) for info in self._runs(rest[0], domain)):
            run = "" if run_id is None else f" with run id {run_id!r}"
            raise UsageError(f"no execution {rest[0]!r}{run} in domain {domain!r}: workflow.list lists them")
        return lab.execution(rest[0], run_id, domain=domain)

    def _runs(self, workflow_id: str, domain: str) -> Sequence[Mapping[str, Any]]:
        try:
            return self.lab().execution_infos(workflow_id=workflow_id, domain=domain)
        except ValidationException:
            # SWF refuses to look for what can be nobody's id.
            return ()

    def outcome(self, execution: Execution, *, wait: bool) -> Outcome:
        """What becomes of an execution, waited for if `wait`. An interrupt goes through, and leaves it open."""
        self.last = execution
        if not wait:
            return Outcome(execution=execution, finished=False)
        try:
            self._watch(execution)
            return Outcome(execution=execution, finished=True, result=execution.result())
        except WorkflowExecutionError as error:
            return Outcome(execution=execution, finished=True, error=error)
        except DecisionTaskError as error:
            return Outcome(execution=execution, finished=False, error=error)
