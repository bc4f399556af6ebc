"""A figure from its data: lines with bands, or points with intervals over names, drawn by Altair as static SVG.

A series is told apart three times: by colour, by dashes and by the shape of its points.
"""

from collections.abc import Iterator, Mapping
from textwrap import wrap
from typing import Any

import altair as alt

from harness.report.style import COLOURS, DASHES, INK, MUTED, SHAPES, styled
from harness.report.svg import draw

WIDTH, HEIGHT, LEGEND_ROW = 400, 240, 20
Json = Mapping[str, Any]

SHORT = "abs(log(abs(datum.value)) / LN10 - 1) >= 4 && datum.value != 0 ? format(datum.value, '~e') : datum.label"
"""Labels of very large and very small values in powers of ten, so that they fit beside the axis."""


def figure_svg(figure: Json, identity: str) -> str:
    """A figure of verdicts.json as SVG: lines, points, bands, and a horizontal reference line where it has one."""
    points = list(_points(figure))
    y = alt.Y(
        "y:Q",
        title=figure["y_label"],
        scale=_scale(figure["log_y"], nice=not figure["log_y"]),
        axis=alt.Axis(tickCount=5, labelExpr=SHORT),
    )
    data = alt.Chart(alt.NamedData("points")).encode(y=y, color=_by_series("color", figure))
    drawn = _over_names(data, figure) if _named(figure) else _over_numbers(data, figure)
    layers = [*_reference(figure), *drawn]
    panel = alt.layer(*layers).properties(width=WIDTH, height=HEIGHT)
    labels = [{"series": number, "label": series["label"]} for number, series in enumerate(figure["series"])]
    chart = alt.vconcat(panel, _legend(figure), spacing=8)
    picture = styled(chart, points=points, labels=labels, reference=[{"y": figure["reference_y"]}])
    return draw(picture, identity, figure["title"], figure["description"])


def _named(figure: Json) -> bool:
    return any(isinstance(x, str) for series in figure["series"] for x in series["x"])


def _over_numbers(data: alt.Chart, figure: Json) -> list[alt.Chart]:
    """Bands, lines and points."""
    x = alt.X("x:Q", title=figure["x_label"], scale=_scale(figure["log_x"], nice=False), axis=_x_axis(figure))
    base = data.encode(x=x)
    band = base.mark_area(opacity=0.16, line=False).encode(y=alt.Y("low:Q"), y2="high:Q")
    line = base.mark_line(strokeWidth=2).encode(strokeDash=_by_series("dash", figure), order="index:Q")
    dots = base.mark_point(filled=True, size=56, opacity=1).encode(shape=_by_series("shape", figure))
    return [*([band] if _banded(figure) else []), line, dots]


def _over_names(data: alt.Chart, figure: Json) -> list[alt.Chart]:
    """Points with their intervals, those of one name side by side; names in the order of their first mention."""
    names = list(dict.fromkeys(_wrapped(x, figure) for series in figure["series"] for x in series["x"]))
    axis = alt.Axis(labelAngle=0, labelExpr="split(datum.label, '\\n')", grid=False)
    base = data.encode(
        x=alt.X("x:N", title=figure["x_label"], sort=names, axis=axis, scale=alt.Scale(paddingInner=0.3)),
        xOffset=alt.XOffset("series:N", scale=alt.Scale(domain=list(range(len(figure["series"]))), paddingOuter=0.5)),
    )
    ends = base.mark_rule(strokeWidth=1.8).encode(y=alt.Y("low:Q"), y2="high:Q")
    dots = base.mark_point(filled=True, size=56, opacity=1).encode(shape=_by_series("shape", figure))
    return [*([ends] if _banded(figure) else []), dots]


def _banded(figure: Json) -> bool:
    return any("low" in point for point in _points(figure))


def _wrapped(name: str, figure: Json) -> str:
    """A name in lines that fit beside those of its neighbours."""
    names = {x for series in figure["series"] for x in series["x"]}
    return "\n".join(wrap(name, max(8, WIDTH // (7 * len(names))))) or name


def hidden_points(figure: Json) -> int:
    """How many points cannot be drawn: not finite, or not positive on a logarithmic axis.

    >>> figure = {"log_x": True, "log_y": False, "series": [{"label": "a", "x": [0, 1, 2], "y": [1, None, 3]}]}
    >>> hidden_points(figure)
    2
    """
    return sum(
        not (_drawable(x, figure["log_x"]) and _drawable(y, figure["log_y"]))
        for series in figure["series"]
        for x, y in zip(series["x"], series["y"], strict=True)
    )


def _drawable(value: float | str | None, log: bool) -> bool:
    return value is not None and (not log or isinstance(value, str) or value > 0)


def _points(figure: Json) -> Iterator[dict[str, Any]]:
    """One record per point. One without y interrupts its line; a band is drawn where both of its ends can be."""
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
    ends = {end: series[end][index] for end in ("low", "high") if series.get(end) is not None}
    return ends if all(_drawable(value, log) for value in ends.values()) else {}


def _by_series(channel: str, figure: Json) -> Any:
    """The series' number as colour, dashes or shape, without a legend (we draw one that shows all three)."""
    numbers = range(len(figure["series"]))
    cycle: tuple[Any, ...] = {"color": COLOURS, "dash": DASHES, "shape": SHAPES}[channel]
    encoding = {"color": alt.Color, "dash": alt.StrokeDash, "shape": alt.Shape}[channel]
    values = [cycle[number % len(cycle)] for number in numbers]
    return encoding("series:N", scale=alt.Scale(domain=list(numbers), range=values), legend=None)


def _scale(log: bool, nice: bool) -> alt.Scale:
    return alt.Scale(type="log" if log else "linear", zero=False, nice=nice, padding=8)


def _x_axis(figure: Json) -> alt.Axis:
    """Ticks where something was measured, if that is at few places."""
    measured = sorted({point["x"] for point in _points(figure)})
    ticks = (
        {"values": measured, "labelOverlap": "greedy", "labelExpr": "format(datum.value, '~g')"}
        if 0 < len(measured) <= 8
        else {"tickCount": 7}
    )
    return alt.Axis(**ticks)


def _reference(figure: Json) -> list[alt.Chart]:
    if not _drawable(figure["reference_y"], figure["log_y"]):
        return []
    line = alt.Chart(alt.NamedData("reference")).mark_rule(color=MUTED, strokeDash=[3, 3], strokeWidth=1.2)
    return [line.encode(y="y:Q")]


def _legend(figure: Json) -> alt.LayerChart | alt.FacetChart:
    """A row per series: its line with its dashes, its point, its label."""
    row = alt.Chart(alt.NamedData("labels")).encode(y=alt.Y("series:O", axis=None))
    key = row.encode(color=_by_series("color", figure))
    line = key.mark_rule(strokeWidth=2).encode(x=alt.value(0), x2=alt.value(30), strokeDash=_by_series("dash", figure))
    dot = key.mark_point(filled=True, size=56, opacity=1).encode(x=alt.value(15), shape=_by_series("shape", figure))
    text = row.mark_text(align="left", fontSize=12, color=INK, limit=WIDTH - 40).encode(x=alt.value(40), text="label:N")
    return alt.layer(line, dot, text).properties(width=WIDTH, height=LEGEND_ROW * len(figure["series"]))
