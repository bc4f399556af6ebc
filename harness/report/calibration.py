"""calibration.json: what simulation found about each claim's decision, and for which registration.

    Calibrated (harness.statistics.calibration) --record--> calibration.json --found--> Calibration,
    for the report

A calibration belongs to the digest of a record. Of another digest it is not shown: margins or seeds
may have changed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from harness.report import schemas
from harness.statistics.calibration import Calibrated, Rates, Scatter
from harness.statistics.decisions import Rate

Json = Mapping[str, Any]
FILE = "calibration.json"
VERSION = 1


@dataclass(frozen=True)
class Calibration:
    """Simulated error rates of a hypothesis' rule, or of a claim.

    Args:
        at_margin: rate of SUPPORTED with the mean on the margin, for the worst shape of scatter.
        at_registered_effect: rate of SUPPORTED with the mean at the registered effect, for the
            worst shape.
        simulations: experiments per rate.
        false_refuted: rate of REFUTED with the mean on the margin (of a claim: all primary means on
            theirs), for the worst shape; None in files of before it was simulated.
        refuted_at_registered_effect: rate of REFUTED at the registered effect, for the shape with
            the least; None as above.
        shapes: shape of the scatter over seeds -> name of a rate -> {"rate", "low", "high"}.
    """

    at_margin: float
    at_registered_effect: float
    simulations: int
    shapes: Mapping[str, Mapping[str, Mapping[str, float]]] = field(
        default_factory=dict
    )
    false_refuted: float | None = None
    refuted_at_registered_effect: float | None = None


def record(
    tier: str,
    trials: int,
    seed: int,
    planted: Mapping[str, Rate],
    claims: Mapping[str, tuple[str, Calibrated]],
) -> dict[str, Any]:
    """The content of calibration.json.

    Args:
        tier: "quick" or "full".
        trials, seed: of the simulations.
        planted: coverage of the 95 % intervals of exponents in planted curves.
        claims: id -> digest of its record, and what was found.
    """
    return {
        "version": VERSION,
        "tier": tier,
        "trials": trials,
        "seed": seed,
        "planted": {
            name: _rate(rate) | {"trials": rate.trials}
            for name, rate in planted.items()
        },
        "claims": {
            claim: _claim(digest, found) for claim, (digest, found) in claims.items()
        },
    }


def read(folder: Path) -> dict[str, Any] | None:
    """The content of a folder's calibration.json; None without one.

    Raises:
        InvalidInput: if it is not JSON, has another version of the format, or is not what its
            schema asks for.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    return schemas.checked(
        path, "calibration", (VERSION,), "Write it again: ntk-claims calibrate."
    )


def found(
    content: Json | None, claim: str, digest: str, seeds: int
) -> tuple[Calibration | None, dict[str, Calibration]]:
    """The calibration of a claim, and of each of its hypotheses; nothing if it is of another record
    or of other seeds.

    Args:
        content: of calibration.json, if there is one.
        claim, digest, seeds: id, digest of the record, and number of seeds at the tier.
    """
    own = (content or {}).get("claims", {}).get(claim)
    if (
        content is None
        or own is None
        or (own["registration"], own["seeds"]) != (digest, seeds)
    ):
        return None, {}
    hypotheses = {
        name: _worst(one["shapes"], content["trials"])
        for name, one in own["hypotheses"].items()
    }
    return _worst(own["whole"], content["trials"]), hypotheses


def _worst(
    shapes: Mapping[str, Mapping[str, Mapping[str, float]]], trials: int
) -> Calibration:
    def of(name: str) -> list[float]:
        return [rates[name]["rate"] for rates in shapes.values() if name in rates]

    return Calibration(
        at_margin=max(of("false_supported")),
        at_registered_effect=min(of("power")),
        simulations=trials,
        shapes=shapes,
        false_refuted=max(of("false_refuted"), default=None),
        refuted_at_registered_effect=min(of("refuted"), default=None),
    )


def _claim(digest: str, calibrated: Calibrated) -> dict[str, Any]:
    return {
        "registration": digest,
        "seeds": calibrated.seeds,
        "whole": {
            shape: {
                "false_supported": _rate(rates.false_supported),
                "false_refuted": _rate(rates.false_refuted),
                "power": _rate(rates.power),
                "refuted": _rate(rates.refuted),
            }
            for shape, rates in calibrated.whole.items()
        },
        "hypotheses": {
            name: _hypothesis(calibrated.scatter[name], shapes)
            for name, shapes in calibrated.hypotheses.items()
        },
    }


def _hypothesis(scatter: Scatter, shapes: Mapping[str, Rates]) -> dict[str, Any]:
    return {
        "scatter": {
            "sd": scatter.sd,
            "backends": scatter.difference,
            "measured": scatter.measured,
        },
        "power_computed": next(iter(shapes.values())).computed,
        "shapes": {shape: _rates(rates) for shape, rates in shapes.items()},
    }


def _rates(rates: Rates) -> dict[str, dict[str, float]]:
    named = {
        "false_supported": rates.false_supported,
        "false_refuted": rates.false_refuted,
        "power": rates.power,
        "refuted": rates.refuted,
        "coverage": rates.coverage,
        "coverage_95": rates.coverage_95,
        "bootstrap_95": rates.bootstrap_95,
    }
    return {name: _rate(rate) for name, rate in named.items() if rate is not None}


def _rate(rate: Rate) -> dict[str, float]:
    low, high = rate.interval
    return {"rate": rate.value, "low": round(low, 5), "high": round(high, 5)}
