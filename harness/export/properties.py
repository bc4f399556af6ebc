"""The properties that `pytest claims --junitxml FILE` gives each claim's test."""

import json
from collections.abc import Mapping
from typing import Any

from harness.report import findings

Json = Mapping[str, Any]


def properties(claim: Json) -> dict[str, str]:
    """The claim's properties, name -> text; numbers as JSON, so that they keep every digit.

    What is null is left out.

    Of the claim: verdict, outcome (which INCONCLUSIVE it is), decided_by (the effect that decided),
    finding (its sentence), but (the limit that goes with it), recorded, tier, scale, registration
    (digest), replicates, backends, p, p_family, and what stands beside the verdict, a line each.
    Of each hypothesis: role, rule, margin, alpha, and in each backend effect, interval (of level
    1 - 2 alpha) and p, as "<hypothesis>.margin" and "<hypothesis>.<backend>.interval".

    Args:
        claim: of verdicts.json.
    """
    verdict, hypothesis = claim["verdict"], findings.deciding(claim)
    found = {
        "verdict": verdict["kind"],
        "outcome": findings.outcome(claim),
        "decided_by": hypothesis["name"] if hypothesis else None,
        "finding": findings.in_a_line(hypothesis) if hypothesis else None,
        "but": findings.but(claim),
        "recorded": claim["recorded"],
        "tier": claim["tier"],
        "scale": claim["scale"],
        "registration": claim["registration"],
        "replicates": claim["replicates"],
        "backends": ",".join(_backends(claim)),
        "p": verdict["p"],
        "p_family": verdict["p_family"],
        "beside": "\n".join(
            f"{one['kind']} {one['title']}: {one['effect']}"
            for one in verdict["beside"]
        ),
    }
    for hypothesis in claim["hypotheses"]:
        found |= _of_hypothesis(hypothesis)
    return {
        name: _text(value) for name, value in found.items() if value not in (None, "")
    }


def _of_hypothesis(hypothesis: Json) -> dict[str, Any]:
    name, rule = hypothesis["name"], hypothesis["rule"]
    found = {f"{name}.role": hypothesis["role"], f"{name}.rule": rule["kind"]}
    found |= {f"{name}.{part}": rule[part] for part in ("margin", "alpha")}
    for backend, estimate in sorted(
        (hypothesis["verdict"] or {"backends": {}})["backends"].items()
    ):
        found[f"{name}.{backend}.effect"] = estimate["mean"]
        found[f"{name}.{backend}.interval"] = [estimate["low"], estimate["high"]]
        found[f"{name}.{backend}.p"] = estimate["p"]
    return found


def _backends(claim: Json) -> list[str]:
    """The backends in which any hypothesis was decided."""
    return sorted(
        {
            name
            for part in claim["hypotheses"]
            if part["verdict"]
            for name in part["verdict"]["backends"]
        }
    )


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)
