"""Numbers for readers: as many digits as their uncertainty carries, aligned, with a true minus."""

from collections.abc import Mapping
from math import exp, floor, isfinite, log10
from typing import Any

MISSING = "–"
LARGEST, FINEST = 1e5, 6
LARGEST_LOGARITHM = 709.0
"""Of a double: the ratio of a greater one is infinite."""


def number(value: float | None, digits: int = 4) -> str:
    """A number to some significant digits; an en dash where there is none.

    >>> number(-0.0012345), number(1024), number(None)
    ('−0.001234', '1024', '–')
    """
    return MISSING if value is None else f"{value:.{digits}g}".replace("-", "−")


def estimate(values: Mapping[str, Any]) -> dict[str, str]:
    """Whatever there is of mean, difference, sd, low and high, with common decimals.

    They show two digits of the interval's half-width.

    >>> estimate({"n": 10, "mean": 0.21449, "sd": 0.0333, "low": 0.1903, "high": 0.23866})
    {'mean': '0.214', 'sd': '0.033', 'low': '0.190', 'high': '0.239'}
    >>> estimate({"difference": 250000.0, "low": 230000.0, "high": None})
    {'difference': '2.5e+05', 'low': '2.3e+05', 'high': '–'}
    """
    shown = {
        name: values[name]
        for name in ("mean", "difference", "sd", "low", "high")
        if name in values
    }
    decimals = _decimals(shown)
    if decimals is None:
        return {name: number(value, 3) for name, value in shown.items()}
    # Adding 0.0 turns a rounded -0.0 into 0.0.
    return {
        name: f"{round(value, decimals) + 0.0:.{decimals}f}".replace("-", "−")
        for name, value in shown.items()
    }


def bootstrap(values: Mapping[str, Any], scale: str = "linear") -> str:
    """The bootstrap's interval of an estimate with the decimals of Student's; an en dash where
    there is none.

    >>> effect = {"mean": 0.214, "sd": 0.033, "low": 0.1903, "high": 0.23866}
    >>> bootstrap(effect | {"bootstrap": [0.1876, 0.2341]})
    '[0.188, 0.234]'
    >>> bootstrap({"low": 0.0488, "high": 0.1398, "bootstrap": [0.05, None]}, "ratio")
    '[1.051, –]'
    """
    if not (found := values.get("bootstrap")):
        return MISSING
    decimals = _decimals(
        {name: on_scale(values[name], scale) for name in ("low", "high")}
    )
    low, high = (
        number(end, 3)
        if decimals is None or end is None
        else f"{round(end, decimals) + 0.0:.{decimals}f}"
        for end in (on_scale(end, scale) for end in found)
    )
    return f"[{low}, {high}]".replace("-", "−")


def points(series: Mapping[str, Any]) -> list[dict[str, str]]:
    """The points of a figure's series: x as it is, y with its ends to the digits that they carry.

    >>> ends = {"low": [0.1198, None], "high": [0.1271, None]}
    >>> points({"x": [64, "wide"], "y": [0.123456, 2.0]} | ends)[0]
    {'x': '64', 'y': '0.1235', 'low': '0.1198', 'high': '0.1271'}
    >>> points({"x": ["wide"], "y": [2.0], "low": None, "high": None})
    [{'x': 'wide', 'y': '2'}]
    """
    found = []
    for index, x in enumerate(series["x"]):
        ends = {
            end: series[end][index]
            for end in ("low", "high")
            if series.get(end) is not None
        }
        y = series["y"][index]
        shown = estimate({"mean": y, **ends}) if ends else {"mean": number(y)}
        found.append(
            {
                "x": x if isinstance(x, str) else number(x, 6),
                "y": shown.pop("mean"),
                **shown,
            }
        )
    return found


def _decimals(values: Mapping[str, float | None]) -> int | None:
    """Decimals that show two digits of the half-width; None where fixed decimals would not do."""
    low, high = values["low"], values["high"]
    if None in values.values() or low is None or high is None or not high > low:
        return None
    decimals = max(0, 1 - floor(log10((high - low) / 2)))
    largest = max(abs(value) for value in values.values() if value is not None)
    return decimals if decimals <= FINEST and largest < LARGEST else None


def p_value(value: float | None) -> str:
    """A p-value to three decimals.

    >>> p_value(0.0312), p_value(2e-9), p_value(None)
    ('0.031', '< 0.001', '–')
    """
    if value is None:
        return MISSING
    return "< 0.001" if value < 0.001 else f"{value:.3f}"


def p_equals(value: float | None) -> str:
    """A p-value inside a sentence, with spaces that do not break.

    >>> p_equals(0.0312), p_equals(2e-9)
    ('p\\xa0=\\xa00.031', 'p\\xa0<\\xa00.001')
    """
    shown = p_value(value)
    return (f"p {shown}" if shown.startswith("<") else f"p = {shown}").replace(
        " ", "\N{NO-BREAK SPACE}"
    )


def power(value: float) -> str:
    """A power to two decimals, never rounded up to certainty.

    >>> power(0.913), power(0.9996)
    ('0.91', '> 0.99')
    """
    return "> 0.99" if value > 0.99 else f"{value:.2f}"


def needs(hypothesis: Mapping[str, Any]) -> str:
    """`needed` of a hypothesis of verdicts.json.

    >>> needs({"rule": {"kind": "Superiority", "margin": -0.05}, "scale": "linear"})
    'needs > −0.05'
    """
    return needed(
        hypothesis["rule"]["kind"], hypothesis["rule"]["margin"], hypothesis["scale"]
    )


def needed(rule: str, margin: float, scale: str) -> str:
    """Which effect a rule asks for, in short, on the scale that readers are shown.

    >>> needed("Equivalence", 0.1, "linear"), needed("Equivalence", 0.1, "ratio")
    ('needs within ±0.1', 'needs 0.9048 to 1.105')
    >>> needed("Difference", 0.1, "linear")
    'needs outside ±0.1'
    """
    high = on_scale(margin, scale)
    if rule == "Superiority":
        return f"needs > {number(high)}"
    where = "outside " if rule == "Difference" else ""
    if scale == "ratio":
        return f"needs {where}{number(on_scale(-margin, scale))} to {number(high)}"
    return f"needs {where or 'within '}±{number(margin)}"


def on_scale(value: float | None, scale: str) -> float | None:
    """An effect as readers are shown it: a ratio where effects are its logarithms; None unless it
    is finite.

    >>> on_scale(0.0, "ratio"), on_scale(0.5, "linear"), on_scale(float("inf"), "linear")
    (1.0, 0.5, None)
    """
    if value is None or not isfinite(value):
        return None
    if scale != "ratio":
        return value
    return exp(value) if value < LARGEST_LOGARITHM else None


def shown(values: Mapping[str, Any], scale: str) -> dict[str, str]:
    """Mean, low and high on the scale that readers are shown, with the digits of the interval.

    >>> shown({"mean": 0.0953, "low": 0.0488, "high": 0.1398, "sd": 0.1}, "ratio")
    {'mean': '1.100', 'low': '1.050', 'high': '1.150'}
    """
    return estimate(
        {name: on_scale(values[name], scale) for name in ("mean", "low", "high")}
    )


def with_interval(values: Mapping[str, Any], scale: str = "linear") -> str:
    """`shown` as one text, wherever an effect is printed.

    >>> with_interval({"mean": 0.9994, "low": 0.99702, "high": 1.0018})
    '0.9994 [0.9970, 1.0018]'
    """
    text = shown(values, scale)
    return f"{text['mean']} [{text['low']}, {text['high']}]"


def finding(sentence: str, value: str, *notes: str) -> str:
    """An effect in words: its sentence with the value in place of {}, and in brackets what it needs
    or rests on.

    >>> finding("The gap is {}.", "0.21 [0.18, 0.24]", "10 seeds", "needs > 0.1")
    'The gap is 0.21 [0.18, 0.24] (10 seeds; needs > 0.1)'
    """
    return f"{sentence.rstrip('.').replace('{}', value)} ({'; '.join(notes)})"


def counted(count: int, noun: str) -> str:
    """A count with its noun, in the singular or the plural.

    >>> counted(1, "claim"), counted(0, "claim"), counted(2, "hypothesis"), counted(3, "series")
    ('1 claim', '0 claims', '2 hypotheses', '3 series')
    """
    if count == 1 or noun.endswith("series"):
        return f"{count} {noun}"
    return (
        f"{count} {noun.removesuffix('is')}es"
        if noun.endswith("is")
        else f"{count} {noun}s"
    )


def duration(seconds: float) -> str:
    """Seconds in the two largest units that fit.

    >>> duration(0.4), duration(95), duration(7322), duration(3 * 86400)
    ('0.4 s', '1 min 35 s', '2 h 2 min', '3 d')
    """
    if seconds < 60:
        return f"{seconds:.3g} s"
    units = (("d", 86400), ("h", 3600), ("min", 60), ("s", 1))
    largest = next(index for index, (_, size) in enumerate(units) if seconds >= size)
    (name, size), (minor, small) = units[largest : largest + 2]
    whole, rest = divmod(int(seconds), size)
    return (
        f"{whole} {name} {rest // small} {minor}"
        if rest // small
        else f"{whole} {name}"
    )
