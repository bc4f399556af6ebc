"""The archive's metadata: a Process Run Crate 0.5 (https://w3id.org/ro/wfrun/process/0.5), an
RO-Crate 1.1.

Two actions say what came of what: the sweep measured, and the judging made verdicts of the
measurements.
"""

import hashlib
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from harness import __version__
from harness.export.extra import imported
from harness.export.parts import Part
from harness.export.run_times import moment
from harness.numerals import counted
from harness.report.html import page
from harness.report.summary import tally

if TYPE_CHECKING:
    from rocrate.rocrate import ROCrate

Json = Mapping[str, Any]
PROFILE = "https://w3id.org/ro/wfrun/process/0.5"
LICENCE = "https://spdx.org/licenses/Apache-2.0"
AUTHORS = {"@id": "#author", "@type": "Organization", "name": "The ntk-claims authors"}
SHA256 = "https://w3id.org/ro/terms/workflow-run#sha256"
SOFTWARE = {
    "numpy": ("NumPy", "https://numpy.org"),
    "torch": ("PyTorch", "https://pytorch.org"),
    "jax": ("JAX", "https://docs.jax.dev"),
    "jaxlib": ("jaxlib", "https://docs.jax.dev"),
}


def crate(
    parts: Sequence[Part], document: Json, run: Json, agent: str = ""
) -> "ROCrate":
    """The crate with its files, ready to be written.

    Args:
        parts: its files.
        document, run: contents of verdicts.json and run.json; all times are those of the run.
        agent: name of the person who ran it, if they want to be named.

    Raises:
        InvalidInput: if rocrate is missing.
    """
    made = imported("rocrate.rocrate", "An RO-Crate").ROCrate(version="1.1")
    made.metadata.extra_terms["sha256"] = SHA256
    for part in parts:
        made.add_file(io.BytesIO(part.content), part.path, properties=_file(part))
    _root(made, document, run)
    for entity in (
        *_software(document, run),
        *_context(document),
        *_actions(parts, document, run),
    ):
        _add(made, entity)
    _add(
        made, {"@id": "#author", "@type": "Person", "name": agent} if agent else AUTHORS
    )
    made.root_dataset["author"] = made.get("#author")
    for action in made.get_by_type("CreateAction") if agent else ():
        action["agent"] = made.get("#author")
    preview = imported("rocrate.model.preview", "An RO-Crate").Preview
    made.add(preview(made, io.BytesIO(_page(parts, document, run).encode())))
    return made


def _add(made: "ROCrate", entity: Json) -> None:
    kind = imported("rocrate.model.contextentity", "An RO-Crate").ContextEntity
    made.add(
        kind(
            made,
            entity["@id"],
            properties={key: value for key, value in entity.items() if key != "@id"},
        )
    )


def _file(part: Part) -> dict[str, Any]:
    properties: dict[str, Any] = {
        "name": part.path.rpartition("/")[2],
        "description": part.description,
        "encodingFormat": part.media,
        "contentSize": str(len(part.content)),
        "sha256": hashlib.sha256(part.content).hexdigest(),
    }
    return properties | ({"conformsTo": {"@id": part.schema}} if part.schema else {})


def _root(made: "ROCrate", document: Json, run: Json) -> None:
    made.name = title(document)
    made.description = about(document)
    made.root_dataset["datePublished"] = _time(run["finished"])
    made.root_dataset["license"] = {"@id": LICENCE}
    made.root_dataset["conformsTo"] = {"@id": PROFILE}
    made.root_dataset["keywords"] = (
        "neural tangent kernel, reproducibility, PyTorch, JAX"
    )
    made.root_dataset["citation"] = _one(
        [{"@id": _paper(claim)} for claim in _by_paper(document)]
    )
    made.root_dataset["mentions"] = _one(
        [{"@id": action["@id"]} for action in _actions([], document, run)]
    )


def title(document: Json) -> str:
    """The crate's name."""
    return f"Verdicts on claims about the Neural Tangent Kernel, at {document['tier']} scale"


def about(document: Json) -> str:
    """The crate's description: how many claims, which verdicts, in which backends."""
    return (
        f"Published claims about the Neural Tangent Kernel, measured at {document['tier']} scale "
        "in "
        f"{' and '.join(document['backends'])} and held against margins fixed before the run. "
        f"{counted(len(document['claims']), 'claim')}: {tally(document)}. With every raw "
        "measurement, the "
        "registrations, and the claims as code."
    )


def _software(document: Json, run: Json) -> Iterator[dict[str, Any]]:
    versions = sorted(
        {
            (package, version)
            for facts in document["environment"].values()
            for package in SOFTWARE
            for version in str(facts.get(package) or "").split(", ")
            if version
        }
    )
    needed = []
    for package, version in versions:
        name, url = SOFTWARE[package]
        needed.append({"@id": f"{url}#{package}-{version}"})
        yield {
            **needed[-1],
            "@type": "SoftwareApplication",
            "name": name,
            "url": url,
            "softwareVersion": version,
        }
    yield {
        "@id": "#ntk-claims",
        "@type": "SoftwareApplication",
        "name": "ntk-claims",
        "description": "Executable checks of published claims about the Neural Tangent Kernel.",
        "softwareVersion": run.get("distributions", {}).get("ntk-claims", __version__),
        "softwareRequirements": needed,
    }


def _context(document: Json) -> Iterator[dict[str, Any]]:
    yield {
        "@id": PROFILE,
        "@type": "CreativeWork",
        "name": "Process Run Crate",
        "version": "0.5",
    }
    yield {
        "@id": LICENCE,
        "@type": "CreativeWork",
        "name": "Apache License 2.0",
        "description": "A permissive licence that asks for attribution and for changes to be "
        "stated.",
    }
    for claim in _by_paper(document):
        paper = claim["paper"]
        name = f"{paper['authors']} ({paper['year']}): {paper['title']}"
        yield {
            "@id": _paper(claim),
            "@type": "ScholarlyArticle",
            "name": name,
            "datePublished": str(paper["year"]),
        }


def _actions(
    parts: Sequence[Part], document: Json, run: Json
) -> Iterator[dict[str, Any]]:
    inputs, measured, results = (
        [{"@id": part.path} for part in parts if part.role == role]
        for role in ("input", "measured", "result")
    )
    if run["cells"]["oldest"]:
        yield {
            "@id": "#sweep",
            "@type": "CreateAction",
            "name": f"Measuring in {' and '.join(document['backends'])}",
            "description": "Computed the cells, each an experiment at one configuration, in one "
            "backend, for some "
            "seeds. The times are those at which the first and the last of them were begun.",
            "instrument": {"@id": "#ntk-claims"},
            "object": inputs,
            "result": _one(measured),
            "startTime": _time(run["cells"]["oldest"]["computed"]),
            "endTime": _time(run["cells"]["newest"]["computed"]),
        }
    yield {
        "@id": "#verdicts",
        "@type": "CreateAction",
        "name": "Judging the measurements",
        "description": "Held the measured effects against the registered margins, with the "
        "command: " + " ".join(run["command"]),
        "instrument": {"@id": "#ntk-claims"},
        "object": [*measured, *inputs],
        "result": results,
        "startTime": _time(run["started"]),
        "endTime": _time(run["finished"]),
    }


def _one(values: list[dict[str, str]]) -> Any:
    """A list of one as that one, as JSON-LD is compacted."""
    return values[0] if len(values) == 1 else values


def _by_paper(document: Json) -> list[Json]:
    """The first claim of each paper."""
    return list(
        {_paper(claim): claim for claim in reversed(document["claims"])}.values()
    )[::-1]


def _paper(claim: Json) -> str:
    name = "".join(
        letter if letter.isalnum() else "-" for letter in claim["id"].partition("/")[0]
    )
    return f"#{name}"


def _time(text: str) -> str:
    return moment(text).isoformat(timespec="seconds")


def _page(parts: Sequence[Part], document: Json, run: Json) -> str:
    return page(
        "crate.html.j2",
        title=title(document),
        about=about(document),
        parts=parts,
        run=run,
    )
