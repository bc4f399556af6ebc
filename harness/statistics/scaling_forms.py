"""The forms of a scaling law, each split into what a fit solves for and what it searches."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal, get_args

import numpy as np

from harness.errors import InvalidInput
from harness.statistics.intervals import Floats

Form = Literal["power", "power+floor"]
FORMS: tuple[Form, ...] = get_args(Form)

STEEPEST = 5.0
"""Largest exponent searched beside a floor: ten times a usual one; beyond, one size alone stands
above the floor.
"""

FLAT = 1e-3
"""Largest share of the error at the largest size that must not be floor: below, there is nothing
left to fit.
"""


@dataclass(frozen=True)
class Law:
    """One form: log E = offset(searched) + basis(searched) @ linear, everything as a function of x
    = log n.

    Args:
        free: number of parameters.
        bounds: x -> lower and upper bounds of the searched parameters.
        model: searched, x -> offset (K,), basis (K, number of linear parameters).
        parameters: searched, linear, x -> the parameters by name.
    """

    free: int
    bounds: Callable[[Floats], tuple[list[float], list[float]]]
    model: Callable[[Floats, Floats], tuple[Floats, Floats]]
    parameters: Callable[[Floats, Floats, Floats], dict[str, float]]

    def project(self, searched: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats]:
        """Residuals of y = log E after the linear parameters are solved for, and these."""
        offset, basis = self.model(searched, x)
        linear = np.asarray(np.linalg.lstsq(basis, y - offset)[0], dtype=np.float64)
        return y - offset - basis @ linear, linear


def _power(searched: Floats, x: Floats) -> tuple[Floats, Floats]:
    return np.zeros_like(x), np.stack([np.ones_like(x), -x], axis=1)


def _with_floor(searched: Floats, x: Floats) -> tuple[Floats, Floats]:
    b, share = searched
    return np.log((1 - share) * np.exp(-b * (x - x[-1])) + share), np.ones((len(x), 1))


def _floor_parameters(searched: Floats, linear: Floats, x: Floats) -> dict[str, float]:
    (b, share), at_largest = searched, np.exp(linear[0])
    return {
        "a": (1 - share) * at_largest * np.exp(b * x[-1]),
        "b": b,
        "c": share * at_largest,
    }


LAWS: Mapping[str, Law] = MappingProxyType(
    {
        "power": Law(
            2,
            lambda x: ([], []),
            _power,
            lambda _, linear, x: {"a": np.exp(linear[0]), "b": linear[1]},
        ),
        "power+floor": Law(
            3,
            lambda x: ([0.0, 0.0], [STEEPEST, 1 - FLAT]),
            _with_floor,
            _floor_parameters,
        ),
    }
)


def fewest_sizes(form: Form) -> int:
    """One size more than the form has parameters; raises InvalidInput for an unknown form."""
    if form not in FORMS:
        raise InvalidInput(f"Unknown form {form!r}. Forms: {', '.join(FORMS)}.")
    return LAWS[form].free + 1
