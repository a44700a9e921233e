"""Which tests go to one process together when pytest-xdist has several."""

from __future__ import annotations

from tests.distribution import FilesAndBrowserTests


def test_browser_tests_go_to_one_process_and_other_tests_by_their_file() -> None:
    scheduler = FilesAndBrowserTests.__new__(FilesAndBrowserTests)
    names = [
        "tests/browser/test_x.py::test_a",
        "tests/browser/test_y.py::test_b[1]",
        "tests/swf/test_z.py::test_c[a::b]",
    ]
    assert [scheduler._split_scope(name) for name in names] == [
        "tests/browser/",
        "tests/browser/",
        "tests/swf/test_z.py",
    ]
