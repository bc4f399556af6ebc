"""What docs/full-tier.md shows, as Markdown: the plan of the full tier, and how well quick cells are estimated."""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import strict_json, studies
from harness.errors import InvalidInput
from harness.experiment import Request, canonical
from harness.study import Study
from harness.workload import rates
from harness.workload.costs import Cost, Costs, Device, counted_beside
from harness.workload.rates import Rates

CLAIMS = Path("claims")
FILE = "rates.json"
HOUR = 3600.0
NOT_RUN = "not run"
Cell = tuple[str, tuple[int, ...]]
"""What tells cells of one backend apart: a text of computation, configuration, stream and dtype; the replicates."""


def plan_table(folder: Path, sizes: str) -> str:
    """Cells, core hours and hours of a GPU, a row per claim, of the full tier; and what it took, where it ran.

    Args:
        folder: of the quick tier's report, beside which the rates lie; that of the full tier is "full" beside it.
        sizes: of the GPU, "67 3.35": TFLOP/s in float32 and TB/s.

    Raises:
        InvalidInput: if there are no rates, or the sizes are not two numbers above zero.
    """
    fitted = _fitted(folder)
    costs = Costs(fitted, counted_beside(CLAIMS), _device(sizes))
    cells = {
        study.claim.id: {name: _cells(study, "full", name, costs) for name in fitted}
        for study in studies.discover(CLAIMS).values()
        if all(experiment.full for experiment in study.experiments)
    }
    needed = Counter(cell for own in cells.values() for cell in next(iter(own.values())))
    shared = {cell for cell, count in needed.items() if count > 1}
    took = measured(folder.parent / "full" / "run.json")
    rows = [[*_row(claim, own, shared), took.get(claim, NOT_RUN)] for claim, own in cells.items()]
    whole = {name: {cell: cost for own in cells.values() for cell, cost in own[name].items()} for name in fitted}
    names = list(fitted)
    heading = [
        "Claim",
        "Cells per backend",
        "of them shared",
        *(f"Core hours, {name}" for name in names),
        *(f"GPU hours, {name}" for name in names),
        "arithmetic, launches, NumPy",
        "Measured",
    ]
    together = [*_row("**together**, shared cells once", whole, shared), took.get("", NOT_RUN)]
    return _markdown(heading, [*rows, together])


def measured(file: Path) -> dict[str, str]:
    """Claim -> hours of each device class that its cells took, by a run.json; under "" those of the run. {} without it.

    Raises:
        InvalidInput: if the file is no run.json.
    """
    if not file.is_file():
        return {}
    try:
        run = strict_json.parse(file.read_bytes())
        cells = {"": run["cells"], **run["claims"]}
        return {
            claim: ", ".join(f"{hours([seconds])} on {device}" for device, seconds in sorted(own["devices"].items()))
            for claim, own in cells.items()
        }
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise InvalidInput(f"{file} is no record of a run: {error!r}. Write the report again.") from error


def estimates_table(folder: Path, run: Mapping[str, Any]) -> str:
    """What the cells of a recorded quick run took, and what their work says.

    Args:
        folder: of the report that the rates lie beside.
        run: content of its run.json.
    """
    fitted = _fitted(folder)
    costs, rows = Costs(fitted, counted_beside(CLAIMS)), []
    for study in studies.discover(CLAIMS).values():
        if study.claim.id not in run["claims"]:
            continue
        own = run["claims"][study.claim.id]
        found = [cost for name in fitted for cost in _cells(study, "quick", name, costs).values()]
        guess = sum(cost.estimate or 0.0 for cost in found if cost is not None)
        ratio = own["seconds"] / guess if guess else float("nan")
        rows.append([study.claim.id, f"{len(found)}", f"{own['seconds']:.0f}", f"{guess:.0f}", f"{ratio:.2f}"])
    heading = ["Claim", "Cells, all backends", "Took, seconds", "By work, seconds", "Ratio"]
    return _markdown(heading, rows) + "\n" + _checks(fitted)


def _checks(fitted: Mapping[str, Rates]) -> str:
    """How far a cell is off that is left out, by backend and way of estimating."""
    ways = {
        "free": "by work, training runs to its last step or there is none",
        "stopped": "by work, a rule may stop training",
        "likeness": "all, by the most alike cell, as the scheduler",
    }
    rows = [
        [name, words, f"{check.cells}", f"{check.half:.2f}", f"{check.most:.2f}"]
        for name, own in fitted.items()
        for way, words in ways.items()
        if (check := own.checks.get(way))
    ]
    return _markdown(["Backend", "Cells left out, one at a time", "Cells", "Half within", "90 % within"], rows)


def _fitted(folder: Path) -> dict[str, Rates]:
    if not (found := rates.read(folder / FILE)):
        raise InvalidInput(f"There are no rates {folder / FILE}. Fit them: ntk-claims plan --fit {folder / FILE}.")
    return found


def _device(sizes: str) -> Device:
    try:
        tflops, terabytes = map(float, sizes.split())
    except ValueError as error:
        raise InvalidInput(
            f"A plan is of a GPU by two numbers, TFLOP/s in float32 and TB/s, as in <!-- plan of 67 3.35: ... -->; "
            f"got {sizes!r}."
        ) from error
    return Device(tflops, terabytes)


def _cells(study: Study, tier: str, backend: str, costs: Costs) -> dict[Cell, Cost | None]:
    """The cells of a study in one backend. Blocks of one size cost the same, so each size is counted once."""
    found: dict[Cell, Cost | None] = {}
    for experiment in study.experiments:
        scale, first = experiment.tier(tier), experiment.record()
        for configuration in scale.grid:
            kind = canonical([first["measure"], configuration, first["stream"], first["dtype"]])
            by_size: dict[int, Cost | None] = {}
            for block in scale.blocks():
                request = Request(first["measure"], configuration, block, first["stream"], backend, first["dtype"])
                if len(block) not in by_size:
                    by_size[len(block)] = costs.of(request)
                found[kind, block] = by_size[len(block)]
    return found


def _row(title: str, own: Mapping[str, Mapping[Cell, Cost | None]], shared: Collection[Cell]) -> list[str]:
    first = next(iter(own.values()))
    known = [[cost for cost in cells.values() if cost is not None] for cells in own.values()]
    partly = (
        "> " if any(cost is None or cost.estimate is None for cells in own.values() for cost in cells.values()) else ""
    )
    parts = [
        sum(getattr(cost, part) for costs in known for cost in costs) for part in ("arithmetic", "launches", "host")
    ]
    return [
        title,
        f"{len(first)}",
        f"{len(first.keys() & shared)}",
        *(partly + _core_hours(costs) for costs in known),
        *(partly + hours(cost.device for cost in costs) for costs in known),
        ", ".join(hours([part]) for part in parts),
    ]


def _core_hours(costs: Sequence[Cost]) -> str:
    """As estimated, and where it is more, were no rule to stop training."""
    shown, most = hours(cost.estimate or 0.0 for cost in costs), hours(cost.at_most for cost in costs)
    return shown if shown == most else f"{shown} (at most {most})"


def hours(seconds: Iterable[float]) -> str:
    """Hours in two digits, and no less than a tenth.

    >>> hours([3600.0, 1800.0]), hours([36000.0 * 12]), hours([10.0])
    ('1.5', '120', '< 0.1')
    """
    value = sum(seconds) / HOUR
    if value < 0.1:
        return "< 0.1"
    return f"{value:.1f}" if value < 10 else f"{float(f'{value:.2g}'):.0f}"


def _markdown(heading: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heading, ["---", *["---:"] * (len(heading) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
