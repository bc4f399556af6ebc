"""One look for every picture: colours, dashes, shapes and axes.

Colours are named by their light-mode value; the page's style sheet replaces them in dark mode,
since any CSS rule is stronger than an SVG attribute. Charts are Vega-Lite specifications
(https://vega.github.io/vega-lite), written as they are: to build and check them by Altair takes
longer than to draw them. A test holds them against Vega-Lite's schema.
"""

from collections.abc import Mapping, Sequence
from typing import Any

Json = dict[str, Any]

# Okabe and Ito, "Color universal design" (2008); its light colours are darkened to a contrast of
# 3:1 on white.
COLOURS = ("#0072b2", "#d55e00", "#00845f", "#b35a8a", "#4d5358", "#996900", "#2f86b8")
DASHES = ((1, 0), (6, 3), (2, 2), (8, 2, 2, 2), (10, 4))
SHAPES = ("circle", "square", "triangle-up", "diamond", "cross", "triangle-down")
INK, MUTED, GRID, REGION = "#1f2328", "#59636e", "#e4e7eb", "#e3efe8"


def styled(chart: Mapping[str, Any], **tables: Sequence[Mapping[str, Any]]) -> Json:
    """The chart as a Vega-Lite specification in the report's look.

    Args:
        chart: names its data, {"name": "points"}.
        tables: name of the data -> its rows.
    """
    text = {
        "labelColor": MUTED,
        "titleColor": INK,
        "labelFontSize": 12,
        "titleFontSize": 12,
        "titleFontWeight": "normal",
    }
    lines = {
        "gridColor": GRID,
        "domainColor": MUTED,
        "tickColor": MUTED,
        "tickSize": 4,
        "labelPadding": 5,
    }
    # The y title stands upright over its axis: it is read without turning the head, and a long one
    # has room.
    upright = {
        "titleAngle": 0,
        "titleAlign": "left",
        "titleAnchor": "start",
        "titleX": 0,
        "titleY": -12,
    }
    config = {"view": {"stroke": None}, "axis": {**text, **lines}, "axisY": upright}
    look = {"background": "transparent", "padding": 4, "config": config}
    return {
        **chart,
        **look,
        "datasets": {name: list(rows) for name, rows in tables.items()},
    }


def layer(data: str, mark: Json, encoding: Json) -> Json:
    """A layer of a Vega-Lite chart: what is drawn of the data of that name, and where."""
    return {"data": {"name": data}, "mark": mark, "encoding": encoding}


def field(name: str, kind: str = "quantitative", **more: Any) -> Json:
    """A field of the data as a channel of a Vega-Lite encoding; `kind` is its type there."""
    return {"field": name, "type": kind, **more}
