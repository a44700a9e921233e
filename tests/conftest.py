"""What every test may have: a Lab in memory, and the assurance that its histories are SWF's."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from simpleflow_lab import Lab


@pytest.fixture
def lab() -> Iterator[Lab]:
    """A Lab in memory."""
    with Lab(":memory:", activity_threads=4) as opened:
        yield opened
