"""Marks of effects: the mean of a row, and the two intervals that must lie on one side.

The thick line is Student's t interval; the thin one runs on to the ends of the bootstrap's where
that reaches further.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any
from xml.etree.ElementTree import Element

from harness.report.findings import ends
from harness.report.style import COLOURS

Json = Mapping[str, Any]
Place = Callable[[float], float]
MARKS = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0",
    "m-3.5-3.5h7v7h-7z",
    "m0-4.5l4.5 8h-9z",
    "m0-5l5 5-5 5-5-5z",
)
"""The shapes of backends, in the order of the report."""


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


def marks(row: Json, x: Place, height: float) -> list[Element]:
    """Thin line, thick line and mark of a row, in its colour and shape."""
    look = row["shape"]
    colour, shape = COLOURS[look % len(COLOURS)], MARKS[look % len(MARKS)]
    y = px(height)
    thin = f"M{px(x(row['ends'][0]))} {y}H{px(x(row['ends'][1]))}"
    thick = f"M{px(x(row['low']))} {y}H{px(x(row['high']))}"
    means = f"M{px(x(row['mean']))} {y}{shape}"
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
