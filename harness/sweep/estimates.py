"""Estimates of the seconds a request will take: what like requests took, at today's pace."""

from collections.abc import Callable, Mapping

from harness.experiment import Request, digest

Likeness = tuple[tuple[str, ...], ...]
Prior = Callable[[Request], float | None]
"""Seconds that a request is expected to take, on whatever machine; None where nothing is known."""
ANY: tuple[str, ...] = ()
"""The kind of every request."""


def likeness(request: Request) -> Likeness:
    """Kinds that a request belongs to, the closest first: its configuration here; in any backend;
    its computation.
    """
    configuration = digest([request.configuration, len(request.replicates)])
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

    def learn(self, kinds: Likeness, seconds: float, expected: float = 1.0) -> None:
        """Takes note of what a request took; with what was `expected`, means are ratios of the one
        to the other.
        """
        for kind in kinds:
            total, count = self._totals.get(kind, (0.0, 0.0))
            self._totals[kind] = total + seconds, count + expected

    def guess(self, kinds: Likeness) -> float | None:
        """Seconds that a request will take; None if nothing like it is known."""
        for kind in kinds:
            if kind in self._totals:
                total, count = self._totals[kind]
                return total / count
        return None


def nothing_known(request: Request) -> None:
    """The prior of those who know nothing."""


class Forecast:
    """Seconds of the requests that still wait.

    Each of a request's sources says what the request was expected to take: a recorded answer of
    this store to the same request, computed by other code or versions; the prior; or nothing, for
    which each counts 1. The first source that a request has is multiplied by its pace: what the
    most alike requests took over what that source said of them.

    Args:
        requests: by their digest; those are the names that the methods take.
        prior: of any request.

    >>> wide, narrow, other = (
    ...     Request(f"harness.x:{f}", {"width": w}, (0,), "registered", "torch", "float32")
    ...     for f, w in (("f", 64), ("f", 8), ("g", 8))
    ... )
    >>> known = {64: 8.0, 8: 1.0}
    >>> forecast = Forecast(
    ...     {"wide": wide, "narrow": narrow},
    ...     lambda request: known[request.configuration["width"]],
    ... )
    >>> forecast.learn("narrow", 3.0)
    >>> forecast.seconds("wide")
    24.0
    """

    def __init__(
        self, requests: Mapping[str, Request], prior: Prior = nothing_known
    ) -> None:
        self._requests, self._prior = requests, prior
        self._recorded: dict[str, float] = {}
        self._paces = {source: Estimates() for source in ("recorded", "prior", "none")}
        self._known: dict[str, tuple[Likeness, Mapping[str, float]]] = {}

    def remember(self, name: str, seconds: float) -> None:
        """Takes note of a recorded answer to a request that will be computed again; the last one
        counts.
        """
        self._recorded[name] = seconds
        self._known.pop(name, None)

    def learn(self, name: str, seconds: float) -> None:
        """Takes note of what a request took."""
        kinds, sources = self._sources(name)
        for source, expected in sources.items():
            self._paces[source].learn(kinds, seconds, expected)

    def seconds(self, name: str) -> float | None:
        """Seconds that a request will take; None if unknown, and none was computed."""
        kinds, sources = self._sources(name)
        source, expected = next(iter(sources.items()))
        pace = self._paces[source].guess(kinds)
        if pace is None:
            return None if source == "none" else expected
        return pace * expected

    def _sources(self, name: str) -> tuple[Likeness, Mapping[str, float]]:
        """The kinds of a request, and what each of its sources says, the best one first."""
        if name not in self._known:
            request = self._requests[name]
            said = {
                "recorded": self._recorded.get(name),
                "prior": self._prior(request),
                "none": 1.0,
            }
            sources = {source: seconds for source, seconds in said.items() if seconds}
            self._known[name] = (*likeness(request), ANY), sources
        return self._known[name]
