"""When two sets of numbers agree, and what is said where they do not."""

from collections.abc import Iterator

import numpy as np

TOLERANCE = 1e-10
REPEATED = "empirical by "  # the same kernel by the library's other implementations

Arrays = dict[str, np.ndarray]


def compared(name: str, ours: Arrays, theirs: Arrays) -> Iterator[str]:
    """A line for each entry that disagrees: the network, the entry, and the worst place with both
    values.
    """
    for key, reference in theirs.items():
        mine = ours["empirical" if key.startswith(REPEATED) else key]
        if mine.shape != reference.shape:
            yield f"{name}: {key}: ours has shape {mine.shape}, neural-tangents' {reference.shape}."
            continue
        error = np.linalg.norm(mine - reference) / np.linalg.norm(reference)
        if not error <= TOLERANCE:
            place = np.unravel_index(np.argmax(np.abs(mine - reference)), mine.shape)
            values = (
                f"{list(map(int, place))}: ours {mine[place]:.17g}, "
                f"neural-tangents {reference[place]:.17g}"
            )
            yield f"{name}: {key}: off by {error:.1e} (allowed {TOLERANCE:.0e}); worst at {values}."
