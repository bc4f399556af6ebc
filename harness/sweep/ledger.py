"""The books of a run: what became of each request so far, and how long the rest will take."""

import time
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from heapq import heapify, heappop, heappush

from harness.experiment import Request
from harness.sweep.cell import Cell
from harness.sweep.estimates import NOTHING_KNOWN, Estimates, Forecast, Prior, likeness
from harness.sweep.progress import Status
from harness.sweep.store import Failure

REFRESH = 1.0
LEARNED = 0.1
"""Part of the whole work from which on the time left is shown: this machine's pace is known then.
"""
OVERDUE = 0.25
"""A request that runs longer than expected is expected to go on for this part of what it took."""


@dataclass(frozen=True)
class Outcome:
    """What became of a request: a cell, or a failure, or neither if the deadline came first."""

    request: Request
    cell: Cell | None = None
    failure: Failure | None = None
    cached: bool = False

    @property
    def lacks(self) -> str:
        """Which data set was not there, if that is why there is no cell; else ""."""
        return (
            ""
            if self.failure is None or self.failure.kind != "data"
            else self.failure.traceback.partition("\n")[0]
        )

    @property
    def kind(self) -> str:
        """ "cached", "done", "failed" or "unfinished"."""
        if self.cell is not None:
            return "cached" if self.cached else "done"
        return "unfinished" if self.failure is None else "failed"


class Ledger:
    """Outcomes by the digest of their request.

    Args:
        requests: by their digest.
        prior: what a recorded run took.
    """

    def __init__(
        self, requests: Mapping[str, Request], prior: Prior = NOTHING_KNOWN
    ) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._estimates = Estimates()
        self._forecast = Forecast(requests, prior)
        self.slots = 1
        self._counts: Counter[str] = Counter()
        self._planned = len(requests)
        self._waiting = dict(requests)
        self._started: dict[str, float] = {}
        self._learned = 0.0
        self._left: float | None = None
        self._refreshed = float("-inf")
        self.estimate: float | None = None
        self._begun: float | None = None

    def begin(self, slots: int) -> None:
        """What is still waiting is computed from now on, so many cells at a time; estimates how
        long that will take.
        """
        self.slots, self._begun = slots, time.monotonic()
        self.estimate = self._time_left()

    @property
    def seconds(self) -> float:
        """Since computing began; 0 if nothing had to be computed."""
        return 0.0 if self._begun is None else time.monotonic() - self._begun

    def enter(self, name: str, outcome: Outcome) -> None:
        """Books the outcome of a request, and learns from what it took."""
        request = self._waiting.pop(name)
        self.outcomes[name] = outcome
        self._counts[outcome.kind] += 1
        if outcome.cell is not None:
            self._estimates.learn(likeness(request), outcome.cell.provenance.seconds)
            self._forecast.learn(name, outcome.cell.provenance.seconds)
            self._learned += outcome.cell.provenance.seconds

    def remember(self, request: Request, seconds: float) -> None:
        """Takes note of what a recorded answer of other code or versions took."""
        self._estimates.learn(likeness(request), seconds)
        self._forecast.remember(request.digest, seconds)

    def foreseen(self, request: Request) -> float:
        """Seconds that a request is expected to take before any was computed, by a recorded answer
        or the prior; 0 if nothing is known.
        """
        return self._forecast.seconds(request.digest) or 0.0

    def expected(self, request: Request) -> float | None:
        """Seconds that a request will take, by what like ones took; None if nothing like it was
        computed.
        """
        return self._estimates.guess(likeness(request))

    def started(self, request: Request) -> None:
        """Takes note that an attempt at a request begins now."""
        self._started[request.digest] = time.monotonic()

    def status(self, notices: tuple[str, ...], ended: bool = False) -> Status:
        """How far the run is."""
        now = time.monotonic()
        if now - self._refreshed > REFRESH:
            self._left, self._refreshed = self._shown(), now
        counts = self._counts
        return Status(
            self._planned,
            counts["cached"],
            counts["done"],
            counts["failed"],
            self._left,
            notices,
            ended,
        )

    def _shown(self) -> float | None:
        """The time left; None before a tenth of the work taught this machine's pace."""
        rest = self._rest()
        if rest is None or self._learned < LEARNED * (
            self._learned + sum(rest.values())
        ):
            return None
        return self._ended(rest)

    def _time_left(self) -> float | None:
        """Seconds until the last cell that waits or runs is done; None before anything is known."""
        rest = self._rest()
        return None if rest is None else self._ended(rest)

    def _ended(self, rest: Mapping[str, float]) -> float:
        """Seconds until all is done: a slot takes on the next request of its backend, else of the
        backend with most requests, as engines do; the last cell has no help.
        """
        running = [name for name in rest if name in self._started][: self.slots]
        slots = [(rest[name], self._waiting[name].backend) for name in running]
        queues: dict[str, deque[float]] = {}
        for name in (name for name in rest if name not in running):
            queues.setdefault(self._waiting[name].backend, deque()).append(rest[name])
        return makespan(slots, queues, self.slots)

    def _rest(self) -> dict[str, float] | None:
        """Seconds that each request that waits or runs still takes; None before anything is
        known.
        """
        now = time.monotonic()
        rest = {name: self._still(name, now) for name in self._waiting}
        known = [seconds for seconds in rest.values() if seconds is not None]
        if rest and not known:
            return None
        # Nothing is known of some only before the first cell without a prior is done; each counts
        # as the mean then.
        mean = sum(known) / max(len(known), 1)
        return {
            name: mean if seconds is None else seconds for name, seconds in rest.items()
        }

    def _still(self, name: str, now: float) -> float | None:
        """Seconds that a request still takes: less than expected if it runs; None if unknown."""
        expected = self._forecast.seconds(name)
        taken = now - self._started.get(name, now)
        return None if expected is None else max(expected - taken, OVERDUE * taken)


def makespan(
    running: Sequence[tuple[float, str]],
    queues: Mapping[str, deque[float]],
    slots: int,
) -> float:
    """Seconds until all is done.

    Args:
        running: seconds and backend of what runs, at most `slots` of them.
        queues: by backend, the seconds of what waits, in order; emptied.
        slots: how many requests run at a time.

    >>> makespan([(3.0, "jax")], {"torch": deque([1.0, 1.0, 5.0])}, slots=2)
    7.0
    """
    names = list(queues)
    idle = slots - len(running)
    free = list(running)
    free += [(0.0, names[index % len(names)]) for index in range(idle) if names]
    heapify(free)
    while any(queues.values()):
        now, backend = heappop(free)
        if not queues.get(backend):
            backend = max(queues, key=lambda name: len(queues[name]))
        heappush(free, (now + queues[backend].popleft(), backend))
    return max((seconds for seconds, _ in free), default=0.0)
