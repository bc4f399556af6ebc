"""Runs as they are compared: what verdicts.json and run.json say, in values to be relied on."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from math import exp, inf
from pathlib import Path
from typing import Any

from harness import strict_json
from harness.errors import InvalidInput
from harness.numerals import LARGEST_LOGARITHM, needs, with_interval
from harness.report.versions import READ, in_words
from harness.verdict import Kind

Json = Mapping[str, Any]
AGAIN = "Write that report again from its store: pytest claims --replay --store DIR."


@dataclass(frozen=True)
class Effect:
    """Mean and Student's t interval of level 1 - 2 alpha in one backend; None for a number that is
    not finite.
    """

    mean: float | None
    low: float | None
    high: float | None

    def overlaps(self, other: "Effect") -> bool | None:
        """Whether the two intervals have a number in common; None where an end is missing.

        >>> (
        ...     Effect(1.0, 0.5, 1.5).overlaps(Effect(2.0, 1.5, 2.5)),
        ...     Effect(1.0, 0.5, 1.5).overlaps(Effect(2.0, 1.6, 2.4)),
        ... )
        (True, False)
        """
        if (
            self.low is None
            or self.high is None
            or other.low is None
            or other.high is None
        ):
            return None
        return self.low <= other.high and other.low <= self.high


@dataclass(frozen=True)
class Finding:
    """What a run found on one hypothesis.

    Args:
        name, label, role, scale: as registered.
        rule, margin: the kind of the rule, and its margin in the units of the effect.
        needs: what the rule asks for, in words, on the scale readers are shown.
        kind: the verdict, "" where nothing was decided.
        effects: by backend, in the units of the effect.
    """

    name: str
    label: str
    role: str
    scale: str
    rule: str
    margin: float
    needs: str
    kind: str
    effects: Mapping[str, Effect]

    def on_scale(self, value: float) -> float:
        """A value of the effect as readers are shown it: a ratio where effects are logarithms."""
        if self.scale != "ratio":
            return value
        return exp(value) if value < LARGEST_LOGARITHM else inf

    def shown(self, backend: str) -> str:
        """Mean and interval in one backend, for readers; an en dash where there is none."""
        effect = self.effects.get(backend)
        if effect is None:
            return "–"
        return with_interval(
            {"mean": effect.mean, "low": effect.low, "high": effect.high}, self.scale
        )


@dataclass(frozen=True)
class Judged:
    """One claim of a run; `registration` is the digest of what was registered."""

    id: str
    title: str
    kind: str
    registration: str
    findings: Mapping[str, Finding]


@dataclass(frozen=True)
class Run:
    """One run.

    Args:
        path: of its verdicts.json.
        tier, backends: of the run.
        claims: by id, in the order of the report.
        environment: "torch: numpy" -> version, and so on.
        finished: when, in UTC; None without a run.json that says so.
    """

    path: Path
    tier: str
    backends: tuple[str, ...]
    claims: Mapping[str, Judged]
    environment: Mapping[str, str]
    finished: datetime | None

    def describe(self) -> str:
        """Tier, backends and date in a line."""
        when = (
            f"finished {self.finished:%Y-%m-%d %H:%M} UTC"
            if self.finished
            else "of unknown date (no run.json)"
        )
        return f"{self.tier} tier, {' and '.join(self.backends)}, {when}"


def read(place: str | Path) -> Run:
    """The run whose report lies in a folder, or whose verdicts.json is this file.

    Raises:
        InvalidInput: if it cannot be read, has another version of the format, or is no
            verdicts.json.
    """
    place = Path(place)
    path = place / "verdicts.json" if place.is_dir() else place
    document = _json(path)
    version = document.get("version") if isinstance(document, dict) else None
    if version not in READ:
        raise InvalidInput(
            f"{path} has version {version!r} of the format; this program reads {in_words(READ)}, "
            "and "
            f"compares no others. {AGAIN}"
        )
    try:
        return _run(path, document)
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InvalidInput(
            f"{path} is not what verdicts.schema.json asks for ({type(error).__name__}: {error}). "
            f"{AGAIN}"
        ) from error


def of_claims(run: Run, ids: Collection[str]) -> Run:
    """A run with these claims alone, of those that it has."""
    return replace(
        run, claims={name: claim for name, claim in run.claims.items() if name in ids}
    )


def _json(path: Path) -> Any:
    try:
        return strict_json.load(path)
    except (OSError, ValueError) as error:
        raise InvalidInput(
            f"{path} cannot be read as the verdicts of a run: {error}. Name the folder of a "
            "report, "
            "or its verdicts.json."
        ) from error


def _run(path: Path, document: Json) -> Run:
    return Run(
        path=path,
        tier=str(document["tier"]),
        backends=tuple(map(str, document["backends"])),
        claims={
            str(claim["id"]): _judged(claim, document["backends"])
            for claim in document["claims"]
        },
        environment={
            f"{section}: {name}": str(value)
            for section, facts in document["environment"].items()
            for name, value in facts.items()
        },
        finished=_finished(path.with_name("run.json")),
    )


def _judged(claim: Json, backends: Sequence[str]) -> Judged:
    findings = {
        str(hypothesis["name"]): _finding(hypothesis, backends)
        for hypothesis in claim["hypotheses"]
    }
    kind = Kind(claim["verdict"]["kind"]).value
    return Judged(
        str(claim["id"]),
        str(claim["title"]),
        kind,
        str(claim["registration"]),
        findings,
    )


def _finding(hypothesis: Json, backends: Sequence[str]) -> Finding:
    rule, verdict = hypothesis["rule"], hypothesis["verdict"]
    found = verdict["backends"] if verdict else {}
    in_order = [name for name in dict.fromkeys([*backends, *found]) if name in found]
    return Finding(
        name=str(hypothesis["name"]),
        label=str(hypothesis["label"]),
        role=str(hypothesis["role"]),
        scale=str(hypothesis["scale"]),
        rule=str(rule["kind"]),
        margin=float(rule["margin"]),
        needs=needs(hypothesis),
        kind=Kind(verdict["kind"]).value if verdict else "",
        effects={str(name): _effect(found[name]) for name in in_order},
    )


def _effect(values: Json) -> Effect:
    return Effect(
        *(
            None if values[end] is None else float(values[end])
            for end in ("mean", "low", "high")
        )
    )


def _finished(path: Path) -> datetime | None:
    """When a run finished, in UTC; a time without zone is taken as UTC."""
    try:
        when = datetime.fromisoformat(strict_json.load(path)["finished"])
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return when.replace(tzinfo=UTC) if when.tzinfo is None else when.astimezone(UTC)
