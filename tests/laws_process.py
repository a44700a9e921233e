"""`python -m tests.laws_process STORE SERVE`: decides, or runs the activities, of the programs of `test_properties`.

It says "ready" when it serves, and ends with its standard input. Whoever decides has the store's clock, which jumps.
"""

from __future__ import annotations

import sys

from simpleflow_lab import Lab
from tests import test_properties


def main() -> None:
    """Serve."""
    store, serve = sys.argv[1:]
    task_list = test_properties.Program.task_list
    with Lab(store, serve=serve, clock="virtual" if serve == "decisions" else None) as lab:
        if serve == "decisions":
            lab.start_deciders(task_list=task_list)
        else:
            lab.start_workers(3, task_list=task_list)
        print("ready", flush=True)
        sys.stdin.read()


if __name__ == "__main__":
    main()
