"""Two runs held against each other, claim by claim: verdicts, effects, registrations, versions."""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from harness.report.runs import Finding, Judged, Run

NOTHING = "–"
IDENTICAL, AS_PRINTED = "identical", "same as printed"
OVERLAP = {True: "overlap", False: "APART", None: "not comparable"}
WORDS = (IDENTICAL, AS_PRINTED, *OVERLAP.values())


@dataclass(frozen=True)
class EffectChange:
    """The effect of one hypothesis in one backend, before and after, as readers are shown it.

    `overlap` is None where the intervals cannot be compared: one is missing, or the scale of the
    effect changed. `identical`: the same to the last digit; `alike`: the same to the digits that
    are printed, on one scale.
    """

    backend: str
    before: str
    after: str
    overlap: bool | None
    identical: bool
    alike: bool

    @property
    def words(self) -> str:
        """How the intervals lie to each other."""
        if self.identical:
            return IDENTICAL
        return AS_PRINTED if self.alike else OVERLAP[self.overlap]


@dataclass(frozen=True)
class HypothesisChange:
    """One hypothesis: label, role, what it needs and its verdict in either run, and its effects by
    backend.
    """

    label: str
    role: str
    needs: tuple[str, str]
    kinds: tuple[str, str]
    effects: tuple[EffectChange, ...]

    @property
    def alike(self) -> bool:
        """Whether verdict, what it needs, and every effect are the same as printed."""
        same = self.kinds[0] == self.kinds[1] and self.needs[0] == self.needs[1]
        return same and all(effect.alike for effect in self.effects)


@dataclass(frozen=True)
class ClaimChange:
    """One claim; a verdict or registration is "–" in a run that lacks the claim."""

    id: str
    title: str
    kinds: tuple[str, str]
    registrations: tuple[str, str]
    hypotheses: tuple[HypothesisChange, ...]

    @property
    def in_both(self) -> bool:
        """Whether both runs have the claim."""
        return NOTHING not in self.kinds

    @property
    def changed(self) -> bool:
        """Whether both runs have a verdict on it, and not the same."""
        return self.in_both and self.kinds[0] != self.kinds[1]

    @property
    def state(self) -> str:
        """In a word or three: CHANGED, same, only in A, only in B."""
        if self.in_both:
            return "CHANGED" if self.changed else "same"
        return "only in A" if self.kinds[1] == NOTHING else "only in B"

    @property
    def reregistered(self) -> bool:
        """Whether what was registered differs."""
        return self.in_both and self.registrations[0] != self.registrations[1]


@dataclass(frozen=True)
class Difference:
    """Run A and run B; their claims in the order of A, then those of B alone; name -> what the
    environments say.
    """

    a: Run
    b: Run
    claims: tuple[ClaimChange, ...]
    environment: Mapping[str, tuple[str, str]]

    @property
    def changed(self) -> tuple[ClaimChange, ...]:
        """The claims whose verdict changed."""
        return tuple(claim for claim in self.claims if claim.changed)

    @property
    def reregistered(self) -> tuple[ClaimChange, ...]:
        """The claims whose registration changed."""
        return tuple(claim for claim in self.claims if claim.reregistered)

    @property
    def common(self) -> int:
        """How many claims are in both."""
        return sum(claim.in_both for claim in self.claims)

    @property
    def effects(self) -> str:
        """How many effects of claims in both runs are identical, and how the intervals of the
        others lie, in words.
        """
        own = [
            e
            for claim in self.claims
            if claim.in_both
            for h in claim.hypotheses
            for e in h.effects
        ]
        counts = Counter(effect.words for effect in own)
        return (
            ", ".join(f"{counts[word]} {word}" for word in WORDS if counts[word])
            or "none"
        )


def compare(a: Run, b: Run) -> Difference:
    """What changed from run A to run B, in the claims that each of them has."""
    ids = dict.fromkeys(chain(a.claims, b.claims))
    names = dict.fromkeys(chain(a.environment, b.environment))
    sides = {
        name: (a.environment.get(name, NOTHING), b.environment.get(name, NOTHING))
        for name in names
    }
    return Difference(
        a=a,
        b=b,
        claims=tuple(_claim(a.claims.get(name), b.claims.get(name)) for name in ids),
        environment={
            name: (before, after)
            for name, (before, after) in sides.items()
            if before != after
        },
    )


def _claim(before: Judged | None, after: Judged | None) -> ClaimChange:
    there = before or after
    assert there is not None, "an id comes from one of the two runs"
    return ClaimChange(
        id=there.id,
        title=there.title,
        kinds=(before.kind if before else NOTHING, after.kind if after else NOTHING),
        registrations=(
            before.registration if before else NOTHING,
            after.registration if after else NOTHING,
        ),
        hypotheses=tuple(
            _hypotheses(
                before.findings if before else {}, after.findings if after else {}
            )
        ),
    )


def _hypotheses(
    before: Mapping[str, Finding], after: Mapping[str, Finding]
) -> Iterator[HypothesisChange]:
    for name in dict.fromkeys(chain(before, after)):
        old, new = before.get(name), after.get(name)
        there = new or old
        assert there is not None, "a name comes from one of the two runs"
        backends = dict.fromkeys(
            chain(old.effects if old else (), new.effects if new else ())
        )
        yield HypothesisChange(
            label=there.label,
            role=there.role,
            needs=(old.needs if old else NOTHING, new.needs if new else NOTHING),
            kinds=(_kind(old), _kind(new)),
            effects=tuple(_effect(backend, old, new) for backend in backends),
        )


def _kind(finding: Finding | None) -> str:
    return (finding.kind if finding else "") or NOTHING


def _effect(backend: str, old: Finding | None, new: Finding | None) -> EffectChange:
    before = old.effects.get(backend) if old else None
    after = new.effects.get(backend) if new else None
    one_scale = old is not None and new is not None and old.scale == new.scale
    shown_before = old.shown(backend) if old else NOTHING
    shown_after = new.shown(backend) if new else NOTHING
    return EffectChange(
        backend=backend,
        before=shown_before,
        after=shown_after,
        overlap=before.overlaps(after) if before and after and one_scale else None,
        identical=one_scale and before == after,
        alike=one_scale and shown_before == shown_after,
    )
