"""Functions that another interpreter imports by their names."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from simpleflow_lab import activity, execute


@activity.with_attributes(name="programs.remote_sum", task_list="programs", version="1", raises_on_failure=True)
@execute.python()
def remote_sum(*numbers: int, start: int = 0) -> dict[str, int]:
    return {"sum": sum(numbers, start), "pid": os.getpid()}


@activity.with_attributes(name="programs.divide", task_list="programs", version="1", raises_on_failure=True)
@execute.python()
def divide(x: float, y: float) -> float:
    return x / y


@activity.with_attributes(name="programs.who", task_list="programs", version="1", raises_on_failure=True)
@execute.python()
def who() -> dict[str, object]:
    context = activity.current_context()
    return {name: context[name] for name in ("name", "activity_id", "input")}


@activity.with_attributes(name="programs.class", task_list="programs", version="1", raises_on_failure=True)
@execute.python()
class Doubled:
    context: dict[str, str]

    def __init__(self, x: int):
        self.x = x

    def execute(self) -> list[object]:
        return [2 * self.x, self.context["name"]]


@activity.with_attributes(name="programs.hangs", task_list="programs", version="1", raises_on_failure=True)
@execute.python(timeout=5, kill_children=True)
def hangs(pids: str, stubborn: bool) -> None:
    start_child_and_sleep(pids, stubborn)


@execute.python(timeout=5)
def hangs_alone(pids: str, stubborn: bool) -> None:
    start_child_and_sleep(pids, stubborn)


@execute.python()
def sleeps(pids: str) -> None:
    start_child_and_sleep(pids, False)


@execute.python(kill_children=True)
def sleeps_with_children(pids: str) -> None:
    start_child_and_sleep(pids, False)


@execute.python(kill_children=True)
def leaves_a_child(pids: str) -> str:
    child = subprocess.Popen(["sleep", "600"])
    Path(pids).write_text(f"{os.getpid()} {child.pid}")
    return "done"


def start_child_and_sleep(pids: str, stubborn: bool) -> None:
    if stubborn:
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
    child = subprocess.Popen(["sleep", "600"])
    partial = Path(f"{pids}.part")
    partial.write_text(f"{os.getpid()} {child.pid}")
    partial.rename(pids)
    time.sleep(600)


@execute.python()
def dies(how: str) -> object:
    match how:
        case "exit":
            sys.exit(3)
        case "_exit":
            os._exit(3)
        case "segfault":
            os.kill(os.getpid(), signal.SIGSEGV)
        case "no json":
            return object()
        case "long":
            raise ValueError("x" * 100_000)
    return None


@execute.python()
def talks(count: int) -> int:
    for number in range(count):
        print("line", number)
    print("a complaint", file=sys.stderr)
    return count


@execute.python()
def echo(value: object) -> object:
    return value


@execute.python()
async def later(x: int) -> int:
    return x + 1


@execute.python(env={"PATH": os.environ.get("PATH", ""), "ONLY": "this"})
def environment() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name in ("ONLY", "HOME")}


@execute.python(interpreter="no-such-python")
def nowhere() -> None: ...


@execute.python()
def command_line() -> list[str]:
    return Path("/proc/self/cmdline").read_text().split("\0")
