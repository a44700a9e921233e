"""Python's garbage collector is as it was when all blocks that keep it out have ended, in whatever order they end."""

import contextlib
import gc

from simpleflow_lab.views.uncollected import FIRST_THRESHOLD, seldom_collected, uncollected


def test_thresholds_are_those_of_before_when_the_last_block_ends() -> None:
    before = gc.get_threshold()
    one, other = seldom_collected(), seldom_collected()
    one.__enter__()
    assert gc.get_threshold() == (FIRST_THRESHOLD, *before[1:])
    other.__enter__()
    one.__exit__(None, None, None)
    assert gc.get_threshold()[0] == FIRST_THRESHOLD
    other.__exit__(None, None, None)
    assert gc.get_threshold() == before


def test_who_has_turned_collections_off_keeps_them_off() -> None:
    before = gc.get_threshold()
    gc.set_threshold(0)
    try:
        with contextlib.suppress(KeyError), seldom_collected():
            raise KeyError
        assert gc.get_threshold()[0] == 0
    finally:
        gc.set_threshold(*before)
    with uncollected():
        assert not gc.isenabled()
    assert gc.isenabled()
