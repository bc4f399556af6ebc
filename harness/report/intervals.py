"""A hypothesis as a picture: each backend's interval against the margin, drawn by Altair as static SVG."""

from collections.abc import Mapping, Sequence
from math import inf
from typing import Any

import altair as alt

from harness.report.style import COLOURS, GRID, MUTED, REGION, styled
from harness.report.svg import draw

Json = Mapping[str, Any]
WIDTH, ROW = 300, 30


def interval_svg(hypothesis: Json, backends: Sequence[str], identity: str) -> str | None:
    """Mean and interval of each backend against the margin; the region that supports the hypothesis is shaded.

    Args:
        hypothesis: of verdicts.json.
        backends: from top to bottom.
        identity: unique in the page.

    Returns:
        The SVG, or None where no backend has a finite interval.
    """
    rows = _rows(hypothesis, backends)
    if not rows:
        return None
    low, high = _supporting(hypothesis["rule"])
    domain = _domain(rows, low, high)
    scale = alt.Scale(domain=domain, nice=False, zero=False)
    y = alt.Y("backend:N", sort=None, axis=alt.Axis(title=None, domain=False, ticks=False, labelPadding=10))
    base = alt.Chart(alt.NamedData("rows")).encode(y=y)
    axis = alt.Axis(tickCount=5, title=None, grid=False, domain=False)
    mean = base.mark_point(filled=True, size=64, opacity=1, color=COLOURS[0])
    interval = base.mark_rule(strokeWidth=2.5, color=COLOURS[0])
    panel = alt.layer(
        *_background(scale),
        interval.encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
        mean.encode(x=alt.X("mean:Q", scale=scale, axis=axis)),
    )
    picture = styled(
        panel.properties(width=WIDTH, height=ROW * len(rows)),
        rows=rows,
        region=[{"low": low, "high": min(high, domain[1])}],
        zero=[{"x": 0}],
        margins=[{"x": end} for end in (low, high) if end < inf],
    )
    return draw(picture, identity, f"Intervals of {hypothesis['name']}", _in_words(hypothesis["rule"], rows))


def _rows(hypothesis: Json, backends: Sequence[str]) -> list[dict[str, Any]]:
    estimates = hypothesis["verdict"]["backends"] if hypothesis["verdict"] else {}
    rows = [
        {"backend": backend, **{name: estimates[backend][name] for name in ("mean", "low", "high")}}
        for backend in backends
        if backend in estimates
    ]
    return [row for row in rows if None not in row.values()]


def _supporting(rule: Json) -> tuple[float, float]:
    """The ends of the region that supports the hypothesis."""
    return (rule["margin"], inf) if rule["kind"] == "Superiority" else (-rule["margin"], rule["margin"])


def _domain(rows: Sequence[Json], low: float, high: float) -> list[float]:
    ends = [row[end] for row in rows for end in ("low", "high")]
    shown = [end for end in (0.0, low, high, *ends) if end < inf]
    pad = 0.06 * (max(shown) - min(shown)) or 1.0
    return [min(shown) - pad, max(shown) + pad]


def _background(scale: alt.Scale) -> list[alt.Chart]:
    """The supporting region, the zero line, and the margins on top."""
    x = alt.X("x:Q", scale=scale)
    region = alt.Chart(alt.NamedData("region")).mark_rect(color=REGION)
    margins = alt.Chart(alt.NamedData("margins")).mark_rule(color=MUTED, strokeDash=[3, 3], strokeWidth=1.2)
    return [
        region.encode(x=alt.X("low:Q", scale=scale), x2="high:Q"),
        alt.Chart(alt.NamedData("zero")).mark_rule(color=GRID).encode(x=x),
        margins.encode(x=x),
    ]


def _in_words(rule: Json, rows: Sequence[Json]) -> str:
    intervals = [f"{row['backend']}: {row['mean']:.3g}, from {row['low']:.3g} to {row['high']:.3g}" for row in rows]
    return f"{'; '.join(intervals)}. Rule: {rule['words']}."
