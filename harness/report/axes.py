"""Axes of figures: a domain that holds the data, and ticks that a reader can tell values by.

Vega's own ticks of a logarithmic axis leave the ends of the data without a label where labels are
near each other; these are few enough that all of them are written.
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

PADDING = 0.04
"""Of an axis, on each side of the data."""
MANTISSAS = ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 5, 7))
"""What ticks of a logarithmic axis may begin with, the coarsest first."""
FEWEST, MOST = 4, 8
CHARACTER = 6.8
"""Width of a digit of 12 pixels, in pixels."""
APART = 8
"""Least pixels between two labels beside each other."""


@dataclass(frozen=True)
class Axis:
    """A domain from low to high, and the ticks in it.

    >>> [written(tick) for tick in axis([0.034, 0.68], log=True).ticks]
    ['0.05', '0.1', '0.2', '0.5']
    """

    low: float
    high: float
    log: bool
    ticks: tuple[float, ...]

    def share(self, value: float) -> float:
        """Where a value stands: 0 at the low end, 1 at the high one."""
        low, high, at = (_stretched(v, self.log) for v in (self.low, self.high, value))
        return (at - low) / (high - low)


def axis(values: Iterable[float], log: bool, ticks: int = MOST - 1) -> Axis:
    """The axis of these values, of which a logarithmic one takes those above 0; from 0 to 1, or 1
    to 10, without any.

    Args:
        values: what is drawn.
        log: logarithmic.
        ticks: how many at most, on a linear axis.
    """
    drawn = [v for v in values if math.isfinite(v) and (v > 0 or not log)]
    drawn = drawn or [1.0, 10.0] if log else drawn or [0.0, 1.0]
    low, high = (_stretched(end(drawn), log) for end in (min, max))
    span = (high - low) or abs(high) or 1.0
    ends = low - PADDING * span, high + PADDING * span
    first, last = (10.0**end if log else end for end in ends)
    found = _logarithmic(first, last) if log else _linear(first, last, ticks)
    return Axis(first, last, log, found)


def at_places(axis: Axis, places: Sequence[float], width: float) -> tuple[float, ...]:
    """Ticks at the places that were measured, where these are few; of those whose labels would
    touch, the ends and then the first stay.

    Args:
        axis: whose ticks are given where the places are many.
        places: in order.
        width: of the axis, in pixels.

    >>> at_places(axis([64, 128, 4096], log=True), [64, 128, 130, 4096], 300)
    (64, 128, 4096)
    """
    if not 0 < len(places) <= MOST:
        return axis.ticks
    kept = [places[0]]
    for place in places[1:-1]:
        if _clear(axis, kept[-1], place, width):
            kept.append(place)
    last = places[-1]
    while len(kept) > 1 and not _clear(axis, kept[-1], last, width):
        kept.pop()
    return (*kept, last) if last > kept[0] else tuple(kept)


def written(value: float) -> str:
    """A tick as it is written: whole numbers whole, others to three digits.

    >>> [written(value) for value in (65536, 6333.33, 0.09375, -0.5, 1e10, 2e-5)]
    ['65536', '6330', '0.0938', '−0.5', '1e10', '2e−5']
    """
    if 0.001 <= abs(value) < 100_000 or value == 0:
        digits = 0 if value == 0 else max(0, 2 - math.floor(math.log10(abs(value))))
        text = f"{round(value, digits):.{digits}f}"
        text = text.rstrip("0").rstrip(".") if "." in text else text
        whole = float(value).is_integer() or abs(value) < 1000
        text = text if whole else f"{float(f'{value:.3g}'):.0f}"
    else:
        mantissa, exponent = f"{value:.2e}".split("e")
        text = f"{mantissa.rstrip('0').rstrip('.')}e{int(exponent)}"
    return text.replace("-", "−")


def _stretched(value: float, log: bool) -> float:
    return math.log10(value) if log else value


def _clear(axis: Axis, first: float, second: float, width: float) -> bool:
    """Whether the labels of two ticks stand apart."""
    characters = (len(written(first)) + len(written(second))) / 2
    distance = (axis.share(second) - axis.share(first)) * width
    return distance >= CHARACTER * characters + APART


def _logarithmic(low: float, high: float) -> tuple[float, ...]:
    decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
    for mantissas in MANTISSAS:
        exact = (float(f"{m}e{decade}") for decade in decades for m in mantissas)
        ticks = tuple(tick for tick in exact if low <= tick <= high)
        if len(ticks) > MOST:
            return ticks[:: math.ceil(len(ticks) / MOST)]
        if len(ticks) >= FEWEST:
            return ticks
    return _linear(low, high, MOST - 1)


def _linear(low: float, high: float, count: int) -> tuple[float, ...]:
    """Multiples of 1, 2 or 5 times a power of ten."""
    rough = (high - low) / count
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(power * m for m in (1, 2, 5, 10) if power * m >= 0.99 * rough)
    digits = max(0, -math.floor(math.log10(step)))
    first, last = math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9)
    return tuple(round(number * step, digits) for number in range(first, last + 1))
