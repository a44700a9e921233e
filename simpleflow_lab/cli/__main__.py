"""`python -m simpleflow_lab.cli` is `simpleflow`."""

from __future__ import annotations

import sys

from simpleflow_lab.cli.main import main

if __name__ == "__main__":
    sys.exit(main())
