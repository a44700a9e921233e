"""A figure as an SVG picture, drawn here: no browser, no plotly.js, no other package.

It knows what our figures are made of: bars that lie, lines, areas, symbols, rectangles and lines behind them, texts,
axes of times and numbers, and a legend. The colours are those of the figure, readable on light and on dark pages.

Rule: the same figure gives the same text. The picture holds no script, no link, no style sheet and no reference to
anything outside; every text in it goes through `views.svg_text`, which escapes it.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from simpleflow_lab.data.numpy_library import np
from simpleflow_lab.exceptions import UsageError
from simpleflow_lab.views.svg_text import escaped, plain_text, text_element, title_on_one_line, width_of

WIDTH: Final = 960
"""Pixels that a picture is wide, if nothing else is said."""
_FONT: Final = "system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif"
_FITS: Final = "max-width:100%;height:auto"
"""In a page or on paper that is narrower, the picture is made smaller."""
_LABELS: Final = 0.34
"""The share of the width that the labels of rows take, at most."""
_NUMBERS: Final = 36
"""Pixels for the labels of an axis of numbers."""
_LEGEND_ROW: Final = 21
_SUBTITLE_LINE: Final = 17
_GRID: Final = "#808080"
_TICKS: Final = 7
"""Ticks of an axis, at most about."""
_TICK_GAP: Final = 4
"""Pixels between two labels of an axis, at least."""


def svg_of(figure: Any, *, width: int = WIDTH) -> str:
    """The picture of a plotly figure of ours: an `svg` element with its name space, `width` pixels wide.

    Raises `UsageError` for a width below 300 or above 10,000.
    """
    if not 300 <= width <= 10_000:
        raise UsageError(f"a picture is 300 to 10,000 pixels wide, not {width!r}")
    return _Picture(figure, width).text()


class _Properties:
    """The properties that a part of a figure was given, by their names; `None` for one that was not. plotly's own
    objects look each name up among its thousands of properties: a picture takes them four times as long to read as to
    draw."""

    _PARTS: Final = frozenset(
        {"font", "line", "margin", "marker", "pattern", "subtitle", "textfont", "title", "xaxis", "yaxis", "yaxis2"}
    )
    """Those that have properties in their turn; one that was not given has none, and is false."""
    _LISTS: Final = frozenset({"annotations", "shapes"})

    def __init__(self, given: Mapping[str, Any]) -> None:
        self._given = given

    def __bool__(self) -> bool:
        return bool(self._given)

    def __getattr__(self, name: str) -> Any:
        value = self._given.get(name)
        if isinstance(value, Mapping) or (value is None and name in self._PARTS):
            value = _Properties(value or {})
        elif name in self._LISTS:
            value = [_Properties(each) for each in value or ()]
        setattr(self, name, value)
        return value


class _Picture:
    """One picture in the making."""

    def __init__(self, figure: Any, width: int) -> None:
        traces = [_Properties(trace.to_plotly_json()) for trace in figure.data]
        self._traces = [trace for trace in traces if trace.visible is not False]
        self._layout = _Properties(figure.layout.to_plotly_json())
        self._width = width
        self._ink = self._layout.font.color or "#888"
        self._patterns: dict[tuple[str, str, float], str] = {}
        self._axes = {"y": self._layout.yaxis}
        if self._layout.yaxis2:
            self._axes["y2"] = self._layout.yaxis2
        left = max((width_of(str(text)) for axis in self._axes.values() for text in axis.ticktext or ()), default=0.0)
        if any(axis.tickvals is None for axis in self._axes.values()):
            left = max(left, _NUMBERS)
        self._left = min(left, width * _LABELS) + 22
        self._right = width - 20.0
        self._subtitle = _lines_in(self._layout.title.subtitle.text or "", self._width - 28, 13)
        self._legend = self._legend_entries()
        rows = self._legend_rows()
        self._legend_top = 62.0 + _SUBTITLE_LINE * max(len(self._subtitle) - 1, 0)
        self._top = self._legend_top + _LEGEND_ROW * len(rows) + 8
        self._rows = rows
        margin = self._layout.margin
        plot = (self._layout.height or 450) - (margin.t or 80) - (margin.b or 60)
        self._plot_height = float(max(plot, 40))
        self._height = self._top + self._plot_height + 46
        self._x_range = self._range_of_x()
        self._ticks = self._x_ticks() if self._layout.xaxis.visible is not False else []
        self._x_title = (self._layout.xaxis.title.text or "").replace("<br>", " ")
        self._x_title_drop = 14 if self._meets_a_label(self._x_title) else 0
        self._height += self._x_title_drop
        # Several pictures may stand in one page: what has the same name there must be the same.
        self._clip = f"sfl-plot-{self._left:.0f}-{self._top:.0f}-{width}-{self._plot_height:.0f}"

    # -- places --

    def _range_of_x(self) -> tuple[float, float]:
        axis = self._layout.xaxis
        if axis.range is not None:
            first, last = (_number(value) for value in axis.range)
        else:
            values = [float(value) for trace in self._traces for value in _extent(trace)]
            first, last = (min(values), max(values)) if values else (0.0, 1.0)
        return (first, last) if last > first else (first, first + 1)

    def _x(self, value: float) -> float:
        first, last = self._x_range
        return self._left + (value - first) / (last - first) * (self._right - self._left)

    def _y(self, value: float, axis: str = "y") -> float:
        low, high = self._axes[axis].range or (0, 1)
        bottom, top = self._axes[axis].domain or (0.0, 1.0)
        share = bottom + (value - float(low)) / ((float(high) - float(low)) or 1) * (top - bottom)
        return self._top + (1 - share) * self._plot_height

    def _row(self, axis: str) -> float:
        """Pixels of one unit of y."""
        return abs(self._y(1, axis) - self._y(0, axis))

    # -- the whole --

    def text(self) -> str:
        body = "".join(
            (
                *self._shapes(),
                *self._x_axis(),
                *self._y_axes(),
                f'<g clip-path="url(#{self._clip})">',
                *(self._bars(trace) for trace in self._traces if trace.type == "bar"),
                *(self._line(trace) for trace in self._traces if trace.type == "scatter"),
                "</g>",
                *(self._symbols(trace) for trace in self._traces if trace.type == "scatter"),
                *self._title(),
                *self._legend_elements(),
                *self._annotations(),
            )
        )
        height = round(self._height)
        title = escaped(" ".join(plain_text(title_on_one_line(self._layout.title.text)).split()) or "chart")
        clip = (
            f'<clipPath id="{self._clip}"><rect x="{self._left - 1:.1f}" y="{self._top - 2:.1f}" '
            f'width="{self._right - self._left + 2:.1f}" height="{self._plot_height + 4:.1f}"/></clipPath>'
        )
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self._width}" height="{height}" '
            f'viewBox="0 0 {self._width} {height}" style="{_FITS}" role="img" aria-label="{title}" '
            f'font-family="{_FONT}" fill="{escaped(self._ink)}"><title>{title}</title>'
            f"<defs>{clip}{''.join(self._patterns.values())}</defs>{body}</svg>"
        )

    def _title(self) -> Iterator[str]:
        title = self._layout.title
        if title.text:
            yield _text_in(title_on_one_line(title.text), self._width - 28, 14, 26, size=17)
        for number, line in enumerate(self._subtitle):
            yield _text_in(line, self._width - 28, 14, 47 + _SUBTITLE_LINE * number, size=13)

    # -- axes --

    def _x_axis(self) -> Iterator[str]:
        axis, bottom = self._layout.xaxis, self._top + self._plot_height
        if axis.visible is False:
            return
        for value, label in self._ticks:
            x = self._x(value)
            line = f"M{x:.1f} {self._top:.1f}V{bottom:.1f}"
            yield f'<path d="{line}" stroke="{_GRID}" stroke-opacity=".22" fill="none"/>'
            if label:
                yield text_element(label, self._centre(x, label), bottom + 16, size=11, anchor="middle")
        if self._x_title:
            title = _fitting(self._x_title, self._width - 8, 11)
            middle = self._centre((self._left + self._right) / 2, title)
            yield text_element(title, middle, bottom + 35 + self._x_title_drop, size=11, anchor="middle")

    def _centre(self, x: float, label: str) -> float:
        """The middle of a label at this place, which stays within the picture."""
        half = width_of(label, 11) / 2 + 2
        return min(max(x, half), self._width - half)

    def _x_ticks(self) -> list[tuple[float, str]]:
        """The ticks within the picture: of given ones those that leave room for their neighbours have a label; of
        others there are as many as have room."""
        axis = self._layout.xaxis
        if axis.tickvals is not None:
            given = zip(axis.tickvals, axis.ticktext or axis.tickvals, strict=True)
            return self._with_room([(_number(value), str(text)) for value, text in given])
        ticks_of = _time_ticks if axis.type == "date" else _number_ticks
        for most in range(_TICKS, 0, -1):
            ticks = self._within(ticks_of(*self._x_range, most))
            if self._with_room(ticks) == ticks:
                return ticks
        return self._with_room(ticks)

    def _within(self, ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
        return [each for each in ticks if self._left - 0.5 <= self._x(each[0]) <= self._right + 0.5]

    def _with_room(self, ticks: Sequence[tuple[float, str]]) -> list[tuple[float, str]]:
        """The ticks within the picture, without the labels that would cover the one before, in any line of theirs."""
        ends: dict[int, float] = {}
        found = []
        for value, label in self._within(ticks):
            widths = [width_of(line, 11) for line in label.split("<br>")]
            middle = self._centre(self._x(value), label)
            has_room = all(ends.get(n, -_TICK_GAP) + _TICK_GAP <= middle - each / 2 for n, each in enumerate(widths))
            if has_room:
                ends.update((n, middle + each / 2) for n, each in enumerate(widths))
            found.append((value, label if has_room else ""))
        return found

    def _meets_a_label(self, title: str) -> bool:
        """Whether the title of the axis of x would cover the second line of a label."""
        left = self._centre((self._left + self._right) / 2, title) - width_of(title, 11) / 2 - _TICK_GAP
        second = [(self._x(value), label) for value, label in self._ticks if "<br>" in label]
        return any(self._centre(x, label) + width_of(label, 11) / 2 > left for x, label in second)

    def _y_axes(self) -> Iterator[str]:
        for name, axis in self._axes.items():
            if axis.tickvals is None:
                low, high = sorted((float(axis.range[0]), float(axis.range[1]))) if axis.range else (0.0, 1.0)
                ticks = _number_ticks(low, high)
            else:
                ticks = [(float(v), str(t)) for v, t in zip(axis.tickvals, axis.ticktext or axis.tickvals, strict=True)]
            for value, label in ticks:
                y = self._y(value, name)
                if axis.showgrid is not False:
                    yield (
                        f'<path d="M{self._left:.1f} {y:.1f}H{self._right:.1f}" stroke="{_GRID}" '
                        'stroke-opacity=".22" fill="none"/>'
                    )
                yield _text_in(label, self._left - 16, self._left - 8, y, anchor="end", middle=True)

    # -- what is drawn --

    def _shapes(self) -> Iterator[str]:
        for shape in self._layout.shapes:
            axis = shape.yref if shape.yref in self._axes else "y"
            x0, x1 = (
                self._left + float(x) * (self._right - self._left) if shape.xref == "paper" else self._x(_number(x))
                for x in (shape.x0, shape.x1)
            )
            y0, y1 = (
                self._top + (1 - float(y)) * self._plot_height if shape.yref == "paper" else self._y(float(y), axis)
                for y in (shape.y0, shape.y1)
            )
            if shape.type == "line":
                dash = ' stroke-dasharray="3 3"' if shape.line.dash else ""
                yield (
                    f'<path d="M{x0:.1f} {y0:.1f}L{x1:.1f} {y1:.1f}" stroke="{escaped(shape.line.color or _GRID)}"'
                    f' stroke-width="{shape.line.width or 1:g}"{dash} fill="none"/>'
                )
            else:
                yield (
                    f'<rect x="{min(x0, x1):.1f}" y="{min(y0, y1):.1f}" width="{abs(x1 - x0):.1f}" '
                    f'height="{abs(y1 - y0):.1f}" fill="{_GRID}" fill-opacity=".06"/>'
                )

    def _bars(self, trace: Any) -> str:
        axis = trace.yaxis or "y"
        starts = _numbers(trace.base if trace.base is not None else np.zeros(len(trace.x)))
        ends, ys, widths = starts + _numbers(trace.x), _numbers(trace.y), _numbers(trace.width)
        row, parts, words = self._row(axis), [], []
        text = trace.text if trace.text is not None else [""] * len(starts)
        for start, end, y, thickness, word in zip(starts, ends, ys, widths, text, strict=True):
            left, right = self._x(start), self._x(end)
            if right < self._left - 1 or left > self._right + 1:
                continue
            left, right = max(left, self._left - 1), min(right, self._right + 1)
            high, wide = thickness * row, max(right - left, 1.0)
            top = self._y(y, axis) - high / 2
            parts.append(f"M{left:.1f} {top:.1f}h{wide:.1f}v{high:.1f}h-{wide:.1f}z")
            if word and width_of(str(word), 10) + 6 <= wide:
                words.append(text_element(str(word), left + wide / 2, top + high / 2, size=10, anchor="middle",
                                          colour="#fff", middle=True))  # fmt: skip
        if not parts:
            return ""
        colour = trace.marker.color if isinstance(trace.marker.color, str) else _GRID
        opacity = f' opacity="{trace.opacity:g}"' if trace.opacity not in (None, 1.0) else ""
        path = "".join(parts)
        drawn = f'<path d="{path}" fill="{escaped(colour)}"{opacity}/>'
        pattern = trace.marker.pattern
        if pattern.shape:
            name = self._pattern(pattern.shape, float(pattern.solidity or 0.35))
            drawn += f'<path d="{path}" fill="url(#{name})"{opacity}/>'
        return drawn + "".join(words)

    def _pattern(self, shape: str, solidity: float) -> str:
        name = f"sfl-pattern-{'xX./|-+'.find(shape) if shape in 'x./|-+' else 7}-{round(solidity * 100)}"
        drawn = _PATTERNS.get(shape, _PATTERNS["\\"])
        self._patterns[name, shape, solidity] = (
            f'<pattern id="{name}" width="6" height="6" patternUnits="userSpaceOnUse">'
            f'<path d="{drawn}" stroke="#fff" stroke-width="{0.6 + 2 * solidity:.1f}" fill="none" '
            f'stroke-opacity="{min(0.35 + solidity, 0.9):.2f}"/></pattern>'
        )
        return name

    def _line(self, trace: Any) -> str:
        if "lines" not in (trace.mode or "lines") or trace.x is None or not len(trace.x):
            return ""
        axis = trace.yaxis or "y"
        stops: list[str] = []
        steps = trace.line.shape == "hv"
        previous: float | None = None
        pen = "M"
        xs, ys = _numbers(trace.x), _numbers(trace.y)
        for x, y in zip(xs, ys, strict=True):
            if np.isnan(x) or np.isnan(y):
                pen, previous = "M", None
                continue
            at, level = self._x(x), self._y(y, axis)
            if steps and previous is not None:
                stops.append(f"L{at:.1f} {previous:.1f}")
            stops.append(f"{pen}{at:.1f} {level:.1f}")
            pen, previous = "L", level
        path = "".join(stops)
        colour = escaped(trace.line.color or self._ink)
        filled = ""
        if trace.fill == "tozeroy" and stops:
            ground = self._y(0.0, axis)
            area = f"{path}L{self._x(float(xs[-1])):.1f} {ground:.1f}L{self._x(float(xs[0])):.1f} {ground:.1f}z"
            filled = f'<path d="{area}" fill="{colour}" fill-opacity=".28"/>'
        width = 2 if trace.line.width is None else trace.line.width
        dash = _dashes(trace.line.dash)
        return f'{filled}<path d="{path}" fill="none" stroke="{colour}" stroke-width="{width:g}"{dash}/>'

    def _symbols(self, trace: Any) -> str:
        mode = trace.mode or ""
        if not ("markers" in mode or "text" in mode) or trace.x is None:
            return ""
        axis = trace.yaxis or "y"
        symbol = trace.marker.symbol or "circle"
        colour, size = escaped(trace.marker.color or self._ink), float(trace.marker.size or 8)
        texts = trace.text if trace.text is not None else [""] * len(trace.x)
        paths, words = [], []
        for x, y, text in zip(_numbers(trace.x), _numbers(trace.y), texts, strict=True):
            at, level = self._x(x), self._y(y, axis)
            if not self._left - 8 <= at <= self._right + 8:
                continue
            if "markers" in mode:
                paths.append(_symbol(str(symbol), at, level, size / 2))
            if text:
                beside = at + size / 2 + 4
                fitting = _fitting(str(text), self._width - beside, 11)
                words.append(text_element(fitting, beside, level, size=11,
                                          colour=trace.textfont.color or trace.marker.color, middle=True))  # fmt: skip
        if not paths:
            return "".join(words)
        look = f'fill="none" stroke="{colour}"' if "open" in symbol else f'fill="{colour}" stroke="#fff"'
        return f'<path d="{"".join(paths)}" {look} stroke-width="1"/>{"".join(words)}'

    # -- the legend, and what else is written --

    def _legend_entries(self) -> list[Any]:
        if self._layout.showlegend is False:
            return []
        return [trace for trace in self._traces if trace.name and trace.showlegend is not False]

    def _legend_rows(self) -> list[list[tuple[float, Any]]]:
        rows: list[list[tuple[float, Any]]] = []
        x = self._width + 1.0
        for trace in self._legend:
            needed = 30 + width_of(str(trace.name))
            if x + needed > self._width - 10:
                rows.append([])
                x = 14.0
            rows[-1].append((x, trace))
            x += needed + 18
        return rows

    def _legend_elements(self) -> Iterator[str]:
        for number, row in enumerate(self._rows):
            y = self._legend_top + 4 + _LEGEND_ROW * number
            for x, trace in row:
                yield self._swatch(trace, x, y)
                yield text_element(str(trace.name), x + 24, y, middle=True)

    def _swatch(self, trace: Any, x: float, y: float) -> str:
        if trace.type == "bar":
            colour = trace.marker.color if isinstance(trace.marker.color, str) else _GRID
            path = f"M{x:.1f} {y - 6:.1f}h18v12h-18z"
            drawn = f'<path d="{path}" fill="{escaped(colour)}"/>'
            pattern = trace.marker.pattern
            if pattern.shape:
                drawn += (
                    f'<path d="{path}" fill="url(#{self._pattern(pattern.shape, float(pattern.solidity or 0.35))})"/>'
                )
            return drawn
        if "markers" in (trace.mode or ""):
            colour, symbol = escaped(trace.marker.color or self._ink), str(trace.marker.symbol or "circle")
            look = f'fill="none" stroke="{colour}"' if "open" in symbol else f'fill="{colour}"'
            return f'<path d="{_symbol(symbol, x + 9, y, 5)}" {look}/>'
        colour = escaped(trace.line.color or self._ink)
        dash = _dashes(trace.line.dash)
        return f'<path d="M{x:.1f} {y:.1f}h18" stroke="{colour}" stroke-width="2"{dash} fill="none"/>'

    def _annotations(self) -> Iterator[str]:
        for note in self._layout.annotations:
            size = float(note.font.size or 12)
            lines = str(note.text).count("<br>") + 1
            if note.xref == "paper":
                x = self._left + float(note.x) * (self._right - self._left)
            else:
                x = self._x(_number(note.x))
            if note.yref in self._axes:
                y = self._y(float(note.y), note.yref)
            else:
                y = self._top + (1 - float(note.y)) * self._plot_height
            text = note.text
            if note.xref == "paper" and note.x == 0 and note.xanchor == "left":
                x = 14.0
                text = "<br>".join(_fitting(line, self._width - 28, size) for line in str(text).split("<br>"))
            anchor = {"center": "middle", "right": "end"}.get(note.xanchor or "center", "start")
            above = y - 6 - size * 1.25 * (lines - 1)
            middle = note.yanchor not in ("bottom", "top")
            below = above if note.yanchor == "bottom" else y + size
            yield text_element(text, x, y if middle else below, size=size, anchor=anchor,
                               colour=note.font.color, middle=middle)  # fmt: skip


_PATTERNS: Final[Mapping[str, str]] = {
    "/": "M-1 1l2 -2M0 6L6 0M5 7l2 -2",
    "\\": "M-1 5l2 2M0 0L6 6M5 -1l2 2",
    "x": "M0 0L6 6M0 6L6 0",
    "|": "M3 0V6",
    "-": "M0 3H6",
    "+": "M3 0V6M0 3H6",
    ".": "M2 3h2",
}


_DASHES: Final = {"dot": "2 3", "longdash": "9 4"}
"""plotly's kinds of dashes; any other is `4 3`."""


def _dashes(kind: str | None) -> str:
    return f' stroke-dasharray="{_DASHES.get(kind, "4 3")}"' if kind else ""


def _symbol(symbol: str, x: float, y: float, r: float) -> str:
    """The path of one of plotly's symbols around a point."""
    square = f"M{x - r:.1f} {y - r:.1f}h{2 * r:.1f}v{2 * r:.1f}h-{2 * r:.1f}z"
    circle = f"M{x - r:.1f} {y:.1f}a{r:.1f} {r:.1f} 0 1 0 {2 * r:.1f} 0a{r:.1f} {r:.1f} 0 1 0 -{2 * r:.1f} 0z"
    cross = _polygon(x, y, r / 3, ((-1, -3), (0, -1), (1, -3), (3, -1), (1, 0), (3, 1), (1, 3), (0, 1), (-1, 3),
                                   (-3, 1), (-1, 0), (-3, -1)))  # fmt: skip
    name = symbol.removesuffix("-open")
    if name == "circle-x":
        return circle
    if name in ("square", "square-x", "square-cross"):
        return square
    if name == "x":
        return cross
    shape = _SHAPES.get(name)
    return circle if shape is None else _polygon(x, y, r, shape)


_SHAPES: Final[Mapping[str, Sequence[tuple[float, float]]]] = {
    "diamond": ((0, -1.2), (1.2, 0), (0, 1.2), (-1.2, 0)),
    "hourglass": ((-1, -1), (1, -1), (-1, 1), (1, 1)),
    "triangle-right": ((-0.8, -1), (1.1, 0), (-0.8, 1)),
    "triangle-left": ((0.8, -1), (-1.1, 0), (0.8, 1)),
    "triangle-up": ((-1, 0.8), (0, -1.1), (1, 0.8)),
    "triangle-down": ((-1, -0.8), (0, 1.1), (1, -0.8)),
}


def _polygon(x: float, y: float, r: float, points: Sequence[tuple[float, float]]) -> str:
    return "M" + "L".join(f"{x + r * dx:.1f} {y + r * dy:.1f}" for dx, dy in points) + "z"


# -- values ------------------------------------------------------------------------------------------------------------


def _numbers(values: Any) -> np.ndarray[Any, np.dtype[np.float64]]:
    """Values of a trace as numbers: times as milliseconds since 1970."""
    array = np.asarray(values)
    if array.dtype.kind == "M":
        return array.astype("datetime64[ms]").astype("int64").astype("float64")
    if array.dtype.kind in "iuf":
        return array.astype("float64")
    return np.array([_number(value) for value in array], dtype="float64")


def _number(value: Any) -> float:
    if isinstance(value, int | float | np.integer | np.floating):
        return float(value)
    if value is None:
        return float("nan")
    return float(np.datetime64(value, "ms").astype("int64"))


def _extent(trace: Any) -> Iterator[float]:
    """The first and last place of a trace."""
    if trace.x is None or not len(trace.x):
        return
    xs = _numbers(trace.x)
    if trace.type == "bar":
        starts = _numbers(trace.base if trace.base is not None else np.zeros(len(xs)))
        yield from (float(starts.min()), float((starts + xs).max()))
    else:
        yield from (float(np.nanmin(xs)), float(np.nanmax(xs)))


_UNITS: Final = (
    *(1, 2, 5, 10, 20, 50, 100, 200, 500),
    *(1_000 * each for each in (1, 2, 5, 10, 15, 30)),
    *(60_000 * each for each in (1, 2, 5, 10, 15, 30)),
    *(3_600_000 * each for each in (1, 2, 3, 6, 12)),
    *(86_400_000 * each for each in (1, 2, 7, 14, 30, 90, 365)),
)
"""Steps between ticks of time, in milliseconds."""


def _time_ticks(first: float, last: float, most: int = _TICKS) -> list[tuple[float, str]]:
    step = next((unit for unit in _UNITS if (last - first) / unit <= most), 0) or (last - first) / most
    start = np.ceil(first / step) * step
    ticks = []
    day = ""
    for value in np.arange(start, last + 1, step)[:50]:
        when = _EPOCH + datetime.timedelta(milliseconds=float(value)) if abs(value) < _FAR else None
        if when is None:
            continue
        text = (
            f"{when:%b} {when.day}" if step >= 86_400_000 else when.strftime("%H:%M:%S" if step < 60_000 else "%H:%M")
        )
        if step < 1_000:
            text += f".{when.microsecond // 1000:03d}"
        date = f"{when:%b} {when.day}, {when.year}"
        ticks.append((float(value), text if date == day else f"{text}<br>{date}"))
        day = date
    return ticks


_EPOCH: Final = datetime.datetime(1970, 1, 1)
_FAR: Final = 6e13
"""Milliseconds within which there are dates."""


def _number_ticks(first: float, last: float, most: int = _TICKS) -> list[tuple[float, str]]:
    span = last - first
    power = 10.0 ** np.floor(np.log10(span / most)) if span > 0 else 1.0
    step = next((power * each for each in (1, 2, 5, 10) if span / (power * each) <= most), power * 10)
    start = np.ceil(first / step) * step
    return [(float(v), f"{round(float(v), 10) + 0.0:,g}") for v in np.arange(start, last + step / 2, step)[:50]]


_WIDER: Final = 1.3
"""Factor by which a text may be wider than `width_of` says, in the font that a reader has."""


def _text_in(text: str, room: float, x: float, y: float, *, size: float = 12, **how: Any) -> str:
    """A text that takes no more than this room: cut by what it should take, and pressed together where the reader's
    font is wider than that."""
    fitting = _fitting(text, room, size)
    width = width_of(fitting, size)
    return text_element(fitting, x, y, size=size, length=width if width * _WIDER > room else None, **how)


def _lines_in(text: str, room: float, size: float) -> list[str]:
    """A text on one line if there is room for it, else with the breaks that it has."""
    one = text.replace("<br>", " ")
    return ([one] if width_of(one, size) <= room else text.split("<br>")) if text else []


def _fitting(label: str, room: float, size: float = 12) -> str:
    """A label, cut if it takes more room than there is."""
    if width_of(label, size) <= room:
        return label
    text = plain_text(label)
    least, most = 0, len(text)
    while least < most:
        middle = (least + most + 1) // 2
        if width_of(escaped(text[:middle]), size) > room - size:
            most = middle - 1
        else:
            least = middle
    return escaped(f"{text[:least]}…")
