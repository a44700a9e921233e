"""Programs as child processes: run one, pass on its output, end it when it takes too long.

A child has a process group of its own, so that an interrupt at the terminal does not reach it, and everything that it
started can be ended with it.

Rule: a child is never reaped before its group was dealt with: its process id is not used again before it is reaped.
None of the package's code runs between fork and exec, for this process has threads.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Final

from simpleflow_lab.exceptions import ExecutionError, ExecutionTimeoutError

Receive = Callable[[bytes], object]
"""Called with the bytes that came out of a pipe."""

CHECK_SECONDS: Final = 1.0
"""Seconds between two checks of a child that writes nothing."""
POLL_SECONDS: Final = 0.05
"""Seconds between two checks where the system gives no notice of a child's end."""
END_SECONDS: Final = 0.3
"""Seconds that the processes which a child left behind have between SIGTERM and SIGKILL."""
_BLOCK: Final = 1 << 16
PR_SET_PDEATHSIG: Final = 1
"""The option of Linux's `prctl` for the signal that the kernel sends a process when its parent dies."""


def run(
    command: Sequence[str],
    *,
    name: str,
    receive: Mapping[int | None, Receive],
    stdout: Receive,
    stderr: Receive,
    send: tuple[int, bytes] | None = None,
    pass_fds: Collection[int] = (),
    environment: Mapping[str, str] | None = None,
    timeout: float | None = None,
    kill_children: bool = False,
    sigterm_seconds: float = 3.0,
    check_canceled: Callable[[], object] = lambda: None,
) -> int:
    """Run a program to its end; gives its return code, negative if a signal ended it.

    Its output on stdout and stderr, and in the pipes of which `receive` has the reading ends, is passed on as it comes.
    `send` is the writing end of a pipe, and the bytes to write; it stays open while the child runs, so that the child
    notices the end of this process. `pass_fds` are the child's own ends: it inherits them, and here they are closed.

    After `timeout` seconds, or when `check_canceled` raises (it is called about once a second), the child gets SIGTERM,
    and SIGKILL `sigterm_seconds` later; with `kill_children` so does all of its process group, which ends with the
    child in any case. Errors call the program `name`.

    Raises `ExecutionTimeoutError`, `ExecutionError` if it can't be started, and the error of `check_canceled`.
    """
    try:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=None if environment is None else dict(environment),
            pass_fds=tuple(pass_fds),
            process_group=0,
        )
    except OSError as error:
        raise ExecutionError(f"{name} can't be started: {error}") from error
    finally:
        for fd in pass_fds:
            os.close(fd)
    assert process.stdout is not None
    assert process.stderr is not None
    with process.stdout, process.stderr:
        pipes = _Pipes({**receive, process.stdout.fileno(): stdout, process.stderr.fileno(): stderr}, send)
        began = checked = time.monotonic()
        try:
            with pipes, _exit_notice(process.pid) as notice:
                while not _has_ended(process.pid):
                    now = time.monotonic()
                    if timeout is not None and now - began >= timeout:
                        raise ExecutionTimeoutError(name, timeout)
                    if now - checked >= CHECK_SECONDS:
                        checked = now
                        check_canceled()
                    left = CHECK_SECONDS if timeout is None else min(CHECK_SECONDS, began + timeout - now)
                    pipes.wait(notice, left if notice is not None else min(left, POLL_SECONDS))
                pipes.drain()
        finally:
            _end(process, whole_group=kill_children, seconds=sigterm_seconds)
    return process.returncode


class _Pipes:
    """The parent's ends of a child's pipes."""

    def __init__(self, receive: Mapping[int | None, Receive], send: tuple[int, bytes] | None) -> None:
        self._receive = {fd: receiver for fd, receiver in receive.items() if fd is not None}
        self._send_fd = None if send is None else send[0]
        self._unsent = memoryview(b"" if send is None else send[1])
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> _Pipes:
        for fd in self._receive:
            os.set_blocking(fd, False)
            self._selector.register(fd, selectors.EVENT_READ)
        if self._send_fd is not None and self._unsent:
            os.set_blocking(self._send_fd, False)
            self._selector.register(self._send_fd, selectors.EVENT_WRITE)
        return self

    def __exit__(self, *error: object) -> None:
        self._selector.close()

    def wait(self, notice: int | None, seconds: float) -> None:
        """Pass on the output that comes within `seconds`, and return as soon as there was some."""
        if notice is not None and notice not in self._selector.get_map():
            self._selector.register(notice, selectors.EVENT_READ)
        for key, _ in self._selector.select(seconds):
            if key.fd == self._send_fd:
                self._write()
            elif key.fd != notice:
                self._read(key.fd)

    def drain(self) -> None:
        """Pass on the output that is there, without waiting for processes that the child left behind."""
        for fd in list(self._receive):
            while fd in self._selector.get_map() and self._read(fd):
                pass

    def _read(self, fd: int) -> bool:
        try:
            block = os.read(fd, _BLOCK)
        except BlockingIOError:
            return False
        if block:
            self._receive[fd](block)
        else:
            self._selector.unregister(fd)
        return bool(block)

    def _write(self) -> None:
        assert self._send_fd is not None
        try:
            self._unsent = self._unsent[os.write(self._send_fd, self._unsent[:_BLOCK]) :]
        except BlockingIOError:
            return
        except BrokenPipeError:  # the child has ended, or has closed its end
            self._unsent = self._unsent[:0]
        if not self._unsent:
            self._selector.unregister(self._send_fd)


@contextlib.contextmanager
def _exit_notice(pid: int) -> Iterator[int | None]:
    """A file descriptor that becomes readable when the process ends, or `None` where the system has none."""
    if not hasattr(os, "pidfd_open"):
        yield None
        return
    fd = os.pidfd_open(pid)
    try:
        yield fd
    finally:
        os.close(fd)


def _has_ended(pid: int) -> bool:
    """Whether the process has ended. It is not reaped, so its id stays its own."""
    try:
        return os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None
    except ChildProcessError:  # this process has its children reaped by the system
        return True


def _end(process: subprocess.Popen[bytes], *, whole_group: bool, seconds: float) -> None:
    """End the child and its group, as far as they still run, and reap the child."""
    send = os.killpg if whole_group else os.kill
    if not _has_ended(process.pid):
        send(process.pid, signal.SIGTERM)
        deadline = time.monotonic() + seconds
        while not _has_ended(process.pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        if not _has_ended(process.pid):
            send(process.pid, signal.SIGKILL)
    elif whole_group:
        os.killpg(process.pid, signal.SIGTERM)
    process.wait()
    if whole_group:
        _end_group(process.pid)


def _end_group(group: int) -> None:
    """End the rest of a group whose leader was reaped. While it has members, no other process can have its id."""
    deadline = time.monotonic() + END_SECONDS
    with contextlib.suppress(ProcessLookupError, PermissionError):  # no process is left, or only those of another user
        while time.monotonic() < deadline:
            os.killpg(group, 0)
            time.sleep(0.01)
        os.killpg(group, signal.SIGKILL)
