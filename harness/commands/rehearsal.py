"""`ntk-claims rehearse`: a claim tried on seeds that cannot be the registered ones."""

import argparse
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from harness import registration, sweep
from harness.commands.calibrate import seeds_of
from harness.commands.options import (
    added,
    backend_option,
    claims_options,
    computing,
    computing_options,
    family_sizes,
    selected_one,
    tier_option,
)
from harness.errors import InvalidInput
from harness.experiment import Experiment, Measurements, Tier
from harness.judge import as_planted, judge
from harness.registration.rules import objections
from harness.session import Settings, backend_names, requests
from harness.statistics.claim_power import power_alone
from harness.study import Control, Hypothesis, Rule, Statement, Study
from harness.verdict import ClaimVerdict

STORE = ".ntk-claims/rehearsals"
SEEDS, FEWEST = 10, 2


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "rehearse",
        "Computes a claim on a stream of seeds of its own, and prints effects, scatter, the power "
        "that the registered\n"
        "rule would have, controls and gates, and what would keep the claim from being registered. "
        "It is no verdict:\n"
        "nothing is registered, recorded or reported, and no cell can be taken for one of the "
        "registered stream.\n"
        "Exit code 0 if every control came out as planted and every gate was met; 1 if not, or if "
        "a cell failed.",
        "ntk-claims rehearse vyas2022/gap_across_width --seeds 10 --backend torch",
    )
    claims_options(command, "the claim, by a part that no other's id has")
    command.add_argument(
        "--seeds", type=int, default=SEEDS, help=f"how many seeds (default: {SEEDS})"
    )
    tier_option(command)
    backend_option(command)
    command.add_argument(
        "--store",
        type=Path,
        default=Path(STORE),
        help=f"where its cells are kept (default: {STORE})",
    )
    computing_options(command)
    command.set_defaults(run=rehearse)


def rehearse(options: argparse.Namespace) -> int:
    """Computes, judges and prints one claim on rehearsal seeds."""
    study = selected_one(options, "A rehearsal")
    rehearsed = rehearsal(study, options.tier, options.seeds)
    chosen = Settings(options.tier, backend_names(options.backend), options.store)
    wanted = requests(rehearsed, chosen)
    if not wanted:
        raise InvalidInput(
            f"Claim {study.claim.id!r} has no {options.tier} tier. Name the other with --tier."
        )
    swept = sweep.run(
        wanted,
        sweep.Store(options.store),
        device=options.device,
        progress=sweep.on(sys.stderr),
        **computing(options),
    )
    failures = [outcome.failure for outcome in swept.outcomes if outcome.failure]
    if failures and failures[0].kind != "data":
        print(
            f"{len(failures)} of {len(swept.outcomes)} cells failed. The "
            f"first:\n{failures[0].traceback}"
        )
        return 1
    measurements = {
        backend: as_registered(swept.measurements(backend))
        for backend in chosen.backends
    }
    cells = [cell for measured in measurements.values() for cell in measured.cells]
    quantities = sorted({name for _, arrays in cells for name in arrays})
    print(
        f"{study.claim.id} ({options.tier}): {options.seeds} seeds of stream "
        f"{_streams(rehearsed)}; no verdict."
    )
    print(f"    measured: {', '.join(quantities)}")
    outcome = judge(rehearsed, measurements, options.tier, options.seeds)
    print("\n".join(_lines(study, outcome, seeds_of(study, options.tier))))
    for text in objections(study, family_sizes(options)[study.claim.family]):
        print(f"    cannot be registered: {text}")
    return 0 if _holds(study, outcome) else 1


def rehearsal(study: Study, tier: str, seeds: int) -> Study:
    """The study on a stream that cannot be registered, with so many seeds in the tier.

    Raises:
        InvalidInput: for fewer than two seeds.
    """
    if seeds < FEWEST:
        raise InvalidInput(
            f"--seeds must be at least {FEWEST}, or there is no scatter; got {seeds}."
        )
    return replace(
        study,
        experiments=tuple(_rehearsed(own, tier, seeds) for own in study.experiments),
    )


def _rehearsed(experiment: Experiment, tier: str, seeds: int) -> Experiment:
    scale: Tier | None = getattr(experiment, tier)
    if scale is None:
        return experiment
    changes: dict[str, Any] = {
        "stream": f"{registration.REHEARSAL}{experiment.stream}",
        tier: replace(scale, replicates=seeds),
    }
    return replace(experiment, **changes)


def as_registered(measured: Measurements) -> Measurements:
    """The measurements of a rehearsal under the claim's own stream, by which its effects ask for
    them.
    """
    cells = [
        (
            replace(
                request, stream=request.stream.removeprefix(registration.REHEARSAL)
            ),
            arrays,
        )
        for request, arrays in measured.cells
    ]
    return Measurements(cells, measured.absent)


def _streams(study: Study) -> str:
    return ", ".join(
        sorted({repr(experiment.stream) for experiment in study.experiments})
    )


def _lines(study: Study, outcome: ClaimVerdict, seeds: int) -> Iterator[str]:
    claim = study.claim.at(outcome.tier)
    yield f"    the rules alone would say {str(outcome.alone).replace('_', ' ')}: {outcome.reason}"
    for hypothesis in claim.hypotheses:
        samples = {
            backend: own[hypothesis.name]
            for backend, own in outcome.effects.items()
            if hypothesis.name in own
        }
        yield from _of_hypothesis(hypothesis, samples, seeds)
    for control in claim.controls:
        yield _of_control(control, claim, outcome, seeds)
    for gate in claim.gates:
        failures = {
            backend: text
            for backend, text in outcome.gates.get(gate.name, {}).items()
            if text
        }
        words = "; ".join(
            f"fails in {backend}: {text}" for backend, text in failures.items()
        )
        yield f"    gate {gate.name}: {words or 'met'}"


def _of_control(
    control: Control, claim: Statement, outcome: ClaimVerdict, seeds: int
) -> str:
    """What it must be, what it came out, and how often it will with the claim's seeds."""
    said = f"    control {control.name}: must be {control.expected}; "
    verdict = outcome.controls.get(control.name)
    if verdict is None:
        return f"{said}not measured"
    passed = "as planted" if as_planted(control, verdict) else "NOT AS PLANTED"
    rule = claim.hypothesis(control.hypothesis).rule
    powers = [
        power
        for own in outcome.effects.values()
        if (power := _power(rule, own[control.name], seeds)) is not None
    ]
    if not powers:
        return f"{said}{verdict.kind}, {passed}"
    supported = control.expected == "SUPPORTED"
    rate = min(powers) if supported else 1 - max(powers)
    return (
        f"{said}{verdict.kind}, {passed}; with the claim's {seeds} seeds it will be with "
        f"probability {rate:.2f}"
    )


def _power(rule: Rule, sample: Sequence[float], seeds: int) -> float | None:
    """How often so many seeds give SUPPORTED, with the mean and scatter of a sample; None where
    that is not defined.
    """
    mean, scatter = float(np.mean(sample)), float(np.std(sample, ddof=1))
    if not (np.isfinite(mean) and scatter > 0):
        return None
    return power_alone(rule, mean, scatter, seeds).power.value


def _of_hypothesis(
    hypothesis: Hypothesis, samples: Mapping[str, Sequence[float]], seeds: int
) -> Iterator[str]:
    """What it needs and expects; per backend, mean and scatter, and the power of the registered
    seeds with these.
    """
    rule = hypothesis.rule
    yield f"    {hypothesis.name} ({hypothesis.role}): needs {rule.describe()}"
    yield f"        expected  {hypothesis.expected_effect:.4g}, sd {hypothesis.expected_sd:.4g}"
    for backend, sample in samples.items():
        power = _power(rule, sample, seeds)
        words = "not defined" if power is None else f"{power:.2f}"
        yield (
            f"        {backend:<9} {np.mean(sample):.4g}, sd {np.std(sample, ddof=1):.4g}; "
            f"power with the claim's {seeds} seeds: {words}"
        )


def _holds(study: Study, outcome: ClaimVerdict) -> bool:
    claim = study.claim.at(outcome.tier)
    planted = [
        c.name in outcome.controls and as_planted(c, outcome.controls[c.name])
        for c in claim.controls
    ]
    failed = [
        text for texts in outcome.gates.values() for text in texts.values() if text
    ]
    return all(planted) and not failed
