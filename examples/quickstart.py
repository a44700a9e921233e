"""The quickstart: one workflow run, looked at, and kept.

    python -m examples.quickstart [--output FOLDER]

It types four commands for you and prints each one before it runs. Run it again: each run is an execution of its own in
your store, and the two files are written anew.
"""

from __future__ import annotations

import argparse
import datetime
import json
import shlex
import sys
from pathlib import Path

from simpleflow_lab import Lab
from simpleflow_lab.cli.main import main as simpleflow
from simpleflow_lab.exceptions import StoreError, StoreInUseError


def quickstart(output: Path, seconds: float = 2) -> int:
    """Run it, writing the two files to `output`; gives the exit code."""
    output.mkdir(parents=True, exist_ok=True)
    workflow_id = f"quickstart-{datetime.datetime.now():%Y%m%d-%H%M%S-%f}"
    store = _store(output)
    history, chart = output / "quickstart-history.json", output / "quickstart-gantt.html"
    arguments = json.dumps([1, seconds])
    for words in (
        ["workflow.start", "--local", "examples.basic.BasicWorkflow", "--workflow-id", workflow_id, "-i", arguments],
        ["--header", "workflow.tasks", workflow_id],
        ["workflow.history", workflow_id, "-o", "raw", "--output-file", str(history)],
        ["gantt", workflow_id, "-o", str(chart)],
    ):
        print(f"\n$ simpleflow {shlex.join([*store, *words])}", flush=True)
        code = simpleflow([*store, *words])
        if code:
            return code
    where = repr(str(Path(store[1]).resolve())) if store else ""
    print(f"""
The chart opens in any browser: {chart.resolve().as_uri()}
The same execution in JupyterLab: ./script/lab, and there

    from simpleflow_lab import Lab
    Lab({where}).execution({workflow_id!r})
""")
    return 0


def _store(output: Path) -> list[str]:
    """The option for a store: none for the user's own; if a kernel has that one open, one beside the files."""
    try:
        Lab().close()
    except StoreInUseError as error:
        # A notebook has it open.
        beside = output / "quickstart.sqlite"
        print(f"{error}\nThis run goes to {beside} instead.")
        return ["--store", str(beside)]
    except StoreError:
        pass  # the first command says what is wrong with it
    return []


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the quickstart workflow, look at it, keep its history and chart.")
    parser.add_argument(
        "--output", type=Path, default=Path(), help="folder for the two files (default: the current one)"
    )
    parser.add_argument("--seconds", type=float, default=2, help="how long its slow activity takes (default: 2)")
    given = parser.parse_args()
    try:
        return quickstart(given.output, given.seconds)
    except OSError as error:
        print(f"quickstart: {given.output}: {error.strerror or error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
