"""A session: the Lab that commands act on, opened when the first command needs it, and the last execution.

A shell has a session for one command; a notebook has one for as long as its kernel lives.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, NamedTuple

from simpleflow_lab.commands.parameters import Target, why_no_name
from simpleflow_lab.exceptions import UsageError, ValidationException
from simpleflow_lab.settings import default_domain, default_store, is_own_store
from simpleflow_lab.views.listing_shape import Shape

if TYPE_CHECKING:
    from simpleflow_lab.execution import Execution
    from simpleflow_lab.lab import Lab
    from simpleflow_lab.recorded_execution import RecordedExecution

NAME_A_STORE: Final = "name yours with --store; workflow.start makes a new one"
"""Advice where there is no store, by default."""
OpenLab = Callable[[str | None, str | None, bool], "Lab"]
"""From the address of a store and a domain to the Lab there, which may be open already; `None` is the default. The
last argument says whether a store that is not there is made."""
Watch = Callable[["Execution"], None]
"""Called with an execution that a command waits for. It returns when the execution has closed, and raises
`DecisionTaskError` if no decision can be made for now."""


class Output(NamedTuple):
    """The options of the command line on how to show an answer; a notebook takes those of `shape` only."""

    format: str = "tabular"
    """One of `output_options.FORMATS`."""
    header: bool | None = None
    """Whether titles of columns are shown; `None` is as the format needs it."""
    shape: Shape = Shape()
    """Which rows and columns of a listing are shown, and in which order."""
    watch: float | None = None
    """Show it again after so many seconds; `None` shows it once."""
    color: str = "auto"
    """`auto`, `always` or `never`."""
    raw: bool = False
    """Values stay as they are: control characters are not made visible, formulas in CSV not made harmless."""
    debug: bool = False
    """Errors are shown with their Python traceback."""


def wait(execution: Execution) -> None:
    """The simplest `Watch`: it shows nothing."""
    execution.wait()


def _notify(text: str) -> None:
    from simpleflow_lab.lab import notify

    notify(text)


class Session:
    """The state that the commands of a shell or a notebook share."""

    def __init__(
        self,
        open_lab: OpenLab | None = None,
        *,
        watch: Watch = wait,
        tell: Callable[[str], None] | None = None,
        serves_here: bool = False,
        started_by_hand: Callable[[], Execution | None] | None = None,
        without_store: Callable[[], str] = lambda: NAME_A_STORE,
        elsewhere: Callable[[str], str | None] = lambda workflow_id: None,
    ) -> None:
        """`open_lab` is by default this session's `open`; the Labs that it opened are closed by `close`. `tell` tells
        a person a line, such as that a new store was made. `started_by_hand` finds what was started last by a call.
        `without_store` says what helps where there is no store, and `elsewhere` where else a workflow id is, if it
        is not in the store."""
        self._open_lab = open_lab or self.open
        self.watch = watch
        self.tell = tell or _notify
        self.serves_here = serves_here
        """Whether deciders and activity workers that a command starts are threads of this process, as in a notebook;
        else they are processes of their own."""
        self._opened: dict[str | None, Lab] = {}
        self.store: str | None = None
        """The store that the command line names; `None` for the default."""
        self.virtual_time = False
        """Whether the Lab is opened with a clock that jumps to the next deadline."""
        self.output = Output()
        """The way in which the answer of the command is shown."""
        self.modules: list[str] = []
        """Modules that were imported because the command line named them."""
        self._written: set[str] = set()
        self._without_store = without_store
        self._elsewhere = elsewhere
        self._started_by_hand = started_by_hand or (lambda: None)
        self._last: Execution | RecordedExecution | None = None
        self._started_before: Execution | None = None

    @property
    def last(self) -> Execution | RecordedExecution | None:
        """The execution that was started, resumed or opened last, by a command or by hand: commands that name none are
        about this one."""
        started = self._started_by_hand()
        if started is None or (self._started_before is not None and started.run_id == self._started_before.run_id):
            return self._last
        return started

    @last.setter
    def last(self, execution: Execution | RecordedExecution) -> None:
        self._last, self._started_before = execution, self._started_by_hand()

    def forget_last(self) -> None:
        """Know none but what was started by hand: another Lab is used from now on."""
        self._last = self._started_before = None

    def close(self) -> None:
        """Close the Labs that this session opened."""
        opened, self._opened = self._opened, {}
        for lab in opened.values():
            lab.close()

    def remember_module(self, module: str) -> None:
        """Remember a module of definitions, for the command line with which an execution is resumed."""
        if module != "__main__" and module not in self.modules:
            self.modules.append(module)

    def rewrites(self, file: str | None) -> bool:
        """Whether a command that is watched has written this file before, and writes it again."""
        if file is None or self.output.watch is None:
            return False
        is_known = file in self._written
        self._written.add(file)
        return is_known

    # -- the Lab --

    def open(self, store: str | None, domain: str | None, new: bool) -> Lab:
        """The Lab of a store, which this session opens once and closes at its end."""
        if store not in self._opened:
            self._opened[store] = self.open_anew(
                default_store() if store is None else store,
                domain=domain,
                new=new,
                clock="virtual" if self.virtual_time else None,
            )
        return self._opened[store]

    def open_anew(self, address: str, *, domain: str | None, new: bool, clock: str | None = None) -> Lab:
        """A Lab of the store at this address. If there is none, it is made, and a person is told so.

        A domain that a store does not have is registered only if `new`, or else when something is started there; on
        Amazon SWF it must be there.

        Raises `UsageError` instead if it is not to be made, unless `new`: the address may be mistyped.
        """
        from simpleflow_lab.lab import Lab
        from simpleflow_lab.runtime.connection import MEMORY, has_made, missing_store

        missing = missing_store(address)
        if missing is not None and not is_own_store(address) and not os.path.isdir(os.path.dirname(missing)):
            raise UsageError(
                f"no store at {missing}: there is no folder {os.path.dirname(missing)}; make it, or name another store"
            )
        if missing is not None and not new:
            raise UsageError(f"no store at {missing}: {self._without_store()}")
        # A domain of Amazon's stays for ever, and its name may be mistyped: domain.register registers it.
        registers = (new or address == MEMORY) and not address.startswith("aws:")
        lab = Lab(address, domain=domain, clock=clock, registers_domain=registers, notice=self.tell)
        if missing is not None and has_made(lab.service):
            self.tell(f"a new store was made: {missing}")
        return lab

    @property
    def address(self) -> str:
        """The address of the store: of the Lab that is open, or would be opened."""
        opened = self._opened.get(self.store)
        if opened is not None:
            return opened.address
        return default_store() if self.store is None else self.store

    def lab(self, domain: str | None = None, *, new: bool = False) -> Lab:
        """The Lab to run things on, in this domain. `new` is for commands that start something: they may do so in a
        store that is not there yet.

        Raises `UsageError` if it is open in another domain, or if there is no store.
        """
        self._check_domain(domain or default_domain())
        lab = self._open_lab(self.store, domain, new)
        if self.virtual_time and not lab.is_virtual:
            raise UsageError("the Lab of this session runs in real time: open one as Lab(…, clock='virtual')")
        if domain is not None and lab.domain != domain:
            raise UsageError(
                f"the Lab of this session works in domain {lab.domain!r}, not {domain!r}: "
                f"open another one, as in Lab(…, domain={domain!r})"
            )
        if new:
            lab.check_domain()
        return lab

    @staticmethod
    def _check_domain(domain: str) -> None:
        """Raise `UsageError` for a name that SWF would refuse, before a store is opened for it."""
        reason = why_no_name(domain)
        if reason is not None:
            raise UsageError(f"no domain has the name {domain!r}: {reason}")

    def lab_of_own_executions(self, domain: str | None = None, *, new: bool = False, wait: bool = True) -> Lab:
        """As `lab`, for a command that runs one execution: in a shell it takes no tasks of other executions, and none
        at all unless the command is to `wait`: it would end with them at hand."""
        lab = self.lab(domain, new=new)
        if not self.serves_here:
            lab.limit_to_own_executions()
            if not wait:
                lab.serves = "nothing"
        return lab

    def known_domain(self, domain: str | None) -> str:
        """A domain of the store to use, by default the Lab's own. Raises `UsageError` if it is not registered."""
        lab = self.lab()
        if domain is None or domain == lab.domain:
            lab.check_domain()
            if not lab.address.startswith("aws:") and not lab.has_domain():
                raise UsageError(self._no_domain(lab, lab.domain))
            return lab.domain
        if domain not in lab.domains():
            raise UsageError(self._no_domain(lab, domain))
        return domain

    @staticmethod
    def _no_domain(lab: Lab, domain: str) -> str:
        return f"no domain {domain!r} in this store: it has {', '.join(lab.domains()) or 'none that is registered'}"

    # -- executions --

    def execution(self, target: Target, *, other: str | None = None) -> Execution:
        """The execution that the target names, by default the last one. Raises `UsageError`.

        `other` is a word that the command line has after the target: if it is the id, and the target is none, the
        error says so.
        """
        from simpleflow_lab.execution import Execution

        if not target.words:
            if isinstance(self.last, Execution):
                return self.last
            if self.last is not None:
                raise UsageError("the last execution was opened from a file: give the WORKFLOW_ID of another one")
            raise UsageError("which execution? give its WORKFLOW_ID; workflow.list shows them")
        lab = self.lab()
        named_domain, workflow_id, run_id = target.parse(lab.domains)
        domain = self.known_domain(named_domain)
        try:
            return lab.execution(workflow_id, run_id, domain=domain)
        except (UsageError, ValidationException):
            # SWF refuses even to look for a text that can't be an id.
            run = "" if run_id is None else f" with run id {run_id!r}"
            way_out = self._elsewhere(workflow_id) or "workflow.list lists them"
            message = f"no execution {workflow_id!r}{run} in domain {domain!r}: {way_out}"
            if other is not None and self._exists(lab, other, domain):
                message = f"the id comes first, then the rest: write `{other} {workflow_id}`"
            raise UsageError(message) from None

    @staticmethod
    def _exists(lab: Lab, workflow_id: str, domain: str) -> bool:
        try:
            return bool(lab.execution_infos(workflow_id=workflow_id, domain=domain))
        except ValidationException:
            return False
