"""Estimates of the seconds a request will take, from what like requests took."""

from harness.experiment import Request, digest

Likeness = tuple[tuple[str, ...], ...]


def likeness(request: Request) -> Likeness:
    """Kinds that a request belongs to, the closest first: its configuration here; in any backend; its computation."""
    configuration = digest([request.configuration, len(request.replicates)])
    closest = (request.computation, configuration, request.backend)
    return closest, closest[:2], closest[:1]


class Estimates:
    """Mean seconds of the closest kind of which anything is known.

    >>> torch, jax = (Request("harness.x:f", {"width": 64}, (0,), "registered", b, "float32") for b in ("torch", "jax"))
    >>> estimates = Estimates()
    >>> estimates.learn(likeness(torch), 2.0)
    >>> estimates.guess(likeness(jax))
    2.0
    """

    def __init__(self) -> None:
        self._totals: dict[tuple[str, ...], tuple[float, int]] = {}

    def learn(self, kinds: Likeness, seconds: float) -> None:
        """Takes note of what a request took."""
        for kind in kinds:
            total, count = self._totals.get(kind, (0.0, 0))
            self._totals[kind] = total + seconds, count + 1

    def guess(self, kinds: Likeness) -> float | None:
        """Seconds that a request will take; None if nothing like it is known."""
        for kind in kinds:
            if kind in self._totals:
                total, count = self._totals[kind]
                return total / count
        return None
