"""Commands of the noun `engine`: the embedded engine itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import click

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

    def __repr__(self) -> str:
        # Without the key: what is shown in a notebook is saved with it.
        return f"<EngineStarted: {self.store} at {self.url}, for programs with the variables in .environment>"


@click.command("engine.start")
@click.option("--port", type=click.IntRange(0, 65_535), default=0, help="Port of the endpoint; by default a free one.")
@click.option(
    "--poll-seconds",
    type=click.FloatRange(0, 55),
    metavar="SECONDS",
    help="Answer a poll without a task after this time.  [default: 50]",
)
@click.pass_obj
def start(session: Session, port: int, poll_seconds: float | None) -> EngineStarted:
    """Serve the store to any SWF program on this machine, in any language.

    Its endpoint listens on the loopback interface only and answers requests that are signed with its key. With the
    variables that it shows, every AWS SDK and upstream's simpleflow use it. In a shell it serves until an interrupt.
    """
    lab = session.lab()
    served = lab.serve(port=port, poll_seconds=poll_seconds)
    return EngineStarted(store=lab.address, domain=lab.domain, url=served.url, environment=served.environment)


COMMANDS: Final = (start,)
