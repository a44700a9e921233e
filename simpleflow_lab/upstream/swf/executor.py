"""Upstream's name of SWF's executor, for programs with `isinstance(self.executor, Executor)`.

Locally and on Amazon SWF a workflow runs on the same kind of executor, so the answer is always yes. Nothing else in
this package imports this module: it is for authors.
"""

from __future__ import annotations

from simpleflow_lab.workflow import Executor

__all__ = ["Executor"]
