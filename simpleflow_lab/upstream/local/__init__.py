"""Running a workflow in this process, by upstream's names."""

from simpleflow_lab.upstream.local.executor import Executor

__all__ = ["Executor"]
