"""A history as a page: each primary effect over time with intervals, margin and events."""

import json
from collections.abc import Iterator, Sequence
from math import ceil, isfinite
from typing import Any

from markupsafe import Markup

from harness.numerals import counted
from harness.report.history import History, Timeline
from harness.report.html import page
from harness.report.runs import Finding
from harness.report.style import COLOURS, INK, MUTED, SHAPES, field, layer, styled
from harness.report.svg import draw

Part = dict[str, Any]
WIDTH, HEIGHT, TICKS = 400, 180, 5
APART = 5
"""Pixels between two backends of one run, so that neither hides the other."""


def as_page(history: History) -> str:
    """A page of its own in the report's look: no script, and what a run says is escaped."""
    return page("history.html.j2", history=history, timeline_svg=timeline_svg)


def timeline_svg(timeline: Timeline, finding: Finding, identity: str) -> Markup:
    """The effect of a hypothesis in every run, oldest at the left.

    Args:
        timeline: the claim's.
        finding: the hypothesis in the newest run, whose rule is drawn.
        identity: unique in the page.
    """
    rows = list(_rows(timeline, finding.name))
    margins = (
        [finding.margin]
        if finding.rule == "Superiority"
        else [-finding.margin, finding.margin]
    )
    x = field(
        "when",
        "temporal",
        title=None,
        scale={"type": "utc", "padding": 24},
        axis=_dates(timeline),
    )
    scale = {
        "type": "log" if finding.scale == "ratio" else "linear",
        "zero": False,
        "nice": False,
        "padding": 12,
    }
    y = field("mean", title=None, scale=scale, axis={"tickCount": 5})
    backends = [
        part
        for number in range(len(timeline.backends))
        for part in _backend(number, timeline.backends, x, y)
    ]
    chart = {
        "layer": [_margins(scale), *_marks(x), *backends],
        "width": WIDTH,
        "height": HEIGHT,
    }
    picture = styled(
        chart,
        rows=rows,
        margins=[{"y": finding.on_scale(margin)} for margin in margins],
        events=[
            {"when": _utc(e.when), "mark": e.mark, "verdict": e.of_verdict}
            for e in timeline.events
        ],
    )
    return Markup(
        draw(
            picture,
            identity,
            f"{finding.label} over time",
            _in_words(timeline, finding, len(rows)),
        )
    )


def _rows(timeline: Timeline, name: str) -> Iterator[dict[str, Any]]:
    """A row per run and backend whose mean and interval are finite."""
    for point in timeline.points:
        finding = point.judged.findings.get(name)
        for backend, effect in finding.effects.items() if finding else ():
            ends = {"mean": effect.mean, "low": effect.low, "high": effect.high}
            shown = {
                end: finding.on_scale(value)
                for end, value in ends.items()
                if finding and value is not None
            }
            if len(shown) == len(ends) and all(map(isfinite, shown.values())):
                yield {"when": _utc(point.when), "backend": backend, **shown}


def _utc(when: Any) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def _dates(timeline: Timeline) -> Part:
    """At most about five ticks: at hours, days, or firsts of months."""
    days = (timeline.points[-1].when - timeline.points[0].when).total_seconds() / 86400
    if days < TICKS:
        ticks: Any = TICKS if days < 1 else {"interval": "day", "step": 1}
        return {
            "grid": False,
            "tickCount": ticks,
            "format": "%-d %b %H:%M" if days < 1 else "%-d %b",
        }
    month = days > 60
    step = ceil(days / TICKS / (30 if month else 1))
    ticks = {"interval": "month" if month else "day", "step": step}
    return {"grid": False, "tickCount": ticks, "format": "%b %Y" if month else "%-d %b"}


def _backend(number: int, backends: Sequence[str], x: Part, y: Part) -> list[Part]:
    """Line, intervals and points of one backend, a little beside those of the others."""
    beside = APART * (number - (len(backends) - 1) / 2)
    colours = {
        "domain": list(backends),
        "range": [COLOURS[i % len(COLOURS)] for i in range(len(backends))],
    }
    shapes = {
        "domain": list(backends),
        "range": [SHAPES[i % len(SHAPES)] for i in range(len(backends))],
    }
    legend = {
        "title": None,
        "orient": "bottom",
        "labelColor": INK,
        "labelFontSize": 12,
        "symbolSize": 56,
        "symbolOpacity": 1,
    }
    base = {"x": x, "color": field("backend", "nominal", scale=colours, legend=legend)}
    shape = field("backend", "nominal", scale=shapes, legend=legend)
    line, interval = (
        {"type": kind, "strokeWidth": width}
        for kind, width in (("line", 1), ("rule", 1.4))
    )
    point = {
        "type": "point",
        "filled": True,
        "size": 30,
        "opacity": 1,
        "xOffset": beside,
    }
    parts = [
        layer("rows", {**line, "opacity": 0.45, "xOffset": beside}, {**base, "y": y}),
        layer(
            "rows",
            {**interval, "xOffset": beside},
            {**base, "y": field("low"), "y2": {"field": "high"}},
        ),
        layer("rows", point, {**base, "y": y, "shape": shape}),
    ]
    own = [{"filter": f"datum.backend === {json.dumps(backends[number])}"}]
    return [{**part, "transform": own} for part in parts]


def _margins(scale: Part) -> Part:
    line = {"type": "rule", "color": MUTED, "strokeDash": [3, 3], "strokeWidth": 1.2}
    return layer("margins", line, {"y": field("y", scale=scale)})


def _marks(x: Part) -> list[Part]:
    """A line through each run that changed something, solid for a verdict, dotted for the rest; its
    mark above.
    """
    rule = {"type": "rule", "color": MUTED, "strokeWidth": 1.0}
    text = {
        "type": "text",
        "baseline": "bottom",
        "dy": -2,
        "fontSize": 12,
        "color": INK,
    }
    above = {"x": x, "y": {"value": 0}, "text": field("mark", "nominal")}
    verdicts, others = (
        [{"filter": which}] for which in ("datum.verdict", "!datum.verdict")
    )
    return [
        {**layer("events", rule, {"x": x}), "transform": verdicts},
        {
            **layer("events", {**rule, "strokeDash": [1, 3]}, {"x": x}),
            "transform": others,
        },
        {
            **layer("events", {**text, "dx": -6, "fontWeight": "bold"}, above),
            "transform": verdicts,
        },
        {
            **layer("events", {**text, "dx": 6, "fontStyle": "italic"}, above),
            "transform": others,
        },
    ]


def _in_words(timeline: Timeline, finding: Finding, drawn: int) -> str:
    first, last = timeline.points[0].when, timeline.points[-1].when
    latest = (
        "; ".join(f"{backend}: {finding.shown(backend)}" for backend in finding.effects)
        or "not measured"
    )
    return (
        f"{counted(len(timeline.points), 'run')} from {first:%Y-%m-%d} to {last:%Y-%m-%d}, {drawn} "
        "intervals. "
        f"Newest: {latest}. Dashed: what the newest rule {finding.needs}."
    )
