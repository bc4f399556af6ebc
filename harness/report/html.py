"""The report: one self-contained HTML page from verdicts.json and run.json, without scripts.

The page may load nothing and run nothing: its content security policy allows one style sheet, by
its hash. Every text is escaped by Jinja2; only the pictures, which are ours, go in as markup.
"""

import base64
import hashlib
import re
from collections.abc import Callable, Mapping
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness import numerals
from harness.report import findings
from harness.report.figures import banded, bands, figure_svg, hidden_points, places
from harness.report.forest import alone, axis_svg, forest_svg
from harness.report.refutation import p_refuted
from harness.report.values import plain
from harness.verdict import Kind

Json = Mapping[str, Any]
MEANINGS = {
    Kind.SUPPORTED: "Every primary effect lies beyond its margin (for closeness: inside), in every "
    "backend, by both intervals, and after correcting for the paper's claims. Gates and controls "
    "held.",
    Kind.REFUTED: "A primary effect lies wholly on the other side of its margin.",
    Kind.INCONCLUSIVE: "Not evidence that there is no effect. An interval holds the margin (not "
    "decided), the two intervals disagree (methods disagree), the correction took a SUPPORTED away "
    "(lost to correction), or a condition failed (gate failed).",
    Kind.DISAGREE: "Agreement not shown: the seeds do not show that the backends measure the same "
    "effect. It need not differ.",
    Kind.NOT_RUN: "Nothing was decided; the reason is given.",
    Kind.BROKEN: "A control or a gate shows that the experiment itself cannot be trusted.",
}


def render(document: Json, run: Json) -> str:
    """The page.

    Args:
        document: content of verdicts.json (`harness.report.document`).
        run: content of run.json (`harness.report.run_record`).
    """
    # Written by hand or by another program they may hold what `report.document` would have cleaned.
    document, run = plain(document, {}), plain(run, {})
    return page(
        "report.html.j2",
        document=document,
        run=run,
        axis=Markup(axis_svg()),
    )


def page(template: str, **values: Any) -> str:
    """A page of one of the templates, with the verdicts, the style sheet, and the hash its security
    policy names.

    Args:
        template: name of the file below `templates`.
        values: what it shows.
    """
    templates = _environment()
    style = templates.loader.get_source(templates, "style.css")[0]  # type: ignore[union-attr]
    return templates.get_template(template).render(
        kinds=[kind.value for kind in Kind],
        meanings={kind.value: meaning for kind, meaning in MEANINGS.items()},
        style=Markup(style),
        style_hash=_source_hash(style),
        **values,
    )


def _environment() -> Environment:
    templates = Environment(
        loader=PackageLoader("harness.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.tests["speaks_against"] = lambda one: (
        bool(one["verdict"]) and findings.side(one) == "against"
    )
    templates.filters |= _filters()
    return templates


def _filters() -> dict[str, Callable[..., Any]]:
    """What templates can ask of a claim, a hypothesis, a figure or a number."""
    of_findings = (
        findings.after_first_sentence,
        findings.agreement,
        findings.but,
        findings.deciding,
        findings.error_rate,
        findings.failed_gates,
        findings.false_supported,
        findings.fellows,
        findings.foreseen,
        findings.fresh_seeds,
        findings.grouped,
        findings.in_common,
        findings.largest_difference,
        findings.level,
        findings.obstacles,
        findings.outcome,
        findings.papers,
        findings.registered,
        findings.rule_changed,
        findings.sentence,
        findings.sources,
        findings.support,
        findings.value,
        findings.was_read,
        findings.whys,
    )
    own = (
        anchor,
        banded,
        bands,
        computed,
        cost,
        failures,
        p_refuted,
        places,
        provenance,
        short_name,
        test_file,
    )
    of_numbers = (
        numerals.counted,
        numerals.duration,
        numerals.needs,
        numerals.number,
        numerals.on_scale,
        numerals.p_equals,
        numerals.p_value,
        numerals.power,
    )
    return {
        **{part.__name__: part for part in (*of_findings, *own, *of_numbers)},
        "alone_in": lambda backend, claim: alone(claim, backend),
        "figure_svg": lambda figure, identity: Markup(figure_svg(figure, identity)),
        "forest_svg": lambda *arguments: Markup(forest_svg(*arguments)),
        "hidden": hidden_points,
    }


def _source_hash(style: str) -> str:
    """How a content security policy names an inline style sheet."""
    return (
        f"sha256-{base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()}"
    )


def anchor(claim: Json, position: int) -> str:
    """The id of a claim's section.

    >>> anchor({"id": "vyas2022/V1 <b>"}, 3)
    'claim-3-vyas2022-V1-b'
    """
    return f"claim-{position}-{re.sub(r'[^A-Za-z0-9]+', '-', claim['id']).strip('-')}"


def short_name(claim: Json) -> str:
    """A claim in a few words, out of its id.

    >>> short_name({"id": "vyas2022/gap_across_width"})
    'gap across width'
    """
    return claim["id"].rpartition("/")[2].replace("_", " ") or claim["id"]


def test_file(claim: Json) -> str:
    """The file of a claim, out of its id.

    >>> test_file({"id": "vyas2022/gap_across_width"})
    'claims/vyas2022/test_gap_across_width.py'
    """
    folder, _, predicate = claim["id"].rpartition("/")
    return f"claims/{folder}/test_{predicate}.py"


def failures(gate: Json) -> list[tuple[str, list[str]]]:
    """What a gate said, each text once, and in which backends; "" is that it holds.

    >>> failures({"failures": {"torch": "2 of 10", "jax": "2 of 10"}})
    [('2 of 10', ['jax', 'torch'])]
    """
    found: dict[str, list[str]] = {}
    for backend, text in sorted(gate["failures"].items()):
        found.setdefault(text, []).append(backend)
    return list(found.items())


def computed(cells: Json) -> str:
    """How many cells a claim rests on, how many were computed in this run, and what they cost.

    >>> computed({"computed": 0, "cached": 42, "failed": 1, "seconds": 90.0})
    '43 cells (0 computed in this run, 1 failed), 1 min 30 s of worker time'
    """
    count = cells["computed"] + cells["cached"] + cells["failed"]
    failed = f", {cells['failed']} failed" if cells["failed"] else ""
    return (
        f"{numerals.counted(count, 'cell')} ({cells['computed']} computed in this run{failed}), "
        f"{numerals.duration(cells['seconds'])} of worker time"
    )


def provenance(cells: Json) -> str:
    """Where cells came from, how old they are and what they cost, in words."""
    parts = [
        f"{cells['computed']} computed in this run",
        f"{cells['cached']} cached (taken from the store)",
    ]
    if cells["failed"]:
        parts.append(f"{cells['failed']} failed")
    if cells.get("shared"):
        parts.append(f"{cells['shared']} of them needed by more than one claim")
    devices = sorted(cells.get("devices", {}).items())
    times = [
        f"{numerals.duration(seconds)} of worker time on {device}"
        for device, seconds in devices
    ]
    parts += times or [f"{numerals.duration(cells['seconds'])} of worker time"]
    if cells["oldest"]:
        parts.append(
            f"the oldest {numerals.duration(cells['oldest']['age'])} old at the end of the run"
        )
    return ", ".join(parts)


def cost(run: Json) -> str:
    """What computing took and was expected to take, and what sharing cells spared, in words; ""
    where it is not known.

    >>> cost({"cost": {"estimate": 380.0, "seconds": 362.4, "spared": 0.0}})
    '6 min 2 s, where 6 min 20 s had been expected'
    """
    known = run.get("cost")
    if not known:
        return ""
    took, expected = known["seconds"], known["estimate"]
    awaited = "an unknown time" if expected is None else numerals.duration(expected)
    words = (
        f"{numerals.duration(took)}, where {awaited} had been expected"
        if took
        else "nothing had to be computed"
    )
    spared = f"; cells that claims share spared {numerals.duration(known['spared'])} of worker time"
    return words + spared if known["spared"] else words
