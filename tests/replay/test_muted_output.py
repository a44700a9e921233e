"""Who gets what a watched thread prints, when one that is watched begins to watch."""

from __future__ import annotations

import logging
import sys

import pytest

from simpleflow_lab.replay.muted_output import heard_output, muted_output, watched_output


def test_what_is_watched_within_what_is_watched_has_its_own_receiver(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    outer: list[str] = []
    inner: list[str] = []
    before = sys.stdout, sys.stderr, logging.Logger.callHandlers
    with watched_output(outer.append):
        sys.stdout.write("1")
        with watched_output(inner.append):
            sys.stdout.write("2")
            sys.stderr.write("dropped")
            logging.getLogger("of.the.author").warning("dropped")
            with heard_output():
                sys.stdout.write("heard")
            with muted_output():
                sys.stdout.write("3")
        sys.stdout.write("4")
        with pytest.raises(ValueError, match="of the code"), watched_output(inner.append):
            raise ValueError("of the code")
        sys.stdout.write("5")
    assert (outer, inner) == (["1", "4", "5"], ["2", "3"])
    assert (sys.stdout, sys.stderr, logging.Logger.callHandlers) == before
    assert tuple(capsys.readouterr()) == ("heard", "")
    assert not caplog.records
