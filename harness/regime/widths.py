"""How departures from the kernel regime fall with width, and errors with the number of samples."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from harness.numerals import number
from harness.regime.questions import FLOOR, Question
from harness.statistics.intervals import t_interval
from harness.statistics.slopes import exponent_differences, loglog_slopes
from harness.study import Difference
from harness.verdict import Kind, decide

FAR = 100.0
"""A width beyond so many times the largest one measured is not within reach."""
ALPHA = 0.05


@dataclass(frozen=True)
class Trend:
    """How one departure falls with width.

    Attributes:
        letter: of its question.
        slope: of log e on log width, mean over seeds, low, high.
        reach: the width at which the margin is reached, with its interval; None: not within reach.
        sentence: in words.
        widths: that were measured.
        effects: backend -> per seed and width, (S, W).
    """

    letter: str
    slope: tuple[float, float, float]
    reach: tuple[float, float, float] | None
    sentence: str
    widths: list[int]
    effects: dict[str, list[list[float]]]


def trend(
    question: Question,
    widths: Sequence[int],
    effects: Mapping[str, np.ndarray],
    margin: float,
) -> Trend:
    """A straight line through log e over log width for every seed, e (S, W) of each backend.

    The slopes of a seed in several backends are averaged: seeds are the unit.
    """
    curves = np.maximum([np.asarray(e, dtype=float) for e in effects.values()], FLOOR)
    slopes = loglog_slopes(widths, curves).mean(axis=0)
    heights = np.log(curves).mean(axis=(0, 2)) - slopes * np.log(widths).mean()
    low, high = (float(end) for end in t_interval(slopes, ALPHA))
    mean = float(slopes.mean())
    reach = _reach(slopes, heights, margin, falls=high < 0, largest=max(widths))
    what = f"({question.letter}) {question.quantity}"
    falls = (
        f"{what} goes as width^{_signed(mean, low, high)}"
        if np.exp(np.log(curves).mean()) > FLOOR * 10
        else f"{what} is rounding at every width"
    )
    typical = np.exp(np.log(curves).mean(axis=(0, 1)))
    sentence = f"{falls}: {_words(reach, typical, widths, margin)}."
    return Trend(
        question.letter,
        (mean, low, high),
        reach,
        sentence,
        list(widths),
        {name: np.asarray(e).tolist() for name, e in effects.items()},
    )


def _reach(
    slopes: np.ndarray,
    heights: np.ndarray,
    margin: float,
    *,
    falls: bool,
    largest: int,
) -> tuple[float, float, float] | None:
    """exp((log margin - height) / slope), its geometric mean over seeds and t interval."""
    if not falls or (slopes >= 0).any():
        return None
    logs = (np.log(margin) - heights) / slopes
    ends = t_interval(logs, ALPHA)
    if logs.mean() > np.log(FAR * largest):
        return None
    low, high = (float(np.exp(min(float(end), 300.0))) for end in ends)
    return float(np.exp(logs.mean())), low, high


def _words(
    reach: tuple[float, float, float] | None,
    typical: np.ndarray,
    widths: Sequence[int],
    margin: float,
) -> str:
    goal = f"{100 * margin:g} %"
    if reach is not None:
        low, high = (_width(end) for end in reach[1:])
        return f"{goal} is reached at width {_width(reach[0])} [{low}, {high}]"
    if (typical < margin).all():
        return f"it lies below {goal} at every width from {widths[0]} on"
    return f"{goal} is not within reach of width"


def _width(value: float) -> str:
    return f"{value:.0f}" if value < 1e6 else f"{value:.1e}"


def _signed(mean: float, low: float, high: float) -> str:
    return f"{number(mean, 2)} [{number(low, 2)}, {number(high, 2)}]"


@dataclass(frozen=True)
class Scaling:
    """Exponents of the test loss in the number of training samples."""

    sentence: str
    kind: Kind
    sizes: list[int]
    network: dict[str, list[list[float]]]
    kernel: dict[str, list[list[float]]]
    difference: tuple[float, float, float]


def scaling(
    sizes: Sequence[int],
    network: Mapping[str, np.ndarray],
    kernel: Mapping[str, np.ndarray],
    margin: float,
) -> Scaling:
    """Whether the network's test loss falls with another exponent than its kernel's, (S, K) each.

    Loss ~ n^-b; the effect is b_network - b_kernel, and they differ where it lies beyond the margin
    on either side.
    """
    differences = {
        name: exponent_differences(sizes, curves, kernel[name])
        for name, curves in network.items()
    }
    verdict = decide(differences, Difference(margin), agreement=margin)
    mean = float(np.mean([d.mean() for d in differences.values()]))
    low, high = verdict.interval
    words = {
        Kind.SUPPORTED: "other exponents",
        Kind.REFUTED: "the same exponent",
        Kind.INCONCLUSIVE: "not decided",
        Kind.DISAGREE: "backends disagree",
    }
    own, of_kernel = (
        float(-np.mean([loglog_slopes(sizes, c) for c in curves.values()]))
        for curves in (network, kernel)
    )
    return Scaling(
        f"(d) With samples the network's test loss falls as n^-{number(own, 2)}, its kernel's as "
        f"n^-{number(of_kernel, 2)}, a difference of {_signed(mean, low, high)} (margin {margin:g} "
        f"in the exponent): {words[verdict.kind]}.",
        verdict.kind,
        list(sizes),
        {name: np.asarray(c).tolist() for name, c in network.items()},
        {name: np.asarray(c).tolist() for name, c in kernel.items()},
        (mean, low, high),
    )
