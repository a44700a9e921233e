"""A Python function called in an interpreter of its own: the other end of `execute.python`.

The arguments, the result and an error go through pipes as JSON: on a command line every user of the machine could read
them.

Rule: it ends with its parent, even while it is busy.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import ctypes
import importlib
import inspect
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from simpleflow_lab.activity_context import RunningTask, set_current_task
from simpleflow_lab.data import codec
from simpleflow_lab.data.codec import decode, encode
from simpleflow_lab.data.failure_details import details_of
from simpleflow_lab.programs import function_source
from simpleflow_lab.programs.child_processes import END_SECONDS, PR_SET_PDEATHSIG


def main(argv: Sequence[str] | None = None) -> int:
    """Call a function and write its result as JSON; gives the return code: 1 if it raised.

    The arguments are JSON, `{"args": […], "kwargs": {…}}`: a word, a file descriptor, or else stdin.
    """
    options = _parser().parse_args(argv)
    error_fd: int = options.error_fd
    try:
        if options.request_fd is not None:
            function, sent = _request(
                options.request_fd,
                (options.result_fd, error_fd),
                options.funcname,
                kill_children=options.kill_children,
            )
        else:
            function, sent = (
                function_source.original_function(function_source.import_by_name(options.funcname)),
                _arguments(options),
            )
        result = encode(_call(function, sent))
    except BaseException as error:  # sys.exit() included: it ends the function, and the parent must know
        logging.getLogger(options.logger_name or "simpleflow_lab.execute").error("%s: %s", options.funcname, error)
        _write(error_fd, details_of(error).encode())
        code = 1
    else:
        sys.stdout.flush()
        _write(options.result_fd, result.encode() + (b"\n" if options.result_fd == 1 else b""))
        code = 0
    if options.kill_children and options.request_fd is None:  # called by hand: no parent does it
        _end_children()
    return code


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m simpleflow_lab.execute", description=main.__doc__)
    parser.add_argument("funcname", help="function to call, as package.module.function")
    parser.add_argument("funcargs", nargs="?", help="its arguments as JSON; others on this machine can read them here")
    parser.add_argument("--context", help="what it may know of its activity task, as JSON")
    parser.add_argument("--logger-name", help="logger that an error is written to")
    parser.add_argument(
        "--result-fd", type=int, default=1, metavar="N", help="where the result goes; by default stdout"
    )
    parser.add_argument("--error-fd", type=int, default=2, metavar="N", help="where an error goes; by default stderr")
    parser.add_argument("--arguments-json-fd", type=int, metavar="N", help="where the arguments come from")
    parser.add_argument("--request-fd", type=int, metavar="N", help=argparse.SUPPRESS)
    parser.add_argument("--kill-children", action="store_true", help="end what it has started")
    return parser


def _call(function: Any, sent: Mapping[str, Any]) -> Any:
    args, kwargs = sent.get("args", []), sent.get("kwargs", {})
    context = sent.get("context")
    if context is not None:
        context = {**context, "input": {"args": args, "kwargs": kwargs}}
    with set_current_task(RunningTask(context or {}, report=_nowhere, finish=_finish)):
        if inspect.isclass(function):
            task: Any = function(*args, **kwargs)
            task.context = context or {}
            result = task.execute()
            post_execute = getattr(task, "post_execute", None)
            if post_execute is not None:
                post_execute()
        else:
            result = function(*args, **kwargs)
        return asyncio.run(result) if inspect.iscoroutine(result) else result


def _finish(value: Awaitable[Any], task: RunningTask) -> Any:
    async def wait() -> Any:
        return await value

    return asyncio.run(wait())


def _nowhere(details: str | None) -> None:
    """A heartbeat's details are not passed on: the worker sends heartbeats for the interpreter all the while."""


def _arguments(options: argparse.Namespace) -> Mapping[str, Any]:
    """The arguments of the function, as a person gives them: from an option, a descriptor or standard input."""
    if options.arguments_json_fd is not None:
        with os.fdopen(options.arguments_json_fd, encoding="utf-8") as file:
            text = file.read()
    else:
        text = options.funcargs if options.funcargs is not None else sys.stdin.read()
    args, kwargs = codec.decode_input(text, where="the arguments")
    return {"args": args, "kwargs": kwargs, "context": decode(options.context) if options.context else None}


def _request(fd: int, others: Sequence[int], name: str, *, kill_children: bool) -> tuple[Any, Mapping[str, Any]]:
    """The request that the parent sent. It keeps its end open: when that is closed, it is gone."""
    _end_with_parent(kill_children=kill_children)
    for own in (fd, *others):
        os.set_inheritable(own, False)
    # Unbuffered, for the thread below waits in a read while this interpreter ends.
    content = bytearray()
    while content.count(b"\n", -1) == 0 or content.count(b"\n") < 2:
        block = os.read(fd, 1 << 20)
        if not block:
            _gone(kill_children=kill_children)
        content += block
    head, _, line = bytes(content).partition(b"\n")
    request = json.loads(head)

    def watch() -> None:
        os.read(fd, 1)
        _gone(kill_children=kill_children)

    threading.Thread(target=watch, name="watches the parent", daemon=True).start()
    sys.path += [entry for entry in request["path"] if entry not in sys.path]
    for module in request["modules"]:
        importlib.import_module(module)
    source = request["function"]
    function = (
        function_source.from_source(source)
        if source is not None
        else function_source.original_function(function_source.import_by_name(name))
    )
    return function, decode(line.decode())


def _end_with_parent(*, kill_children: bool) -> None:
    """Even if this interpreter is busy. With `kill_children` it ends by itself, to take its group along."""
    if sys.platform == "linux" and not kill_children:
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, int(signal.SIGKILL))


def _gone(*, kill_children: bool) -> NoReturn:
    if kill_children and os.getpgrp() == os.getpid():
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _end_children() -> None:
    """End all that this process has started, as far as the system says."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        left = list(_descendants(os.getpid()))
        for pid in left:
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, number)
        if not left:
            return
        time.sleep(END_SECONDS)


def _descendants(pid: int) -> Iterator[int]:
    for file in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):  # it has just ended
            for child in map(int, file.read_text().split()):
                yield from _descendants(child)
                yield child


def _write(fd: int, content: bytes) -> None:
    view = memoryview(content)
    while view:
        view = view[os.write(fd, view) :]
