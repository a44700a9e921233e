"""The quickstart: one workflow run, viewed, and kept.

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

from simpleflow_lab.cli.main import main as simpleflow


def quickstart(output: Path, seconds: float = 2) -> int:
    """Run it, writing the two files to `output`; gives the exit code."""
    output.mkdir(parents=True, exist_ok=True)
    workflow_id = f"quickstart-{datetime.datetime.now():%Y%m%d-%H%M%S-%f}"
    history, chart = output / "quickstart-history.json", output / "quickstart-gantt.html"
    arguments = json.dumps([1, seconds])
    for words in (
        ["workflow.start", "--local", "examples.basic.BasicWorkflow", "--workflow-id", workflow_id, "-i", arguments],
        ["--header", "workflow.tasks", workflow_id],
        ["workflow.history", workflow_id, "-o", "raw", "--force", "--output-file", str(history)],
        ["gantt", workflow_id, "--force", "-o", str(chart)],
    ):
        print(f"\n$ simpleflow {shlex.join(words)}", flush=True)
        code = simpleflow(words)
        if code:
            return code
    print(f"""
The chart opens in any browser: {chart.resolve().as_uri()}
The same execution in JupyterLab: ./script/lab, and there

        Lab().execution({workflow_id!r})
""")
    return 0


def main() -> int:
    """The command line."""
    parser = argparse.ArgumentParser(description="Run the quickstart workflow, view it, keep its history and chart.")
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
