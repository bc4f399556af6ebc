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

from harness import reason
from harness.numerals import number, shown
from harness.report.intervals import ends, estimates, marks, px
from harness.report.style import INK, MUTED
from harness.report.svg import picture
from harness.study import Difference, Equivalence, Rule, Superiority
from harness.verdict import Kind

Json = Mapping[str, Any]
WIDTH, ROW, EDGE = 198, 13, 8
RULES: dict[str, type[Rule]] = {
    rule.__name__: rule for rule in (Superiority, Equivalence, Difference)
}
TICKS = (-7, -3, -1, 0, 1, 3, 7, 15)


def deciding(claim: Json) -> list[Json]:
    """The measured primary hypotheses that keep a claim from SUPPORTED; where all hold, the one
    nearest to failing.

    That is the one of largest p; of equal ones (a bootstrap's p has a floor), the one whose
    interval lies nearest.

    >>> unknown = {"jax": {"mean": None, "low": None, "high": None}}
    >>> verdicts = ({"kind": "SUPPORTED", "p": p, "backends": unknown} for p in (0.01, 0.03))
    >>> parts = [
    ...     {"name": f"p = {verdict['p']}", "role": "primary", "verdict": verdict}
    ...     for verdict in verdicts
    ... ]
    >>> [hypothesis["name"] for hypothesis in deciding({"hypotheses": parts})]
    ['p = 0.03']
    """
    measured = [
        h
        for h in claim["hypotheses"]
        if h["role"] == "primary" and h["verdict"] and h["verdict"]["backends"]
    ]
    against = [
        hypothesis
        for hypothesis in measured
        if hypothesis["verdict"]["kind"] != Kind.SUPPORTED
    ]
    return (
        against or sorted(measured, key=lambda h: (-h["verdict"]["p"], _worst(h)))[:1]
    )


def _worst(hypothesis: Json) -> float:
    backends = hypothesis["verdict"]["backends"]
    return min(
        (
            in_margins(row["ends"], hypothesis)[0]
            for row in estimates(hypothesis, list(backends))
        ),
        default=0.0,
    )


def in_margins(interval: tuple[float, float], hypothesis: Json) -> tuple[float, float]:
    """An interval of effects in units of the margin: from its worst to its best place for the
    claim.
    """
    rule = RULES[hypothesis["rule"]["kind"]](hypothesis["rule"]["margin"])
    return reason.in_margins(interval, rule, hypothesis["registered"]["effect"])


def effect(hypothesis: Json, backend: str) -> dict[str, str]:
    """Mean, low and high in one backend, on the scale that readers are shown; the interval holds
    t's and bootstrap's.

    >>> values = {"mean": 0.0953, "low": 0.0488, "high": 0.1398, "bootstrap": [0.0501, 0.1484]}
    >>> effect({"scale": "ratio", "verdict": {"backends": {"jax": values}}}, "jax")
    {'mean': '1.100', 'low': '1.050', 'high': '1.160'}
    """
    values = hypothesis["verdict"]["backends"][backend]
    low, high = ends(values) or (None, None)
    return shown(
        {"mean": values["mean"], "low": low, "high": high}, hypothesis["scale"]
    )


def forest_svg(hypothesis: Json, backends: Sequence[str], identity: str) -> str:
    """The effect in each backend on the common axis; "" where there is no finite interval."""
    found = estimates(hypothesis, backends)
    if not found:
        return ""
    rows = [_in_margins(row, hypothesis) for row in found]
    heights = [ROW * (index + 0.5) for index in range(len(rows))]
    parts = [*marks(rows, _place, heights, coloured=True), *_arrows(rows, heights)]
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
