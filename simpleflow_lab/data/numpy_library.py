"""numpy, for the modules of ours that need it: imported whole, even if that is interrupted."""

from __future__ import annotations

from typing import Final

from simpleflow_lab.data.uninterrupted_imports import import_uninterrupted

import_uninterrupted("numpy")

import numpy as np  # noqa: E402  it is here by now

__all__: Final = ["np"]
