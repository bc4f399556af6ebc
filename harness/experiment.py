"""What is measured for a claim: a computation, its configurations, and the replicates of each tier.

A replicate is one seed: data draw, initial weights and order of minibatches together. Replicates
are numbered, and every arm of a claim and every backend uses the same ones, so comparisons are
paired. A request is what a worker is
asked to do: one configuration, a block of replicates, one backend.
"""

import hashlib
import inspect
import itertools
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from harness.errors import DatasetUnavailable, InvalidInput, NotMeasured

Configuration = dict[str, Any]
TIERS = ("quick", "full")


def canonical(value: Any) -> str:
    """Canonical JSON: sorted keys, no spaces, no NaN.

    Equal values have equal text on every machine.
    """
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256, in hex, of the canonical JSON of a value."""
    return hashlib.sha256(canonical(value).encode()).hexdigest()


def grid(**axes: Any) -> tuple[Configuration, ...]:
    """The product of the axes given as tuples; what is no tuple is the same everywhere.

    >>> grid(width=(64, 128), depth=3)
    ({'width': 64, 'depth': 3}, {'width': 128, 'depth': 3})
    """
    choices = [
        value if isinstance(value, tuple) else (value,) for value in axes.values()
    ]
    return tuple(
        dict(zip(axes, point, strict=True)) for point in itertools.product(*choices)
    )


@dataclass(frozen=True)
class Request:
    """One cell's worth of work. It says what is to be computed, not where or with which versions.

    `computation` is "harness.module:function", or "<paper>/<function>" of a function of
    claims/<paper>. The function takes (backend, configuration, replicates, stream) and returns
    arrays with a leading replicate axis.
    """

    computation: str
    configuration: Configuration
    replicates: tuple[int, ...]
    stream: str
    backend: str
    dtype: str

    @property
    def digest(self) -> str:
        """Names the request; the folder of its cells in the store."""
        return digest(asdict(self))


@dataclass(frozen=True)
class Tier:
    """The grid and the number of replicates at one scale; `block` replicates share a cell (None:
    all of them).
    """

    grid: Sequence[Configuration]
    replicates: int = 10
    block: int | None = None

    def blocks(self) -> Iterator[tuple[int, ...]]:
        """The replicate numbers, cut into blocks."""
        size = self.block or self.replicates
        for start in range(0, self.replicates, size):
            yield tuple(range(start, min(start + size, self.replicates)))


@dataclass(frozen=True)
class Experiment:
    """A computation over a grid, per tier.

    Args:
        measure: the computation, a function at the top level of a module of the harness or of the
            paper.
        quick, full: the tiers; full may be None while a claim has none.
        dtype: precision asked of the backends.
        stream: names the seeds. A configuration that was explored is registered with a fresh
            stream.
    """

    measure: Callable[..., Mapping[str, np.ndarray]]
    quick: Tier
    full: Tier | None = None
    dtype: str = "float32"
    stream: str = "registered"

    def tier(self, name: str) -> Tier:
        """The tier of that name; raises InvalidInput where there is none."""
        tier = getattr(self, name) if name in TIERS else None
        if tier is None:
            defined = [known for known in TIERS if getattr(self, known) is not None]
            raise InvalidInput(
                f"{self.measure.__qualname__} has no tier {name!r}. Defined: {', '.join(defined)}."
            )
        return tier

    def requests(self, tier: str, backend: str) -> list[Request]:
        """Every request of a tier for one backend, in grid order."""
        scale = self.tier(tier)
        return [
            Request(
                reference(self.measure),
                configuration,
                block,
                self.stream,
                backend,
                self.dtype,
            )
            for configuration in scale.grid
            for block in scale.blocks()
        ]

    def own(self, found: Set[str]) -> Set[str]:
        """Which of the configurations found, as canonical JSON, are this experiment's.

        One tier's: the larger that is wholly there. So a cell of the quick tier that another
        experiment asks for at the full tier is not this experiment's there.
        """
        grids = [
            {canonical(cell) for cell in tier.grid}
            for name in TIERS
            if (tier := getattr(self, name)) is not None
        ]
        whole = [grid for grid in grids if grid and grid <= found]
        return whole[-1] if whole else set().union(*grids) & found

    def record(self) -> dict[str, Any]:
        """What registration freezes of this experiment, as JSON values."""
        tiers = {
            name: asdict(tier)
            for name in TIERS
            if (tier := getattr(self, name)) is not None
        }
        return {
            "measure": reference(self.measure),
            "dtype": self.dtype,
            "stream": self.stream,
            "tiers": tiers,
        }


def reference(function: Callable[..., Any]) -> str:
    """The stable name of a computation: "harness.module:function", or "<paper>/<function>" of one
    of a paper's own.

    It says nothing of the place of the claims folder, nor of the paper's file that holds the
    function; `harness.papers` finds it.
    """
    module = function.__module__
    if module.split(".")[0] == "harness":
        return f"{module}:{function.__qualname__}"
    source = Path(inspect.getsourcefile(inspect.unwrap(function)) or "").absolute()
    return f"{source.parent.name}/{function.__qualname__}"


@dataclass(frozen=True)
class Absent:
    """In place of an effect: it could not be measured, since a data set is not there; the reason
    says which.
    """

    reason: str


@dataclass(frozen=True)
class Measurements:
    """The measured arrays of one backend, to be asked experiment by experiment.

    Args:
        cells: requests and what was measured.
        absent: configurations whose data set is not there, and which one that is.
    """

    cells: Sequence[tuple[Request, Mapping[str, np.ndarray]]] = field(
        default_factory=tuple
    )
    absent: Sequence[tuple[Configuration, str]] = ()

    @property
    def backend(self) -> str:
        """The backend that measured; "" where nothing was measured."""
        return next((request.backend for request, _ in self.cells), "")

    def __getitem__(self, experiment: Experiment) -> "Measured":
        """What was measured of one experiment, to be asked by quantity and configuration.

        Raises:
            NotMeasured: if nothing of the experiment was measured or found absent, as where the
                tier leaves it out.
        """
        named = reference(experiment.measure), experiment.dtype, experiment.stream
        cells: dict[
            tuple[str, tuple[int, ...]], tuple[Request, Mapping[str, np.ndarray]]
        ] = {}
        for request, arrays in self.cells:
            if (request.computation, request.dtype, request.stream) == named:
                # Once, though two experiments ask for it.
                cells[canonical(request.configuration), request.replicates] = (
                    request,
                    arrays,
                )
        absent = {canonical(cell): (cell, reason) for cell, reason in self.absent}
        own = experiment.own(
            {configuration for configuration, _ in cells} | absent.keys()
        )
        cells = {key: cell for key, cell in cells.items() if key[0] in own}
        absent = {
            configuration: one
            for configuration, one in absent.items()
            if configuration in own
        }
        if not cells and not absent:
            raise NotMeasured(
                f"Nothing was measured of the experiment on {experiment.measure.__qualname__!r}."
            )
        return Measured(
            experiment.measure.__qualname__,
            tuple(cells.values()),
            tuple(absent.values()),
        )


@dataclass(frozen=True)
class Measured:
    """The measured arrays of one experiment of a claim, in one backend.

    Args:
        name: of the computation, for messages.
        cells: requests and what was measured.
        absent: configurations whose data set is not there, and which one that is.
    """

    name: str
    cells: Sequence[tuple[Request, Mapping[str, np.ndarray]]]
    absent: Sequence[tuple[Configuration, str]] = ()

    def __call__(self, quantity: str, **where: Any) -> np.ndarray:
        """The quantity in the one configuration that has exactly these values: float64,
        (replicates, ...).

        Keys that are left out may have any value, as long as one configuration alone matches.

        Raises:
            DatasetUnavailable: if that configuration was not measured, since its data set is not
                there.
            InvalidInput: for a key or quantity that the experiment lacks, and if no or several
                configurations match.
        """
        chosen = self.configurations(**where)
        if len(chosen) != 1:
            known = map(canonical, chosen) if chosen else self._axes(where)
            listed = "\n  ".join(known)
            raise InvalidInput(
                f"{quantity!r} of {self.name!r} at {where} must name one configuration; "
                f"{len(chosen)} match:\n  {listed}"
            )
        return self.exactly(quantity, chosen[0])

    def select(self, quantity: str, **where: Any) -> Callable[..., np.ndarray]:
        """The quantity as a function of the keys that are still open.

        `select(quantity, depth=3)(width=64)` is `self(quantity, depth=3, width=64)`.
        """
        return lambda **more: self(quantity, **where, **more)

    def exactly(self, quantity: str, configuration: Configuration) -> np.ndarray:
        """The quantity in this configuration, given whole: float64, (replicates, ...).

        Raises:
            DatasetUnavailable, InvalidInput: as a call does.
        """
        wanted = canonical(configuration)
        reasons = [reason for cell, reason in self.absent if canonical(cell) == wanted]
        if reasons:
            raise DatasetUnavailable(reasons[0])
        blocks = [
            cell for cell in self.cells if canonical(cell[0].configuration) == wanted
        ]
        if not blocks:
            raise InvalidInput(
                f"The experiment on {self.name!r} has no configuration {wanted}."
            )
        if any(quantity not in arrays for _, arrays in blocks):
            known = sorted({name for _, arrays in blocks for name in arrays})
            raise InvalidInput(
                f"{self.name!r} measures no {quantity!r}. It measures: {', '.join(known)}."
            )
        blocks.sort(key=lambda block: block[0].replicates)
        return np.concatenate(
            [np.asarray(arrays[quantity], dtype=np.float64) for _, arrays in blocks]
        )

    def configurations(self, **where: Any) -> list[Configuration]:
        """The configurations with exactly these values, measured or absent, each once, in plan
        order.

        Raises:
            InvalidInput: for a key that no configuration of the experiment has.
        """
        planned = [request.configuration for request, _ in self.cells] + [
            cell for cell, _ in self.absent
        ]
        distinct = list({canonical(cell): cell for cell in planned}.values())
        self._check_keys(where, distinct)
        wanted = {key: canonical(value) for key, value in where.items()}
        return [
            cell
            for cell in distinct
            if all(
                key in cell and canonical(cell[key]) == value
                for key, value in wanted.items()
            )
        ]

    def axis(self, key: str, **where: Any) -> list[Any]:
        """The values that a key has in the configurations that match, sorted, each once.

        Raises:
            InvalidInput: as `configurations` does.
        """
        self._check_keys((key,), self.configurations())
        return sorted(
            {cell[key] for cell in self.configurations(**where) if key in cell}
        )

    def _axes(self, keys: Iterable[str]) -> Iterator[str]:
        """Each key, and the values that it has in the experiment."""
        for key in keys:
            values = dict.fromkeys(
                canonical(cell[key]) for cell in self.configurations() if key in cell
            )
            yield f"{key} may be {', '.join(values)}"

    def _check_keys(
        self, asked: Iterable[str], configurations: Sequence[Configuration]
    ) -> None:
        keys = sorted({key for cell in configurations for key in cell})
        unknown = [key for key in asked if key not in keys]
        if unknown:
            raise InvalidInput(
                f"The experiment on {self.name!r} has no {unknown[0]!r}. Its configurations have: "
                f"{', '.join(keys)}."
            )
