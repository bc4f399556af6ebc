"""The files of the archive: what each is, where it lies, and its bytes."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

from harness import registration
from harness.errors import InvalidInput
from harness.export.parquet import measurements
from harness.sweep import Cell

Json = Mapping[str, Any]
JSON, HTML, MARKDOWN, TEXT, PYTHON = (
    "application/json",
    "text/html",
    "text/markdown",
    "text/plain",
    "text/x-python",
)
PARQUET = "application/vnd.apache.parquet"
REPORT = {
    "verdicts.json": (
        JSON,
        "Every verdict with what was registered, measured and decided; see schemas/.",
    ),
    "report.html": (
        HTML,
        "The report for readers, one page without scripts, made from verdicts.json and run.json.",
    ),
    "summary.md": (MARKDOWN, "The verdicts as one table."),
    "run.json": (
        JSON,
        "When and with which command the verdicts were made, and the age and cost of the cells.",
    ),
    "calibration.json": (
        JSON,
        "How often each claim's decision errs in simulations with the measured scatter.",
    ),
}
"""File of a report -> media type, and what it holds; the last one is in a report only where it was
made.
"""
OPTIONAL = frozenset({"calibration.json"})


@dataclass(frozen=True)
class Part:
    """A file of the archive.

    Args:
        path: inside the archive, with forward slashes.
        content: its bytes.
        media: its media type.
        description: one sentence for readers.
        role: "result" of the judging, "measured" by the sweep, or "input" to both.
        schema: path of the part that holds its JSON Schema, if there is one.
    """

    path: str
    content: bytes
    media: str
    description: str
    role: str
    schema: str = ""


def parts(
    folder: Path,
    document: Json,
    run: Json,
    cells: Mapping[str, Sequence[Cell]],
    sources: Mapping[str, Path],
    registrations: Path,
) -> list[Part]:
    """Every file of the archive except its metadata and its page, sorted by path.

    Args:
        folder: of the report.
        document, run: contents of its verdicts.json and run.json.
        cells: claim id -> the cells that its verdict rests on.
        sources: claim id -> the file that makes the claim.
        registrations: folder of the registrations; those that are what a claim was judged by go in.

    Raises:
        InvalidInput: if a file of the report or of a claim cannot be read, or pyarrow is missing.
    """
    rows = Part(
        "measurements.parquet",
        measurements(cells),
        PARQUET,
        "Every raw measurement: one row per claim, quantity, configuration, backend, seed and "
        "element.",
        "measured",
    )
    found = [
        rows,
        *_report(folder),
        *_schemas(),
        *_claims(sources),
        *_registrations(document, registrations),
    ]
    return sorted([*found, *_lock(run)], key=lambda part: part.path)


def _report(folder: Path) -> Iterator[Part]:
    schemas = {
        "verdicts.json": "schemas/verdicts.schema.json",
        "run.json": "schemas/run.schema.json",
    }
    for name, (media, description) in REPORT.items():
        if name not in OPTIONAL or (folder / name).exists():
            role = "input" if name in OPTIONAL else "result"
            yield Part(
                name,
                _read(folder / name),
                media,
                description,
                role,
                schemas.get(name, ""),
            )


def schemas() -> dict[str, bytes]:
    """The published JSON Schemas: name of the file -> its content."""
    names = ("verdicts.schema.json", "run.schema.json")
    own = {
        name: (resources.files("harness.report") / name).read_bytes() for name in names
    }
    return own | {"registration.schema.json": registration.json_schema().encode()}


def _schemas() -> Iterator[Part]:
    for name, content in schemas().items():
        description = (
            "JSON Schema of "
            f"{'each registration' if name.startswith('reg') else name.replace('.schema', '')}."
        )
        yield Part(
            f"schemas/{name}", content, "application/schema+json", description, "input"
        )


def _claims(sources: Mapping[str, Path]) -> Iterator[Part]:
    for claim, file in sources.items():
        description = (
            f"The claim {claim}: statement, rule of decision, experiment and controls."
        )
        yield Part(
            f"claims/{file.parent.name}/{file.name}",
            _read(file),
            PYTHON,
            description,
            "input",
        )


def _registrations(document: Json, folder: Path) -> Iterator[Part]:
    """Record and log of each claim whose registration in force is the one that was judged."""
    for claim in document["claims"]:
        if _registered(folder, claim["id"]) != claim["registration"]:
            continue
        for ending, what in (
            (".json", "What was registered before the run of"),
            (".log.jsonl", "Amendments to"),
        ):
            path = f"registrations/{claim['id']}{ending}"
            schema = "schemas/registration.schema.json" if ending == ".json" else ""
            content = _read(folder / f"{claim['id']}{ending}")
            yield Part(
                path,
                content,
                JSON if schema else "application/jsonl",
                f"{what} {claim['id']}.",
                "input",
                schema,
            )


def _registered(folder: Path, claim: str) -> str:
    """The digest that is registered; "" where there is none, or none that can be trusted: such a
    claim is BROKEN.
    """
    try:
        found = registration.read(folder, claim)
    except InvalidInput:
        return ""
    return found.digest if found else ""


def _lock(run: Json) -> Iterator[Part]:
    """The distributions that were installed where the verdicts were made; not every recorded run
    names them.
    """
    if run.get("distributions"):
        lines = [
            f"# Python {run['platform'].get('python', '')}, {run['platform'].get('system', '')}"
        ]
        lines += [
            f"{name}=={version}"
            for name, version in sorted(run["distributions"].items())
        ]
        description = (
            "Every installed distribution of the environment that judged, "
            "as requirements for pip."
        )
        yield Part(
            "environment/requirements.txt",
            ("\n".join(lines) + "\n").encode(),
            TEXT,
            description,
            "input",
        )


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise InvalidInput(
            f"{file} cannot be read for the archive: {error.strerror or error}. Write the report "
            "again "
            "(ntk-claims report), or name the folder of the claims with --claims."
        ) from error
