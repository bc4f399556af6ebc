"""The pytest plugin: collects claims, runs one sweep for all, and turns verdicts into outcomes.

A claim's test takes the fixture `verdict` and asserts that it is SUPPORTED. What else may come:

    recorded in verdicts.toml   a strict xfail with the recorded reason; any other verdict turns the
                                run red
    NOT_RUN                     skipped with its reason, or failed under --require-all
    BROKEN                      an error

All claims share one sweep, so pytest-xdist has nothing to distribute: a claim's test that it runs
is an error.

Names of options and fixtures are those of the project's design.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path

import pytest
from _pytest._code import ExceptionInfo
from _pytest.skipping import evaluate_skip_marks, evaluate_xfail_marks

from harness import (
    __version__,
    papers,
    plugin_options,
    registration,
    report,
    shipped,
    studies,
)
from harness.commands.data import fetch_for
from harness.commands.times import prior
from harness.console import show_all_signs
from harness.errors import ClaimsError
from harness.export import properties
from harness.numerals import counted
from harness.plugin_options import REPORTS, chosen
from harness.registration import FOLDER
from harness.report import calibration
from harness.report.summary import tally
from harness.report.terminal import finding_line
from harness.session import STORE, Session, Settings, backend_names, requests, verify
from harness.study import Study
from harness.sweep import Progress
from harness.verdict import ClaimVerdict, Kind


@dataclass
class Collected:
    """The claims of this pytest session, and what became of them."""

    studies: dict[Path, Study] = field(default_factory=dict)
    outcome: Session | None = None
    report: Path | None = None
    differences: list[str] | None = None
    """To the recorded run, where its own cells were judged."""


KEY: pytest.StashKey[Collected] = pytest.StashKey()


@pytest.hookimpl(wrapper=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Iterator[None]:
    """Adds the options, after those of the project's own conftest files."""
    plugin_options.hide(early_config, parser, args)
    result = yield
    plugin_options.add(parser)
    return result


def pytest_configure(config: pytest.Config) -> None:
    """Registers the marker, and checks the names given."""
    config.addinivalue_line(
        "markers", "claim(id): the claim that a test verifies; set by the plugin"
    )
    config.stash[KEY] = Collected()


def pytest_report_collectionfinish(
    config: pytest.Config, items: list[pytest.Item]
) -> list[str]:
    """What the claims will be verified with, where there are any."""
    if config.get_verbosity() < 0 or not any(_study(item) for item in items):
        return []
    names = backend_names(chosen(config, "backend"))
    packages = {"numpy": ["numpy"], "torch": ["torch"], "jax": ["jax", "jaxlib"]}
    versions = [
        f"{package} {_version(package)}"
        for name in names
        for package in packages.get(name, [name])
    ]
    values = ", ".join(
        f"{option} {chosen(config, option)}" for option in ("tier", "engine", "device")
    )
    store = chosen(config, "store") or STORE
    return [
        f"ntk-claims: {__version__}, {values}, store {store}, {', '.join(versions)}"
    ]


def _version(package: str) -> str:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


class ClaimModule(pytest.Module):
    """A file of a paper; imported as everyone does who needs it (`harness.studies`)."""

    def _getobj(self) -> object:
        try:
            return papers.imported(self.path)
        except (ImportError, SyntaxError) as error:
            how = ExceptionInfo.from_exception(error).getrepr(style="short")
            raise self.CollectError(
                f"{self.path} cannot be imported.\n{how}"
            ) from error


@pytest.hookimpl(tryfirst=True)
def pytest_collect_file(file_path: Path) -> None:
    """Makes `claims` the folder of a paper's file, for whatever collects it (doctests too)."""
    if file_path.suffix == ".py" and studies.is_of_paper(file_path):
        papers.bind(papers.folder_of(file_path))


def pytest_pycollect_makemodule(
    module_path: Path, parent: pytest.Collector
) -> pytest.Module | None:
    """Modules of papers are imported by their names; all others are left to pytest."""
    if not studies.is_of_paper(module_path):
        return None
    module: pytest.Module = ClaimModule.from_parent(parent, path=module_path)
    return module


@pytest.hookimpl(tryfirst=True)
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
    """Keeps the claims that were selected, but for those whose tests pytest will not run."""
    claims = ((item, _study(item)) for item in session.items)
    session.config.stash[KEY].studies = {
        item.path: study
        for item, study in claims
        if study is not None and _is_run(item)
    }


def _is_run(item: pytest.Item) -> bool:
    """Whether pytest will set this test up: not where it is marked to be skipped, or as
    xfail(run=False).
    """
    try:
        if evaluate_skip_marks(item):
            return False
        expected_to_fail = evaluate_xfail_marks(item)
    except (
        pytest.fail.Exception,
        TypeError,
    ):  # a condition that cannot be evaluated: the test's own error
        return False
    return (
        not expected_to_fail
        or expected_to_fail.run
        or bool(item.config.option.runxfail)
    )


@pytest.hookimpl(tryfirst=True)
def pytest_runtestloop(session: pytest.Session) -> None:
    """Verifies every selected claim in one sweep, before the first test runs: cells and families
    are shared.
    """
    config, collected = session.config, session.config.stash[KEY]
    if (
        not collected.studies
        or _stopped(session)
        or _only_shown(config)
        or _distributed(config)
    ):
        return
    show_all_signs()
    folder = _folder(config)
    try:
        _prove_writable(config, folder)
        with shipped.cells_of(
            _store(config), _recorded_run(config), asked=_store_is_asked(config)
        ) as store:
            collected.outcome = _verified(config, collected.studies, store)
        made = collected.outcome
        if store != _store(config):
            known, _ = report.load(_recorded_run(config))
            collected.differences = shipped.differences(made.document["claims"], known)
        collected.report = report.write(folder, made.document, made.run)
    except ClaimsError as error:
        raise pytest.UsageError(str(error)) from error


def _stopped(session: pytest.Session) -> bool:
    """Whether something could not be collected, after which pytest runs nothing."""
    return (
        bool(session.testsfailed)
        and not session.config.option.continue_on_collection_errors
    )


def _only_shown(config: pytest.Config) -> bool:
    """Whether no test is run: --collect-only, --setup-only, --setup-plan (it sets the same)."""
    return bool(config.option.collectonly or config.option.setuponly)


def _prove_writable(config: pytest.Config, folder: Path) -> None:
    """Proves before hours are spent that the report, and pytest's own in JUnit's format, can be
    written.
    """
    report.prove_writable(folder)
    junit = config.getoption("xmlpath", None)
    if junit:
        report.prove_writable((config.invocation_params.dir / junit).parent)


def _distributed(config: pytest.Config) -> bool:
    """Whether this is a worker of pytest-xdist, where a UsageError would only crash the session."""
    return hasattr(config, "workerinput")


def _store(config: pytest.Config) -> Path:
    return _path(config, "store", STORE)


def _store_is_asked(config: pytest.Config) -> bool:
    """Whether the cells must be those of a store: a run's own, or one that was named."""
    return not chosen(config, "replay") or chosen(config, "store") is not None


def _recorded_run(config: pytest.Config) -> Path:
    return config.rootpath / shipped.RECORDED / chosen(config, "tier")


def _verified(
    config: pytest.Config, selected: Mapping[Path, Study], store: Path
) -> Session:
    terminal = config.pluginmanager.get_plugin("terminalreporter")
    roots = {studies.root_of(path) for path in selected}
    claims = {root: list(studies.discover(root).values()) for root in roots}
    unclaimed = [
        one
        for root, found in claims.items()
        for one in registration.unclaimed(root / FOLDER, [s.claim.id for s in found])
    ]
    every = [study for found in claims.values() for study in found]
    recorded = {
        key: entry for root in roots for key, entry in studies.recorded(root).items()
    }

    def write(text: str) -> None:
        if terminal is not None:
            terminal.write(text, flush=True)

    claims_folder = studies.claims_folder(selected)
    run = replace(settings(config), claims=claims_folder, store=store)
    if chosen(config, "download"):
        fetch_for(
            [
                request
                for study in selected.values()
                for request in requests(study, run)
            ],
            write,
        )
    recorded_run = _recorded_run(config)
    return verify(
        list(selected.values()),
        run,
        family_sizes=registration.family_sizes(every, unclaimed),
        recorded=recorded,
        registrations={
            study.claim.id: studies.root_of(path) / FOLDER
            for path, study in selected.items()
        },
        unclaimed=unclaimed,
        calibrations=calibration.read(recorded_run),
        prior=prior(recorded_run),
        progress=Progress(write, live=bool(terminal and terminal.isatty)),
    )


def settings(config: pytest.Config) -> Settings:
    """The settings that the options say.

    Raises:
        InvalidInput: as `Settings` does.
    """
    return Settings(
        tier=chosen(config, "tier"),
        backends=backend_names(chosen(config, "backend")),
        store=_store(config),
        engine=chosen(config, "engine"),
        device=chosen(config, "device"),
        workers=chosen(config, "claim-workers"),
        replay=chosen(config, "replay"),
        ray_address=chosen(config, "ray-address"),
        gpus_per_cell=chosen(config, "gpus-per-cell"),
    )


def _folder(config: pytest.Config) -> Path:
    now = datetime.now(UTC).strftime("%Y%m%dT%H%M%SZ")
    return _path(config, "report", f"{REPORTS}/{chosen(config, 'tier')}-{now}")


def _path(config: pytest.Config, name: str, default: str) -> Path:
    """A path that is given starts from the current folder, as everywhere; the default from the
    project's root.
    """
    given = chosen(config, name)
    return (
        config.rootpath / default
        if given is None
        else config.invocation_params.dir / given
    )


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A registration that has no claim file, and was not withdrawn, turns a green run red, and so
    does a recorded cell that gives another effect than was recorded.
    """
    collected = session.config.stash[KEY]
    outcome = collected.outcome
    hidden = outcome is not None and any(
        one["state"] != "withdrawn" for one in outcome.document["unclaimed"]
    )
    if (hidden or collected.differences) and session.exitstatus == pytest.ExitCode.OK:
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


@pytest.fixture
def verdict(request: pytest.FixtureRequest) -> ClaimVerdict:
    """The verdict on the claim that the test's file makes (its `claim`)."""
    collected = request.config.stash[KEY]
    study = studies.study_of(request.module)
    if study is None:
        text = (
            f"{request.path} takes the fixture 'verdict' "
            "but defines no claim = harness.claim.Claim(...)."
        )
        pytest.fail(text, pytrace=False)
    if _distributed(request.config):
        text = (
            "Claims share one sweep with workers of its own; "
            "run them without pytest-xdist (-n 0)."
        )
        pytest.fail(text, pytrace=False)
    if collected.outcome is None or study.claim.id not in collected.outcome.verdicts:
        pytest.skip(
            "This claim was not verified: nothing is computed for a test that pytest only shows or "
            "skips."
        )
    found = collected.outcome.verdicts[study.claim.id]
    (written,) = (
        claim
        for claim in collected.outcome.document["claims"]
        if claim["id"] == found.claim
    )
    request.node.user_properties.extend(properties(written).items())
    if found.kind == Kind.NOT_RUN and not chosen(request.config, "require-all"):
        pytest.skip(found.reason)
    if found.kind == Kind.BROKEN:
        pytest.fail(f"BROKEN: {found.reason}", pytrace=False)
    if written["stale"] and not chosen(request.config, "stale-ok"):
        pytest.fail(
            f"STALE: {found.reason} To judge such cells nevertheless: --stale-ok.",
            pytrace=False,
        )
    record = studies.recorded(studies.root_of(request.path)).get(
        (study.claim.id, found.tier)
    )
    if (
        record is not None
        and record.verdict != Kind.SUPPORTED
        and found.kind in (record.verdict, Kind.SUPPORTED)
    ):
        # SUPPORTED where another verdict is recorded then fails as a strict xfail that passed: a
        # change turns red.
        reason = f"recorded {record.verdict}: {record.reason}"
        request.node.add_marker(
            pytest.mark.xfail(strict=True, reason=reason, raises=AssertionError)
        )
    return found


def pytest_terminal_summary(
    terminalreporter: "pytest.TerminalReporter", config: pytest.Config
) -> None:
    """The verdicts, and where the report is."""
    collected = config.stash[KEY]
    if collected.outcome is None:
        return
    terminalreporter.section("verdicts")
    document = collected.outcome.document
    terminalreporter.line(
        f"{counted(len(document['claims']), 'claim')}: {tally(document)}"
    )
    for claim in document["claims"]:
        found, known = claim["verdict"]["kind"], claim["recorded"]
        changed = "" if known in (None, found) else f", recorded {known}"
        stale = (
            f", STALE: {report.in_words_stale(claim['stale'], claim['cells'])}"
            if claim["stale"]
            else ""
        )
        terminalreporter.line(f"{finding_line(claim)}{changed}{stale}")
    for one in collected.outcome.document["unclaimed"]:
        terminalreporter.line(f"{one['state']:<13} {one['claim']}: {one['words']}")
    if collected.differences is not None:
        terminalreporter.line(_held_against_the_recorded(collected, config))
    if collected.report is not None:
        terminalreporter.line(f"report: {collected.report}")


def _held_against_the_recorded(collected: Collected, config: pytest.Config) -> str:
    """Whether the recorded cells, judged again, gave the recorded verdicts and effects."""
    place = shipped.RECORDED / chosen(config, "tier")
    total = len(collected.studies)
    lines = collected.differences or []
    if lines:
        return "\n".join([f"Not as recorded in {place}:", *lines])
    return (
        f"{counted(total, 'verdict')} as recorded in {place}, with the same effects: the cells "
        "recorded there were checked and judged again."
    )
