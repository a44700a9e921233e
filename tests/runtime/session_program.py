"""A process on a store that another may own; run by `test_process_sessions`. Arguments: the store, and what to do.

`idle`       defines nothing and serves nothing
`nap ID`     starts an execution of `Naps`, and waits for it; its process forks another one that lives on
`map A N`    runs `maps_A`, whose activities it alone defines, N times at once, and prints `right` if all results are
`block WHAT` starts an execution whose decision is blocked here, or, with `right`, resumes it, and prints its result
`text WORD`  runs `Texts`, whose activity gives WORD here, and prints the set of its results; then waits for a line
"""

from __future__ import annotations

import os
import sys
import time

from simpleflow_lab import Lab, Workflow, activity

FORKED_LIVES_SECONDS = 100


def wait_for_a_line() -> None:
    """Wait until the test has seen enough."""
    print("ready", flush=True)
    sys.stdin.readline()


@activity.with_attributes(name="sessions.nap", task_list="sessions", start_to_close_timeout=300)
def nap(path: str) -> int:
    """Sleep the first time, so that a test kills the process meanwhile."""
    if os.path.exists(path):
        return os.getpid()
    with open(path, "w", encoding="utf-8") as file:
        file.write("here")
    time.sleep(100)
    return 0


class Naps(Workflow):
    """One activity that fails the execution if it fails."""

    name = "sessions.naps"
    task_list = "sessions"

    def run(self, path: str) -> int:
        return self.submit(nap, path).result


def main() -> None:
    """Do what the arguments say."""
    store, what, *rest = sys.argv[1:]
    lab = Lab(store)
    if what == "idle":
        wait_for_a_line()
    elif what == "nap":
        path = rest[0]
        execution = lab.start(Naps, path, workflow_id="nap")
        while not os.path.exists(path):
            time.sleep(0.05)
        if os.fork() == 0:
            os.close(1)
            time.sleep(FORKED_LIVES_SECONDS)
            os._exit(0)
        wait_for_a_line()
        execution.result(100)
    elif what == "map":
        who, count = rest

        @activity.with_attributes(name=f"sessions.work_{who}", task_list="shared")
        def work(i: int) -> str:
            return f"{who}{i}"

        class Maps(Workflow):
            name = f"sessions.maps_{who}"
            task_list = "shared"

            def run(self, n: int) -> list[str]:
                return [future.result for future in self.map(work, range(n))]

        print("ready", flush=True)
        executions = [lab.start(Maps, 10) for _ in range(int(count))]
        right = all(execution.result(100) == [f"{who}{i}" for i in range(10)] for execution in executions)
        print("right" if right else "wrong", flush=True)
    elif what == "text":
        (word,) = rest
        source = f"def text(i):\n    return {word!r}\n"
        names: dict[str, object] = {}
        exec(source, names)
        text = activity.with_attributes(name="sessions.text", task_list="texts")(names["text"])

        class Texts(Workflow):
            name = "sessions.texts"
            task_list = "texts"

            def run(self, n: int) -> list[str]:
                return sorted({future.result for future in self.map(text, range(n))})

        print(*lab.start(Texts, 12).result(100), flush=True)
        wait_for_a_line()
    lab.close()


if __name__ == "__main__":
    main()
