"""Many runs in their order in time: per claim the verdicts, and what happened between two runs."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from pathlib import Path
from string import ascii_lowercase

from harness.errors import InvalidInput
from harness.report.runs import Finding, Judged, Run, read


@dataclass(frozen=True)
class Unreadable:
    """A run that is not part of the history, and why."""

    path: Path
    reason: str


@dataclass(frozen=True)
class Event:
    """What a run is the first to show.

    Args:
        when: the run finished.
        mark: in the figure: 1, 2, ... for a change of verdict; a, b, ... for one of versions or
            registration.
        words: what changed.
    """

    when: datetime
    mark: str
    words: str

    @property
    def of_verdict(self) -> bool:
        """Whether the claim's verdict changed."""
        return self.mark.isdigit()


@dataclass(frozen=True)
class Point:
    """One claim in one run."""

    when: datetime
    judged: Judged


@dataclass(frozen=True)
class Timeline:
    """One claim at one tier: its runs, oldest first, and what happened between them."""

    id: str
    title: str
    tier: str
    backends: tuple[str, ...]
    points: tuple[Point, ...]
    events: tuple[Event, ...]

    @property
    def latest(self) -> Judged:
        """The claim in the newest run."""
        return self.points[-1].judged

    @property
    def primary(self) -> tuple[Finding, ...]:
        """The primary hypotheses of the newest run."""
        return tuple(
            finding
            for finding in self.latest.findings.values()
            if finding.role == "primary"
        )

    def marks(self, when: datetime) -> str:
        """The marks of a run."""
        return ", ".join(event.mark for event in self.events if event.when == when)


@dataclass(frozen=True)
class History:
    """The runs that could be read, oldest first, those that could not, and a timeline per tier and
    claim.
    """

    runs: tuple[Run, ...]
    unreadable: tuple[Unreadable, ...]
    timelines: tuple[Timeline, ...]

    @property
    def dates(self) -> tuple[datetime, ...]:
        """When the runs finished."""
        return tuple(run.finished for run in self.runs if run.finished)


def collect(folders: Sequence[Path]) -> History:
    """The history of these runs; one that cannot be read, or says no date, is named and left out.

    Raises:
        InvalidInput: if none can be read.
    """
    runs, unreadable = [], []
    for folder in dict.fromkeys(folders):
        try:
            run = read(folder)
            if run.finished is None:
                raise InvalidInput(
                    f"{run.path.with_name('run.json')} does not say when this run finished."
                )
            runs.append(run)
        except InvalidInput as error:
            unreadable.append(Unreadable(folder, str(error)))
    if not runs:
        raise InvalidInput(
            f"None of {len(unreadable)} runs can be read. The first: {unreadable[0].reason}"
        )
    runs.sort(key=lambda run: (run.finished, run.path.as_posix()))
    return History(tuple(runs), tuple(unreadable), tuple(_timelines(runs)))


def _timelines(runs: Sequence[Run]) -> Iterator[Timeline]:
    """A timeline for each tier and claim, in the order of the newest run that has it."""
    keys = dict.fromkeys(
        (run.tier, claim) for run in reversed(runs) for claim in run.claims
    )
    for tier, claim in keys:
        own = [run for run in runs if run.tier == tier and claim in run.claims]
        points = tuple(
            Point(run.finished, run.claims[claim]) for run in own if run.finished
        )
        yield Timeline(
            id=claim,
            title=points[-1].judged.title,
            tier=tier,
            backends=tuple(
                dict.fromkeys(
                    backend for run in reversed(own) for backend in run.backends
                )
            ),
            points=points,
            events=tuple(_events(own, claim)),
        )


def _events(runs: Sequence[Run], claim: str) -> Iterator[Event]:
    verdicts = others = 0
    for before, after in pairwise(runs):
        old, new = before.claims[claim], after.claims[claim]
        assert after.finished is not None, "runs without a date were left out"
        if old.kind != new.kind:
            verdicts += 1
            yield Event(after.finished, str(verdicts), f"{old.kind} became {new.kind}")
        changes = [
            *_versions(before.environment, after.environment),
            *_registered(old, new),
        ]
        if changes:
            yield Event(after.finished, _letters(others), "; ".join(changes))
            others += 1


def _versions(before: Mapping[str, str], after: Mapping[str, str]) -> Iterator[str]:
    for name in dict.fromkeys([*before, *after]):
        old, new = before.get(name, "none"), after.get(name, "none")
        if old != new:
            yield f"{name} {old} became {new}"


def _registered(before: Judged, after: Judged) -> Iterator[str]:
    if before.registration != after.registration:
        yield f"registration {before.registration[:12]} became {after.registration[:12]}"


def _letters(number: int) -> str:
    """a, b, ... z, aa, ab, ...

    >>> [_letters(number) for number in (0, 25, 26, 27)]
    ['a', 'z', 'aa', 'ab']
    """
    more, last = divmod(number, len(ascii_lowercase))
    return (_letters(more - 1) if more else "") + ascii_lowercase[last]
