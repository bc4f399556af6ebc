"""calibration.json as Markdown: how often decisions err in simulation, overall and per claim."""

from collections.abc import Callable, Iterator, Mapping
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
    refuted = any(
        "false_refuted" in shape
        for claim in calibration["claims"].values()
        for shape in claim["whole"].values()
    )
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
        "worst scatter |" + " False REFUTED, worst scatter |" * refuted,
        "|---|---|---|---|" + "---|" * refuted,
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
    false = _extreme(max, claim, "false_supported")
    power = _extreme(min, claim, "power")
    row = f"| {name} | {claim['seeds']} | {_rate(false)} | {_rate(power)} |"
    if all("false_refuted" in shape for shape in claim["whole"].values()):
        row += f" {_rate(_extreme(max, claim, 'false_refuted'))} |"
    return row


def _extreme(worst: Callable[..., Json], claim: Json, name: str) -> Json:
    """The rate of that name in the shape of scatter where it is worst."""
    rates = (shape[name] for shape in claim["whole"].values())
    return worst(rates, key=lambda rate: rate["rate"])


def _rate(rate: Json) -> str:
    return f"{rate['rate']:.3f} [{rate['low']:.3f}, {rate['high']:.3f}]"
