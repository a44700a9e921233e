"""Words that a shell offers while a person types: domains, ids of executions and of tasks, and columns, of the store.

Rule: to complete a word makes no store, runs no code of a workflow, and says nothing: what can't be had is not
offered. Amazon is not asked, for a person waits at the keyboard.
"""

from __future__ import annotations

import contextlib
import re
from collections import Counter
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final

import click
from click.shell_completion import CompletionItem

from simpleflow_lab.commands.parameters import Target
from simpleflow_lab.commands.records import ListingRecord
from simpleflow_lab.commands.session import Session
from simpleflow_lab.exceptions import SimpleflowLabError

if TYPE_CHECKING:
    from simpleflow_lab.execution import Execution

MAX_IDS: Final = 200
"""The most ids of executions that are offered: those of the latest."""
_NAMING: Final = ("domain", "file", "run_id")
"""Options that say what a listing is about."""


def offers(kind: str, ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """The words of a kind (`execution`, `task`, `domain`, `columns`) that begin as what was typed; none for another."""
    if kind == "domain":
        words = _from_store(ctx, lambda session: session.lab().domains())
    elif kind == "execution":
        words = _from_store(ctx, _executions)
    elif kind == "task":
        words = _from_store(ctx, lambda session: _tasks(session, ctx))
        if not words and isinstance(param, click.Argument):
            words = _from_store(ctx, _executions)
    elif kind == "columns":
        words = _columns(ctx, incomplete)
    else:
        words = []
    # A shell takes what a line of the answer says: what can't be seen, and what ends a line, is not offered.
    seen = dict.fromkeys(words)
    return [CompletionItem(word) for word in seen if word.startswith(incomplete) and word.isprintable()]


def _columns(ctx: click.Context, incomplete: str) -> list[str]:
    """The columns of the listing that a command would give, for the last of the words with commas between them."""
    begin, comma, last = incomplete.rpartition(",")
    sign = "-" if last.startswith("-") else ""
    named = {word.removeprefix("-") for word in begin.split(",")}
    titles = _from_store(ctx, lambda session: _titles(session, ctx))
    return [f"{begin}{comma}{sign}{title}" for title in titles if title not in named]


def _from_store(ctx: click.Context, look: Callable[[Session], Iterable[str]]) -> list[str]:
    """The words from the store of the command line; none where it can't be had."""
    from simpleflow_lab.runtime.connection import missing_store

    session = Session(tell=lambda text: None)
    session.store = ctx.find_root().params.get("store")
    with contextlib.suppress(SimpleflowLabError, OSError, click.ClickException), contextlib.closing(session):
        address = session.address
        if not address.startswith("aws:") and missing_store(address) is None:
            return list(look(session))
    return []


def _executions(session: Session) -> list[str]:
    return [info["execution"]["workflowId"] for info in session.lab().execution_infos()[:MAX_IDS]]


def _execution(session: Session, ctx: click.Context) -> Execution | None:
    """The execution that was typed; `None` if none was, or if there is none of that id."""
    words = [*(ctx.params.get("words") or ()), *filter(None, (ctx.params.get("workflow_id"),))]
    if not words:
        return None
    try:
        return session.execution(Target(words=tuple(words), domain=ctx.params.get("domain")))
    except SimpleflowLabError:
        return None


def _tasks(session: Session, ctx: click.Context) -> list[str]:
    """The ids of the tasks of the execution that was typed, and the names that only one of them has."""
    from simpleflow_lab.views.attempts import TASKS
    from simpleflow_lab.views.history_fold import attempts_of

    execution = _execution(session, ctx)
    if execution is None:
        return []
    names = {each.id: each.name for each in attempts_of(execution.history()) if each.kind in TASKS}
    several = Counter(names.values())
    return [*names, *(name for name in names.values() if several[name] == 1)]


def _titles(session: Session, ctx: click.Context) -> list[str]:
    """The columns of what the command would show: it is run, without the options that do more than name something."""
    command = ctx.command
    given: dict[str, Any] = {**command.make_context(command.name, [], resilient_parsing=True).params}
    for parameter in command.params:
        value = ctx.params.get(parameter.name or "")
        if parameter.required and not value:
            return []
        if value and (isinstance(parameter, click.Argument) or parameter.name in _NAMING):
            given[str(parameter.name)] = value
    if "watch" not in given or command.callback is None:  # it does not only read
        return []
    infos = session.lab().execution_infos()
    if infos:
        session.last = session.lab().execution(infos[0]["execution"]["workflowId"])
    with click.Context(command, obj=session):
        record = command.callback(**given)
    if not isinstance(record, ListingRecord):
        return []
    return [re.sub(r"\s+", "_", title).lower() for title in record.in_full().headers]
