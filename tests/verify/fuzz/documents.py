"""Targets: reports, calibrations, registrations and recorded verdicts, read as the commands read
them.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from harness import experiment, registration, report, studies
from harness.errors import InvalidInput
from harness.report import calibration, runs
from harness.report.calibration_tables import rates
from harness.report.diff import compare
from harness.report.diff_text import as_lines
from harness.report.readme import table
from tests.verify.fuzz.mutations import altered_json
from tests.verify.fuzz.target import Target

ROOT = Path(__file__).parents[3]
RECORDED = ROOT / "reports" / "recorded" / "quick"
CLAIM = "wenger2023/kernel_regime_needs_extreme_width"
TOML = (
    f'["{CLAIM}"]\nquick = {{ verdict = "REFUTED", reason = "so" }}\n'
    'full = { verdict = "INCONCLUSIVE", reason = "x" }\n'
)
RECORD = {
    "claim": {"id": CLAIM, "statement": "It holds."},
    "tiers": {"quick": {"replicates": 10, "grid": [{"n": 1}]}},
}


def targets() -> list[Target]:
    """Of this module."""
    verdicts, run = (
        json.loads((RECORDED / f"{name}.json").read_bytes())
        for name in ("verdicts", "run")
    )
    rates_ = json.loads((RECORDED / "calibration.json").read_bytes())
    (claim,) = (claim for claim in verdicts["claims"] if claim["id"] == CLAIM)
    verdicts |= {"claims": [_short(claim)], "not_finite": {}}
    run |= {"claims": {CLAIM: run["claims"][CLAIM]}, "distributions": {"numpy": "2.4"}}
    rates_["claims"] = {CLAIM: _short(rates_["claims"][CLAIM])}
    texts = {
        name: json.dumps(value).encode()
        for name, value in (("verdicts", verdicts), ("run", run))
    }
    refusals = (InvalidInput,)
    return [
        Target(
            "verdicts",
            [texts["verdicts"]],
            _report("verdicts.json", texts),
            refusals,
            altered_json,
        ),
        Target(
            "run", [texts["run"]], _report("run.json", texts), refusals, altered_json
        ),
        Target(
            "calibration",
            [json.dumps(rates_).encode()],
            _calibration,
            refusals,
            altered_json,
        ),
        Target("registration", [_registration()[0]], _record, refusals, altered_json),
        Target("registration-log", [_registration()[1]], _log, refusals, altered_json),
        Target("recorded-verdicts", [TOML.encode()], _toml, refusals),
    ]


def _short(value: Any) -> Any:
    """With two entries of each list at most, but the pairs and columns of figures, which belong
    together.
    """
    if isinstance(value, dict):
        return {name: _short(inner) for name, inner in value.items()}
    return [_short(inner) for inner in value[:2]] if isinstance(value, list) else value


def _report(name: str, texts: dict[str, bytes]) -> Callable[[Path, bytes], None]:
    def read(folder: Path, content: bytes) -> None:
        others = {f"{other}.json": text for other, text in texts.items()}
        for other, text in (others | {name: content}).items():
            (folder / other).write_bytes(text)
        document, _ = report.load(folder)
        found = runs.read(folder)
        shown = [*as_lines(compare(found, found), True), table(document, "report.html")]
        "\n".join([*shown, report.summary_markdown(document)]).encode("utf-8")

    return read


def _calibration(folder: Path, content: bytes) -> None:
    (folder / calibration.FILE).write_bytes(content)
    read = calibration.read(folder)
    assert read is not None
    for claim, own in read["claims"].items():
        calibration.found(read, claim, own["registration"], own["seeds"])
    rates(read)


def _registration() -> tuple[bytes, bytes]:
    """A record and its log, of one entry."""
    digest = experiment.digest(RECORD)
    entry = {
        "claim": CLAIM,
        "date": "2026-01-01",
        "reason": "before the run",
        "results_seen": False,
        "before": None,
        "after": digest,
        "changed": [],
        "previous": None,
    }
    content = {
        "claim": CLAIM,
        "date": "2026-01-01",
        "digest": digest,
        "history": experiment.digest(entry),
        "record": RECORD,
    }
    return json.dumps(content).encode(), experiment.canonical(entry).encode()


def _registered(folder: Path, record: bytes, log: bytes) -> None:
    place = folder / CLAIM
    place.parent.mkdir(parents=True)
    place.with_name(f"{place.name}.json").write_bytes(record)
    place.with_name(f"{place.name}.log.jsonl").write_bytes(log)
    found = registration.read(folder, CLAIM)
    assert found is not None
    assert (found.record, found.digest) == (RECORD, experiment.digest(RECORD)), (
        "an altered record was read"
    )


def _record(folder: Path, content: bytes) -> None:
    _registered(folder, content, _registration()[1])


def _log(folder: Path, content: bytes) -> None:
    _registered(folder, _registration()[0], content)


def _toml(folder: Path, content: bytes) -> None:
    (folder / studies.RECORD).write_bytes(content)
    studies.recorded(folder)
