"""The pytest plugin: collects claims, runs one sweep for all of them, and turns verdicts into outcomes.

A claim's test takes the fixture `verdict` and asserts that it is SUPPORTED. What else may come:

    recorded in verdicts.toml   a strict xfail with the recorded reason; any other verdict turns the run red
    NOT_RUN                     skipped with its reason, or failed under --require-all
    BROKEN                      an error

All claims share one sweep, so pytest-xdist has nothing to distribute: a claim's test that it runs is an error.

Names of options and fixtures are those of the project's design.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest

from harness import __version__, registration, report, studies
from harness.backends import DEVICES
from harness.claim import Study
from harness.commands.data import fetch_for
from harness.errors import ClaimsError
from harness.experiment import TIERS
from harness.export import properties
from harness.registration import FOLDER
from harness.report import calibration
from harness.session import STORE, Session, Settings, backend_names, requests, verify
from harness.sweep import Progress
from harness.sweep.engines import GPUS_PER_CELL, RAY_ADDRESS
from harness.sweep.engines import available as engines_available
from harness.verdict import ClaimVerdict, Kind

REPORTS = "reports"


@dataclass
class Collected:
    """The claims of this pytest session, and what became of them."""

    studies: dict[Path, Study] = field(default_factory=dict)
    outcome: Session | None = None
    report: Path | None = None


KEY: pytest.StashKey[Collected] = pytest.StashKey()


def pytest_addoption(parser: pytest.Parser) -> None:
    """The options of a claims run."""
    group = parser.getgroup("ntk-claims", "verify claims about the neural tangent kernel")
    group.addoption("--tier", choices=TIERS, default="quick", help="scale of the experiments (default: quick)")
    group.addoption("--backend", default="torch,jax", help="backends, comma-separated (default: torch,jax)")
    group.addoption("--engine", default="local", help=f"what runs the cells: {', '.join(engines_available())}")
    group.addoption("--ray-address", default=None, metavar="HOST:PORT", help=RAY_ADDRESS)
    group.addoption("--gpus-per-cell", type=float, default=None, help=GPUS_PER_CELL)
    group.addoption("--device", default="auto", choices=DEVICES, help="default: a GPU where there is one")
    group.addoption("--claim-workers", type=int, default=None, help="cells at a time (default: the engine chooses)")
    group.addoption("--require-all", action="store_true", help="a claim that is NOT_RUN fails instead of being skipped")
    group.addoption("--store", default=None, help=f"where cells are kept (default: {STORE})")
    group.addoption("--report", default=None, help=f"folder of the report (default: {REPORTS}/<tier>-<time>)")
    group.addoption("--download", action="store_true", help="download the data sets that the claims need and lack")
    group.addoption("--stale-ok", action="store_true", help="--replay may judge cells of other code than the present")
    group.addoption("--replay", action="store_true", help="judge the cells recorded in the store; compute nothing")


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker, and checks the names given."""
    config.addinivalue_line("markers", "claim(id): the claim that a test verifies; set by the plugin")
    config.stash[KEY] = Collected()


def pytest_report_header(config: pytest.Config) -> str:
    """What the claims will be verified with."""
    names = backend_names(config.getoption("--backend"))
    packages = {"numpy": ["numpy"], "torch": ["torch"], "jax": ["jax", "jaxlib"]}
    versions = [f"{package} {_version(package)}" for name in names for package in packages.get(name, [name])]
    chosen = ", ".join(f"{option} {config.getoption(f'--{option}')}" for option in ("tier", "engine", "device"))
    store = config.getoption("--store") or STORE
    return f"ntk-claims: {__version__}, {chosen}, store {store}, {', '.join(versions)}"


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Marks the test of each claim with the claim's id."""
    for item in items:
        study = _study(item)
        if study is not None:
            item.add_marker(pytest.mark.claim(study.claim.id))


def _study(item: pytest.Item) -> Study | None:
    if not isinstance(item, pytest.Function) or "verdict" not in item.fixturenames:
        return None
    return studies.study_of(item.module)


def pytest_collection_finish(session: pytest.Session) -> None:
    """Keeps the claims that were selected."""
    found = {item.path: study for item in session.items if (study := _study(item)) is not None}
    session.config.stash[KEY].studies = found


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Verifies every selected claim in one sweep, before the first test runs: cells and families are shared."""
    config, collected = session.config, session.config.stash[KEY]
    stopped = session.testsfailed and not config.option.continue_on_collection_errors
    if not collected.studies or stopped or config.option.collectonly or _distributed(config):
        return
    try:
        collected.outcome = _verified(config, collected.studies)
        collected.report = report.write(_folder(config), collected.outcome.document, collected.outcome.run)
    except ClaimsError as error:
        raise pytest.UsageError(str(error)) from error


def _distributed(config: pytest.Config) -> bool:
    """Whether this is a worker of pytest-xdist, where a UsageError would only crash the session."""
    return hasattr(config, "workerinput")


def _verified(config: pytest.Config, selected: Mapping[Path, Study]) -> Session:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    roots = {studies.root_of(path) for path in selected}
    claims = {root: [study.claim for study in studies.discover(root).values()] for root in roots}
    unclaimed = [
        one
        for root, found in claims.items()
        for one in registration.unclaimed(root / FOLDER, [claim.id for claim in found])
    ]
    sizes = Counter(claim.family for found in claims.values() for claim in found)
    sizes += Counter(one.family for one in unclaimed if one.family)
    recorded = {key: entry for root in roots for key, entry in studies.recorded(root).items()}

    def write(text: str) -> None:
        if terminal is not None:
            terminal.write(text, flush=True)

    chosen = settings(config)
    if config.getoption("--download"):
        fetch_for([request for study in selected.values() for request in requests(study, chosen)], write)
    return verify(
        list(selected.values()),
        chosen,
        family_sizes=sizes,
        recorded=recorded,
        registrations={study.claim.id: studies.root_of(path) / FOLDER for path, study in selected.items()},
        unclaimed=unclaimed,
        calibrations=calibration.read(config.rootpath / REPORTS / "recorded" / config.getoption("--tier")),
        progress=Progress(write, live=bool(terminal and terminal.isatty)),
    )


def settings(config: pytest.Config) -> Settings:
    """The settings that the options say.

    Raises:
        InvalidInput: as `Settings` does.
    """
    return Settings(
        tier=config.getoption("--tier"),
        backends=backend_names(config.getoption("--backend")),
        store=_path(config, "--store", STORE),
        engine=config.getoption("--engine"),
        device=config.getoption("--device"),
        workers=config.getoption("--claim-workers"),
        replay=config.getoption("--replay"),
        ray_address=config.getoption("--ray-address"),
        gpus_per_cell=config.getoption("--gpus-per-cell"),
    )


def _folder(config: pytest.Config) -> Path:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return _path(config, "--report", f"{REPORTS}/{config.getoption('--tier')}-{now}")


def _path(config: pytest.Config, option: str, default: str) -> Path:
    """A path that is given starts from the current folder, as everywhere; the default from the project's root."""
    given = config.getoption(option)
    return config.rootpath / default if given is None else config.invocation_params.dir / given


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A registration that has no claim file, and was not withdrawn, turns a green run red."""
    outcome = session.config.stash[KEY].outcome
    hidden = outcome is not None and any(one["state"] != "withdrawn" for one in outcome.document["unclaimed"])
    if hidden and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> ClaimVerdict:
    """The verdict on the claim that the test's file makes (its STUDY)."""
    collected = request.config.stash[KEY]
    study = studies.study_of(request.module)
    if study is None:
        text = f"{request.path} takes the fixture 'verdict' but defines no STUDY = harness.claim.Study(...)."
        pytest.fail(text, pytrace=False)
    if _distributed(request.config):
        text = "Claims share one sweep with workers of its own; run them without pytest-xdist (-n 0)."
        pytest.fail(text, pytrace=False)
    assert collected.outcome is not None
    found = collected.outcome.verdicts[study.claim.id]
    (written,) = (claim for claim in collected.outcome.document["claims"] if claim["id"] == found.claim)
    request.node.user_properties.extend(properties(written).items())
    if found.kind == Kind.NOT_RUN and not request.config.getoption("--require-all"):
        pytest.skip(found.reason)
    if found.kind == Kind.BROKEN:
        pytest.fail(f"BROKEN: {found.reason}", pytrace=False)
    if written["stale"] and not request.config.getoption("--stale-ok"):
        pytest.fail(f"STALE: {found.reason} To judge such cells nevertheless: --stale-ok.", pytrace=False)
    record = studies.recorded(studies.root_of(request.path)).get((study.claim.id, found.tier))
    if record is not None and record.verdict != Kind.SUPPORTED and found.kind in (record.verdict, Kind.SUPPORTED):
        # SUPPORTED where another verdict is recorded then fails as a strict xfail that passed: a change turns red.
        reason = f"recorded {record.verdict}: {record.reason}"
        request.node.add_marker(pytest.mark.xfail(strict=True, reason=reason, raises=AssertionError))
    return found


def pytest_terminal_summary(terminalreporter: "pytest.TerminalReporter", config: pytest.Config) -> None:
    """The verdicts, and where the report is."""
    collected = config.stash[KEY]
    if collected.outcome is None:
        return
    terminalreporter.section("verdicts")
    for claim in collected.outcome.document["claims"]:
        found, known = claim["verdict"]["kind"], claim["recorded"]
        changed = "" if known in (None, found) else f", recorded {known}"
        stale = f", STALE: {report.in_words_stale(claim['stale'], claim['cells'])}" if claim["stale"] else ""
        terminalreporter.line(f"{found:<13} {claim['id']} ({claim['tier']}){changed}{stale}")
    for one in collected.outcome.document["unclaimed"]:
        terminalreporter.line(f"{one['state']:<13} {one['claim']}: {one['words']}")
    if collected.report is not None:
        terminalreporter.line(f"report: {collected.report}")
