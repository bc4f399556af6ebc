"""What each cell of a plan will cost: seconds of a core by fitted rates, and of a GPU by its data sheet.

The GPU's are a conversion under stated assumptions, never a measurement.
"""

import importlib.util
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from harness.errors import InvalidInput
from harness.experiment import Request, digest
from harness.workload.computations import Counted, stopping, work
from harness.workload.operations import Work
from harness.workload.rates import Rates

SHARE = 0.25
"""Of a GPU's peak, in arithmetic and in memory, that these operations are taken to reach."""
LAUNCH = 1e-5
"""Seconds that a GPU takes for an operation, however small."""
BYTES = 4
OWN = "work.py"
"""The file beside the claims that counts the work of their own computations."""


@dataclass(frozen=True)
class Device:
    """A GPU by its data sheet: peak TFLOP/s in float32 without tensor cores, and TB/s of its memory."""

    tflops: float
    terabytes: float

    def __post_init__(self) -> None:
        if not (self.tflops > 0 and self.terabytes > 0):
            raise InvalidInput(
                f"A device has a peak and a bandwidth above zero, in TFLOP/s and TB/s; got {self.tflops:g} and "
                f"{self.terabytes:g}."
            )

    def arithmetic(self, done: Work) -> float:
        """Seconds of arithmetic or of traffic with memory, whichever is more."""
        return max(2 * done.macs / self.tflops, BYTES * done.numbers / self.terabytes) / (SHARE * 1e12)


@dataclass(frozen=True)
class Cost:
    """Seconds of a cell. `estimate` is None where nothing is known about how soon its training stops.

    Args:
        estimate: of a core.
        at_most: the same, were training to go on to its last step.
        arithmetic, launches, host: of a GPU, of launching operations on it, and of NumPy beside it.
    """

    estimate: float | None
    at_most: float
    arithmetic: float = 0.0
    launches: float = 0.0
    host: float = 0.0

    @property
    def device(self) -> float:
        """Seconds for which a GPU is held, if nothing overlaps."""
        return self.arithmetic + self.launches + self.host


@dataclass(frozen=True)
class Costs:
    """Costs of requests.

    Args:
        rates: of each backend, see `harness.workload.rates`.
        own: counts of the claims' own computations, see `counted_beside`.
        device: a GPU, if times on one are wanted.
    """

    rates: Mapping[str, Rates]
    own: Mapping[str, Counted]
    device: Device | None = None
    _known: dict[str, Cost | None] = field(default_factory=dict)

    def of(self, request: Request) -> Cost | None:
        """The cost of a request; None where its work is counted nowhere, or its backend has no rates."""
        name = digest([request.computation, request.configuration, len(request.replicates), request.backend])
        if name not in self._known:
            self._known[name] = self._cost(request)
        return self._known[name]

    def _cost(self, request: Request) -> Cost | None:
        rates, done = self.rates.get(request.backend), work(request, self.own)
        if rates is None or done is None:
            return None
        kind = request.computation, stopping(request.configuration)
        estimate = rates.seconds(kind, done)
        at_most = rates.at_rates(done) if kind[1] or estimate is None else estimate
        cost = Cost(estimate, at_most)
        if self.device is None:
            return cost
        taken = min(1.0, rates.factor(kind) or 1.0) if kind[1] else 1.0
        host = rates.at_rates(Work(host=done.host, draws=done.draws))
        return Cost(
            cost.estimate, cost.at_most, taken * self.device.arithmetic(done), taken * LAUNCH * done.calls, host
        )


def counted_beside(claims: Path) -> Mapping[str, Counted]:
    """COUNTED of `work.py` in the folder of the claims; empty without one.

    Raises:
        InvalidInput: if it cannot be loaded, or names no COUNTED.
    """
    file = claims / OWN
    spec = importlib.util.spec_from_file_location("claims_work", file)
    if not file.is_file() or spec is None or spec.loader is None:
        return {}
    module = importlib.util.module_from_spec(spec)
    try:
        spec.loader.exec_module(module)
        counted: Mapping[str, Counted] = module.COUNTED
    except Exception as error:  # whatever a file of someone else raises
        raise InvalidInput(
            f"{file} cannot be loaded: {type(error).__name__}: {error}. It counts the work of the claims' own "
            "computations: COUNTED = {computation: function of (configuration, replicates)}."
        ) from error
    return counted
