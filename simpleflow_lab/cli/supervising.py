"""A shell's processes of deciders and activity workers, supervised until somebody stops this one."""

from __future__ import annotations

import signal
from typing import Final

from simpleflow_lab.cli.exit_codes import ExitCode
from simpleflow_lab.cli.messages import report
from simpleflow_lab.commands.processes import STOPS, WorkersStarted
from simpleflow_lab.commands.signal_handlers import handling

SIGNAL_SECONDS: Final = 0.2
"""Seconds between two looks of the main thread for signals."""


def supervise(record: WorkersStarted) -> ExitCode:
    """Start the processes, and return when all have ended."""
    supervisor = record.supervisor(report)
    numbers = [signal.SIGINT, signal.SIGTERM]
    if signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup
        numbers.append(signal.SIGHUP)
    with handling(numbers, lambda *_: supervisor.escalate()):
        supervisor.start()
        said = 0
        has_said_what_serves = False
        has_ended = False
        while not has_ended:
            # A signal that the system gives to another thread interrupts no wait of this one.
            has_ended = supervisor.join(SIGNAL_SECONDS)
            if supervisor.has_served and not has_said_what_serves and not supervisor.stop_level:
                has_said_what_serves = True
                report(f"{record.summary}; an interrupt (Ctrl-C) stops them, worker.list shows what they do")
            if supervisor.stop_level > said and supervisor.error is None:
                said = supervisor.stop_level
                report(STOPS[said])
        if supervisor.error is not None:
            report(supervisor.error)
            return ExitCode.BAD_INPUT
        return ExitCode.DONE if supervisor.stop_level <= 1 else ExitCode.INTERRUPTED
