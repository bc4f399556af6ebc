"""What an engine is, and how one is found: a file `<name>_engine.py` here, with a class `Engine`.

An engine turns tasks into cells in a store. It decides where and when; what a worker does is the
same under each.
"""

import importlib
import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol, Self

from harness.errors import InvalidInput
from harness.experiment import Request
from harness.papers import CLAIMS
from harness.sweep.cell import Circumstances
from harness.sweep.store import Failure

RAY_ADDRESS = (
    "head of the Ray cluster for --engine ray "
    "(default: RAY_ADDRESS, else a cluster on this machine)"
)
GPUS_PER_CELL = (
    "GPUs of each cell with --engine ray, 0.5 for two cells on one "
    "(default: 1 where there are GPUs)"
)


@dataclass(frozen=True)
class Settings:
    """What every engine is told.

    Args:
        store: the store's folder, which the workers write to.
        device: "auto", "cpu" or "cuda".
        workers: how many at a time; None lets the engine choose.
        time_limit: seconds a cell may take.
        deadline: POSIX time after which nothing runs; None for no end. Engines ask `left`, which
            keeps to the seconds that were left at the start however the clock is set meanwhile.
        memory_limit: bytes of data a worker on the CPU may hold; None for no limit.
        ray_address: HOST:PORT of a Ray cluster; None for RAY_ADDRESS, or a cluster of this
            machine's own.
        gpus_per_cell: of each cell on Ray, fractions too; None for 1 where there are GPUs.
        claims: folder that holds the papers' folders, where the workers find the papers'
            computations.
    """

    store: Path
    device: str = "auto"
    workers: int | None = None
    time_limit: float = 3600.0
    deadline: float | None = None
    memory_limit: int | None = None
    ray_address: str | None = None
    gpus_per_cell: float | None = None
    claims: Path = CLAIMS
    _end: float = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        left = math.inf if self.deadline is None else self.deadline - time.time()
        object.__setattr__(self, "_end", time.monotonic() + left)

    def left(self) -> float:
        """Seconds until the deadline; infinity without one, negative after it."""
        return self._end - time.monotonic()


@dataclass(frozen=True)
class Task:
    """One cell to be computed; `attempt` counts from 1."""

    request: Request
    circumstances: Circumstances
    attempt: int = 1


@dataclass(frozen=True)
class Result:
    """The end of one attempt: a stored cell (failure None), or a failure, after which the engine
    may try `again`.
    """

    task: Task
    failure: Failure | None = None
    again: bool = False


class Books(Protocol):
    """What an engine asks and tells while it computes; called by several threads."""

    def expected(self, request: Request) -> float | None:
        """Seconds that a request will take; None if nothing is known."""

    def started(self, request: Request) -> None:
        """An attempt at a request begins now."""


class Engine(Protocol):
    """Computes tasks. A context manager: on leaving, whatever still runs is stopped at once."""

    def __init__(self, settings: Settings) -> None: ...

    def __enter__(self) -> Self: ...

    def __exit__(self, *exception: object) -> None: ...

    def start(self, backends: Sequence[str]) -> dict[str, str]:
        """Proves that each backend is there and gives the device class it runs on; raises
        BackendUnavailable.
        """

    def slots(self) -> int:
        """How many tasks run at a time, once started."""

    def compute(self, tasks: Sequence[Task], books: Books) -> Iterator[Result | None]:
        """Results as they come, and None about once a second, so that progress can be shown.

        A task that, by the books, would not end before the deadline is not started, and has no
        result. The books are told when an attempt begins.
        """


def available() -> tuple[str, ...]:
    """Names of the engines.

    >>> "local" in available()
    True
    """
    return tuple(
        sorted(
            path.name.removesuffix("_engine.py")
            for path in Path(__file__).parent.glob("*_engine.py")
        )
    )


def get(name: str) -> type[Engine]:
    """The engine class of that name; raises InvalidInput where there is none.

    >>> get("local").__name__
    'Engine'
    """
    if name not in available():
        raise InvalidInput(
            f"Unknown engine {name!r}. Available: {', '.join(available())}."
        )
    engine: type[Engine] = importlib.import_module(
        f"harness.sweep.{name}_engine"
    ).Engine
    return engine
