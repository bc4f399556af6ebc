"""A fault: what it is, how it is planted, and what came of it."""

import random
from collections.abc import Callable
from dataclasses import dataclass

from tests.verify.faults.bench import Bench

Plant = Callable[[Bench, random.Random], int]


@dataclass(frozen=True)
class Fault:
    """A fault and the function that plants it.

    Args:
        name: unique, in words.
        planted: how it is planted and what must come of it, beyond a rerun with the verdicts of an
            undisturbed run.
        plant: takes a fresh bench and a source of random moments, plants, lets a rerun complete;
            how often it planted. Raises NotSurvived, or Skipped where this machine cannot.
        rarely: whether it is planted a tenth as often as the others, since nothing of it is left to
            chance.
    """

    name: str
    planted: str
    plant: Plant
    rarely: bool = True


class Skipped(Exception):
    """Why a fault cannot be planted on this machine."""


@dataclass(frozen=True)
class Outcome:
    """How often a fault was planted and survived, what was lost or computed twice, and what went
    wrong.
    """

    fault: Fault
    times: int = 0
    survived: int = 0
    lost: int = 0
    twice: int = 0
    skipped: str = ""
    notes: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it was planted, and survived each time with nothing lost and nothing computed
        twice.
        """
        return 0 < self.times == self.survived and not self.lost and not self.twice
