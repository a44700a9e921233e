"""Activities that are programs: a command line, or a Python function in another interpreter.

    @activity.with_attributes(task_list="etl", version="1")
    @execute.program()
    def wc(path): ...                          # wc("/etc/hosts") gives what `wc /etc/hosts` prints

    @activity.with_attributes(task_list="etl", version="1")
    @execute.python(timeout=600, kill_children=True)
    def resize(image, width): ...              # runs in a process of its own, and may crash there

Both give ordinary functions. A Python function's arguments, result and task context go through pipes as JSON: on a
command line every user of the machine could read them, as they can read a program's own arguments.

    python -m simpleflow_lab.execute os.path.exists '{"args": ["/tmp"]}'

runs in the other interpreter; it works by hand, too.
"""

from __future__ import annotations

import argparse
import asyncio
import codecs
import contextlib
import ctypes
import functools
import importlib
import inspect
import json
import logging
import os
import shlex
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NoReturn, ParamSpec, TypeVar

from simpleflow_lab import activity, settings
from simpleflow_lab.activity_context import RunningTask, set_current_task
from simpleflow_lab.data import codec
from simpleflow_lab.data.codec import decode, encode
from simpleflow_lab.data.failure_details import details_of, read_details
from simpleflow_lab.exceptions import ExecutionError, ExecutionTimeoutError
from simpleflow_lab.programs import function_source
from simpleflow_lab.programs.child_processes import END_SECONDS, PR_SET_PDEATHSIG, Receive, run

__all__ = [
    "ExecutionError",
    "ExecutionTimeoutError",
    "ProgramError",
    "format_arguments",
    "main",
    "program",
    "python",
    "separate_arguments",
]

P = ParamSpec("P")
T = TypeVar("T")

MAX_STDERR: Final = 32_768
"""Bytes of a program's standard error that its error keeps: the last ones."""
VALUES: Final = "simpleflow_lab.data.numpy_pandas"
"""Imported by the child where the parent has it, for it registers types."""

_SHIM: Final = (
    "import ctypes, os, sys\n"
    f"ctypes.CDLL(None).prctl({PR_SET_PDEATHSIG}, {int(signal.SIGKILL)})\n"
    "os.getppid() == int(sys.argv[1]) or os._exit(1)\n"
    "os.execv(sys.argv[2], sys.argv[3:])\n"
)
"""Dies with its parent, then executes the program, which dies with the parent, too: Linux keeps that over `exec`."""


# -- programs ----------------------------------------------------------------------------------------------------------


class ProgramError(ExecutionError, subprocess.CalledProcessError):
    """A program ended with another return code than 0; the message holds its standard error."""

    def __init__(self, returncode: int, command: Sequence[str], output: str, stderr: str):
        subprocess.CalledProcessError.__init__(self, returncode, list(command), output, stderr)

    def __str__(self) -> str:
        how = _how_it_ended(self.returncode)
        errors = self.stderr.strip()
        return f"{self.cmd[0]} {how}" + (f": {errors}" if errors else "")


def format_arguments(*args: Any, **kwargs: Any) -> list[str]:
    """Words of a command line, in upstream's form: `-c=1` and `--val=2` for keywords, then the positional ones."""
    return [f"{_option(key)}={value}" for key, value in kwargs.items()] + [str(arg) for arg in args]


def separate_arguments(*args: Any, **kwargs: Any) -> list[str]:
    """Words of a command line, in getopt's form: `-c 1`, `--val=2`.

    `True` is the option alone, `False` and `None` are left out. The positional ones stand behind `--`, so that none is
    taken for an option.
    """
    words: list[str] = []
    for key, value in kwargs.items():
        if value is True:
            words.append(_option(key))
        elif value is not None and value is not False:
            words += [_option(key), str(value)] if len(key) == 1 else [f"{_option(key)}={value}"]
    return [*words, "--", *map(str, args)] if args else words


def program(
    path: str | None = None,
    argument_format: Callable[..., Sequence[str]] = format_arguments,
    *,
    timeout: float | None = None,
    kill_children: bool = False,
    env: Mapping[str, str] | None = None,
) -> Callable[[Callable[P, Any]], Callable[P, str]]:
    """Make a function call a program, and give the text that it prints.

    The function's body is not run: its name is the program's and its parameters say which arguments it takes.

    :param path: of the program, or its name on PATH; by default the function's name.
    :param argument_format: from the arguments of the call to the words behind the program's name.
    :param timeout: seconds; then it gets SIGTERM, and SIGKILL after `ACTIVITY_SIGTERM_WAIT_SEC`.
    :param kill_children: what it has started ends with it.
    :param env: its whole environment; by default this process's.

    The function raises `ProgramError` (also a `subprocess.CalledProcessError`) if the program's return code is not 0,
    `ExecutionTimeoutError`, `ExecutionError` if there is no such program or its output is no UTF-8, `TypeError` if the
    arguments don't fit the parameters. What it writes to stderr is shown as it comes. It ends with this process.
    """

    def decorate(function: Callable[P, Any]) -> Callable[P, str]:
        signature = inspect.signature(function)

        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> str:
            signature.bind(*args, **kwargs)
            name = path or function.__name__
            words = [name, *argument_format(*args, **kwargs)]
            found = shutil.which(name, path=None if env is None else env.get("PATH"))
            if found is None:
                raise ExecutionError(f"no program {name!r}: it is not on PATH, or is not executable")
            output, errors = bytearray(), _Tail()
            forward = _forward(sys.stderr)

            def take_errors(block: bytes) -> None:
                errors.add(block)
                forward(block)

            code = run(
                [sys.executable, "-I", "-S", "-c", _SHIM, str(os.getpid()), os.path.abspath(found), *words]
                if sys.platform == "linux"
                else words,
                name=shlex.quote(name),
                receive={},
                stdout=output.extend,
                stderr=take_errors,
                environment=env,
                timeout=timeout,
                kill_children=kill_children,
                sigterm_seconds=settings.read("activity_sigterm_wait_sec"),
                check_canceled=_check_canceled,
            )
            forward(b"")
            if code:
                raise ProgramError(code, words, bytes(output).decode("utf-8", "replace"), errors.text())
            try:
                return bytes(output).decode("utf-8")
            except UnicodeDecodeError as error:
                raise ExecutionError(f"the output of {name} is not UTF-8: {error}") from None

        # The program is what it runs: there is nothing to run in another way.
        return call

    return decorate


def _option(key: str) -> str:
    return f"-{key}" if len(key) == 1 else f"--{key}"


def _how_it_ended(code: int) -> str:
    if code < 0:
        try:
            return f"was ended by {signal.Signals(-code).name}"
        except ValueError:
            return f"was ended by signal {-code}"
    return f"ended with return code {code}"


class _Tail:
    """The last bytes of a stream."""

    def __init__(self) -> None:
        self._kept = bytearray()

    def add(self, block: bytes) -> None:
        self._kept += block
        del self._kept[:-MAX_STDERR]

    def text(self) -> str:
        return self._kept.decode("utf-8", "replace")


def _forward(stream: Any) -> Receive:
    """Passes text on to a stream of this process, and so to where the output of the running activity goes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")

    def forward(block: bytes) -> None:
        text = decoder.decode(block, final=not block)
        if text:
            stream.write(text)
            stream.flush()

    return forward


def _check_canceled() -> None:
    """Raises if the running activity task was canceled, or is gone."""
    if activity.current_context():
        activity.heartbeat()


# -- Python functions --------------------------------------------------------------------------------------------------


def python(
    interpreter: str = "python",
    logger_name: str = __name__,
    timeout: float | None = None,
    kill_children: bool = False,
    env: Mapping[str, str] | None = None,
) -> Callable[[Callable[P, T]], Callable[P, T]]:
    """Make a function, or an activity's class, run in another Python interpreter.

    One of a module is imported there by its name. One of a notebook's cell, or of a script, travels as its source, with
    those functions, classes, modules and constants that it uses; what can't travel raises a `UsageError`.

    :param interpreter: a program that has this package; "python" is the one that runs here.
    :param logger_name: logger, there, that an error is written to.
    :param timeout: seconds; then it gets SIGTERM, and SIGKILL after `ACTIVITY_SIGTERM_WAIT_SEC`.
    :param kill_children: what it has started ends with it, however it ends.
    :param env: its whole environment; by default this process's.

    The function raises `ExecutionError` with the error that was raised there, and its traceback, as JSON in `details`;
    also if the interpreter crashed. `ExecutionTimeoutError` if it took too long; `EncodingError` for arguments or a
    result that JSON can't hold. What is printed there is printed here. It ends with this process.
    """

    def decorate(function: Callable[P, T]) -> Callable[P, T]:
        @functools.wraps(function)
        def call(*args: P.args, **kwargs: P.kwargs) -> T:
            context: Mapping[str, Any] = activity.current_context()
            if "context" in kwargs and "context" not in _parameters(function):
                context = kwargs.pop("context") or context  # type: ignore[assignment]
            name, source = function_source.dotted_name(function), None
            if name is None:
                name, source = function.__qualname__, function_source.to_source(function)
            own = interpreter == "python"
            request = {
                "function": source,
                "path": [entry for entry in sys.path if entry] if own else [],
                "modules": [VALUES] if VALUES in sys.modules else [],
            }
            sent = {"args": args, "kwargs": kwargs, "context": {k: v for k, v in context.items() if k != "input"}}
            return _call_elsewhere(  # type: ignore[no-any-return]
                sys.executable if own else interpreter,
                name,
                f"{json.dumps(request)}\n{encode(sent)}\n".encode(),
                environment=_environment(env) if own else env,
                logger_name=logger_name,
                timeout=timeout,
                kill_children=kill_children,
            )

        setattr(call, function_source.RUN_ELSEWHERE, function)
        return call

    return decorate


def _call_elsewhere(
    interpreter: str,
    name: str,
    request: bytes,
    *,
    environment: Mapping[str, str] | None,
    logger_name: str,
    timeout: float | None,
    kill_children: bool,
) -> Any:
    result, errors = bytearray(), bytearray()
    stdout, stderr = _forward(sys.stdout), _forward(sys.stderr)
    fds: list[int] = []
    try:
        for _ in range(3):
            fds += os.pipe()
        request_fd, send_fd, result_read, result_fd, error_read, error_fd = fds
        command = [
            interpreter, "-u", "-m", "simpleflow_lab.execute", name, f"--logger-name={logger_name}",
            f"--request-fd={request_fd}", f"--result-fd={result_fd}", f"--error-fd={error_fd}",
        ]  # fmt: skip
        for fd in (request_fd, result_fd, error_fd):
            fds.remove(fd)  # `run` closes them
        code = run(
            command + (["--kill-children"] if kill_children else []),
            name=name,
            receive={result_read: result.extend, error_read: errors.extend},
            stdout=stdout,
            stderr=stderr,
            send=(send_fd, request),
            pass_fds=(request_fd, result_fd, error_fd),
            environment=environment,
            timeout=timeout,
            kill_children=kill_children,
            sigterm_seconds=settings.read("activity_sigterm_wait_sec"),
            check_canceled=_check_canceled,
        )
    finally:
        for fd in fds:
            os.close(fd)
    stdout(b"")
    stderr(b"")
    if errors:
        raise _error_of(errors.decode("utf-8", "replace"))
    if code or not result:
        raise ExecutionError(f"the interpreter of {name} {_how_it_ended(code)}, and reported no reason")
    return decode(result.decode("utf-8"))


def _error_of(details: str) -> ExecutionError:
    """What was raised there, with its traceback as a note, so that it is shown wherever this error is."""
    error = ExecutionError(details)
    found = read_details(details)
    if found is not None and found.traceback:
        error.add_note(f"there:\n{found.traceback}")
    return error


def _parameters(function: Callable[..., Any]) -> Mapping[str, inspect.Parameter]:
    try:
        return inspect.signature(function).parameters
    except ValueError:
        return {}


def _environment(given: Mapping[str, str] | None) -> Mapping[str, str]:
    """With the place of this package, should it be on this process's path only."""
    environment = dict(os.environ if given is None else given)
    here = str(Path(__file__).resolve().parent.parent)
    known = environment.get("PYTHONPATH", "")
    if here not in known.split(os.pathsep):
        environment["PYTHONPATH"] = os.pathsep.join(filter(None, [known, here]))
    return environment


# -- the other end -----------------------------------------------------------------------------------------------------


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
        logging.getLogger(options.logger_name or __name__).error("%s: %s", options.funcname, error)
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
    """What a person says."""
    if options.arguments_json_fd is not None:
        with os.fdopen(options.arguments_json_fd, encoding="utf-8") as file:
            text = file.read()
    else:
        text = options.funcargs if options.funcargs is not None else sys.stdin.read()
    args, kwargs = codec.decode_input(text, where="the arguments")
    return {"args": args, "kwargs": kwargs, "context": decode(options.context) if options.context else None}


def _request(fd: int, others: Sequence[int], name: str, *, kill_children: bool) -> tuple[Any, Mapping[str, Any]]:
    """What the parent sent. It keeps its end open: when that is closed, it is gone."""
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


if __name__ == "__main__":
    sys.exit(main())
