"""`ntk-claims calibrate`: how often each claim's decision errs, simulated with measured scatter."""

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from harness import registration, report
from harness.commands.options import (
    added,
    asked,
    claims_options,
    prove_writable,
    report_folder,
    report_option,
    selected,
    tier_option,
    trials_option,
)
from harness.commands.verdict import write_json
from harness.errors import InvalidInput
from harness.report import calibration
from harness.statistics.calibration import TRIALS, Calibrated, Rates, calibrate
from harness.statistics.planted import exponent_coverage
from harness.study import Statement, Study

Measured = Mapping[str, Mapping[str, Sequence[float]]]
"""Backend -> hypothesis -> one effect per seed."""
SEED = 0


def add(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds the command to those of `ntk-claims`."""
    command = added(
        commands,
        "calibrate",
        "Simulates the decision on every hypothesis and claim: with the mean on the margin (false "
        "SUPPORTED) and at "
        "the registered effect (power), with the scatter over seeds that a recorded report "
        "measured (the registered "
        "one where nothing was measured). Gates, controls and Holm over the family are left out. "
        "Writes the rates with "
        "their intervals to calibration.json in that folder, "
        "for the registrations as they are now; the next report shows them. Claims that are not "
        "selected keep theirs.",
    )
    claims_options(command)
    tier_option(command)
    report_option(command)
    trials_option(command, TRIALS)
    command.set_defaults(run=calibrate_claims)


def calibrate_claims(options: argparse.Namespace) -> int:
    """Writes calibration.json, and prints a line for each claim."""
    folder = report_folder(options)
    if not folder.is_dir():
        raise InvalidInput(
            f"There is no folder {folder}. Name that of a report with --from."
        )
    prove_writable(folder / calibration.FILE)
    chosen = selected(options)
    earlier = _earlier(folder, options) if asked(options) else None
    content = simulated(chosen, options.tier, measured_effects(folder), options.trials)
    if earlier is not None:
        content["claims"] = {**earlier["claims"], **content["claims"]}
    write_json(folder / calibration.FILE, content)
    print(folder / calibration.FILE, file=sys.stderr)
    return 0


def simulated(
    studies: Sequence[Study],
    tier: str,
    measured: Mapping[str, Measured],
    trials: int,
) -> dict[str, Any]:
    """The content of calibration.json, of the claims that have the tier; prints each claim's rates.

    Args:
        studies: the claims.
        tier: "quick" or "full".
        measured: claim -> backend -> hypothesis -> one effect per seed.
        trials: per rate.
    """
    found: dict[str, tuple[str, Calibrated]] = {}
    for study in studies:
        claim, seeds = study.claim.at(tier), seeds_of(study, tier)
        if not seeds:
            continue
        effects = measured.get(claim.id, {})
        rates = calibrate(claim, seeds, effects, trials=trials, seed=SEED)
        found[claim.id] = registration.ClaimRecord.of(study).digest, rates
        print("\n".join(_lines(claim, rates)), flush=True)
    planted = exponent_coverage(trials, min(trials, 500), seed=SEED)
    for name, rate in planted.items():
        print(
            f"95 % intervals of planted exponents, {name}: cover {rate} ({rate.trials} trials)"
        )
    return calibration.record(tier, trials, SEED, planted, found)


def _earlier(folder: Path, options: argparse.Namespace) -> dict[str, Any] | None:
    """What the folder has of claims that are not selected; a file has one tier and one number of
    trials.
    """
    earlier = calibration.read(folder)
    if earlier is not None and (earlier["tier"], earlier["trials"]) != (
        options.tier,
        options.trials,
    ):
        raise InvalidInput(
            f"{folder / calibration.FILE} is of the {earlier['tier']} tier with "
            f"{earlier['trials']} trials, so claims "
            f"of the {options.tier} tier with {options.trials} cannot join it. Give --tier "
            f"{earlier['tier']} --trials "
            f"{earlier['trials']}, or name no claim, to calibrate all of them anew."
        )
    return earlier


def seeds_of(study: Study, tier: str) -> int:
    """The number of seeds of a study at a tier; 0 where it lacks the tier."""
    tiers = [getattr(experiment, tier) for experiment in study.experiments]
    return min(scale.replicates for scale in tiers) if tiers and all(tiers) else 0


def measured_effects(folder: Path) -> dict[str, Measured]:
    """Claim -> its effects, of the report in a folder; empty without a report."""
    if not (folder / "verdicts.json").is_file():
        return {}
    document, _ = report.load(folder)
    return effects_of(document)


def effects_of(document: Mapping[str, Any]) -> dict[str, Measured]:
    """Claim -> its effects, of a verdicts.json."""
    return {claim["id"]: claim["effects"] for claim in document["claims"]}


def _lines(claim: Statement, rates: Calibrated) -> list[str]:
    """The claim's rates, and those of the hypotheses, for the worst shape of scatter of each."""
    whole = rates.whole.values()
    false, power = (
        max(one.false_supported.value for one in whole),
        min(one.power.value for one in whole),
    )
    lines = [f"{claim.id}: false SUPPORTED {false:.3f}, power {power:.3f}"]
    for name, shapes in rates.hypotheses.items():
        worst, most = max(shapes.items(), key=_false_supported)
        source = "measured" if rates.scatter[name].measured else "registered"
        lines.append(
            f"    {name:<32} false SUPPORTED {most.false_supported} ({worst}), "
            f"power {shapes['normal'].power} (normal), sd {rates.scatter[name].sd:.3g} {source}"
        )
    return lines


def _false_supported(named: tuple[str, Rates]) -> float:
    return named[1].false_supported.value
