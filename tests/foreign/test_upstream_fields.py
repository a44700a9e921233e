"""Large fields, both ways: what upstream's encoder writes we read, and what we write its decoder reads."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from simpleflow_lab.data.fields import Fields
from simpleflow_lab.data.objects import MemoryObjects, Storage
from simpleflow_lab.data.references import reference_in
from simpleflow_lab.service.s3 import open_objects
from tests.examples_count import trials
from tests.foreign.test_upstream import simpleflow  # noqa: F401  a fixture
from tests.s3 import Bucket

VALUES = [["x" * 50_000], {"é😀": ["\u2028" * 20_000, 1.5, None]}, "y" * 5_000_000]


def upstream(command: str, bucket: Bucket, prefix: str, what: str, text: str) -> str:
    """What upstream's package answers."""
    environment = {**os.environ, "SIMPLEFLOW_JUMBO_FIELDS_BUCKET": f"{bucket.name}{prefix}", "LOG_LEVEL": "ERROR"}
    python = Path(command).parent / "python"
    done = subprocess.run(
        [str(python), str(Path(__file__).parent / "upstream_fields.py"), what],
        input=text,
        env=environment,
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )
    return done.stdout


@pytest.mark.trial
@pytest.mark.slow
@pytest.mark.parametrize("prefix", ["/with/optional/prefix", *trials([""])])
def test_both_read_what_the_other_wrote(simpleflow, bucket, prefix):  # noqa: F811
    """SD-07, JF-01: in one bucket, with one environment."""
    fields = Fields(Storage(MemoryObjects(), open_objects), bucket=f"{bucket.name}{prefix}")
    encoded = upstream(simpleflow, bucket, prefix, "encode", "".join(f"{json.dumps(value)}\n" for value in VALUES))
    for value, theirs in zip(VALUES, encoded.splitlines(), strict=True):
        assert not reference_in(theirs).is_verified
        assert reference_in(theirs).location == f"{bucket.name}{prefix}"
        assert fields.decode(theirs) == value
    ours = [fields.encode(value, "result") for value in VALUES]
    answers = upstream(simpleflow, bucket, prefix, "decode", "".join(f"{field}\n" for field in ours))
    assert [json.loads(line) for line in answers.splitlines()] == VALUES
