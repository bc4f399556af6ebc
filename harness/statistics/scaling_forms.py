"""The forms of a scaling law; that with a floor, split into what a fit solves for and searches."""

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

BOUNDS = ([0.0, 0.0], [STEEPEST, 1 - FLAT])
"""Lowest and highest searched parameters: the exponent b, and the floor's share s of the error at
the largest size.
"""


def project(searched: Floats, x: Floats, y: Floats) -> tuple[Floats, Floats]:
    """Residuals of y = log E after log E(n_K) is solved for, and this, shape (1,); x = log n.

    log E = log E(n_K) + log((1 - s) exp(-b (x - x_K)) + s)
    """
    b, share = searched
    offset = np.log((1 - share) * np.exp(-b * (x - x[-1])) + share)
    basis = np.ones((len(x), 1))
    level = np.asarray(np.linalg.lstsq(basis, y - offset)[0], dtype=np.float64)
    return y - offset - basis @ level, level


def parameters(searched: Floats, level: Floats, x: Floats) -> dict[str, float]:
    """The law's a, b and c."""
    (b, share), at_largest = searched, np.exp(level[0])
    return {
        "a": float((1 - share) * at_largest * np.exp(b * x[-1])),
        "b": float(b),
        "c": float(share * at_largest),
    }


def fewest_sizes(form: Form) -> int:
    """One size more than the form has parameters; raises InvalidInput for an unknown form."""
    if form not in FORMS:
        raise InvalidInput(f"Unknown form {form!r}. Forms: {', '.join(FORMS)}.")
    return 3 if form == "power" else 4
