"""Estimates of the seconds a request will take: what like requests took, at today's pace."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from harness.experiment import Request, digest

Kind = tuple[str, ...]
Likeness = tuple[Kind, ...]
ANY: Kind = ()
"""The kind of every request."""
MACHINE: Kind = ("",)
"""What kinds of all computations of a backend begin with."""
STORED, SAME, LIKE, NONE = "stored", "same", "like", "none"
"""Where the expected seconds of a request may come from, the best first; see `Forecast`."""


def likeness(request: Request) -> Likeness:
    """Kinds that a request belongs to, the closest first: its configuration; that in any backend;
    its computation.
    """
    shape = [request.configuration, request.dtype, len(request.replicates)]
    configuration = digest(shape)
    closest = (request.computation, configuration, request.backend)
    return closest, closest[:2], closest[:1]


class Estimates:
    """Mean seconds of the closest kind of which anything is known.

    >>> torch, jax = (
    ...     Request("harness.x:f", {"width": 64}, (0,), "registered", b, "float32")
    ...     for b in ("torch", "jax")
    ... )
    >>> estimates = Estimates()
    >>> estimates.learn(likeness(torch), 2.0)
    >>> estimates.guess(likeness(jax))
    2.0
    """

    def __init__(self) -> None:
        self._totals: dict[tuple[str, ...], tuple[float, float]] = {}

    def learn(self, kinds: Likeness, seconds: float) -> None:
        """Takes note of what a request took."""
        for kind in kinds:
            total, count = self._totals.get(kind, (0.0, 0.0))
            self._totals[kind] = total + seconds, count + 1

    def guess(self, kinds: Likeness) -> float | None:
        """Seconds that a request will take; None if nothing like it is known."""
        for kind in kinds:
            if kind in self._totals:
                total, count = self._totals[kind]
                return total / count
        return None


class Prior:
    """What requests took in a recorded run, on whatever machine.

    Streams and seeds play no part: a claim that is verified again on fresh seeds computes the same
    for as long.

    Args:
        recorded: requests, and the seconds that each took.

    >>> wide, fresh, other = (
    ...     Request(f"harness.x:{f}", {"width": 64}, (0,), stream, "torch", "float32")
    ...     for f, stream in (("f", "registered"), ("f", "registered-2"), ("g", "registered"))
    ... )
    >>> prior = Prior([(wide, 8.0)])
    >>> prior.same(fresh), prior.same(other), prior.like(other)
    (8.0, None, 8.0)
    """

    def __init__(self, recorded: Iterable[tuple[Request, float]] = ()) -> None:
        self._same, self._like = Estimates(), Estimates()
        for request, seconds in recorded:
            closest, _, computation = likeness(request)
            in_backend = (*computation, request.backend)
            self._same.learn((closest,), seconds)
            self._like.learn((in_backend, computation, ANY), seconds)

    def same(self, request: Request) -> float | None:
        """Mean seconds of this configuration in this backend; None where it was not recorded."""
        return self._same.guess(likeness(request)[:1])

    def like(self, request: Request) -> float | None:
        """Mean seconds of this computation in this backend, else in any, else of all cells; None
        where nothing was recorded.
        """
        computation = (request.computation,)
        return self._like.guess(
            ((request.computation, request.backend), computation, ANY)
        )


NOTHING_KNOWN = Prior()
"""The prior of those who know nothing."""


@dataclass(frozen=True)
class Source:
    """What says how long a request takes.

    Args:
        name: one of STORED, SAME, LIKE, NONE.
        expected: seconds that it says.
        kinds: that the request belongs to, the closest last.
    """

    name: str
    expected: float
    kinds: tuple[Kind, ...]


class Forecast:
    """Seconds of the requests that still wait.

    Each of a request's sources says what the request was expected to take: a recorded answer of
    this store to the same request, computed by other code or versions; the same configuration in
    the recorded run; the like of it there; or nothing, for which each counts 1. The first source
    that a request has is multiplied by its pace: what was computed took over what that source said
    of it. The pace of all is corrected by that of the backend, of the computation, and so on to
    the closest kind. At each step the pace so far counts as much as one such request, so a short
    cell says little of a long one; where nothing was expected, the closest kind alone counts.

    Args:
        requests: by their digest; those are the names that the methods take.
        prior: what a recorded run took.

    >>> wide, narrow = (
    ...     Request("harness.x:f", {"width": w}, (0,), "registered", "torch", "float32")
    ...     for w in (64, 8)
    ... )
    >>> forecast = Forecast({"wide": wide, "narrow": narrow}, Prior([(wide, 8.0), (narrow, 8.0)]))
    >>> forecast.learn("narrow", 24.0)
    >>> forecast.seconds("wide")  # the pace is (24 + 8) / (8 + 8)
    16.0
    """

    def __init__(
        self, requests: Mapping[str, Request], prior: Prior = NOTHING_KNOWN
    ) -> None:
        self._requests, self._prior = requests, prior
        self._stored: dict[str, float] = {}
        self._done: dict[tuple[str, Kind], tuple[float, float]] = {}
        self._known: dict[str, list[Source]] = {}

    def remember(self, name: str, seconds: float) -> None:
        """Takes note of a recorded answer to a request that will be computed again; the last one
        counts.
        """
        self._stored[name] = seconds
        self._known.pop(name, None)

    def learn(self, name: str, seconds: float) -> None:
        """Takes note of what a request took."""
        for source in self._sources(name):
            for kind in source.kinds:
                took, of = self._done.get((source.name, kind), (0.0, 0.0))
                self._done[source.name, kind] = took + seconds, of + source.expected

    def seconds(self, name: str) -> float | None:
        """Seconds that a request will take; None if unknown, and none was computed."""
        source = self._sources(name)[0]
        weight = 0.0 if source.name == NONE else source.expected
        pace, counted = 1.0, (0.0, 0.0)
        for kind in source.kinds:
            took, of = self._computed(source.name, kind)
            if of and (took, of) != counted:  # the same requests are not counted twice
                pace = (took + pace * weight) / (of + weight)
                counted = took, of
        known = weight or any(counted)
        return pace * source.expected if known else None

    def _computed(self, source: str, kind: Kind) -> tuple[float, float]:
        """What requests of a kind took, and what the source had said of them.

        The machine's pace is told by requests whose own configuration was recorded, if there are
        any: what the mean of others said of a request is no measure of the machine.
        """
        if source == LIKE and kind[:1] in (ANY, MACHINE) and (SAME, kind) in self._done:
            source = SAME
        return self._done.get((source, kind), (0.0, 0.0))

    def _sources(self, name: str) -> list[Source]:
        """What says how long a request takes, the best one first."""
        if name not in self._known:
            request = self._requests[name]
            said = {
                STORED: self._stored.get(name),
                SAME: self._prior.same(request),
                LIKE: self._prior.like(request),
                NONE: 1.0,
            }
            self._known[name] = [
                Source(source, seconds, _kinds(request, source))
                for source, seconds in said.items()
                if seconds
            ]
        return self._known[name]


def _kinds(request: Request, source: str) -> tuple[Kind, ...]:
    """Kinds that a request belongs to, that of all requests first and the closest last.

    Of a configuration that a source knows, kinds are of one backend: each has a pace of its own.
    """
    closest, configuration, computation = likeness(request)
    backend, in_backend = (*MACHINE, request.backend), (*computation, request.backend)
    if source in (STORED, SAME):
        return ANY, backend, in_backend, closest
    return ANY, backend, computation, in_backend, configuration, closest
