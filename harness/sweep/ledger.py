"""The books of a run: what became of each request so far, and how long the rest will take."""

import time
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass

from harness.experiment import Request
from harness.sweep.cell import Cell
from harness.sweep.estimates import Estimates, Forecast, Prior, likeness, nothing_known
from harness.sweep.progress import Status
from harness.sweep.store import Failure

REFRESH = 1.0


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
        prior: seconds that a request is expected to take before any was computed.
    """

    def __init__(
        self, requests: Mapping[str, Request], prior: Prior = nothing_known
    ) -> None:
        self.outcomes: dict[str, Outcome] = {}
        self._estimates = Estimates()
        self._forecast = Forecast(requests, prior)
        self.slots = 1
        self._counts: Counter[str] = Counter()
        self._planned = len(requests)
        self._waiting = dict(requests)
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

    def status(self, notices: tuple[str, ...], ended: bool = False) -> Status:
        """How far the run is."""
        now = time.monotonic()
        if now - self._refreshed > REFRESH:
            self._left, self._refreshed = self._time_left(), now
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

    def _time_left(self) -> float | None:
        """Seconds until the last cell that waits or runs is done; None before anything is known."""
        guesses = [self._forecast.seconds(name) for name in self._waiting]
        known = [guess for guess in guesses if guess is not None]
        if guesses and not known:
            return None
        # Nothing is known of some only before the first cell without a prior is done; each counts
        # as the mean then.
        total = sum(known) * len(guesses) / max(len(known), 1)
        # the last cell has no help
        return max(total / self.slots, max(known, default=0.0))
