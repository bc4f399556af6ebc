"""What keeps a claim from the verdict that its primary effects would have: gates and the family."""

from collections.abc import Mapping
from typing import Any

from harness.numerals import p_equals


def obstacles(claim: Mapping[str, Any]) -> tuple[str, ...]:
    """In a few words each: the gates that failed, and p after Holm where that took SUPPORTED away.

    Args:
        claim: an entry of "claims" in verdicts.json.

    >>> obstacles({
    ...     "gates": [{"name": "trained", "failures": {"torch": "4 of 10 were not", "jax": ""}}],
    ...     "verdict": {"kind": "INCONCLUSIVE", "alone": "INCONCLUSIVE", "p_family": None},
    ... })
    ('gate “trained” failed',)
    """
    verdict = claim["verdict"]
    failed = [gate["name"] for gate in claim["gates"] if any(gate["failures"].values())]
    taken = verdict["alone"] == "SUPPORTED" and verdict["kind"] == "INCONCLUSIVE"
    family = (f"{p_equals(verdict['p_family'])} after Holm",) if taken else ()
    return (*(f"gate “{name}” failed" for name in failed), *family)
