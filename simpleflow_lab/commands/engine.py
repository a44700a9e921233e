"""Commands of the noun `engine`: the embedded engine itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import click

from simpleflow_lab.commands.parameters import Number
from simpleflow_lab.commands.records import Record
from simpleflow_lab.commands.session import Session


@dataclass(frozen=True, kw_only=True)
class EngineStarted(Record):
    """`engine.start`."""

    store: str
    """The address of the store that is served."""
    domain: str
    """A domain that is registered there."""
    url: str
    """The URL at which it is served."""
    environment: Mapping[str, str]
    """The variables with which AWS SDKs find it."""
    notice: str | None
    """A notice for programs that were told the variables before; `None` if there is none."""

    def __repr__(self) -> str:
        # Without the key: what is shown in a notebook is saved with it.
        notice = "" if self.notice is None else f"; {self.notice}"
        return f"<EngineStarted: {self.store} at {self.url}, for programs with the variables in .environment{notice}>"


@click.command("engine.start")
@click.option(
    "--port",
    type=click.IntRange(0, 65_535),
    help="Port of the endpoint, 0 for any free one.  [default: that of the last time, if it is free]",
)
@click.option(
    "--poll-seconds",
    type=Number(0, 55),
    metavar="SECONDS",
    help="Answer a poll without a task after this time; programs such as simpleflow end with it.  [default: 5]",
)
@click.option(
    "--rotate-keys", is_flag=True, help="Make new keys for the store; programs with the old ones are refused."
)
@click.pass_obj
def start(session: Session, port: int | None, poll_seconds: float | None, rotate_keys: bool) -> EngineStarted:
    """Serve the store to any SWF program on this machine, in any language.

    Its endpoint listens on the loopback interface only and answers requests that are signed with the store's keys.
    With the variables that it shows, every AWS SDK and upstream's simpleflow use it; they stay the same from one start
    to the next, so that such programs go on after a restart. In a shell it serves until an interrupt.

    A process that owns the store already, such as a notebook's kernel, hands it over and goes on as a client: nothing
    that it runs is lost or waits. As long as this command runs, no other process takes the store.
    """
    lab = session.lab(new=True)
    served = lab.serve_store(port=port, poll_seconds=poll_seconds, rotate_keys=rotate_keys)
    return EngineStarted(store=lab.address, domain=lab.domain, **served._asdict())


ACTING: Final = (start,)
