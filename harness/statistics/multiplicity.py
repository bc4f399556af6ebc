"""Several claims of one family, tested together: Holm's step-down correction (Holm 1979)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from statsmodels.stats.multitest import multipletests

from harness.errors import InvalidInput


def holm(p: Sequence[float], size: int | None = None) -> NDArray[np.float64]:
    """Holm-adjusted p, in the order given, over a family of `size` members (None: only those
    given).

    Members that did not run count with p = 1, so running a part of a family never makes a claim
    easier to support.

    >>> holm([0.01, 0.02], size=5)
    array([0.05, 0.08])

    Raises:
        InvalidInput: if a p is outside [0, 1] or NaN, or there are more of them than the family has
            members.
    """
    values = np.asarray(p, dtype=np.float64)
    members = len(values) if size is None else size
    if len(values) > members:
        raise InvalidInput(
            f"A family of {members} cannot have {len(values)} p-values; correct its registered "
            "size."
        )
    if not np.all((values >= 0) & (values <= 1)):
        raise InvalidInput(f"Every p must lie in [0, 1]; got {list(p)}.")
    if not members:
        return values
    padded = np.concatenate([values, np.ones(members - len(values))])
    adjusted: NDArray[np.float64] = multipletests(padded, method="holm")[1][
        : len(values)
    ]
    return adjusted
