"""Upstream's names for downloading programs before a task runs, which is refused: see `programs.downloads`."""

from __future__ import annotations

from simpleflow_lab.programs.downloads import RemoteBinary, download_binaries, with_binaries

__all__ = ["RemoteBinary", "download_binaries", "with_binaries"]
