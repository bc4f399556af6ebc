"""calibration.json as Markdown: how often decisions err in simulation, overall and per claim."""

from collections.abc import Iterator, Mapping
from statistics import median
from typing import Any

from harness.errors import InvalidInput
from harness.numerals import counted

Json = Mapping[str, Any]
SHAPES = ("normal", "heavy-tailed", "as measured")
WANTED = 0.9


def rates(calibration: Json) -> str:
    """Two tables: over hypotheses by shape of the scatter, and per claim with the worst shape.

    Args:
        calibration: content of calibration.json.

    Raises:
        InvalidInput: if it is empty.
    """
    if not calibration.get("claims"):
        raise InvalidInput(
            "There is no calibration to show. Make one: ntk-claims calibrate."
        )
    hypotheses = [
        h
        for claim in calibration["claims"].values()
        for h in claim["hypotheses"].values()
    ]
    lines = [
        f"{counted(len(hypotheses), 'hypothesis')} of "
        f"{counted(len(calibration['claims']), 'claim')}, "
        f"{calibration['tier']} tier, {calibration['trials']} simulated experiments per rate.",
        "",
        "| Scatter over seeds | False SUPPORTED: median | worst | Power: median | at least 0.9 "
        "| 95 % t interval covers: least | 95 % bootstrap covers: least |",
        "|---|---|---|---|---|---|---|",
        *_by_shape(hypotheses),
        "",
        "| Claim, all its primary hypotheses | Seeds | False SUPPORTED, worst scatter | Power, "
        "worst scatter |",
        "|---|---|---|---|",
        *(_whole(name, claim) for name, claim in calibration["claims"].items()),
    ]
    return "\n".join(lines) + "\n"


def _by_shape(hypotheses: list[Json]) -> Iterator[str]:
    for shape in SHAPES:
        own = [
            hypothesis["shapes"][shape]
            for hypothesis in hypotheses
            if shape in hypothesis["shapes"]
        ]
        if own:
            false, power = (
                [one[name]["rate"] for one in own]
                for name in ("false_supported", "power")
            )
            covers = (
                f"{min(one[name]['rate'] for one in own if name in one):.3f}"
                for name in ("coverage_95", "bootstrap_95")
            )
            enough = f"{sum(value >= WANTED for value in power)} of {len(power)}"
            shown = (
                f"{median(false):.3f}",
                f"{max(false):.3f}",
                f"{median(power):.3f}",
                enough,
                *covers,
            )
            yield f"| {shape} | {' | '.join(shown)} |"


def _whole(name: str, claim: Json) -> str:
    false = max(
        (shape["false_supported"] for shape in claim["whole"].values()),
        key=lambda rate: rate["rate"],
    )
    power = min(
        (shape["power"] for shape in claim["whole"].values()),
        key=lambda rate: rate["rate"],
    )
    return f"| {name} | {claim['seeds']} | {_rate(false)} | {_rate(power)} |"


def _rate(rate: Json) -> str:
    return f"{rate['rate']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}]"
