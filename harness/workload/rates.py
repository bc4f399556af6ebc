"""Rates at which a machine works, fitted to cells that ran there; and the seconds that other cells will take.

    seconds = own (start + macs / rate + numbers / rate + calls / rate + host / rate + draws / rate)

The six rates of a backend are common to all computations, so that they are known from small cells and large ones; they
minimise the errors of ln(seconds), softly, so that a cell that was held up counts little. A computation's own factor is
the median of what is left over in its cells. Where a rule may stop training, that is mostly the part of the steps that
were taken, and each rule has a factor of its own.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass
from pathlib import Path

import numpy as np
from scipy.optimize import least_squares

from harness import strict_json
from harness.errors import InvalidInput
from harness.workload.operations import Work

Kind = tuple[str, str]
"""A computation, and the rule that may stop its training ("": none does)."""
TERMS = ("start", *Work.__dataclass_fields__)
ANY = "*"
"""In the place of a stopping rule: any."""
FEWEST = 20
"""Cells that a fit of the rates must have."""


@dataclass(frozen=True)
class Ran:
    """A cell that ran: its kind, its work and its seconds."""

    kind: Kind
    work: Work
    seconds: float


@dataclass(frozen=True)
class Check:
    """Of so many cells, half were estimated within one factor, and 90 % within the other, of what they took."""

    cells: int
    half: float
    most: float

    @staticmethod
    def of(ratios: Sequence[float]) -> "Check":
        """From what cells, one at least, took over what was estimated.

        >>> Check.of([2.0, 0.5, 1.0])
        Check(cells=3, half=2.0, most=2.0)
        """
        half, most = np.exp(np.quantile(np.abs(np.log(ratios)), [0.5, 0.9])).tolist()
        return Check(len(ratios), round(half, 3), round(most, 3))


@dataclass(frozen=True)
class Rates:
    """Of one backend on one machine.

    Args:
        cost: seconds per start, multiply-add and so on, by TERMS.
        factors: computation -> stopping rule -> its own factor; under ANY, that of all its cells that a rule
            may stop.
        checks: how far cells were off that were left out, if there are any: "free" of stopping rules, "stopped" by one,
            and "likeness", all cells by what the most alike of the others took, as the scheduler estimates.
        machine: the processors of those cells.
    """

    cost: Mapping[str, float]
    factors: Mapping[str, Mapping[str, float]]
    checks: Mapping[str, Check]
    machine: str

    def factor(self, kind: Kind) -> float | None:
        """The computation's own, or 1; None where training may be stopped and none like it ran."""
        computation, rule = kind
        own = self.factors.get(computation, {})
        return own.get(rule, own.get(ANY) if rule else 1.0)

    def seconds(self, kind: Kind, work: Work) -> float | None:
        """Seconds that a cell will take; None where nothing is known about how soon it stops."""
        factor = self.factor(kind)
        return None if factor is None else factor * self.at_rates(work)

    def at_rates(self, work: Work) -> float:
        """Seconds at the rates alone, to the last step of training."""
        return float(np.dot(_terms(work), [self.cost[term] for term in TERMS]))


def fit(ran: Sequence[Ran], machine: str) -> Rates:
    """Rates from cells that ran.

    Raises:
        InvalidInput: if they are too few.
    """
    free = [cell for cell in ran if not cell.kind[1]]
    if len(free) < FEWEST:
        raise InvalidInput(
            f"Rates are fitted to {FEWEST} cells at least, not counting those whose training a rule may stop; of one "
            f"backend there are {len(free)}. Run a tier first: pytest claims."
        )
    cost = _cost(free)
    left_out = [(cell.kind[1], ratio) for n, cell in enumerate(ran) if (ratio := _left_out(ran, n, cost)) is not None]
    checks = {
        name: Check.of(ratios)
        for name, stops in (("free", False), ("stopped", True))
        if (ratios := [ratio for rule, ratio in left_out if bool(rule) == stops])
    }
    return Rates(cost, _factors(ran, cost), checks, machine)


def write(file: Path, rates: Mapping[str, Rates]) -> None:
    """Writes the rates of backends; raises InvalidInput if the file cannot be written."""
    text = json.dumps({name: asdict(own) for name, own in rates.items()}, indent=1)
    try:
        file.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror or error}. Name another file.") from error


def read(file: Path) -> dict[str, Rates]:
    """The rates of backends, none if there is no such file; raises InvalidInput if it holds something else."""
    if not file.is_file():
        return {}
    try:
        found = strict_json.parse(file.read_bytes())
        return {
            backend: Rates(**{**own, "checks": {name: Check(**check) for name, check in own["checks"].items()}})
            for backend, own in found.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(f"{file} holds no rates: {error}. Make it anew: ntk-claims plan --fit {file}.") from error


def _terms(work: Work) -> np.ndarray:
    return np.array([1.0, *astuple(work)])


def _cost(ran: Sequence[Ran]) -> dict[str, float]:
    """Least absolute errors of ln(seconds), rounded off at a factor of e^0.3; positive since fitted as logarithms."""
    terms, seconds = np.array([_terms(cell.work) for cell in ran]), np.array([cell.seconds for cell in ran])
    used = terms.any(axis=0)
    scales = np.median(seconds) / terms.max(axis=0, where=terms > 0, initial=1e-300)

    def errors(logs: np.ndarray) -> np.ndarray:
        return np.asarray(np.log(terms @ (np.exp(logs) * scales * used)) - np.log(seconds))

    found = least_squares(errors, np.zeros(len(TERMS)), loss="soft_l1", f_scale=0.3, bounds=(-15, 15))
    return dict(zip(TERMS, (np.exp(found.x) * scales * used).tolist(), strict=True))


def _factors(ran: Sequence[Ran], cost: Mapping[str, float]) -> dict[str, dict[str, float]]:
    left_over: dict[str, dict[str, list[float]]] = {}
    for cell in ran:
        (computation, rule), missed = cell.kind, _log_ratio(cell, cost)
        for name in (rule, ANY) if rule else ("",):
            left_over.setdefault(computation, {}).setdefault(name, []).append(missed)
    return {
        computation: {rule: float(np.exp(np.median(missed))) for rule, missed in rules.items()}
        for computation, rules in left_over.items()
    }


def _log_ratio(cell: Ran, cost: Mapping[str, float]) -> float:
    return float(np.log(cell.seconds / np.dot(_terms(cell.work), [cost[term] for term in TERMS])))


def _left_out(ran: Sequence[Ran], n: int, cost: Mapping[str, float]) -> float | None:
    """What a cell took over what the factors of the others say; the rates, which hardly depend on it, are those of all.

    None where no other stops as it does.
    """
    computation = ran[n].kind[0]
    others = [other for other in (*ran[:n], *ran[n + 1 :]) if other.kind[0] == computation]
    seconds = Rates(cost, _factors(others, cost), {}, "").seconds(ran[n].kind, ran[n].work)
    return None if seconds is None else ran[n].seconds / seconds
