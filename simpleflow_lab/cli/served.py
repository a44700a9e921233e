"""The program of a supervised process: deciders or activity workers for what its supervisor asks for.

    python -m simpleflow_lab.cli.served DESCRIPTOR LABEL

It is for supervisors only: DESCRIPTOR is the number of a socket that is open already. LABEL is for people who list
processes.
"""

from __future__ import annotations

import sys

from simpleflow_lab.cli.main import prepare
from simpleflow_lab.commands.served_process import serve


def main() -> int:
    """The program; gives the exit code."""
    if len(sys.argv) < 2 or not sys.argv[1].isdigit():
        sys.stderr.write("simpleflow: decider.start, worker.start and standalone start this program\n")
        return 2
    return serve(int(sys.argv[1]), prepare=prepare)


if __name__ == "__main__":
    sys.exit(main())
