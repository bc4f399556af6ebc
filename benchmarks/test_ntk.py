"""The race: one timed call per case, round and contestant.

Started by `python -m benchmarks`, once per framework.
"""

from typing import Any

from benchmarks.cases import Case
from benchmarks.field import Entry


def test_race(
    benchmark: Any, case: Case, number: int, contestant: str, entry: Entry
) -> None:
    """Times one call; compilation and the comparison of results came before."""
    benchmark.group = case.name
    benchmark.extra_info |= {
        "case": case.name,
        "round": number,
        "contestant": contestant,
    }
    benchmark.pedantic(entry.run, rounds=1, iterations=1)
