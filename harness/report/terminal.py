"""A claim in lines for a terminal, as docs/reading-a-verdict.md explains it."""

from collections.abc import Mapping
from typing import Any

from harness.numerals import headline, needs, p_value
from harness.report.document import in_words_stale
from harness.verdict import Kind

Json = Mapping[str, Any]


def claim_lines(claim: Json) -> list[str]:
    """The verdict, its p-values, a line for each backend of each primary hypothesis, and what
    stands beside.

    Args:
        claim: of verdicts.json.
    """
    outcome = claim["verdict"]
    decided = [
        h
        for h in claim["hypotheses"]
        if h["role"] == "primary" and h["verdict"] and h["verdict"]["backends"]
    ]
    lines = [f"{outcome['kind']:<13} {claim['id']} ({claim['tier']})"]
    lines += (
        [f"    p {p_value(outcome['p'])}, in its family {p_value(outcome['p_family'])}"]
        if decided
        else []
    )
    lines += [line for hypothesis in decided for line in _effects(hypothesis)]
    lines += (
        [f"    STALE: {in_words_stale(claim['stale'], claim['cells'])}"]
        if claim.get("stale")
        else []
    )
    explained = decided and outcome["kind"] in (Kind.SUPPORTED, Kind.REFUTED)
    lines += (
        [] if explained else [f"    {line}" for line in outcome["reason"].splitlines()]
    )
    return lines + [
        f"    beside it, {one['kind']}: {one['title']}: {one['effect']}"
        for one in outcome["beside"]
    ]


def _effects(hypothesis: Json) -> list[str]:
    lines = [f"    {hypothesis['label']}: {needs(hypothesis)}"]
    for backend in hypothesis["verdict"]["backends"]:
        lines.append(f"        {backend:<6} {headline(hypothesis, backend)}")
    return lines
