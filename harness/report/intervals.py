"""A hypothesis as a picture: each backend's mean and intervals against the margin.

Drawn here and not by Vega: it is a handful of lines, and a report has hundreds of them. The thick
line is Student's t interval, the thin one runs on to the ends of the bootstrap's where that reaches
further: both must lie on one side.
"""

from collections.abc import Callable, Mapping, Sequence
from math import inf
from typing import Any
from xml.etree.ElementTree import Element

from harness.numerals import needs, number, on_scale, with_interval
from harness.report.style import COLOURS, GRID, MUTED, REGION
from harness.report.svg import picture

Json = Mapping[str, Any]
Place = Callable[[float], float]
LEFT, WIDTH, ROW, AXIS, APART = 52, 300, 26, 20, 40
MARKS = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
    "m-3.5-3.5h7v7h-7z",
    "m0-4.5l4.5 8h-9z",
    "m0-5l5 5-5 5-5-5z",
)
"""The shapes of backends, in the order of the report."""


def interval_svg(
    hypothesis: Json, backends: Sequence[str], identity: str
) -> str | None:
    """Mean and intervals of each backend against the margin; the region that supports the
    hypothesis is shaded.

    Args:
        hypothesis: of verdicts.json.
        backends: from top to bottom.
        identity: unique in the page.

    Returns:
        The SVG, or None where no backend has a finite interval.
    """
    rows = estimates(hypothesis, backends)
    if not rows:
        return None
    low, high = supporting(hypothesis["rule"])
    first, last = _domain(rows, low, high)
    bottom = ROW * len(rows)

    def x(value: float) -> float:
        return LEFT + WIDTH * (min(max(value, first), last) - first) / (last - first)

    margins = [end for end in (low, high) if end < inf]
    parts = [
        _element("path", d=_box(x(low), x(high), bottom), fill=REGION),
        _element("path", d=_verticals([x(0.0)], bottom), stroke=GRID),
        _element(
            "path",
            **{
                "d": _verticals(map(x, margins), bottom),
                "stroke": MUTED,
                "stroke-dasharray": "3 3",
            },
        ),
        *marks(rows, x, [ROW * (index + 0.5) for index in range(len(rows))]),
        _names(rows),
        _ticks([*margins, 0.0], x, bottom, hypothesis["scale"]),
    ]
    size = (str(LEFT + WIDTH + 12), str(bottom + AXIS))
    words = _in_words(hypothesis, rows)
    return picture(
        identity, f"Intervals of {hypothesis['name']}", words, size=size, parts=parts
    )


def estimates(hypothesis: Json, backends: Sequence[str]) -> list[dict[str, Any]]:
    """Each backend's mean, t interval (low, high) and the interval that holds both (ends); finite
    ones alone.
    """
    found = hypothesis["verdict"]["backends"] if hypothesis["verdict"] else {}
    rows = [
        {
            "backend": backend,
            "shape": shape,
            **{name: found[backend][name] for name in ("mean", "low", "high")},
        }
        | {"ends": ends(found[backend])}
        for shape, backend in enumerate(backends)
        if backend in found
    ]
    return [row for row in rows if None not in (row["mean"], row["ends"])]


def ends(estimate: Json) -> tuple[float, float] | None:
    """The smallest interval that holds Student's t interval and the bootstrap's; None where the
    former is not finite.

    An end that the bootstrap has not is infinite.

    >>> (
    ...     ends({"low": 0.1, "high": 0.2, "bootstrap": [0.08, 0.19]}),
    ...     ends({"low": 0.1, "high": 0.2, "bootstrap": None}),
    ... )
    ((0.08, 0.2), (0.1, 0.2))
    >>> ends({"low": 0.1, "high": 0.2, "bootstrap": [0.08, None]})
    (0.08, inf)
    """
    if estimate["low"] is None or estimate["high"] is None:
        return None
    low, high = estimate.get("bootstrap") or (estimate["low"], estimate["high"])
    return min(estimate["low"], -inf if low is None else low), max(
        estimate["high"], inf if high is None else high
    )


def supporting(rule: Json) -> tuple[float, float]:
    """The ends of the region that supports a hypothesis with that rule."""
    return (
        (rule["margin"], inf)
        if rule["kind"] == "Superiority"
        else (-rule["margin"], rule["margin"])
    )


def marks(
    rows: Sequence[Json], x: Place, heights: Sequence[float], coloured: bool = False
) -> list[Element]:
    """Thin line, thick line and mark of each row; coloured by backend, or all alike where the rows
    are named.
    """
    if coloured:
        return [
            e
            for row, y in zip(rows, heights, strict=True)
            for e in _alike([row], x, [y], row["shape"])
        ]
    return _alike(rows, x, heights, 0)


def _alike(
    rows: Sequence[Json], x: Place, heights: Sequence[float], look: int
) -> list[Element]:
    """The rows in one look: a path of thin lines, one of thick lines, one of marks."""
    colour, shape = COLOURS[look % len(COLOURS)], MARKS[look % len(MARKS)]
    places = list(zip(rows, map(px, heights), strict=True))
    thin = "".join(
        f"M{px(x(row['ends'][0]))} {y}H{px(x(row['ends'][1]))}" for row, y in places
    )
    thick = "".join(
        f"M{px(x(row['low']))} {y}H{px(x(row['high']))}" for row, y in places
    )
    means = "".join(f"M{px(x(row['mean']))} {y}{shape}" for row, y in places)
    return [
        _element("path", **{"d": thin, "stroke": colour, "stroke-width": "1.2"}),
        _element("path", **{"d": thick, "stroke": colour, "stroke-width": "3.5"}),
        _element("path", d=means, fill=colour),
    ]


def px(place: float) -> str:
    """A place in pixels, to a tenth.

    >>> px(12.04), px(-0.01)
    ('12', '0')
    """
    return f"{round(place, 1) + 0.0:g}"


def _element(tag: str, **attributes: str) -> Element:
    return Element(tag, attributes)


def _box(left: float, right: float, height: float) -> str:
    return f"M{px(left)} 0H{px(right)}V{height:g}H{px(left)}z"


def _verticals(places: Any, height: float) -> str:
    return "".join(f"M{px(place)} 0v{height:g}" for place in places)


def _domain(rows: Sequence[Json], low: float, high: float) -> tuple[float, float]:
    values = [
        value for row in rows for value in (row["low"], row["high"], *row["ends"])
    ]
    shown = [end for end in (0.0, low, high, *values) if abs(end) < inf]
    pad = 0.06 * (max(shown) - min(shown)) or 1.0
    return min(shown) - pad, max(shown) + pad


def _names(rows: Sequence[Json]) -> Element:
    names = Element("g", {"text-anchor": "end", "fill": MUTED})
    for index, row in enumerate(rows):
        name = Element(
            "text", {"x": str(LEFT - 6), "y": f"{ROW * (index + 0.5) + 4:g}"}
        )
        name.text = row["backend"]
        names.append(name)
    return names


def _ticks(values: Sequence[float], x: Place, bottom: float, scale: str) -> Element:
    """The margins, and zero (of a ratio: one) where there is room for it, as readers are shown
    them.
    """
    ticks, taken = Element("g", {"text-anchor": "middle", "fill": MUTED}), list[float]()
    for value in values:
        if all(abs(x(value) - other) >= APART for other in taken):
            taken.append(x(value))
            tick = Element("text", {"x": px(x(value)), "y": f"{bottom + 15:g}"})
            tick.text = number(on_scale(value, scale), 3)
            ticks.append(tick)
    return ticks


def _in_words(hypothesis: Json, rows: Sequence[Json]) -> str:
    intervals = [
        f"{row['backend']}: {with_interval(row, hypothesis['scale'])}" for row in rows
    ]
    return f"{'; '.join(intervals)} (Student's t); {needs(hypothesis)}."
