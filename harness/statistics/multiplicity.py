"""Several claims of one family, tested together: Holm's step-down correction (Holm 1979)."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from harness.errors import InvalidInput


def holm(p: Sequence[float], size: int | None = None) -> NDArray[np.float64]:
    """Holm-adjusted p, in the order given, over a family of `size` members (None: only those
    given).

    The i-th smallest p becomes max over j <= i of min(1, (size - j + 1) p_(j)).
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
    order = np.argsort(values)
    steps = np.arange(members, members - len(values), -1)
    adjusted = np.empty_like(values)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps * values[order]), 1)
    return adjusted
