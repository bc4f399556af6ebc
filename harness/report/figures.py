"""A figure from its data, lines with bands or points with intervals, as static SVG by Vega-Lite.

A series is told apart three times: by colour, by dashes and by the shape of its points. Beside a
line stands its name, at the height where the line ends; what a paper reports is grey.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from textwrap import wrap
from typing import Any, NamedTuple

from harness import numerals
from harness.report.axes import Axis, at_places, axis, written
from harness.report.style import (
    COLOURS,
    DASHES,
    INK,
    MUTED,
    SHAPES,
    field,
    layer,
    styled,
)
from harness.report.svg import draw

WIDTH, HEIGHT = 330, 240
WIDE, LEGEND_ROW = 400, 20
"""Of a plot over names, whose legend stands below."""
LABEL_WIDTH, LABEL_CHARACTERS, LABEL_LINE = 170, 20, 14
MOST_DOTS = 12
"""Points of a line that are marked; a line of more is drawn without marks."""
MOST_PLACES = 8
"""Rows of a table of numbers."""
Json = Mapping[str, Any]
Part = dict[str, Any]

DOT = {"type": "point", "filled": True, "size": 56, "opacity": 1}
BAND = {"y": field("low"), "y2": {"field": "high"}}
THE_LINE = re.compile(r"[Tt]he line(?: is|:)(?: at)? (.+?)(?=[.;](?:\s|$)|$)")
"""Where a figure's description names its reference line."""
PUBLISHED = ("paper", "published")
"""How the label of a series begins that a paper reports."""


def figure_svg(figure: Json, identity: str) -> str:
    """A figure of verdicts.json as SVG: lines, points, bands, and a horizontal reference line where
    it has one.
    """
    points = list(_points(figure))
    chart, rows = _over_names(figure) if _named(figure) else _over_numbers(figure)
    lined, dotted = _drawn(figure, "line"), _drawn(figure, "points")
    picture = styled(
        chart,
        points=points,
        lines=[point for point in points if point["series"] in lined],
        dots=[point for point in points if point["series"] in dotted],
        labels=rows,
        line_labels=[row for row in rows if row["series"] in lined],
        dot_labels=[row for row in rows if row["series"] in dotted],
        reference_label=[row for row in rows if row["series"] == REFERENCE],
        reference=[{"y": figure["reference_y"]}],
    )
    return draw(picture, identity, figure["title"], figure["description"])


def _drawn(figure: Json, mark: str) -> set[int]:
    """The numbers of the series that are drawn with a mark, "line" or "points"."""
    return {
        number
        for number, series in enumerate(figure["series"])
        if _marks(series, _named(figure)) in {mark, "both"}
    }


def _marks(series: Json, named: bool) -> str:
    marks = series.get("marks", "both")
    crowded = marks == "both" and not named and len(series["x"]) > MOST_DOTS
    return "line" if crowded else marks


def _named(figure: Json) -> bool:
    return any(isinstance(x, str) for series in figure["series"] for x in series["x"])


def _over_numbers(figure: Json) -> tuple[Part, list[Part]]:
    """A plot of bands, lines and points, with the labels beside it; and the labels' rows."""
    points = list(_points(figure))
    across = axis((point["x"] for point in points), figure["log_x"])
    upright = _y_axis(figure)
    x = field(
        "x",
        title=figure["x_label"],
        scale=_scale(across),
        axis=_ticks(at_places(across, sorted({p["x"] for p in points}), WIDTH)),
    )
    base = {"x": x, "y": _y(figure, upright), "color": _by_series("color", figure)}
    dashes = {"strokeDash": _by_series("dash", figure), "order": field("index")}
    band = layer(
        "points", {"type": "area", "opacity": 0.16, "line": False}, {**base, **BAND}
    )
    line = layer("lines", {"type": "line", "strokeWidth": 2}, {**base, **dashes})
    dots = layer("dots", DOT, {**base, "shape": _by_series("shape", figure)})
    drawn = [*([band] if banded(figure) else []), line, dots]
    labels = _labels(figure, upright)
    rows = [label.row() for label in labels]
    height = max(HEIGHT, sum(label.height for label in labels))
    panel = {"layer": [*_reference(figure), *drawn], "width": WIDTH, "height": height}
    beside = {
        "layer": _key(figure, field("top", scale=_down(height), axis=None)),
        "width": LABEL_WIDTH,
        "height": height,
    }
    return {"hconcat": [panel, beside], "spacing": 10, "bounds": "flush"}, rows


def _over_names(figure: Json) -> tuple[Part, list[Part]]:
    """Points with their intervals, those of one name side by side, names in the order of their
    first mention; the legend below, and its rows.
    """
    names = list(
        dict.fromkeys(
            _wrapped(x, figure) for series in figure["series"] for x in series["x"]
        )
    )
    labels = {"labelAngle": 0, "labelExpr": "split(datum.label, '\\n')", "grid": False}
    side_by_side = {"domain": list(range(len(figure["series"]))), "paddingOuter": 0.5}
    base = {
        "x": field(
            "x",
            "nominal",
            title=figure["x_label"],
            sort=names,
            axis=labels,
            scale={"paddingInner": 0.3},
        ),
        "xOffset": field("series", "nominal", scale=side_by_side),
        "y": _y(figure, _y_axis(figure)),
        "color": _by_series("color", figure),
    }
    ends = layer("points", {"type": "rule", "strokeWidth": 1.8}, {**base, **BAND})
    dots = layer("points", DOT, {**base, "shape": _by_series("shape", figure)})
    drawn = [*_reference(figure), *([ends] if banded(figure) else []), dots]
    panel = {"layer": drawn, "width": WIDE, "height": HEIGHT}
    rows = [
        Label(number, text, LEGEND_ROW * (place + 0.5)).row()
        for place, (number, text) in enumerate(_texts(figure))
    ]
    height = LEGEND_ROW * len(rows)
    legend = {
        "layer": _key(figure, field("top", scale=_down(height), axis=None)),
        "width": WIDE,
        "height": height,
    }
    return {"vconcat": [panel, legend], "spacing": 8}, rows


def _y_axis(figure: Json) -> Axis:
    points = list(_points(figure))
    ends = (point[end] for point in points for end in ("low", "high") if end in point)
    middle = (point["y"] for point in points if point["y"] is not None)
    reference = figure["reference_y"]
    line = [reference] if _drawable(reference, figure["log_y"]) else []
    return axis([*middle, *ends, *line], figure["log_y"])


def _y(figure: Json, upright: Axis) -> Part:
    ticks = _ticks(upright.ticks)
    return field("y", title=figure["y_label"], scale=_scale(upright), axis=ticks)


def _ticks(ticks: Sequence[float]) -> Part:
    """An axis of Vega-Lite with these ticks, every one of them labelled."""
    values, labels = list(ticks), [written(tick) for tick in ticks]
    return {
        "values": values,
        "labelOverlap": False,
        "labelExpr": f"{labels}[indexof({values}, datum.value)]",
    }


def banded(figure: Json) -> bool:
    """Whether a figure has intervals that can be drawn."""
    return any("low" in point for point in _points(figure))


def bands(figure: Json) -> str:
    """The level of a figure's intervals in words; "" where it has none, or says it itself."""
    said = "95 %" in figure["description"]
    return "" if said or not banded(figure) else "Bands: 95 % intervals."


def _wrapped(name: str, figure: Json) -> str:
    """A name in lines that fit beside those of its neighbours."""
    names = {x for series in figure["series"] for x in series["x"]}
    return "\n".join(wrap(name, max(8, WIDE // (7 * len(names))))) or name


def hidden_points(figure: Json) -> int:
    """How many points cannot be drawn: not finite, or not positive on a logarithmic axis.

    >>> figure = {
    ...     "log_x": True,
    ...     "log_y": False,
    ...     "series": [{"label": "a", "x": [0, 1, 2], "y": [1, None, 3]}],
    ... }
    >>> hidden_points(figure)
    2
    """
    return sum(
        not (_drawable(x, figure["log_x"]) and _drawable(y, figure["log_y"]))
        for series in figure["series"]
        for x, y in zip(series["x"], series["y"], strict=True)
    )


class Places(NamedTuple):
    """Rows of a table of a figure's numbers, and how many were left out between them."""

    rows: list[tuple[str, list[str]]]
    left_out: int


def places(figure: Json) -> Places:
    """The numbers of a figure as rows: x, and the value of each series there with its ends; of many
    places 8, evenly spread.

    >>> series = {"label": "a", "x": [1, 2], "y": [0.123456, 2.0], "low": None, "high": None}
    >>> places({"series": [series]}).rows
    [('1', ['0.1235']), ('2', ['2'])]
    """
    found: dict[Any, list[str]] = {}
    for number, series in enumerate(figure["series"]):
        for x, point in zip(series["x"], numerals.points(series), strict=True):
            row = found.setdefault(x, ["–"] * len(figure["series"]))
            ends = f" [{point['low']}, {point['high']}]" if "low" in point else ""
            row[number] = point["y"] + ends
    named = any(isinstance(x, str) for x in found)
    ordered = (
        list(found) if named else sorted(found, key=lambda x: (x is None, x or 0.0))
    )
    kept = ordered if named else _spread(ordered)
    rows = [
        (x if isinstance(x, str) else numerals.number(x, 6), found[x]) for x in kept
    ]
    return Places(rows, len(ordered) - len(kept))


def _spread(ordered: Sequence[Any]) -> list[Any]:
    if len(ordered) <= MOST_PLACES:
        return list(ordered)
    step = (len(ordered) - 1) / (MOST_PLACES - 1)
    return [ordered[round(step * number)] for number in range(MOST_PLACES)]


def _drawable(value: float | str | None, log: bool) -> bool:
    return value is not None and (not log or isinstance(value, str) or value > 0)


def _points(figure: Json) -> Iterator[dict[str, Any]]:
    """One record per point.

    One without y interrupts its line; a band is drawn where both of its ends can be.
    """
    for number, series in enumerate(figure["series"]):
        for index, (x, y) in enumerate(zip(series["x"], series["y"], strict=True)):
            if _drawable(x, figure["log_x"]):
                place = _wrapped(x, figure) if isinstance(x, str) else x
                point = {
                    "series": number,
                    "index": index,
                    "x": place,
                    "y": y if _drawable(y, figure["log_y"]) else None,
                }
                yield {**point, **_band(series, index, figure["log_y"])}


def _band(series: Json, index: int, log: bool) -> dict[str, float]:
    ends = {
        end: series[end][index]
        for end in ("low", "high")
        if series.get(end) is not None
    }
    return ends if all(_drawable(value, log) for value in ends.values()) else {}


def _by_series(channel: str, figure: Json) -> Part:
    """The series' number as colour, dashes or shape, without a legend (we draw one that shows all
    three); what a paper reports is grey.
    """
    series = figure["series"]
    cycle: tuple[Any, ...] = {"color": COLOURS, "dash": DASHES, "shape": SHAPES}[
        channel
    ]
    values = [cycle[number % len(cycle)] for number in range(len(series))]
    if channel == "color":
        values = [
            MUTED if _published(one) else colour
            for one, colour in zip(series, values, strict=True)
        ]
    scale = {"domain": list(range(len(series))), "range": values}
    return field("series", "nominal", scale=scale, legend=None)


def _published(series: Json) -> bool:
    return series["label"].lower().startswith(PUBLISHED)


def _scale(axis: Axis) -> Part:
    return {
        "type": "log" if axis.log else "linear",
        "domain": [axis.low, axis.high],
        "zero": False,
        "nice": False,
    }


def _down(height: float) -> Part:
    """A scale of pixels from the top."""
    return {"domain": [0, height], "range": [0, height], "zero": False, "nice": False}


def _reference(figure: Json) -> list[Part]:
    if not _drawable(figure["reference_y"], figure["log_y"]):
        return []
    line = {"type": "rule", "color": MUTED, "strokeDash": [3, 3], "strokeWidth": 1.2}
    return [layer("reference", line, {"y": field("y")})]


REFERENCE = -1
"""In place of a series' number: the reference line."""


@dataclass(frozen=True)
class Label:
    """The name of a series, or of the reference line, and the height in pixels of its middle."""

    series: int
    text: str
    middle: float

    @property
    def height(self) -> int:
        """In pixels, with the room to the next."""
        return LABEL_LINE * self.lines + 4

    @property
    def lines(self) -> int:
        """How many its text has."""
        return self.text.count("\n") + 1

    def row(self) -> Part:
        """As data of the chart; its top is where its first line stands."""
        top = self.middle - LABEL_LINE * (self.lines - 1) / 2
        return {"series": self.series, "label": self.text, "top": top}


def _texts(figure: Json) -> list[tuple[int, str]]:
    """Number and name of each series, and of the reference line where it is drawn."""
    texts = [(number, one["label"]) for number, one in enumerate(figure["series"])]
    if not _drawable(figure["reference_y"], figure["log_y"]):
        return texts
    named = THE_LINE.search(figure["description"])
    value = written(figure["reference_y"])
    said = named is not None and named[1] != value
    return [*texts, (REFERENCE, named[1] if named and said else f"line at {value}")]


def _labels(figure: Json, upright: Axis) -> list[Label]:
    """Labels at the height where their lines end, moved apart where they would touch."""
    wanted = [
        Label(number, _in_lines(text), HEIGHT * (1 - _end(figure, number, upright)))
        for number, text in _texts(figure)
    ]
    ordered = sorted(wanted, key=lambda label: label.middle)
    room = max(HEIGHT, sum(label.height for label in ordered))
    below = float(room)
    tops: list[float] = []
    for label in reversed(ordered):
        below = min(below - label.height, label.middle * room / HEIGHT)
        tops.insert(0, below)
    placed, above = [], 0.0
    for label, top in zip(ordered, tops, strict=True):
        start = max(above, min(top, label.middle * room / HEIGHT - label.height / 2))
        placed.append(Label(label.series, label.text, start + label.height / 2))
        above = start + label.height
    return placed


def _in_lines(text: str) -> str:
    return "\n".join(wrap(text, LABEL_CHARACTERS)) or text


def _end(figure: Json, number: int, upright: Axis) -> float:
    """Where a series ends: 0 at the foot of the plot, 1 at its top."""
    if number == REFERENCE:
        return upright.share(figure["reference_y"])
    ends = [
        (point["x"], point["y"])
        for point in _points(figure)
        if point["series"] == number and point["y"] is not None
    ]
    return upright.share(max(ends)[1]) if ends else 0.5


def _key(figure: Json, y: Part) -> list[Part]:
    """A row per label: the line with its dashes, the point, the name."""
    row: Part = {"y": y}
    key = {**row, "color": _by_series("color", figure)}
    dashes, shape = (
        {way: _by_series(kind, figure)}
        for way, kind in (("strokeDash", "dash"), ("shape", "shape"))
    )
    label = {
        "type": "text",
        "align": "left",
        "baseline": "middle",
        "fontSize": 12,
        "color": INK,
        "lineBreak": "\n",
        "lineHeight": LABEL_LINE,
    }
    line = {"type": "rule", "color": MUTED, "strokeDash": [3, 3], "strokeWidth": 1.2}
    ends: Part = {"x": {"value": 0}, "x2": {"value": 24}}
    return [
        layer(
            "line_labels", {"type": "rule", "strokeWidth": 2}, {**key, **ends, **dashes}
        ),
        layer("reference_label", line, {**row, **ends}),
        layer("dot_labels", DOT, {**key, "x": {"value": 12}, **shape}),
        layer(
            "labels",
            label,
            {**row, "x": {"value": 30}, "text": field("label", "nominal")},
        ),
    ]
