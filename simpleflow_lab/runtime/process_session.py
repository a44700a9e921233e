"""The client session of this process at one service: what it tells the engine, and when.

It opens with the first task list that this process serves, and tells which workflow and activity types are defined
here. A thread tells what is defined later, and says every second that the process lives, if the engine is another
process's.

Rule: the engine knows a definition before an execution uses it, and a served task list before the first task for it:
`flush` is called before each. Telling the engine never fails a definition, and never holds it up.
"""

from __future__ import annotations

import contextlib
import contextvars
import logging
import os
import socket
import threading
import weakref
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, Final

from simpleflow_lab import activity, workflow
from simpleflow_lab.exceptions import SimpleflowLabError, UnknownOperationException, UnknownSessionFault
from simpleflow_lab.runtime.fingerprints import fingerprint
from simpleflow_lab.runtime.identity import instance_id
from simpleflow_lab.service.watchable import ClientRecord, WatchableService
from simpleflow_lab.swf.event_types import ACTIVITY, DECISION_TASK

logger = logging.getLogger(__name__)

MAX_NAMED: Final = 5
"""Types that a line for a person names."""
KEEP_SECONDS: Final = 1.0
"""Seconds between two messages to the engine of another process that this one lives."""
RELEASE_SECONDS: Final = 2.0
"""Seconds for which a process that stops waits until the engine has the tasks that it gives back."""


class ProcessSession:
    """The session of this process at one service. Any thread may use it."""

    def __init__(
        self,
        service: WatchableService | None,
        *,
        hold: Callable[[], bool] | None = None,
        tell: Callable[[str], None] = logger.warning,
    ) -> None:
        """`service` is `None` where there are no sessions: then nothing here has an effect. `hold` says to an engine of
        another process that this one lives, and gives whether there is such an engine. `tell` tells a person a line."""
        self._service = service
        self._hold = hold
        self._tell = tell
        self._start_over()
        self.on_new_owner: list[Callable[[], None]] = []
        """Called when another engine has been told of this process. They must return at once."""
        self.on_logs: list[Callable[[Mapping[str, Any]], None]] = []
        """Called with each execution to whose log another process has added. They must return at once."""
        _sessions.add(self)

    def _start_over(self) -> None:
        """Have no session."""
        self._lock = threading.Lock()
        self._opening = threading.Lock()
        self._wake = threading.Event()
        self._lists: Counter[tuple[str, str, str]] = Counter()
        self._tokens: set[str] = set()
        self._unreported_tokens: set[str] = set()
        self._polls: set[int] = set()
        self._latest_poll = 0
        self._dirty = False
        self._reported_types: tuple[_Types, _Types] = ([], [])
        self._last: ClientRecord | None = None
        self._differing: set[tuple[str, ...]] = set()
        self._damaged: set[str] = set()
        self._context = contextvars.copy_context()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._own_executions_only = False
        self.is_open = False
        """Whether the engine was told of this process."""

    @property
    def instance(self) -> str | None:
        """The instance in the identity of this process's polls; `None` where there are no sessions."""
        return None if self._service is None else instance_id()

    # -- what is served

    def limit_to_own_executions(self) -> None:
        """Take only tasks of executions that this process starts or attaches from now on, and of their children."""
        self._own_executions_only = self._dirty = True

    def serve(self, kind: str, domain: str, task_list: str) -> None:
        """Say that this process polls this task list from now on; `kind` is that of the tasks."""
        if self._service is None:
            return
        with self._lock:
            self._lists[kind, domain, task_list] += 1
            self._dirty = True
        self.flush()

    def stop_serving(self, kind: str, domain: str, task_list: str) -> None:
        """Take back one `serve`."""
        if self._service is None:
            return
        with self._lock:
            self._lists[kind, domain, task_list] -= 1
            self._lists += Counter()  # without those that are 0
            self._dirty = True
        self._wake.set()

    def flush(self) -> None:
        """Tell the engine what has changed; after it, the engine knows. Opens the session if need be."""
        if not self._dirty or self._service is None:
            return
        with self._opening:
            if self._closed:
                return  # a poller that is about to stop was late
            if not self.is_open:
                self._open()
            elif self._dirty:
                self._dirty = False
                if self._last == (record := self._record()):
                    return  # an activity was wrapped again, as by a call of `with_attributes` in `run`
                try:
                    self.take_up(self._service.keep_session(instance=instance_id(), record=record))
                    self._last = record
                except UnknownSessionFault:
                    self.open_again()
                except UnknownOperationException:  # an owner of version 0.1.0 knows no sessions
                    return
                except BaseException:  # an interrupt too: what was not told is told again
                    self._dirty = True
                    raise

    def refresh(self) -> None:
        """As `flush`, and look whether a function that a definition uses was defined after it, or anew.

        A process that serves nothing opens the session, too, if it defines something: what it starts uses that.
        """
        if not self.is_open or _all_types() != self._reported_types:
            self._dirty = bool(self.is_open or workflow.registry or activity.registry)
        self.flush()

    def open_again(self) -> None:
        """Open the session at an engine that doesn't know it."""
        assert self._service is not None
        self.take_up(self._service.open_session(**self.opening()))
        self.opened_anew()

    def opened_anew(self) -> None:
        """Note that another engine, or the same one again, was told of this process."""
        for call in list(self.on_new_owner):
            call()

    def _open(self) -> None:
        assert self._service is not None
        self.is_open = True
        self._context = contextvars.copy_context()  # of the cell that starts something: what differs is reported there
        for registry in (workflow.registry, activity.registry):
            registry.subscribe(self._defined)
        self._dirty = False
        with contextlib.suppress(UnknownOperationException):
            self.take_up(self._service.open_session(**self.opening()))
        self._thread = threading.Thread(target=self._keep, name="simpleflow-lab session", daemon=True)
        self._thread.start()
        if self._closed:
            self._end()

    def _defined(self, definition: object) -> None:
        self._dirty = True
        self._context = contextvars.copy_context()  # what there is to tell of it is shown in its cell
        self._wake.set()

    # -- what the engine is told

    def opening(self) -> dict[str, Any]:
        """The arguments of `open_session`."""
        with self._lock:
            tokens = sorted(self._tokens)
        return {"instance": instance_id(), "record": self._record(), "taskTokens": tokens}

    def _record(self) -> ClientRecord:
        with self._lock:
            lists = sorted(self._lists)
        self._reported_types = _all_types()
        workflow_types, activity_types = self._reported_types
        return {
            "pid": os.getpid(),
            "hostname": socket.gethostname(),
            "workflowTypes": workflow_types,
            "activityTypes": activity_types,
            "decisionTaskLists": [{"domain": d, "name": name} for kind, d, name in lists if kind == DECISION_TASK],
            "activityTaskLists": [{"domain": d, "name": name} for kind, d, name in lists if kind == ACTIVITY],
            "ownExecutionsOnly": self._own_executions_only,
        }

    def take_up(self, answer: Mapping[str, Any]) -> None:
        """Take up what an engine's answer says: tell a person, once, which definitions of other processes differ from
        those of this one, and which executions of the store are damaged, and show what others wrote."""
        for news in answer.get("logs", ()):
            for call in list(self.on_logs):
                call(news)
        for damage in answer.get("damaged", ()):
            if damage not in self._damaged:
                self._damaged.add(damage)
                self._context.copy().run(self._tell, damage)
        types_of: dict[str, list[str]] = {}
        other_names = {name for name, _ in workflow.other_names()}
        for other in answer.get("differing", ()):
            if other["name"] in other_names:
                continue  # it is listed under the name of its type
            definition = (str(other["pid"]), other["kind"], other["name"], other["version"])
            if definition not in self._differing:
                self._differing.add(definition)
                types_of.setdefault(str(other["pid"]), []).append(f"{other['name']} {other['version']}")
        for pid, types in types_of.items():
            named = ", ".join(types[:MAX_NAMED]) + (f" and {len(types) - MAX_NAMED} more" if types[MAX_NAMED:] else "")
            text = f"process {pid} defines {named} otherwise than this one" + (
                ": the tasks of an execution run by the code of the process that started or resumed it, as long as "
                "that lives"
                if self._lists
                else f", which runs no tasks: what is started or resumed here runs by the code of process {pid}"
            )
            self._context.copy().run(self._tell, text)

    # -- what is held

    def begin_poll(self) -> int:
        """Note that this process polls; gives the poll's number, with which `end_poll` must be called."""
        with self._lock:
            self._latest_poll += 1
            number = self._latest_poll
            self._polls.add(number)
            return number

    def end_poll(self, number: int, token: str | None) -> None:
        """Note that a poll has ended, with the task of this token, or with none."""
        with self._lock:
            self._polls.discard(number)
            if token is not None:
                self._tokens.add(token)
                self._unreported_tokens.add(token)

    def done(self, token: str) -> None:
        """Note that this process has answered a task."""
        with self._lock:
            self._tokens.discard(token)
            self._unreported_tokens.discard(token)

    def give_up(self, token: str) -> None:
        """Hold a task no longer that this process can't answer: an engine that asks gives it out again at once."""
        self.done(token)
        self.release([token])

    @contextlib.contextmanager
    def telling_held(self) -> Iterator[dict[str, Any]]:
        """Tell the engine within this context what it gives: the polls, and the tasks that came since it was told."""
        with self._lock:
            tokens = set(self._unreported_tokens)
            held = {"polls": sorted(self._polls), "latestPoll": self._latest_poll, "taskTokens": sorted(tokens)}
        yield held
        with self._lock:
            self._unreported_tokens -= tokens

    def release(self, tokens: Iterable[str]) -> None:
        """Give these tasks back: they are given out again at once. Waits a moment for it at most."""
        given_back = list(tokens)
        service = self._service
        if service is None or not given_back:
            return

        def release() -> None:
            for token in given_back:
                try:
                    service.release_task(taskToken=token)
                except SimpleflowLabError as error:
                    # It comes back with the session's end, or by its timeout.
                    logger.info("a task could not be given back: %s", error)
                else:
                    self.done(token)

        thread = threading.Thread(target=release, name="simpleflow-lab release", daemon=True)
        thread.start()
        thread.join(RELEASE_SECONDS)

    # -- the thread

    def _keep(self) -> None:
        woken = True
        while self.is_open:
            try:
                self.refresh()
                is_held = self._hold is not None and self._hold()
                # Once more after a definition: what it uses may come later in its cell.
                pause = KEEP_SECONDS if woken or is_held else None
            except Exception:  # whatever it is, it ends no thread that keeps the session
                # A suspended or dying owner, a closed store: the next call of a poller finds out which.
                logger.debug("the session could not be kept", exc_info=True)
                pause = KEEP_SECONDS
            woken = self._wake.wait(pause)
            self._wake.clear()

    def wake(self) -> None:
        """Let the thread look at once whose engine it is."""
        self._wake.set()

    def close(self) -> None:
        """Tell the engine nothing more, from now on."""
        self._closed = True
        self._end()

    def _end(self) -> None:
        if not self.is_open:
            return
        self.is_open = False
        for registry in (workflow.registry, activity.registry):
            registry.unsubscribe(self._defined)
        self._wake.set()


_Types = list[dict[str, str]]


def _all_types() -> tuple[_Types, _Types]:
    """The workflow types and the activity types that this process defines."""
    others = [((name, definition.type_version()), definition) for name, definition in workflow.other_names()]
    return _types([*workflow.registry.items(), *others]), _types(list(activity.registry.items()))


def _types(definitions: Iterable[tuple[tuple[str, str], Any]]) -> _Types:
    kinds = list(definitions)
    # One that has two names is looked at once.
    prints = {definition: fingerprint(definition) for definition in {definition for _, definition in kinds}}
    return [
        {"name": name, "version": version, "fingerprint": prints[definition]} for (name, version), definition in kinds
    ]


# -- the sessions of this process --------------------------------------------------------------------------------------

_sessions: Final[weakref.WeakSet[ProcessSession]] = weakref.WeakSet()
_by_service: Final[weakref.WeakKeyDictionary[Any, ProcessSession]] = weakref.WeakKeyDictionary()


def attach(service: Any, session: ProcessSession) -> None:
    """Make this the session at a service."""
    _by_service[service] = session


def session_of(service: Any) -> ProcessSession:
    """The session of this process at a service; one without effect if the service has no sessions."""
    found = _by_service.get(service)
    return found if found is not None else ProcessSession(None)


def _start_over_in_child() -> None:
    """A forked process has no session until it serves something itself."""
    for session in list(_sessions):
        session._start_over()


os.register_at_fork(after_in_child=_start_over_in_child)
