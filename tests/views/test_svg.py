"""Figures carry a picture that needs no browser, and a history can put nothing into it but text."""

from __future__ import annotations

import base64
import itertools
import re
import xml.etree.ElementTree as ET
from collections import Counter
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.swf.history import History
from simpleflow_lab.views.gantt import gantt
from simpleflow_lab.views.gantt_pair import gantt_pair
from simpleflow_lab.views.svg_text import escaped, width_of
from tests.views.story import Story, eventful, large
from tests.views.test_hostile import ROWS_AND_LANES, hostile

HISTORIES = Path(__file__).parent.parent / "histories"
SVG = "{http://www.w3.org/2000/svg}"


def elements(svg: str) -> Counter[tuple[str, tuple[str, ...]]]:
    """How many elements there are of each kind, with the names of their attributes."""
    return Counter(
        (element.tag.removeprefix(SVG), tuple(sorted(element.attrib))) for element in ET.fromstring(svg).iter()
    )


def words(svg: str) -> str:
    return " ".join("".join(element.itertext()) for element in ET.fromstring(svg).iter(f"{SVG}text"))


def test_a_picture_says_what_the_chart_says() -> None:
    figure = gantt(eventful())

    said = words(figure.to_svg())

    assert figure.layout.title.text in said
    for label in ("load-1", "parse-1", "critical path", "decisions", "running", "timed out", "time (UTC)"):
        assert label in said


def test_bars_stand_where_the_axis_says() -> None:
    story = Story("shop.Import")
    story.decide()
    task = story.at(10).schedule("a", "pkg.a")
    story.at(20).start(task)
    story.at(30).complete(task)
    story.at(40).end("Completed")
    figure = gantt(story.history())
    (bar,) = [t for t in figure.data if t.type == "bar" and t.name == "completed"]

    root = ET.fromstring(figure.to_svg())

    ticks = {
        text.text: float(text.attrib["x"])
        for text in root.iter(f"{SVG}text")
        if text.text and re.fullmatch(r"\d\d:\d\d:\d\d", text.text)
    }
    second = (ticks["12:00:30"] - ticks["12:00:20"]) / 10
    path = next(
        p for p in root.iter(f"{SVG}path") if p.attrib.get("fill") == bar.marker.color and "h18v12" not in p.attrib["d"]
    )
    left, width = re.match(r"M([\d.]+) [\d.]+h([\d.]+)v", path.attrib["d"]).groups()  # type: ignore[union-attr]
    assert float(left) == pytest.approx(ticks["12:00:20"], abs=0.2)
    assert float(width) == pytest.approx(10 * second, abs=0.2)


@pytest.mark.parametrize("file", sorted(HISTORIES.glob("*.json")), ids=lambda path: path.stem)
def test_any_recorded_history_has_a_picture(file: Path) -> None:
    figure = gantt(History.from_file(file))

    assert figure.to_svg() == figure.to_svg()
    assert ET.fromstring(figure.to_svg()).attrib["role"] == "img"


def test_many_tasks_make_a_small_picture() -> None:
    assert len(gantt(large(3_000)).to_svg()) < 400_000


def test_two_charts_have_one_picture() -> None:
    said = words(gantt_pair(eventful(), eventful()).to_svg())

    assert said.count("load-1") == 2


@pytest.mark.parametrize(("payload", "tasks"), ROWS_AND_LANES)
def test_no_element_and_no_attribute_comes_from_a_history(payload: str, tasks: int) -> None:
    svg = gantt(hostile(payload, tasks=tasks)).to_svg()

    allowed = {"svg", "title", "defs", "clipPath", "pattern", "g", "rect", "path", "text", "tspan"}
    assert {tag for tag, _ in elements(svg)} <= allowed
    names = {name for _, attributes in elements(svg) for name in attributes}
    assert not {name for name in names if name.startswith("on") or "href" in name}
    assert [element.attrib["style"] for element in ET.fromstring(svg).iter() if "style" in element.attrib] == [
        "max-width:100%;height:auto"
    ]
    references = re.findall(
        r"url\(([^)]*)\)",
        "".join(v for e in ET.fromstring(svg).iter() for v in e.attrib.values() if e.tag in (f"{SVG}path", f"{SVG}g")),
    )
    assert all(reference.startswith("#sfl-") for reference in references)
    assert len(svg) < 400_000


@pytest.mark.parametrize("width", [0, 299, 10_001, -5])
def test_a_width_that_is_no_picture_is_refused(width: int) -> None:
    with pytest.raises(UsageError, match="300 to 10,000 pixels"):
        gantt(eventful()).to_svg(width=width)


def test_labels_take_about_the_room_that_is_kept_for_them() -> None:
    assert width_of("<b>load</b><br>activity-shop.orders.load-1") == width_of("activity-shop.orders.load-1")
    assert 100 < width_of("activity-shop.orders.load-1") < 200


def test_a_saved_notebook_shows_the_chart_without_plotly(tmp_path: Path) -> None:
    history = HISTORIES / "with_replays.json"
    cell = nbformat.v4.new_code_cell(f"import simpleflow_lab\nsimpleflow_lab.open_history({str(history)!r}).gantt()")
    notebook = nbformat.v4.new_notebook(cells=[cell])

    NotebookClient(
        notebook, timeout=120, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    ).execute()

    (output,) = notebook.cells[0].outputs
    assert set(output.data) >= {"application/vnd.plotly.v1+json", "image/svg+xml"}
    from nbconvert import HTMLExporter  # large, and collected by every process

    page, _ = HTMLExporter().from_notebook_node(notebook)
    picture = re.findall(r"<img[^>]* src=.data:image/svg\+xml;base64,([^\"' ]+)", page)[-1]
    assert "critical path" in words(base64.b64decode(picture).decode())


def test_a_long_label_and_subtitle_keep_their_beginning_in_a_wide_font_too() -> None:
    name = "MEASURE_WWWWWWWWWWWW_WWWWMMMM"
    story = Story("shop.Measure")
    story.start(story.schedule(f"activity-{name}-1", name))
    drawn = gantt(story.history(), waits="what takes long to be told " * 9).to_svg()

    pressed = re.findall(r'<text x="([\d.]+)"[^>]* text-anchor="(\w+)"[^>]*textLength="([\d.]+)"', drawn)
    assert {anchor for _, anchor, _ in pressed} == {"start", "end"}
    width = float(re.search(r'<svg [^>]*width="(\d+)"', drawn)[1])
    for x, anchor, length in pressed:
        assert float(x) - float(length) >= 0 if anchor == "end" else float(x) + float(length) <= width


@pytest.mark.parametrize("width", [300, 420, 860])
@pytest.mark.parametrize("seconds", [0.004, 1.0, 40.0, 5000.0, 200_000.0])
@pytest.mark.parametrize("kind", ["rows", "elapsed", "pair"])
def test_texts_of_a_narrow_picture_cover_no_others_and_end_within_it(kind: str, seconds: float, width: int) -> None:
    story = Story("shop.Import")
    story.decide(seconds / 100)
    load = story.schedule("activity-shop.load-1", "shop.load")
    story.at(seconds / 5).start(load)
    story.at(seconds * 0.9).fail(load, "TimeoutError: no answer from any of the shops that were asked")
    story.at(seconds).end("Failed", reason="TimeoutError")
    history = story.history()
    figure = gantt_pair(history, history) if kind == "pair" else gantt(history, elapsed=kind == "elapsed")

    texts = list(ET.fromstring(figure.to_svg(width=width)).iter(f"{SVG}text"))

    for left, right, _, text in map(box, texts):
        assert left >= 0, text
        assert right <= width, text
    below = [box(each) for each in texts if (each.get("text-anchor"), each.get("font-size")) == ("middle", "11")]
    assert len(below) >= 3  # ticks, a date and the title of the axis
    for one, other in itertools.combinations(below, 2):
        apart = one[1] < other[0] or other[1] < one[0]
        assert apart or abs(one[2] - other[2]) >= 11, (one, other)


def box(text: ET.Element) -> tuple[float, float, float, str]:
    """From where to where a text goes, its line, and what it says."""
    said = "".join(text.itertext())
    long = float(text.get("textLength") or width_of(escaped(said), float(text.attrib["font-size"])))
    x = float(text.attrib["x"]) - long * {"start": 0, "middle": 0.5, "end": 1}[text.attrib["text-anchor"]]
    return x, x + long, float(text.attrib["y"]), said
