"""The report: one self-contained HTML page from verdicts.json and run.json, without scripts.

The page may load nothing and run nothing: its content security policy allows one style sheet, by
its hash. Every text is escaped by Jinja2; only the pictures, which are ours, go in as markup.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from harness import numerals
from harness.report.figures import figure_svg, hidden_points
from harness.report.forest import alone, axis_svg, deciding, effect, forest_svg
from harness.report.intervals import MARKS, interval_svg
from harness.report.obstacles import obstacles
from harness.report.values import plain
from harness.verdict import Kind

Json = Mapping[str, Any]
MEANINGS = {
    Kind.SUPPORTED: "In every backend, and for every primary hypothesis, the interval lies beyond "
    "the margin.",
    Kind.REFUTED: "The interval lies wholly on the other side of the margin.",
    Kind.INCONCLUSIVE: "The seeds do not decide: an interval contains the margin, or a gate was "
    "not met.",
    Kind.DISAGREE: "The backends, given the same weights and data, are not shown to agree within "
    "their margin.",
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
        marks=MARKS,
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
    templates.filters |= {
        "alone": alone,
        "anchor": anchor,
        "cited": cited,
        "columns": numerals.columns,
        "cost": cost,
        "counted": numerals.counted,
        "deciding": deciding,
        "duration": numerals.duration,
        "effect": effect,
        "effect_columns": effect_columns,
        "estimate": numerals.estimate,
        "figure_svg": lambda figure, identity: Markup(figure_svg(figure, identity)),
        "forest_svg": lambda *arguments: Markup(forest_svg(*arguments)),
        "hidden": hidden_points,
        "interval_svg": lambda *arguments: Markup(interval_svg(*arguments) or ""),
        "needs": numerals.needs,
        "number": numerals.number,
        "on_scale": numerals.on_scale,
        "obstacles": obstacles,
        "p_equals": numerals.p_equals,
        "p_value": numerals.p_value,
        "points": numerals.points,
        "power": numerals.power,
        "provenance": provenance,
        "rate": numerals.rate,
        "short_name": short_name,
    }
    return templates


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


def cited(paper: Json) -> str:
    """A paper as a text cites it.

    >>> (
    ...     cited({"authors": "Seleznova, Kutyniok", "year": 2020}),
    ...     cited({"authors": "Liu, Tai, Huang", "year": 2025}),
    ... )
    ('Seleznova, Kutyniok 2020', 'Liu et al. 2025')
    """
    authors = paper["authors"].split(", ")
    return f"{paper['authors'] if len(authors) < 3 else f'{authors[0]} et al.'} {paper['year']}"


def effect_columns(claim: Json, backends: Sequence[str]) -> list[dict[str, Any]]:
    """The per-seed effects, a column per name and backend: hypotheses first, then controls."""
    names = [part["name"] for part in (*claim["hypotheses"], *claim["controls"])]
    return [
        {"name": name, "backend": backend, "values": claim["effects"][backend][name]}
        for name in names
        for backend in backends
        if name in claim["effects"].get(backend, {})
    ]


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
