"""Questions to a record: who took how long, who was best, how far from the floor."""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

import numpy as np

from benchmarks.contestant import COPY, OURS, PRODUCT, YARDSTICKS
from benchmarks.record import Record

Row = dict[str, Any]


@dataclass(frozen=True)
class Race:
    """A record with its medians."""

    record: Record

    @cached_property
    def entries(self) -> dict[tuple[str, str, str], Row]:
        """(case, framework, contestant) -> entry."""
        return {
            (row["case"], row["framework"], row["contestant"]): row
            for row in self.record["entries"]
        }

    def cases(self, **where: Any) -> list[str]:
        """Names of the cases whose facts are these, ladders left out."""
        return [
            name
            for name, facts in self.record["cases"].items()
            if not facts["ladder"]
            and all(facts[key] == value for key, value in where.items())
        ]

    def facts(self, case: str) -> Row:
        """What the record says of a case."""
        return self.record["cases"][case]

    def time(self, case: str, framework: str, contestant: str = OURS) -> float | None:
        """Median over rounds, s; None: not raced."""
        row = self.entries.get((case, framework, contestant))
        return median(row["times"]) if row and row["times"] else None

    def spread(self, case: str, framework: str, contestant: str = OURS) -> float:
        """Distance of the quartiles over the median."""
        times = self.entries[case, framework, contestant]["times"]
        low, high = np.quantile(times, (0.25, 0.75))
        return float((high - low) / median(times))

    def peers(self, case: str) -> Iterator[Row]:
        """Entries of a case that are neither ours nor a yardstick."""
        for row in self.record["entries"]:
            if (
                row["case"] == case
                and not row["contestant"].startswith(OURS)
                and row["contestant"] not in YARDSTICKS
            ):
                yield row

    def best_peer(self, case: str) -> tuple[str, str] | None:
        """(framework, contestant) of the fastest peer that is right; None: there is none."""
        raced = [
            row for row in self.peers(case) if row["status"] == "raced" and row["times"]
        ]
        best = min(raced, key=lambda row: median(row["times"]), default=None)
        return None if best is None else (best["framework"], best["contestant"])

    def ratio(
        self, case: str, framework: str, peer: tuple[str, str] | None
    ) -> float | None:
        """Time of a peer over ours in a framework."""
        theirs, ours = peer and self.time(case, *peer), self.time(case, framework)
        return theirs / ours if theirs and ours else None

    def floor(self, case: str, framework: str) -> float | None:
        """The least time at this process's rates of matrix products and of memory, s."""
        product, copy = (
            self.time(case, framework, PRODUCT),
            self.time(case, framework, COPY),
        )
        if (
            product is None
            or copy is None
            or self.facts(case)["subject"] != "empirical"
        ):
            return None
        facts, yardstick = self.facts(case), self.record["yardstick"]
        compute = facts["floor_flops"] * product / yardstick["flops"]
        return max(
            compute, facts["floor_bytes"] * copy / yardstick["bytes"][facts["dtype"]]
        )

    def fraction(self, case: str, framework: str) -> float | None:
        """Floor over our time."""
        floor, ours = self.floor(case, framework), self.time(case, framework)
        return floor / ours if floor and ours else None

    def error(self, case: str, framework: str) -> float | None:
        """Relative error of ours; in float64 the least difference to a peer, since ours is the
        reference there.
        """
        if self.facts(case)["dtype"] == "float64":
            errors = [
                row["error"]
                for row in self.peers(case)
                if row["framework"] == framework
            ]
            return min((error for error in errors if error is not None), default=None)
        row = self.entries.get((case, framework, OURS))
        return None if row is None else row["error"]

    def exponents(self, framework: str) -> Iterator[tuple[str, str, str, float, float]]:
        """(ladder, axis, range, exponent of our time, of the floor's operations): least squares in
        logarithms.
        """
        ladders: dict[tuple[str, str], list[tuple[int, float, float]]] = {}
        for case, facts in self.record["cases"].items():
            seconds = self.time(case, framework)
            if facts["ladder"] and seconds:
                name, axis, value = facts["ladder"]
                ladders.setdefault((name, axis), []).append(
                    (value, seconds, facts["floor_flops"])
                )
        for (name, axis), points in ladders.items():
            value, time, flops = (
                np.log([point[i] for point in points]) for i in range(3)
            )
            if len(points) > 1:
                span = f"{points[0][0]} to {points[-1][0]}"
                yield (
                    name,
                    axis,
                    span,
                    float(np.polyfit(value, time, 1)[0]),
                    float(np.polyfit(value, flops, 1)[0]),
                )

    def beyond_result(self, framework: str, contestant: str, case: str) -> float:
        """Peak memory above the start of a run, less the result, MB; NaN: not measured."""
        for row in self.record["memory"]:
            measured = row["peak_bytes"] is not None
            if measured and (row["framework"], row["contestant"], row["case"]) == (
                framework,
                contestant,
                case,
            ):
                return (row["peak_bytes"] - self.facts(case)["result_bytes"]) / 1e6
        return math.nan
