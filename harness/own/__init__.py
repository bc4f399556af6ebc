"""Networks of one's own: modules and pairs as networks, their linearisation, and the edge of
stability.

The claims need none of it, so editing it makes none of their cells stale.
"""

from harness.own.functions import from_module, from_pair, linearised
from harness.own.stability import (
    edge_of_stability,
    flatten_outputs,
    flow_time,
    linearised_prediction,
)

__all__ = [
    "edge_of_stability",
    "flatten_outputs",
    "flow_time",
    "from_module",
    "from_pair",
    "linearised",
    "linearised_prediction",
]
