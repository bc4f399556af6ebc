"""All claims on one axis: what decided each of them, in units u of its margin, so that right of the
line is its side.

`harness.reason.in_margins` has the units. The axis is x = sign(u) log2(1 + |u|): linear within a
margin of the line, logarithmic far out. It is the same in every report; what lies beyond its ends
is drawn at the end, with an arrow.
"""

from collections.abc import Mapping, Sequence
from math import copysign, log2
from typing import Any
from xml.etree.ElementTree import Element

from harness.numerals import number
from harness.report.findings import in_margins
from harness.report.intervals import estimates, marks, px
from harness.report.style import INK, MUTED
from harness.report.svg import picture
from harness.verdict import Kind

Json = Mapping[str, Any]
WIDTH, ROW, EDGE = 198, 15, 8
TICKS = (-7, -3, -1, 0, 1, 3, 7, 15)
VISIBLE = 2.0
"""Pixels between two backends' means from which they are drawn apart."""


def forest_svg(hypothesis: Json, backends: Sequence[str], identity: str) -> str:
    """The effect on the common axis; "" where there is no finite interval.

    All backends are one mark, with the interval that holds theirs; each has its own where their
    means can be seen to differ.
    """
    found = estimates(hypothesis, backends)
    if not found:
        return ""
    rows = [_in_margins(row, hypothesis) for row in found]
    rows = rows if _apart(rows) else [_joined(rows)]
    heights = [ROW * (index + 0.5) for index in range(len(rows))]
    drawn = [
        part
        for row, height in zip(rows, heights, strict=True)
        for part in marks(row, _place, height)
    ]
    parts = [*drawn, *_arrows(rows, heights)]
    words = "; ".join(
        f"{row['backend']} {_u(row['mean'])}, from {_u(row['ends'][0])} to {_u(row['ends'][1])}"
        for row in rows
    )
    title = f"{hypothesis['label']}, in margins beyond the margin"
    return picture(
        identity, title, words, size=(str(WIDTH), str(ROW * len(rows))), parts=parts
    )


def axis_svg() -> str:
    """The ticks of the common axis; a narrow page repeats them under each row, by their id."""
    labels = []
    for tick in TICKS:
        label = Element("text", {"x": px(_place(tick)), "y": "12"})
        label.text = number(tick)
        labels.append(label)
    axis = Element("g", {"id": "axis-ticks", "text-anchor": "middle", "fill": MUTED})
    axis.extend(labels)
    return picture(
        "axis",
        "Axis of effects",
        "In margins beyond the margin: from 7 short of it to 15 beyond it.",
        size=(str(WIDTH), "16"),
        parts=[axis],
    )


def alone(claim: Json, backend: str) -> str:
    """What the seeds of one backend show by themselves, before agreement and the family's
    correction.

    BROKEN, where the claim is; INCONCLUSIVE, where a gate fails in this backend; NOT_RUN, where
    nothing was measured.
    """
    primary = [
        hypothesis
        for hypothesis in claim["hypotheses"]
        if hypothesis["role"] == "primary"
    ]
    measured = [h["verdict"]["backends"].get(backend) for h in primary if h["verdict"]]
    if not any(measured):
        return Kind.NOT_RUN
    if claim["verdict"]["kind"] == Kind.BROKEN:
        return Kind.BROKEN
    if (
        len(measured) < len(primary)
        or None in measured
        or any(gate["failures"].get(backend) for gate in claim["gates"])
    ):
        return Kind.INCONCLUSIVE
    sides = {_side(hypothesis, backend) for hypothesis in primary}
    return next(
        (kind for kind in (Kind.REFUTED, Kind.INCONCLUSIVE) if kind in sides),
        Kind.SUPPORTED,
    )


def _apart(rows: Sequence[Json]) -> bool:
    """Whether the means of two backends can be seen to differ."""
    places = [_place(row["mean"]) for row in rows]
    return max(places) - min(places) > VISIBLE


def _joined(rows: Sequence[Json]) -> dict[str, Any]:
    """All backends as one row: the mean of their means, and the intervals that hold theirs."""
    return {
        "backend": " and ".join(row["backend"] for row in rows),
        "shape": 0,
        "mean": sum(row["mean"] for row in rows) / len(rows),
        "low": min(row["low"] for row in rows),
        "high": max(row["high"] for row in rows),
        "ends": (
            min(row["ends"][0] for row in rows),
            max(row["ends"][1] for row in rows),
        ),
    }


def _side(hypothesis: Json, backend: str) -> Kind:
    """Where both intervals of a backend lie: beyond the margin, wholly on its other side, or on
    neither.
    """
    (row,) = estimates(hypothesis, [backend]) or [{"ends": None}]
    if (
        row["ends"] is None or row["low"] == row["high"]
    ):  # seeds that do not vary are no unit to infer from
        return Kind.INCONCLUSIVE
    worst, best = in_margins(row["ends"], hypothesis)
    return (
        Kind.SUPPORTED if worst > 0 else Kind.REFUTED if best < 0 else Kind.INCONCLUSIVE
    )


def _in_margins(row: Json, hypothesis: Json) -> dict[str, Any]:
    low, high = in_margins((row["low"], row["high"]), hypothesis)
    mean, _ = in_margins((row["mean"], row["mean"]), hypothesis)
    return {
        **row,
        "mean": mean,
        "low": low,
        "high": high,
        "ends": in_margins(row["ends"], hypothesis),
    }


def _place(u: float) -> float:
    """Pixels from the left, at the end of the axis for what lies beyond it."""
    first, last = (_stretched(TICKS[end]) for end in (0, -1))
    inside = min(max(_stretched(u), first), last)
    return EDGE + (WIDTH - 2 * EDGE) * (inside - first) / (last - first)


def _stretched(u: float) -> float:
    return copysign(log2(1 + abs(u)), u)


def _arrows(rows: Sequence[Json], heights: Sequence[float]) -> list[Element]:
    """An arrow head at the end of the axis that a row runs beyond."""
    found = []
    for row, y in zip(rows, heights, strict=True):
        heads = [
            (row["ends"][0] < TICKS[0], EDGE, -1),
            (row["ends"][1] > TICKS[-1], WIDTH - EDGE, 1),
        ]
        for beyond, x, way in heads:
            if beyond:
                path = f"M{x} {px(y - 4)}l{6 * way} 4l{-6 * way} 4"
                found.append(
                    Element("path", {"d": path, "fill": "none", "stroke": INK})
                )
    return found


def _u(value: float) -> str:
    return number(value, 3)
