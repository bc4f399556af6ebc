"""Why a claim's verdict is what it is, in words: what decided, in a sentence or two, and apart from
it what is beside.

Effects are said on the scale that readers are shown, as the mean over backends and an interval that
holds theirs, Student's t and bootstrap.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from harness.numerals import counted, finding, needed, with_interval
from harness.statistics.intervals import region
from harness.study import Difference, Hypothesis, Rule, Statement, Superiority
from harness.verdict import Beside, Kind, Verdict

Verdicts = Mapping[str, Verdict]
HOLD = {1: "The primary hypothesis holds", 2: "Both primary hypotheses hold"}


def holds(claim: Statement, verdicts: Verdicts) -> str:
    """That every primary hypothesis holds, and by how much the one that does so least clearly.

    Args:
        claim: whose primary hypotheses are all SUPPORTED.
        verdicts: name of a hypothesis -> its verdict.
    """
    n = len(claim.primary)
    least = min(
        claim.primary,
        key=lambda hypothesis: clearness(hypothesis, verdicts[hypothesis.name]),
    )
    clause = _clause(least, verdicts[least.name])
    return (
        f"{HOLD.get(n, f'All {n} primary hypotheses hold')}. "
        f"{'Nearest to failing: ' * (n > 1)}{clause}."
    )


def against(
    headline: str, claim: Statement, verdicts: Verdicts, names: Sequence[str]
) -> str:
    """What keeps a claim from SUPPORTED, with its numbers, and how the other primary hypotheses
    came out.

    Args:
        headline: "Refuted by", for instance.
        claim: the claim.
        verdicts: name of a hypothesis -> its verdict.
        names: the primary hypotheses that do.
    """
    n = len(claim.primary)
    which = (
        "the primary hypothesis"
        if n == 1
        else f"{len(names)} of {n} primary hypotheses"
    )
    clauses = "; ".join(
        _clause(h, verdicts[h.name]) for h in claim.primary if h.name in names
    )
    rest = Counter(verdicts[h.name].kind for h in claim.primary if h.name not in names)
    others = ", ".join(f"{count} {kind}" for kind, count in rest.items())
    return f"{headline} {which}. {clauses}." + (
        f" Of the others, {others}." if others else ""
    )


def stands_beside(
    claim: Statement, verdicts: Verdicts, kind: Kind
) -> tuple[Beside, ...]:
    """The secondary hypotheses but those that came out SUPPORTED or REFUTED as the claim did.

    Args:
        claim: the claim.
        verdicts: name of a hypothesis -> its verdict.
        kind: the claim's verdict; nothing stands beside BROKEN, since nothing that was measured can
            be trusted.
    """
    as_the_claim = {kind} & {Kind.SUPPORTED, Kind.REFUTED}
    backends = max((len(verdict.backends) for verdict in verdicts.values()), default=0)
    secondary = [
        (h, verdicts[h.name])
        for h in claim.hypotheses
        if h.role == "secondary" and kind != Kind.BROKEN
    ]
    return tuple(
        Beside(h.name, h.title, verdict.kind, _short(h, verdict, backends))
        for h, verdict in secondary
        if verdict.kind not in as_the_claim
    )


def clearness(hypothesis: Hypothesis, verdict: Verdict) -> tuple[float, float]:
    """Sorts hypotheses from the one nearest to failing: by -p, then by how far the interval's worst
    end is beyond.
    """
    rule, unit = hypothesis.rule, hypothesis.expected_effect
    worst = min(
        (
            in_margins(estimate.ends, rule, unit)[0]
            for estimate in verdict.backends.values()
        ),
        default=0.0,
    )
    return -verdict.p, worst


def in_margins(
    interval: tuple[float, float], rule: Rule, expected: float
) -> tuple[float, float]:
    """An interval of effects in units of the margin: from its worst to its best place for the
    claim.

        superiority   u = (effect - margin) / |margin|   0 at the margin, 1 as far again beyond it
        difference    u = |effect| / margin - 1          0 at either margin
        equivalence   u = 1 - |effect| / margin          0 at either margin, 1 at no difference

    A margin of 0 has no unit of its own: there it is the registered effect.

    >>> from harness.study import Equivalence, Superiority
    >>> cases = ((0.05, 0.3), Superiority(0.1)), ((-0.05, 0.15), Equivalence(0.1))
    >>> [tuple(round(end, 3) for end in in_margins(*case, 0.3)) for case in cases]
    [(-0.5, 2.0), (-0.5, 1.0)]
    """
    (low, high), margin = interval, rule.margin
    if not isinstance(rule, Superiority):
        nearest = 0.0 if low <= 0 <= high else min(abs(low), abs(high))
        farthest = max(abs(low), abs(high))
        if isinstance(rule, Difference):
            return nearest / margin - 1, farthest / margin - 1
        return 1 - farthest / margin, 1 - nearest / margin
    unit = abs(margin) or abs(expected) or 1.0
    return (low - margin) / unit, (high - margin) / unit


def _clause(hypothesis: Hypothesis, verdict: Verdict) -> str:
    """One hypothesis: its effect over which seeds in which backends, what it needs, and what else
    keeps it.
    """
    if not verdict.backends:
        return f"{hypothesis.title}: {verdict.reason.rstrip('.')}"
    n = max(estimate.n for estimate in verdict.backends.values())
    over = f"{counted(n, 'seed')} in {_listed(verdict.backends)}"
    found = finding(
        hypothesis.sentence("{}"),
        _effect(hypothesis, verdict),
        over,
        _needs(hypothesis),
    )
    # Where Student's t would decide and the verdict does not, the reason says what keeps it.
    student = (
        min(e.low for e in verdict.backends.values()),
        max(e.high for e in verdict.backends.values()),
    )
    inside = region(student, hypothesis.rule.cuts) is not None
    told = verdict.kind == Kind.DISAGREE or (
        verdict.kind == Kind.INCONCLUSIVE and (verdict.p == 1.0 or inside)
    )
    return found + (f": {verdict.reason.rstrip('.')}" if told else "")


def _short(hypothesis: Hypothesis, verdict: Verdict, backends: int) -> str:
    """Effect and what it needs; where a backend has no effect, or one that does not vary over
    seeds, why.
    """
    if not verdict.backends:
        return verdict.reason
    found = f"{_effect(hypothesis, verdict)}, {_needs(hypothesis)}"
    constant = any(estimate.bootstrap is None for estimate in verdict.backends.values())
    return (
        f"{found}: {verdict.reason}"
        if constant or len(verdict.backends) < backends
        else found
    )


def _effect(hypothesis: Hypothesis, verdict: Verdict) -> str:
    """Mean over backends, and the interval that holds theirs."""
    mean = sum(estimate.mean for estimate in verdict.backends.values()) / len(
        verdict.backends
    )
    low, high = verdict.interval
    return with_interval({"mean": mean, "low": low, "high": high}, hypothesis.scale)


def _needs(hypothesis: Hypothesis) -> str:
    """What the rule asks for, in words, on the scale that readers are shown."""
    return needed(
        type(hypothesis.rule).__name__, hypothesis.rule.margin, hypothesis.scale
    )


def _listed(names: Iterable[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last
