"""The embedded engine: Amazon SWF in this process, on a file or in memory."""

from simpleflow_lab.engine.embedded import EmbeddedSWF

__all__ = ["EmbeddedSWF"]
