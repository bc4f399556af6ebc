"""A figure from its data, lines with bands or points with intervals, as static SVG by Vega-Lite.

A series is told apart three times: by colour, by dashes and by the shape of its points.
"""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

from harness import numerals
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

WIDTH, HEIGHT, LEGEND_ROW = 400, 240, 20
Json = Mapping[str, Any]
Part = dict[str, Any]

DOT = {"type": "point", "filled": True, "size": 56, "opacity": 1}
BAND = {"y": field("low"), "y2": {"field": "high"}}
SHORT = (
    "abs(log(abs(datum.value)) / LN10 - 1) >= 4 && datum.value != 0 "
    "? format(datum.value, '~e') : datum.label"
)
"""Labels of very large and very small values in powers of ten, so that they fit beside the axis."""


def figure_svg(figure: Json, identity: str) -> str:
    """A figure of verdicts.json as SVG: lines, points, bands, and a horizontal reference line where
    it has one.
    """
    points = list(_points(figure))
    drawn = _over_names(figure) if _named(figure) else _over_numbers(figure)
    panel = {"layer": [*_reference(figure), *drawn], "width": WIDTH, "height": HEIGHT}
    labels = [
        {"series": number, "label": series["label"]}
        for number, series in enumerate(figure["series"])
    ]
    chart = {"vconcat": [panel, _legend(figure)], "spacing": 8}
    lined, dotted = _drawn(figure, "line"), _drawn(figure, "points")
    picture = styled(
        chart,
        points=points,
        lines=[point for point in points if point["series"] in lined],
        dots=[point for point in points if point["series"] in dotted],
        labels=labels,
        line_labels=[label for label in labels if label["series"] in lined],
        dot_labels=[label for label in labels if label["series"] in dotted],
        reference=[{"y": figure["reference_y"]}],
    )
    return draw(picture, identity, figure["title"], figure["description"])


def _drawn(figure: Json, mark: str) -> set[int]:
    """The numbers of the series that are drawn with a mark, "line" or "points"."""
    return {
        number
        for number, series in enumerate(figure["series"])
        if series.get("marks", "both") in {mark, "both"}
    }


def _named(figure: Json) -> bool:
    return any(isinstance(x, str) for series in figure["series"] for x in series["x"])


def _over_numbers(figure: Json) -> list[Part]:
    """Bands, lines and points."""
    x = field(
        "x",
        title=figure["x_label"],
        scale=_scale(figure["log_x"], nice=False),
        axis=_x_axis(figure),
    )
    base = {"x": x, "y": _y(figure), "color": _by_series("color", figure)}
    dashes = {"strokeDash": _by_series("dash", figure), "order": field("index")}
    band = layer(
        "points", {"type": "area", "opacity": 0.16, "line": False}, {**base, **BAND}
    )
    line = layer("lines", {"type": "line", "strokeWidth": 2}, {**base, **dashes})
    dots = layer("dots", DOT, {**base, "shape": _by_series("shape", figure)})
    return [*([band] if _banded(figure) else []), line, dots]


def _over_names(figure: Json) -> list[Part]:
    """Points with their intervals, those of one name side by side; names in the order of their
    first mention.
    """
    names = list(
        dict.fromkeys(
            _wrapped(x, figure) for series in figure["series"] for x in series["x"]
        )
    )
    axis = {"labelAngle": 0, "labelExpr": "split(datum.label, '\\n')", "grid": False}
    side_by_side = {"domain": list(range(len(figure["series"]))), "paddingOuter": 0.5}
    base = {
        "x": field(
            "x",
            "nominal",
            title=figure["x_label"],
            sort=names,
            axis=axis,
            scale={"paddingInner": 0.3},
        ),
        "xOffset": field("series", "nominal", scale=side_by_side),
        "y": _y(figure),
        "color": _by_series("color", figure),
    }
    ends = layer("points", {"type": "rule", "strokeWidth": 1.8}, {**base, **BAND})
    dots = layer("points", DOT, {**base, "shape": _by_series("shape", figure)})
    return [*([ends] if _banded(figure) else []), dots]


def _y(figure: Json) -> Part:
    scale = _scale(figure["log_y"], nice=not figure["log_y"])
    return field(
        "y",
        title=figure["y_label"],
        scale=scale,
        axis={"tickCount": 5, "labelExpr": SHORT},
    )


def _banded(figure: Json) -> bool:
    return any("low" in point for point in _points(figure))


def _wrapped(name: str, figure: Json) -> str:
    """A name in lines that fit beside those of its neighbours."""
    names = {x for series in figure["series"] for x in series["x"]}
    return "\n".join(wrap(name, max(8, WIDTH // (7 * len(names))))) or name


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


def places(figure: Json) -> list[tuple[str, list[str]]]:
    """The numbers of a figure as rows: x, and the value of each series there with its ends.

    >>> series = {"label": "a", "x": [1, 2], "y": [0.123456, 2.0], "low": None, "high": None}
    >>> places({"series": [series]})
    [('1', ['0.1235']), ('2', ['2'])]
    """
    found: dict[Any, list[str]] = {}
    for number, series in enumerate(figure["series"]):
        for x, point in zip(series["x"], numerals.points(series), strict=True):
            row = found.setdefault(x, ["–"] * len(figure["series"]))
            ends = f" [{point['low']}, {point['high']}]" if "low" in point else ""
            row[number] = point["y"] + ends
    named = any(isinstance(x, str) for x in found)
    ordered = found if named else sorted(found, key=lambda x: (x is None, x or 0.0))
    return [
        (x if isinstance(x, str) else numerals.number(x, 6), found[x]) for x in ordered
    ]


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
    three).
    """
    numbers = range(len(figure["series"]))
    cycle: tuple[Any, ...] = {"color": COLOURS, "dash": DASHES, "shape": SHAPES}[
        channel
    ]
    values = [cycle[number % len(cycle)] for number in numbers]
    return field(
        "series",
        "nominal",
        scale={"domain": list(numbers), "range": values},
        legend=None,
    )


def _scale(log: bool, nice: bool) -> Part:
    return {
        "type": "log" if log else "linear",
        "zero": False,
        "nice": nice,
        "padding": 8,
    }


def _x_axis(figure: Json) -> Part:
    """Ticks where something was measured, if that is at few places."""
    measured = sorted({point["x"] for point in _points(figure)})
    if 0 < len(measured) <= 8:
        return {
            "values": measured,
            "labelOverlap": "greedy",
            "labelExpr": "format(datum.value, '~g')",
        }
    return {"tickCount": 7}


def _reference(figure: Json) -> list[Part]:
    if not _drawable(figure["reference_y"], figure["log_y"]):
        return []
    line = {"type": "rule", "color": MUTED, "strokeDash": [3, 3], "strokeWidth": 1.2}
    return [layer("reference", line, {"y": field("y")})]


def _legend(figure: Json) -> Part:
    """A row per series: its line with its dashes, its point, its label."""
    row = {"y": field("series", "ordinal", axis=None)}
    key = {**row, "color": _by_series("color", figure)}
    dashes, shape = (
        {way: _by_series(kind, figure)}
        for way, kind in (("strokeDash", "dash"), ("shape", "shape"))
    )
    label = {
        "type": "text",
        "align": "left",
        "fontSize": 12,
        "color": INK,
        "limit": WIDTH - 40,
    }
    parts = [
        layer(
            "line_labels",
            {"type": "rule", "strokeWidth": 2},
            {**key, "x": {"value": 0}, "x2": {"value": 30}, **dashes},
        ),
        layer("dot_labels", DOT, {**key, "x": {"value": 15}, **shape}),
        layer(
            "labels",
            label,
            {**row, "x": {"value": 40}, "text": field("label", "nominal")},
        ),
    ]
    return {
        "layer": parts,
        "width": WIDTH,
        "height": LEGEND_ROW * len(figure["series"]),
    }
