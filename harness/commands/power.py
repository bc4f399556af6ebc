"""`ntk-claims power`: the power of every claim and hypothesis, and the seeds that 0.9 takes."""

import argparse
import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from harness.commands.calibrate import measured_effects, seeds_of
from harness.commands.options import (
    added,
    aligned,
    claims_options,
    family_sizes,
    prove_writable,
    report_folder,
    report_option,
    selected,
    tier_option,
    write_text,
)
from harness.errors import InvalidInput
from harness.numerals import counted, needed
from harness.report.figures import figure_svg
from harness.statistics.claim_power import power_alone, whole_power
from harness.statistics.power import WANTED, holds, power
from harness.study import Hypothesis, Study

BLOCKS = " ▁▂▃▄▅▆▇█"
PLOTTED = (3, 4, 5, 6, 7, 8, 9, 10, 12, 14, 16, 18, 20, 25, 30, 40, 50, 70, 100)
HEADINGS = (
    "hypothesis",
    "needs",
    "effect",
    "sd",
    "measured",
    "t alone",
    "decision",
    f"seeds for {WANTED}",
)


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "power",
        "For every hypothesis: what it needs, the registered effect and standard deviation over "
        "seeds, the one "
        "measured in a recorded report, the power of Student's t alone in one backend (closed "
        "form), that of the "
        "decision (simulated: the bootstrap must agree), and the seeds with which that is 0.9. "
        "Below: the probability that the claim as a whole is decided on the side of its registered "
        "effects, after Holm. Wanted: 0.9; below it the claim cannot be registered.",
    )
    claims_options(command)
    tier_option(command)
    command.add_argument("--seeds", type=int, help="instead of the registered number")
    report_option(command)
    command.add_argument(
        "--plot",
        action="store_true",
        help="draw power against seeds, t alone, in characters",
    )
    command.add_argument(
        "--out",
        type=Path,
        metavar="FILE.svg",
        help="draw it as SVG, primary hypotheses only",
    )
    command.set_defaults(run=print_power)


def print_power(options: argparse.Namespace) -> int:
    """Prints the table, and draws what is asked for."""
    prove_writable(options.out)
    found = [study for study in selected(options) if seeds_of(study, options.tier)]
    studies = [replace(study, claim=study.claim.at(options.tier)) for study in found]
    measured = measured_effects(report_folder(options))
    sizes = family_sizes(options)
    for study in studies:
        seeds = options.seeds or seeds_of(study, options.tier)
        effects = measured.get(study.claim.id, {})
        print(f"{study.claim.id} ({options.tier}, {counted(seeds, 'seed')})")
        rows = [
            _row(
                h,
                seeds,
                [
                    of_backend[h.name]
                    for of_backend in effects.values()
                    if h.name in of_backend
                ],
            )
            for h in study.claim.hypotheses
        ]
        print(
            *(f"  {line}" for line in aligned([HEADINGS, *rows])), sep="\n", flush=True
        )
        print(f"  {_whole(study, seeds, sizes[study.claim.family])}", flush=True)
        if options.plot:
            print("\n".join(_plot(study)))
    if options.out:
        _draw(studies, options.out)
    return 0


def _row(
    hypothesis: Hypothesis, seeds: int, measured: Sequence[Sequence[float]]
) -> tuple[str, ...]:
    rule, effect, sd = (
        hypothesis.rule,
        hypothesis.expected_effect,
        hypothesis.expected_sd,
    )
    scatter = (
        f"{np.mean([np.std(sample, ddof=1) for sample in measured]):.3g}"
        if measured
        else "-"
    )
    decision = power_alone(rule, effect, sd, seeds)
    value = decision.power.value
    enough = holds(rule, effect)
    name = (
        hypothesis.name
        if hypothesis.role == "primary"
        else f"{hypothesis.name} (secondary)"
    )
    return (
        name,
        needed(type(rule).__name__, rule.margin, "linear").removeprefix("needs "),
        f"{effect:.3g}",
        f"{sd:.3g}",
        scatter,
        f"{power(rule, effect, sd, seeds):.3f}",
        f"{value:.3f}{'' if value >= WANTED else ' LOW'}",
        str(decision.seeds_needed) if enough else "none: false at this effect",
    )


def _whole(study: Study, seeds: int, family: int) -> str:
    """The power of the claim, which hypothesis limits it, and the seeds that it needs."""
    try:
        found = whole_power(study.claim.primary, seeds, family)
        needed_seeds = found.seeds_needed
    except InvalidInput as error:
        return f"as a whole: {error}"
    low = "" if found.power.value >= WANTED else " LOW"
    return (
        f"as a whole: {found.verdict} with probability {found.power.value:.3f}{low} "
        f"(Holm over {counted(family, 'claim')}); weakest: {found.weakest}; "
        f"seeds for {WANTED}: {needed_seeds}"
    )


def _plot(study: Study) -> list[str]:
    """Power in eighths, a character per number of seeds; the full block is 15/16 or more."""
    width = max(len(h.name) for h in study.claim.hypotheses)
    lines = [
        f"  {h.name:<{width}}  |{''.join(BLOCKS[round(8 * value)] for value in _curve(h))}|"
        for h in study.claim.hypotheses
    ]
    ticks = f"{PLOTTED[0]} to {PLOTTED[-1]} seeds: {', '.join(map(str, PLOTTED))}"
    return [*lines, f"  {'':<{width}}   power of t alone with {ticks}"]


def _curve(hypothesis: Hypothesis) -> list[float]:
    return [
        power(hypothesis.rule, hypothesis.expected_effect, hypothesis.expected_sd, n)
        for n in PLOTTED
    ]


def _draw(studies: Sequence[Study], file: Path) -> None:
    series = [
        {
            "label": f"{study.claim.id.split('/')[-1]}: {h.title}",
            "x": list(PLOTTED),
            "y": _curve(h),
        }
        for study in studies
        for h in study.claim.primary
    ]
    figure = {
        "title": "Power against seeds",
        "description": "Power of Student's t alone at the registered effects; dashed: what "
        "registration asks for.",
        "x_label": "seeds",
        "y_label": "power",
        "log_x": True,
        "log_y": False,
        "reference_y": WANTED,
        "series": series,
    }
    # what an HTML page says for its own
    alone = '<svg xmlns="http://www.w3.org/2000/svg" font-family="sans-serif" '
    picture = figure_svg(figure, "power").replace("<svg ", alone, 1)
    write_text(file, picture)
    print(file, file=sys.stderr)
