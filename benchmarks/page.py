"""docs/performance.md from a record: tables and one figure, nothing but what the record says."""

import json
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from statistics import median

from benchmarks.contestant import OURS, YARDSTICKS
from benchmarks.figure import drawn
from benchmarks.goals import outcomes
from benchmarks.race import Race

FIGURE = "performance.svg"
COLUMNS = (  # heading, framework, contestants of which the fastest is shown
    ("NT structured", "jax", ("NT STRUCTURED_DERIVATIVES",)),
    ("NT contraction", "jax", ("NT JACOBIAN_CONTRACTION",)),
    ("NT products", "jax", ("NT NTK_VECTOR_PRODUCTS",)),
    ("NT auto", "jax", ("NT AUTO",)),
    ("torch.func", "torch", ("torch.func",)),
    ("nngeometry", "torch", ("nngeometry",)),
    ("asdfghjkl", "torch", ("asdfghjkl",)),
)


QUANTITY = re.compile(r"\b\d+(?:\.\d+)?(?= (?:GB|times))")
"""The number in a reason that differs from case to case."""

CAUSES = Path(__file__).with_name("causes.md")
"""What profiles say of the goals that are missed; written by hand, since no table knows it."""


def write(record: Path, folder: Path) -> Path:
    """Writes performance.md and its figure; returns the former."""
    race = Race(json.loads(record.read_text(encoding="utf-8")))
    (folder / FIGURE).write_text(drawn(race), encoding="utf-8")
    page = folder / "performance.md"
    page.write_text(text(race, record.name), encoding="utf-8")
    return page


def text(race: Race, source: str) -> str:
    """The page; `source` is the file name of the record."""
    sections = (
        heading(race, source),
        "## Goals\n\n" + goals(race),
        "### Why goals are missed\n\n" + CAUSES.read_text(encoding="utf-8").strip(),
        "## Empirical NTK\n\n" + empirical(race),
        f"![Times over the floor]({FIGURE})\n\nTimes in multiples of the floor of the same "
        "process; left is better.",
        "## Infinite width and regression\n\n" + closed(race),
        "## Cost exponents\n\n" + exponents(race),
        "## Peak memory\n\n" + memory(race),
        "## Not raced\n\n" + left_out(race),
        "## Rates behind the floor\n\n" + rates(race),
        f"## Versions\n\nThis project at {race.record['revision']}; "
        + ", ".join(
            f"{name} {version}"
            for name, version in race.record["versions"].items()
            if version
        )
        + ".",
    )
    return "\n\n".join(sections) + "\n"


def heading(race: Race, source: str) -> str:
    """What was done, where."""
    record, machine = race.record, race.record["machine"]
    reduced = (
        "**These are the numbers of a reduced run** (`--quick`): few cases, few rounds.\n\n"
        * record["reduced"]
    )
    threads = "one thread" if record["device"] == "cpu" else "one GPU"
    return (
        "# Performance\n\n"
        f"Generated from `reports/benchmarks/{source}` by `python -m benchmarks page`; measured by "
        "`tox run -e bench`."
        f"\n\n{reduced}{machine['name']}, {record['date']}, {threads} for every party, "
        f"{record['clock']}, medians over "
        "rounds A B C, A B C, ... in one process per framework; ours is `empirical_ntk` from NumPy "
        "array to NumPy "
        "array. Same networks, weights, inputs and dtype for all. Every result was compared with "
        "ours in float64 "
        "before it was timed.\n\nThe floor is the time of the structured form's multiply-adds (one "
        "forward pass, one "
        "backward pass per output, per layer the cheaper of two products with the exact symmetric "
        "half) at the rate of "
        "matrix products measured in the same process between the rounds, or of its memory traffic "
        "at the rate of a "
        f"copy if that is longer. Quartiles of our times are up to {100 * spread(race):.0f} % of "
        "the median apart."
    )


def spread(race: Race) -> float:
    """The largest distance of quartiles over medians among our times."""
    ours = [
        row
        for row in race.record["entries"]
        if row["contestant"] == OURS and len(row["times"]) > 1
    ]
    return max(
        (race.spread(row["case"], row["framework"]) for row in ours), default=0.0
    )


def goals(race: Race) -> str:
    """The goals, met or missed by their worst case."""
    rows = []
    for goal, framework, worst in outcomes(race):
        bound = f"{'≥' if goal.at_least else '≤'} {goal.bound:g}"
        if worst is None:
            rows.append((goal.text, framework, bound, "–", "not measured"))
        else:
            verdict = "met" if goal.met(worst[0]) else "**missed**"
            rows.append(
                (goal.text, framework, bound, f"{worst[0]:.4g} ({worst[1]})", verdict)
            )
    return table(("Goal", "Backend", "Bound", "Worst case", ""), rows) + (
        "\n\nRatios to a party of the other framework compare two processes. In float32 a ReLU "
        "whose input is zero up "
        "to rounding may be on where it is off in float64; that changes one sample's row by about "
        "1e-5, and of the "
        "peers those that round alike have the same error."
    )


def empirical(race: Race) -> str:
    """Times of everybody, ratios to the best correct peer, fractions of the floor."""
    names = race.cases(subject="empirical")
    rows = []
    for case in names:
        peer = race.best_peer(case)
        rows.append(
            (
                case,
                *(
                    milliseconds(race.time(case, framework))
                    for framework in ("torch", "jax")
                ),
                *(
                    shown(race, case, framework, names)
                    for _, framework, names in COLUMNS
                ),
                *(
                    number(race.ratio(case, framework, peer))
                    for framework in ("torch", "jax")
                ),
                *(
                    number(race.fraction(case, framework))
                    for framework in ("torch", "jax")
                ),
            )
        )
    header = (
        "Case",
        "ours, torch",
        "ours, jax",
        *(column for column, _, _ in COLUMNS),
        "best peer / torch",
        "best peer / jax",
        "floor / torch",
        "floor / jax",
    )
    return (
        "Milliseconds. Ratios are times of the best correct peer of either framework over ours: "
        "above 1 we are faster."
        "\n\n" + table(header, rows)
    )


def shown(race: Race, case: str, framework: str, names: Sequence[str]) -> str:
    """A peer's time, or what became of it."""
    row = race.entries.get((case, framework, names[0]))
    if row is None or row["status"] == "refused":
        return "–"
    return (
        milliseconds(race.time(case, framework, names[0]))
        if row["status"] == "raced"
        else row["status"]
    )


def closed(race: Race) -> str:
    """Everything that is no empirical kernel: one row per case and party."""
    rows = [
        (
            row["case"],
            row["framework"],
            row["contestant"],
            milliseconds(race.time(row["case"], row["framework"], row["contestant"])),
        )
        for case in race.cases()
        if race.facts(case)["subject"] != "empirical"
        for row in race.record["entries"]
        if row["case"] == case and row["times"] and row["contestant"] not in YARDSTICKS
    ]
    return table(("Case", "Framework", "Party", "Milliseconds"), rows)


def exponents(race: Race) -> str:
    """Slopes of logarithms."""
    rows = [
        (ladder, axis, span, framework, f"{ours:.2f}", f"{floor:.2f}")
        for framework in ("torch", "jax")
        for ladder, axis, span, ours, floor in race.exponents(framework)
    ]
    if not rows:
        return "Not measured in this run."
    return table(
        ("Ladder", "Axis", "From, to", "Backend", "Time", "Floor's operations"), rows
    )


def memory(race: Race) -> str:
    """Peaks above the start of a second run, in a process of its own."""
    rows = [
        (
            row["case"],
            row["framework"],
            row["contestant"],
            "died" if row["peak_bytes"] is None else f"{row['peak_bytes'] / 1e6:.0f}",
            f"{race.facts(row['case'])['result_bytes'] / 1e6:.1f}",
        )
        for row in race.record["memory"]
    ]
    if not rows:
        return "Not measured in this run."
    return (
        "MB above the start of the second run in a process of its own; the result is part of "
        "it.\n\n" + table(("Case", "Framework", "Party", "Peak", "Result"), rows)
    )


def left_out(race: Race) -> str:
    """Who did not race, and why: the wrong and the failed one by one, refusals by party and kind of
    reason.
    """
    refusals: dict[tuple[str, str], list[str]] = {}
    lines = []
    for row in race.record["entries"]:
        if (
            race.facts(row["case"])["subject"] != "empirical"
            or race.facts(row["case"])["ladder"]
        ):
            continue
        if row["status"] in ("wrong", "failed"):
            lines.append(
                f"- {row['contestant']}, {row['case']}: {row['status']}: {row['reason']}."
            )
        if row["status"] == "refused" and row["contestant"] != "NT kernel_fn":
            kind = QUANTITY.sub("{}", row["reason"])
            refusals.setdefault((row["contestant"], kind), []).append(row["reason"])
    lines += [
        f"- {name} does not enter {_cases(reasons)}."
        for (name, _), reasons in refusals.items()
    ]
    return "\n".join(lines) or "Nobody was left out."


def _cases(reasons: Sequence[str]) -> str:
    """How many cases, and the reason that they share, with the range of its number where it has
    one.
    """
    count = f"{len(reasons)} case{'s' * (len(reasons) > 1)}"
    numbers = sorted(
        {float(found[0]) for reason in reasons if (found := QUANTITY.search(reason))}
    )
    span = (
        " to ".join(
            f"{number:g}" for number in dict.fromkeys((numbers[0], numbers[-1]))
        )
        if numbers
        else ""
    )
    return f"{count}: {QUANTITY.sub(span, reasons[0]) if span else reasons[0]}"


def rates(race: Race) -> str:
    """Matrix products and copies of each process: what the floors were taken from."""
    flops, moved = race.record["yardstick"]["flops"], race.record["yardstick"]["bytes"]
    rows = []
    for framework in ("torch", "jax"):
        for dtype in ("float32", "float64"):
            cases = race.cases(subject="empirical", dtype=dtype)
            product, copy = (
                [
                    time
                    for case in cases
                    if (time := race.time(case, framework, yardstick)) is not None
                ]
                for yardstick in YARDSTICKS
            )
            if product and copy:
                rates = (
                    f"{flops / median(product) / 1e9:.0f}",
                    f"{moved[dtype] / median(copy) / 1e9:.0f}",
                )
                rows.append((framework, dtype, *rates))
    return table(("Process", "Dtype", "Matrix products, GFLOP/s", "Copies, GB/s"), rows)


def milliseconds(seconds: float | None) -> str:
    """Three digits."""
    return (
        "–"
        if seconds is None
        else f"{1000 * seconds:.3g}"
        if seconds < 1
        else f"{1000 * seconds:.0f}"
    )


def number(value: float | None) -> str:
    """Two decimals."""
    return "–" if value is None else f"{value:.2f}"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
