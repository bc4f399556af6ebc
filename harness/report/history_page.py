"""A history as a page: each primary effect over time with its intervals, its margin, and what happened."""

from collections.abc import Iterator, Sequence
from math import ceil, isfinite
from typing import Any

import altair as alt
from markupsafe import Markup

from harness.report.history import History, Timeline
from harness.report.html import page
from harness.report.runs import Finding
from harness.report.style import COLOURS, INK, MUTED, SHAPES, styled
from harness.report.svg import draw

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
    margins = [finding.margin] if finding.rule == "Superiority" else [-finding.margin, finding.margin]
    x = alt.X(
        "when:T",
        title=None,
        scale=alt.Scale(type="utc", padding=24),
        axis=_dates(timeline),
    )
    y_scale = alt.Scale(type="log" if finding.scale == "ratio" else "linear", zero=False, nice=False, padding=12)
    y = alt.Y("mean:Q", title=None, scale=y_scale, axis=alt.Axis(tickCount=5))
    chart = alt.layer(
        _margins(y_scale),
        *_marks(x),
        *(layer for number in range(len(timeline.backends)) for layer in _backend(number, timeline.backends, x, y)),
    )
    picture = styled(
        chart.properties(width=WIDTH, height=HEIGHT),
        rows=rows,
        margins=[{"y": finding.on_scale(margin)} for margin in margins],
        events=[{"when": _utc(e.when), "mark": e.mark, "verdict": e.of_verdict} for e in timeline.events],
    )
    return Markup(draw(picture, identity, f"{finding.label} over time", _in_words(timeline, finding, len(rows))))


def _rows(timeline: Timeline, name: str) -> Iterator[dict[str, Any]]:
    """A row per run and backend whose mean and interval are finite."""
    for point in timeline.points:
        finding = point.judged.findings.get(name)
        for backend, effect in finding.effects.items() if finding else ():
            ends = {"mean": effect.mean, "low": effect.low, "high": effect.high}
            shown = {end: finding.on_scale(value) for end, value in ends.items() if finding and value is not None}
            if len(shown) == len(ends) and all(map(isfinite, shown.values())):
                yield {"when": _utc(point.when), "backend": backend, **shown}


def _utc(when: Any) -> str:
    return f"{when:%Y-%m-%dT%H:%M:%SZ}"


def _dates(timeline: Timeline) -> alt.Axis:
    """At most about five ticks: at hours, days, or firsts of months."""
    days = (timeline.points[-1].when - timeline.points[0].when).total_seconds() / 86400
    if days < TICKS:
        ticks: Any = TICKS if days < 1 else alt.TimeIntervalStep(interval="day", step=1)
        return alt.Axis(grid=False, tickCount=ticks, format="%-d %b %H:%M" if days < 1 else "%-d %b")
    month = days > 60
    step = ceil(days / TICKS / (30 if month else 1))
    ticks = alt.TimeIntervalStep(interval="month" if month else "day", step=step)
    return alt.Axis(grid=False, tickCount=ticks, format="%b %Y" if month else "%-d %b")


def _backend(number: int, backends: Sequence[str], x: alt.X, y: alt.Y) -> list[alt.Chart]:
    """Line, intervals and points of one backend, a little beside those of the others."""
    beside = APART * (number - (len(backends) - 1) / 2)
    colours = alt.Scale(domain=list(backends), range=[COLOURS[i % len(COLOURS)] for i in range(len(backends))])
    shapes = alt.Scale(domain=list(backends), range=[SHAPES[i % len(SHAPES)] for i in range(len(backends))])
    legend = alt.Legend(title=None, orient="bottom", labelColor=INK, labelFontSize=12, symbolSize=56, symbolOpacity=1)
    own = alt.Chart(alt.NamedData("rows")).transform_filter(alt.datum.backend == backends[number])
    base = own.encode(x=x, color=alt.Color("backend:N", scale=colours, legend=legend))
    return [
        base.mark_line(strokeWidth=1, opacity=0.45, xOffset=beside).encode(y=y),
        base.mark_rule(strokeWidth=1.4, xOffset=beside).encode(y=alt.Y("low:Q"), y2="high:Q"),
        base.mark_point(filled=True, size=30, opacity=1, xOffset=beside).encode(
            y=y, shape=alt.Shape("backend:N", scale=shapes, legend=legend)
        ),
    ]


def _margins(scale: alt.Scale) -> alt.Chart:
    line = alt.Chart(alt.NamedData("margins")).mark_rule(color=MUTED, strokeDash=[3, 3], strokeWidth=1.2)
    return line.encode(y=alt.Y("y:Q", scale=scale))


def _marks(x: alt.X) -> list[alt.Chart]:
    """A line through each run that changed something, solid for a verdict, dotted for the rest; its mark above."""
    events = alt.Chart(alt.NamedData("events")).encode(x=x)
    rule: dict[str, Any] = {"color": MUTED, "strokeWidth": 1.0}
    text: dict[str, Any] = {"baseline": "bottom", "dy": -2, "fontSize": 12, "color": INK}
    above: dict[str, Any] = {"y": alt.value(0), "text": "mark:N"}
    verdicts, others = (events.transform_filter(which) for which in ("datum.verdict", "!datum.verdict"))
    return [
        verdicts.mark_rule(**rule),
        others.mark_rule(**rule, strokeDash=[1, 3]),
        verdicts.mark_text(**text, dx=-6, fontWeight="bold").encode(**above),
        others.mark_text(**text, dx=6, fontStyle="italic").encode(**above),
    ]


def _in_words(timeline: Timeline, finding: Finding, drawn: int) -> str:
    first, last = timeline.points[0].when, timeline.points[-1].when
    latest = "; ".join(f"{backend}: {finding.shown(backend)}" for backend in finding.effects) or "not measured"
    return (
        f"{len(timeline.points)} runs from {first:%Y-%m-%d} to {last:%Y-%m-%d}, {drawn} intervals. Newest: {latest}. "
        f"Dashed: what the newest rule {finding.needs}."
    )
