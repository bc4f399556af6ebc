"""What the numbers of all seeds answer, held against the margin.

Every quantity that shows departure from the kernel regime is a relative change e > 0. Its typical
value is the geometric mean over seeds, and its logarithm is held against that of the margin by
Student's t and the studentised bootstrap (`harness.verdict.decide`): in the regime where the whole
interval lies below the margin, out of it where it lies above, not decided else.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from harness.errors import InvalidInput
from harness.numerals import number
from harness.statistics.intervals import varies
from harness.study import Equivalence, Superiority
from harness.verdict import Kind, Verdict, decide

FLOOR = 1e-9
"""Relative changes below this count as this: they are rounding."""
EXACT = 0.01
"""Where every seed lies below this part of the margin no interval is asked: rounding has none."""
AGREEMENT = float(np.log(1.25))
"""Backends agree where their geometric means differ by less than a quarter."""
WORDS = {
    Kind.SUPPORTED: "in",
    Kind.REFUTED: "out",
    Kind.INCONCLUSIVE: "not decided",
    Kind.DISAGREE: "backends disagree",
}

Effects = Mapping[str, np.ndarray]


@dataclass(frozen=True)
class Question:
    """A question: its letter, what is asked, and how the answer is said; {} is the number."""

    letter: str
    quantity: str
    asked: str
    said: str


QUESTIONS = (
    Question(
        "a",
        "spread",
        "Is the kernel the same for every initialisation?",
        "From one initialisation to another the initial kernel varies by {}",
    ),
    Question(
        "b",
        "change",
        "Does the kernel stay constant in training?",
        "Training moves the kernel by {}",
    ),
    Question(
        "c",
        "distance",
        "Is the trained network what kernel regression with its initial kernel gives?",
        "On test samples the trained function differs from kernel regression with the initial "
        "kernel by {} of how far training moved it",
    ),
)
TO_LIMIT = Question(
    "a'",
    "limit",
    "Is the initial kernel that of infinite width?",
    "The initial kernel lies {} from that of infinite width",
)


@dataclass(frozen=True)
class Answer:
    """The answer to one question.

    Attributes:
        letter, asked: of the question.
        kind: SUPPORTED: in the kernel regime; REFUTED: out of it.
        sentence: with its number, interval and margin.
        mean, low, high: geometric mean over seeds and backends, and the interval that decides.
        effects: backend -> what was measured, per seed.
        reason: of the decision, on its own scale.
    """

    letter: str
    asked: str
    kind: Kind
    sentence: str
    mean: float
    low: float
    high: float
    effects: dict[str, list[float]]
    reason: str

    @property
    def words(self) -> str:
        """in, out, not decided."""
        return WORDS[self.kind]


def departure(question: Question, effects: Effects, margin: float) -> Answer:
    """The answer to a question about a relative change, of every backend and seed.

    Raises:
        InvalidInput: for effects that are not finite.
    """
    checked = {name: np.asarray(e, dtype=float) for name, e in effects.items()}
    for name, values in checked.items():
        if not np.isfinite(values).all():
            raise InvalidInput(
                f"{question.quantity} is not finite for seed "
                f"{int(np.argmin(np.isfinite(values)))} in {name}."
            )
    logs = {name: -np.log(np.maximum(e, FLOOR)) for name, e in checked.items()}
    verdict = decide(logs, Superiority(float(-np.log(margin))), agreement=AGREEMENT)
    kind = _of_constant(verdict, logs, checked, margin)
    mean = float(np.exp(-np.mean([log.mean() for log in logs.values()])))
    low, high = _ends(verdict)
    shown = per_cent(mean, low, high)
    return Answer(
        question.letter,
        question.asked,
        kind,
        f"{question.said.format(shown)} (margin {_share(margin)}): {WORDS[kind]}.",
        mean,
        low,
        high,
        {name: values.tolist() for name, values in checked.items()},
        verdict.reason,
    )


def _of_constant(
    verdict: Verdict, logs: Effects, sizes: Effects, margin: float
) -> Kind:
    """Of effects that are rounding, or do not vary over seeds, the values themselves decide."""
    largest = max(float(values.max()) for values in sizes.values())
    if largest < EXACT * margin:
        return Kind.SUPPORTED
    if verdict.kind != Kind.INCONCLUSIVE or any(varies(log) for log in logs.values()):
        return verdict.kind
    return Kind.SUPPORTED if largest < margin else Kind.REFUTED


def better(
    network: Effects, kernel: Effects, margin: float, measure: str = "loss"
) -> Answer:
    """Whether the network's test error is that of its kernel at the same training loss.

    The effect is log(kernel's error / network's error). SUPPORTED: the same within the margin;
    REFUTED: better, or worse, by more.
    """
    logs = {
        name: np.log(np.asarray(kernel[name]) / np.asarray(network[name]))
        for name in network
    }
    rule = Equivalence(float(np.log1p(margin)))
    verdict = decide(logs, rule, agreement=AGREEMENT)
    ratios = {name: np.exp(-log) for name, log in logs.items()}
    sizes = {name: np.abs(log) for name, log in logs.items()}
    kind = _of_constant(verdict, logs, sizes, rule.margin)
    mean = float(np.exp(-np.mean([log.mean() for log in logs.values()])))
    low, high = _ends(verdict)
    words = {
        Kind.SUPPORTED: "the same",
        Kind.REFUTED: "better than its kernel" if mean < 1 else "worse than its kernel",
        Kind.INCONCLUSIVE: "not decided",
        Kind.DISAGREE: "backends disagree",
    }
    shown = _aligned(mean, low, high)
    value = f"{shown[0]} [{shown[1]}, {shown[2]}] times"
    return Answer(
        "d",
        "Does it predict better than its initial kernel?",
        kind,
        f"The test {measure} of the network is {value} that of its initial kernel at the same "
        f"training loss (margin {_share(margin)}): {words[kind]}.",
        mean,
        low,
        high,
        {name: ratio.tolist() for name, ratio in ratios.items()},
        verdict.reason,
    )


def _ends(verdict: Verdict) -> tuple[float, float]:
    """The interval that decides, from -log e back to e."""
    low, high = np.exp(np.clip([-verdict.interval[1], -verdict.interval[0]], -700, 700))
    return float(low), float(high)


def per_cent(mean: float, low: float, high: float) -> str:
    """A share with its interval, in per cent.

    >>> per_cent(0.4321, 0.381, 0.4904)
    '43 % [38, 49]'
    >>> per_cent(0.00502, 0.0041, 0.0057), per_cent(1e-9, 1e-9, 1e-9)
    ('0.50 % [0.41, 0.57]', '< 0.001 %')
    """
    if high < 1e-5:
        return "< 0.001 %"
    shown = _aligned(100 * mean, 100 * low, 100 * high)
    return f"{shown[0]} % [{shown[1]}, {shown[2]}]"


def _aligned(*values: float) -> list[str]:
    """Mean, low and high with common decimals: one digit of the interval's half-width.

    >>> _aligned(1.0, 0.997, 1.012)
    ['1.000', '0.997', '1.012']
    """
    half = (values[2] - values[1]) / 2
    if not (np.isfinite(half) and half > 0) or max(values) >= 1e5:
        return [number(value, 3) for value in values]
    decimals = min(6, max(0, -int(np.floor(np.log10(half)))))
    return [f"{value:.{decimals}f}" for value in values]


def _share(margin: float) -> str:
    return f"{100 * margin:g} %"


def overall(answers: Sequence[Answer], trusted: bool = True) -> tuple[Kind, str]:
    """All of (a), (b) and (c) together, in a sentence.

    In the regime where each of them is; out of it where one of them is.
    """
    asked = [answer for answer in answers if answer.letter in "abc"]
    if not trusted:
        return Kind.BROKEN, "Not trusted: a control failed, so no answer counts."
    split = [answer for answer in asked if answer.kind == Kind.DISAGREE]
    if split:
        return Kind.DISAGREE, f"Backends disagree: {_clause(split[0])}."
    outside = [answer for answer in asked if answer.kind == Kind.REFUTED]
    if outside:
        order = {"b": 0, "c": 1, "a": 2}
        first = min(outside, key=lambda answer: order[answer.letter])
        return Kind.REFUTED, f"Not in the kernel regime: {_clause(first)}."
    open_ = [answer for answer in asked if answer.kind == Kind.INCONCLUSIVE]
    if open_:
        first = open_[0]
        return Kind.INCONCLUSIVE, f"Not decided: {_clause(first)}; more seeds may tell."
    worst = max(asked, key=lambda answer: answer.high)
    return (
        Kind.SUPPORTED,
        f"In the kernel regime; the largest departure: {_clause(worst)}.",
    )


def _clause(answer: Answer) -> str:
    """An answer's sentence without its margin and verdict, to stand after a colon."""
    text = answer.sentence.partition(" (margin")[0]
    return text[0].lower() + text[1:]


def as_record(answer: Answer) -> dict[str, Any]:
    """As JSON values."""
    return {
        "question": answer.letter,
        "asked": answer.asked,
        "answer": answer.words,
        "sentence": answer.sentence,
        "mean": answer.mean,
        "interval": [answer.low, answer.high],
        "effects": answer.effects,
        "reason": answer.reason,
    }
