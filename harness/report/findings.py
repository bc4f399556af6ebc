"""What a claim of verdicts.json came to: one rule for each thing that more than one reader is told.

The page, the summary, README.md, the terminal and the exports all ask here which effect decided, in
which words the outcome is said, and which one limit goes with it.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from harness import reason
from harness.numerals import needs, p_equals, with_interval
from harness.study import Difference, Equivalence, Rule, Superiority
from harness.verdict import Kind

Json = Mapping[str, Any]
RULES: dict[str, type[Rule]] = {
    rule.__name__: rule for rule in (Superiority, Equivalence, Difference)
}
SENTENCE = re.compile(r"(?<=[.!?])\s+(?=[A-Z0-9“\"'])")


class Group(NamedTuple):
    """Claims of like outcomes: a heading, what is said of several and of one, what it means."""

    heading: str
    several: str
    one: str
    meaning: str
    outcomes: tuple[str, ...]


UNDECIDED = ("NOT DECIDED", "LOST TO CORRECTION", "METHODS DISAGREE")
GROUPS = (
    Group(
        "Broken", "are broken", "is broken", "the check cannot be trusted", ("BROKEN",)
    ),
    Group("Does not hold", "do not hold", "does not hold", "REFUTED", ("REFUTED",)),
    Group(
        "Undecided",
        "are undecided",
        "is undecided",
        "no evidence against the claim",
        (*UNDECIDED, "AGREEMENT NOT SHOWN"),
    ),
    Group(
        "No verdict: a gate failed",
        "have no verdict, since a gate failed",
        "has no verdict, since a gate failed",
        "effects are shown, not counted",
        ("GATE FAILED",),
    ),
    Group(
        "Not run", "were not run", "was not run", "nothing was measured", ("NOT RUN",)
    ),
    Group("Holds", "hold", "holds", "SUPPORTED", ("SUPPORTED",)),
)
"""Groups of claims by outcome, worst news first."""


class Support(NamedTuple):
    """How many secondary effects speak for a claim's title, against it, and for neither."""

    for_it: int
    against: int
    open: int


def outcome(claim: Json) -> str:
    """A claim's verdict in capitals; INCONCLUSIVE says which of its four meanings it has.

        GATE FAILED          a condition without which no verdict counts
        LOST TO CORRECTION   SUPPORTED alone, not after Holm over the family
        METHODS DISAGREE     Student's t decides, the bootstrap does not
        NOT DECIDED          an interval holds the margin

    >>> outcome({"verdict": {"kind": "DISAGREE"}})
    'AGREEMENT NOT SHOWN'
    """
    verdict = claim["verdict"]
    if verdict["kind"] == Kind.DISAGREE:
        return "AGREEMENT NOT SHOWN"
    if verdict["kind"] != Kind.INCONCLUSIVE:
        return str(verdict["kind"]).replace("_", " ")
    if failed_gates(claim):
        return "GATE FAILED"
    if verdict["alone"] == Kind.SUPPORTED:
        return "LOST TO CORRECTION"
    hypothesis = deciding(claim)
    parted = hypothesis is not None and _methods_disagree(hypothesis)
    return "METHODS DISAGREE" if parted else "NOT DECIDED"


def grouped(claims: Sequence[Json]) -> list[tuple[Group, list[Json]]]:
    """The claims by outcome, worst news first; groups without a claim are left out."""
    known = {name for group in GROUPS for name in group.outcomes}
    others = tuple(dict.fromkeys(map(outcome, claims)))
    rest = tuple(name for name in others if name not in known)
    groups = (*GROUPS, Group("Other", "have another", "has another", "", rest))
    found = [
        (group, [claim for claim in claims if outcome(claim) in group.outcomes])
        for group in groups
    ]
    return [(group, those) for group, those in found if those]


def in_common(claims: Sequence[Json]) -> str:
    """The level that most of the deciding intervals have; "" where nothing was decided."""
    levels = [level(h) for h in map(deciding, claims) if h is not None]
    return max(levels, key=levels.count, default="")


def measured(claim: Json, role: str) -> list[Json]:
    """The hypotheses of a role whose effects were measured."""
    return [
        hypothesis
        for hypothesis in claim["hypotheses"]
        if hypothesis["role"] == role
        and hypothesis["verdict"]
        and hypothesis["verdict"]["backends"]
    ]


def deciding(claim: Json) -> Json | None:
    """The measured primary hypothesis that decided a claim; None where none was measured.

    It is the one nearest to failing, or that fails most clearly: one that is not SUPPORTED before
    one that is; then that of the largest p; of equal ones (a bootstrap's p has a floor), the one
    whose interval reaches farthest to the wrong side, in margins.

    >>> unknown = {"jax": {"mean": None, "low": None, "high": None}}
    >>> verdicts = ({"kind": "SUPPORTED", "p": p, "backends": unknown} for p in (0.01, 0.03))
    >>> parts = [
    ...     {"name": f"p = {verdict['p']}", "role": "primary", "verdict": verdict}
    ...     for verdict in verdicts
    ... ]
    >>> deciding({"hypotheses": parts})["name"]
    'p = 0.03'
    """
    return min(measured(claim, "primary"), key=_clearness, default=None)


def fellows(claim: Json) -> str:
    """How many primary effects hold, in a sentence without its dot; "" where there is but one.

    >>> parts = [
    ...     {"role": "primary", "verdict": {"kind": "SUPPORTED", "p": p, "backends": {"jax": {
    ...         "mean": None, "low": None, "high": None}}}}
    ...     for p in (0.01, 0.03, 0.02)
    ... ]
    >>> fellows({"hypotheses": parts})
    'All 3 primary effects hold'
    """
    kinds = [one["verdict"]["kind"] for one in measured(claim, "primary")]
    hold, every = kinds.count(Kind.SUPPORTED), len(kinds)
    if every < 2:
        return ""
    if hold == every:
        return (
            "Both primary effects hold"
            if every == 2
            else f"All {every} primary effects hold"
        )
    if not hold:
        return f"None of {every} primary effects holds"
    rest = f"{every - hold} do{'es' * (every - hold == 1)} not"
    return f"{hold} of {every} primary effects hold{'s' * (hold == 1)}, {rest}"


def _clearness(hypothesis: Json) -> tuple[bool, float, float]:
    verdict = hypothesis["verdict"]
    p = 1.0 if verdict["p"] is None else verdict["p"]
    return verdict["kind"] == Kind.SUPPORTED, -p, _worst(hypothesis)


def _worst(hypothesis: Json) -> float:
    intervals = [ends(found) for found in hypothesis["verdict"]["backends"].values()]
    return min(
        (in_margins(interval, hypothesis)[0] for interval in intervals if interval),
        default=0.0,
    )


def in_margins(interval: tuple[float, float], hypothesis: Json) -> tuple[float, float]:
    """An interval of effects in units of the margin: from its worst to its best place for the
    claim.
    """
    rule = rule_of(hypothesis)
    return reason.in_margins(interval, rule, hypothesis["registered"]["effect"])


def rule_of(hypothesis: Json) -> Rule:
    """The registered rule; one of a kind that is not known is held as Superiority."""
    rule = hypothesis["rule"]
    return RULES.get(rule["kind"], Superiority)(rule["margin"])


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
    inf = float("inf")
    return (
        min(estimate["low"], -inf if low is None else low),
        max(estimate["high"], inf if high is None else high),
    )


def _methods_disagree(hypothesis: Json) -> bool:
    """Whether Student's t intervals lie on one side of the margin in every backend, the bootstrap's
    not.
    """
    found = hypothesis["verdict"]["backends"].values()
    students = [(one["low"], one["high"]) for one in found if one["low"] is not None]
    if len(students) < len(found) or any(one["p"] == 1.0 for one in found):
        return False
    worst = min(in_margins(interval, hypothesis)[0] for interval in students)
    best = max(in_margins(interval, hypothesis)[1] for interval in students)
    return worst > 0 or best < 0


def value(hypothesis: Json) -> str:
    """Mean over backends, and the interval that holds those of all backends and both methods."""
    backends = list(hypothesis["verdict"]["backends"].values())
    means = [found["mean"] for found in backends]
    mean = None if None in means else sum(means) / len(means)
    low, high = hypothesis["verdict"]["interval"]
    return with_interval({"mean": mean, "low": low, "high": high}, hypothesis["scale"])


def sentence(hypothesis: Json) -> tuple[str, str]:
    """What stands before and after the value in the effect's sentence."""
    text = hypothesis.get("sentence") or f"{hypothesis['label']}: {{}}"
    before, _, after = text.rstrip(".").partition("{}")
    return before, after


def level(hypothesis: Json) -> str:
    """Level of the interval that decides.

    >>> level({"rule": {"kind": "Superiority", "alpha": 0.05}})
    '90 %'
    """
    ends_each = 1 if hypothesis["rule"]["kind"] == "Difference" else 2
    return f"{100 * (1 - ends_each * hypothesis['rule']['alpha']):.3g} %"


def in_a_line(hypothesis: Json) -> str:
    """The effect's sentence with its value, the level of the interval, and what was needed."""
    before, after = sentence(hypothesis)
    notes = f"{level(hypothesis)} interval; {needs(hypothesis)}"
    return f"{before}{value(hypothesis)}{after} ({notes})"


def failed_gates(claim: Json) -> list[tuple[str, str]]:
    """Name of each gate that failed, and why, in one line."""
    found = []
    for gate in claim["gates"]:
        by_backend = sorted(gate["failures"].items())
        reasons = [" ".join(text.split()) for _, text in by_backend if text]
        if reasons:
            found.append((gate["name"], reasons[0]))
    return found


def obstacles(claim: Json) -> tuple[str, ...]:
    """What keeps a claim from the verdict that its primary effects would have, a line each.

    >>> gate = {"name": "trained", "failures": {"torch": "4 of 10 learnt nothing", "jax": ""}}
    >>> obstacles({"gates": [gate], "verdict": {"kind": "INCONCLUSIVE", "alone": "INCONCLUSIVE"}})
    ('Gate “trained” failed: 4 of 10 learnt nothing',)
    """
    verdict = claim["verdict"]
    gates = tuple(f"Gate “{name}” failed: {text}" for name, text in failed_gates(claim))
    taken = verdict["alone"] == Kind.SUPPORTED and verdict["kind"] == Kind.INCONCLUSIVE
    if not taken:
        return gates
    found = f"{p_equals(verdict['p'])} alone, {p_equals(verdict['p_family'])}"
    return (*gates, f"{found} after correcting for the paper's claims")


def told(claim: Json) -> list[str]:
    """A claim in lines, wherever text is shown: what decided, how the other primary effects came
    out, what kept it from its verdict, and its "but".
    """
    hypothesis = deciding(claim)
    lines = [in_a_line(hypothesis) if hypothesis else claim["verdict"]["reason"]]
    lines += [sentence] if (sentence := fellows(claim)) else []
    lines += obstacles(claim)
    explained = claim["verdict"]["kind"] in (Kind.DISAGREE, Kind.BROKEN)
    lines += [claim["verdict"]["reason"]] if explained and hypothesis else []
    lines += [foreseen(claim)] if foreseen(claim) else []
    return lines + ([f"But: {but(claim)}"] if but(claim) else [])


def support(claim: Json) -> Support:
    """How many of the measured secondary effects speak for the claim's title, and against it.

    SUPPORTED speaks for it and REFUTED against it; of an effect that is marked as speaking against
    the title, the other way round. Everything else is open.
    """
    found = [side(hypothesis) for hypothesis in measured(claim, "secondary")]
    return Support(found.count("for"), found.count("against"), found.count("open"))


def side(hypothesis: Json) -> str:
    """Whether a secondary effect speaks "for" the claim's title, "against" it, or leaves it
    "open".
    """
    sides = {Kind.SUPPORTED: "for", Kind.REFUTED: "against"}
    if hypothesis.get("against_title"):
        sides = {Kind.SUPPORTED: "against", Kind.REFUTED: "for"}
    return sides.get(hypothesis["verdict"]["kind"], "open")


def but(claim: Json) -> str:
    """The limit that changes the meaning of the verdict: by rule the first sentence of Limits."""
    return first_sentence(claim["limits"])


def foreseen(claim: Json) -> str:
    """That a REFUTED claim's deciding effect was expected beyond the margin; else ""."""
    hypothesis = deciding(claim)
    if claim["verdict"]["kind"] != Kind.REFUTED or hypothesis is None:
        return ""
    expected = hypothesis["registered"]["effect"]
    if expected is None or in_margins((expected, expected), hypothesis)[0] >= 0:
        return ""
    return "Foreseen: exploration had found this before the claim was registered."


def was_read(claim: Json) -> str:
    """What was read of the paper: "full text", "abstract", or "our claim".

    >>> was_read({"title": "A gap", "paper": {"read": "full text; figures by eye", "locus": ""}})
    'full text'
    >>> was_read({"title": "A gap (our statement)", "paper": {"read": "abstract", "locus": ""}})
    'our claim'
    """
    if "our statement" in f"{claim['title']} {claim['paper']['locus']}".lower():
        return "our claim"
    read = claim["paper"]["read"].lower()
    return "full text" if read.startswith(("full text", "in full")) else "abstract"


def registered(claim: Json) -> str:
    """When what decides was registered: "before", "after 1st run", "redone", or "not".

    Redone: amended with fresh seeds after results had been seen; "redone, rule moved" where a rule
    changed as well. A rule that changed after results without fresh seeds since then is "rule moved
    after results".
    """
    history = claim["history"]
    if not history:
        return "not"
    seen = [entry for entry in history[1:] if entry["results_seen"]]
    last = max(
        (place for place, entry in enumerate(seen) if fresh_seeds(entry)), default=-1
    )
    if any(rule_changed(entry) for entry in seen[last + 1 :]):
        return "rule moved after results"
    if last >= 0:
        moved = any(rule_changed(entry) for entry in seen)
        return "redone, rule moved" if moved else "redone"
    return "after 1st run" if history[0]["results_seen"] else "before"


def fresh_seeds(entry: Json) -> bool:
    """Whether an amendment gave the claim new seeds; in older reports, as far as its lines tell."""
    told = any(".stream (" in change for change in entry["changed"])
    return bool(entry.get("fresh_seeds", told))


def rule_changed(entry: Json) -> bool:
    """Whether an amendment changed a rule or margin."""
    told = any(".rule." in change for change in entry["changed"])
    return bool(entry.get("rule_changed", told))


def false_supported(claim: Json) -> tuple[str, bool]:
    """The simulated rate of false SUPPORTED, in the worst scatter, and whether it is surely above
    5 %; "–" where it was not simulated.
    """
    found = claim.get("calibration")
    if not found:
        return "–", False
    lows = [
        shape["false_supported"]["low"]
        for shape in (found.get("shapes") or {}).values()
        if "false_supported" in shape
    ]
    return f"{100 * found['at_margin']:.1f} %", any(low > 0.05 for low in lows)


def error_rate(claim: Json) -> tuple[str, bool]:
    """How often a claim's verdict came out in simulation where it is wrong, and whether SUPPORTED
    does so surely more often than 5 %; "–" where that was not simulated.

    Of SUPPORTED that is with one primary effect on its margin, of REFUTED with all of them there.
    """
    if claim["verdict"]["kind"] != Kind.REFUTED:
        return false_supported(claim)
    rate = (claim.get("calibration") or {}).get("false_refuted")
    return ("–" if rate is None else f"{100 * rate:.1f} %"), False


def whys(claim: Json) -> list[str]:
    """Why each hypothesis has its margin; a reason that was given before names where.

    The reason of the deciding effect stands in the section above.
    """
    first = deciding(claim)
    given = {first["why_margin"]: "above"} if first is not None else {}
    found = []
    for hypothesis in claim["hypotheses"]:
        why = hypothesis["why_margin"]
        found.append(f"as {given[why]}" if why in given else why)
        given.setdefault(why, f"for {hypothesis['name']}")
    return found


class Agreed(NamedTuple):
    """How well two backends agree on one claim's effects.

    `difference` is the largest of their means, `relative` the largest in margins of agreement, and
    `where` the effect that has it.
    """

    claim: Json
    effects: int
    agree: int
    difference: float
    relative: float
    where: str


def agreement(claims: Sequence[Json]) -> list[Agreed]:
    """How well the backends agree, a row per claim with effects in two of them."""
    found = [_agreed(claim) for claim in claims]
    return [one for one in found if one is not None]


def _agreed(claim: Json) -> Agreed | None:
    held = [
        (hypothesis["name"], hypothesis["verdict"]["agreement"])
        for role in ("primary", "secondary")
        for hypothesis in measured(claim, role)
        if hypothesis["verdict"].get("agreement")
    ]
    held = [(name, one) for name, one in held if one["difference"] is not None]
    if not held:
        return None
    relative = {
        name: abs(one["difference"]) / (one["margin"] or 1.0) for name, one in held
    }
    where = max(relative, key=lambda name: relative[name])
    return Agreed(
        claim,
        len(held),
        sum(bool(one["agree"]) for _, one in held),
        max(abs(one["difference"]) for _, one in held),
        relative[where],
        where,
    )


def papers(claims: Sequence[Json]) -> list[tuple[str, int]]:
    """Authors and year of each paper, once."""
    found = ((claim["paper"]["authors"], claim["paper"]["year"]) for claim in claims)
    return list(dict.fromkeys(found))


def sources(claims: Sequence[Json]) -> list[tuple[str, list[Json]]]:
    """What claims rest on, in words, and which ones; without what none rests on."""
    words = {
        "full text": "the full text",
        "abstract": "abstracts and reviews",
        "our claim": "a statement of ours",
    }
    found = {what: [c for c in claims if was_read(c) == what] for what in words}
    return [(words[what], those) for what, those in found.items() if those]


def first_sentence(text: str) -> str:
    """The first sentence of a text, in one line.

    >>> first_sentence("Fashion-MNIST stands in (M = 64). This tests the mechanism.")
    'Fashion-MNIST stands in (M = 64).'
    """
    return SENTENCE.split(" ".join(text.split()), maxsplit=1)[0]


def after_first_sentence(text: str) -> str:
    """What follows the first sentence of a text; "" where nothing does.

    >>> after_first_sentence("It is no law. One task,\\none width.")
    'One task,\\none width.'
    """
    return "".join(SENTENCE.split(text.strip(), maxsplit=1)[1:])


def largest_difference(claim: Json) -> float | None:
    """The largest difference of two backends' means of one effect of a claim; None without two."""
    found = _agreed(claim)
    return found.difference if found else None
