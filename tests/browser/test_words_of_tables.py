"""A table in a page that is narrower than it: it scrolls, and breaks no word of ours."""

from __future__ import annotations

import datetime

import pytest

from simpleflow_lab.views.listing_views import listing_html
from simpleflow_lab.views.listings import Kind, Listing
from tests.browser.jupyterlab import Chromium, chromium_path

pytestmark = [
    pytest.mark.browser,
    pytest.mark.skipif(chromium_path() is None, reason="no Chromium: apt-get install chromium"),
]

ON_SEVERAL_LINES = """() => [...document.querySelectorAll("td")].flatMap(cell => {
    const text = cell.firstChild, range = document.createRange();
    return [...(text ? text.data.matchAll(/\\w+/g) : [])].filter(word => {
      range.setStart(text, word.index);
      range.setEnd(text, word.index + word[0].length);
      return range.getClientRects().length > 1;
    }).map(word => word[0]);
  })"""


ON_ONE_LINE = """() => [...document.querySelectorAll("td:first-child")].every(cell => {
    const range = document.createRange();
    range.selectNodeContents(cell);
    return range.getClientRects().length === 1;
  })"""


def test_an_id_is_not_broken_at_its_hyphens_but_on_paper() -> None:
    columns = {"id": Kind.TEXT, "time": Kind.SECONDS, "input": Kind.TEXT, "result": Kind.TEXT}
    rows = [("activity-shop.prices.fetch-17", 0.087, "words " * 30, "words " * 30)] * 2
    with Chromium() as chromium:
        page = chromium.blank()
        page.set_viewport_size({"width": 400, "height": 600})
        page.set_content(listing_html(Listing(columns=columns, rows=rows)))
        assert page.evaluate(ON_ONE_LINE)
        page.emulate_media(media="print")
        assert not page.evaluate(ON_ONE_LINE)


def test_a_table_of_many_columns_fits_on_paper() -> None:
    columns = {"id": Kind.TEXT, "state a": Kind.STATE, "state b": Kind.STATE, "started": Kind.TIME}
    columns |= dict.fromkeys(("running a", "running b", "waiting a", "waiting b", "longer"), Kind.SECONDS)
    columns |= dict.fromkeys(("same input", "same result"), Kind.TEXT)
    started = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
    rows = [("activity-load-the-table-of-prices-17", "timed_out", "completed", started, *[250.0] * 5, "yes", "no")] * 2
    with Chromium() as chromium:
        page = chromium.blank()
        page.set_viewport_size({"width": 680, "height": 800})
        page.set_content(listing_html(Listing(columns=columns, rows=rows)))
        page.emulate_media(media="print")
        assert page.evaluate("(box => box.scrollWidth <= box.clientWidth)(document.querySelector('.sfl-scroll'))")


def test_no_word_is_broken_but_one_that_is_longer_than_a_column() -> None:
    columns = {"kind": Kind.TEXT, "status": Kind.STATE, "since": Kind.TIME, "error": Kind.TEXT, "types": Kind.TEXT}
    since = datetime.datetime(2026, 11, 24, tzinfo=datetime.UTC)
    rows = [("activity worker", "completed", since, "ValueError: " + "x" * 200, "shop.prices.fetch " * 5)] * 2
    with Chromium() as chromium:
        page = chromium.blank()
        for width in (320, 600, 1000):
            page.set_viewport_size({"width": width, "height": 600})
            page.set_content(listing_html(Listing(columns=columns, rows=rows)))
            assert page.evaluate(ON_SEVERAL_LINES) == ["x" * 200] * 2
            assert page.evaluate("document.documentElement.scrollWidth") == width
