"""A session: studies go in; one sweep runs; verdicts, families and the report come out."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from harness import registration, report, sweep
from harness.backends import available, known
from harness.errors import (
    ClaimsError,
    DatasetUnavailable,
    InvalidInput,
    StoreError,
    SweepFailed,
)
from harness.experiment import TIERS, Measurements, Request
from harness.judge import Member, broken, judge, judge_family, not_run
from harness.papers import CLAIMS
from harness.plots import Figure
from harness.provenance import amendments, environment, order, run_record, stale_cells
from harness.report import calibration
from harness.studies import Recorded
from harness.study import Study
from harness.sweep import Outcome, Status, Store, Sweep
from harness.verdict import ClaimVerdict, Kind

STORE = ".ntk-claims/store"
"""Where cells are kept unless told otherwise, from the project's root."""


@dataclass(frozen=True)
class Settings:
    """How a session runs.

    Args:
        tier: "quick" or "full".
        backends: in which the claims are verified.
        engine, device, workers, ray_address, gpus_per_cell: as in `harness.sweep.run`.
        store: where cells are, and go.
        claims: the folder that holds the papers' folders.
        replay: take the newest recorded cells, from whatever machine, and compute nothing.

    Raises:
        InvalidInput: for an unknown tier or backend, no backend, or one that is named twice.
    """

    tier: str
    backends: tuple[str, ...]
    store: Path
    engine: str = "local"
    device: str = "auto"
    workers: int | None = None
    replay: bool = False
    ray_address: str | None = None
    gpus_per_cell: float | None = None
    claims: Path = CLAIMS

    def __post_init__(self) -> None:
        if self.tier not in TIERS:
            raise InvalidInput(
                f"Unknown tier {self.tier!r}. Allowed, with --tier: {', '.join(TIERS)}."
            )
        for name in self.backends:
            known(name)
        if not self.backends or len(set(self.backends)) < len(self.backends):
            raise InvalidInput(
                "Name at least one backend, and each once, with --backend; got "
                f"{', '.join(self.backends) or 'none'}. "
                f"Available: {', '.join(available())}."
            )


def backend_names(text: str) -> tuple[str, ...]:
    """The names in a comma-separated list.

    >>> backend_names("torch, jax")
    ('torch', 'jax')
    """
    return tuple(name.strip() for name in text.split(",") if name.strip())


@dataclass(frozen=True)
class Session:
    """What came out: verdicts by claim id, and the contents of verdicts.json and run.json."""

    verdicts: Mapping[str, ClaimVerdict]
    document: Mapping[str, Any]
    run: Mapping[str, Any]


def requests(study: Study, settings: Settings) -> list[Request]:
    """Every cell of a study, backend by backend within each experiment; empty if it lacks the tier.

    Raises:
        InvalidInput: if the study has no experiment, or its experiments have different numbers of
            replicates.
    """
    if not study.experiments:
        raise InvalidInput(
            f"Claim {study.claim.id!r} has no experiment; a Claim(...) lists at least one as "
            "experiments=[...]."
        )
    if any(
        getattr(experiment, settings.tier) is None for experiment in study.experiments
    ):
        return []
    _replicates(study, settings.tier)
    by_backend = [
        [
            request
            for experiment in study.experiments
            for request in experiment.requests(settings.tier, backend)
        ]
        for backend in settings.backends
    ]
    return [
        request for together in zip(*by_backend, strict=True) for request in together
    ]


def verify(  # noqa: PLR0913 -- public; what is optional is given by name
    studies: Sequence[Study],
    settings: Settings,
    *,
    family_sizes: Mapping[str, int] | None = None,
    recorded: Mapping[tuple[str, str], Recorded] | None = None,
    registrations: Mapping[str, Path] | None = None,
    unclaimed: Sequence[registration.Unclaimed] = (),
    calibrations: Mapping[str, Any] | None = None,
    prior: sweep.Prior = sweep.NOTHING_KNOWN,
    progress: Callable[[Status], object],
) -> Session:
    """Runs what is missing, and judges every study.

    A claim that is not registered as it is now is BROKEN: none of its cells is computed for it, and
    no number of it is shown. One that was withdrawn is NOT_RUN. To explore, there is `ntk-claims
    rehearse`.

    Args:
        studies: claims, each with its experiments.
        settings: tier, backends, store, engine.
        family_sizes: registered number of claims per family; counted over `studies` where it is not
            known better.
        recorded: verdicts recorded earlier, for the report.
        registrations: claim id -> folder that holds its registration; None: registrations are not
            asked for.
        unclaimed: registrations without a claim file, for the report.
        calibrations: the content of calibration.json, of which the report shows what is of these
            registrations.
        prior: what a recorded run took, see `harness.sweep.run`.
        progress: called with the status of the sweep.

    Raises:
        InvalidInput: for two claims with one id, or a claim that cannot be registered.
        InvalidInput, BackendUnavailable, StoreError: as `harness.sweep.run` does, before anything
        is computed.
    """
    started = datetime.now(UTC)
    made_on = registration.now(Path.cwd())
    records = _records(studies)
    unregistered = _unregistered(studies, registrations)
    logs = {
        study.claim.id: _log(study, registrations, unregistered) for study in studies
    }
    plans = {
        s.claim.id: [] if unregistered[s.claim.id] else requests(s, settings)
        for s in studies
    }
    swept = _sweep(
        [request for plan in plans.values() for request in plan],
        settings,
        prior,
        progress,
    )
    outcomes = {outcome.request.digest: outcome for outcome in swept.outcomes}
    stale = {
        claim: stale_cells(plan, outcomes, settings.claims)
        for claim, plan in plans.items()
    }
    judged = {}
    for study in studies:
        claim = study.claim.id
        refused = _refused(study, settings.tier, unregistered[claim])
        judged[claim] = refused or _judged(study, plans[claim], outcomes, settings)
    members = [
        Member(
            s.claim.family,
            min(h.rule.alpha for h in s.claim.primary),
            judged[s.claim.id][0],
        )
        for s in studies
    ]
    # A family is never smaller than what is judged of it: Counter's | takes the larger of two
    # counts.
    sizes = Counter(study.claim.family for study in studies) | Counter(
        family_sizes or {}
    )
    verdicts = {
        v.claim: _with_stale(v, stale[v.claim], plans[v.claim])
        for v in judge_family(members, sizes)
    }
    entries = [
        _calibrated(
            calibrations,
            study=study,
            verdict=verdicts[study.claim.id],
            registration=records[study.claim.id],
            history=amendments(logs[study.claim.id]),
            replicates=_replicates(study, settings.tier)
            if plans[study.claim.id]
            else 0,
            figures=judged[study.claim.id][1],
            cells=len(plans[study.claim.id]),
            stale=stale[study.claim.id],
            recorded=entry.verdict
            if (entry := (recorded or {}).get((study.claim.id, settings.tier)))
            else None,
        )
        for study in studies
    ]
    missing = [report.Unclaimed(one.claim, one.state, one.words) for one in unclaimed]
    backends = settings.backends
    document = report.document(
        entries,
        settings.tier,
        backends,
        environment(outcomes, backends),
        unclaimed=missing,
    )
    run = run_record(
        started,
        plans,
        outcomes,
        swept,
        made_on=made_on,
        order=order(logs, made_on, plans, outcomes),
    )
    return Session(verdicts, document, run)


def _calibrated(calibrations: Mapping[str, Any] | None, **known: Any) -> report.Entry:
    """The claim's entry in the report, with the calibration that was made for this registration, if
    any.
    """
    entry = report.Entry(**known)
    whole, hypotheses = calibration.found(
        calibrations, entry.study.claim.id, entry.registration, entry.replicates
    )
    return replace(entry, calibration=hypotheses, calibration_of_claim=whole)


def _records(studies: Sequence[Study]) -> dict[str, str]:
    """Claim id -> digest of its record; proves before hours are spent that each claim can be
    reported.
    """
    digests: dict[str, str] = {}
    for study in studies:
        if study.claim.id in digests:
            raise InvalidInput(
                f"Two of the claims to be verified have the id {study.claim.id!r}. Each claim has "
                "its own."
            )
        digests[study.claim.id] = registration.ClaimRecord.of(study).digest
    return digests


def _unregistered(
    studies: Sequence[Study], folders: Mapping[str, Path] | None
) -> dict[str, str]:
    """Claim id -> "" if the claim is what is registered, or nobody asks; else what is wrong."""
    return {
        study.claim.id: ""
        if folders is None
        else registration.check(study, folders[study.claim.id])
        for study in studies
    }


def _refused(
    study: Study, tier: str, unregistered: str
) -> tuple[ClaimVerdict, Sequence[Figure]] | None:
    """Without any number: BROKEN for a claim that is not as registered, NOT_RUN for one withdrawn;
    None for others.
    """
    if not unregistered:
        return None
    kind = (
        Kind.NOT_RUN if unregistered.startswith(registration.WITHDRAWN) else Kind.BROKEN
    )
    reason = f"{unregistered[0].upper()}{unregistered[1:]}"
    return ClaimVerdict(study.claim.id, tier, kind, reason, alone=kind), ()


def _with_stale(
    verdict: ClaimVerdict, stale: int, plan: Sequence[Request]
) -> ClaimVerdict:
    """The verdict, whose reason says so if cells behind it were computed by other code than the
    present.
    """
    if not stale:
        return verdict
    return replace(
        verdict, reason=f"{report.in_words_stale(stale, len(plan))} {verdict.reason}"
    )


def _log(
    study: Study, folders: Mapping[str, Path] | None, unregistered: Mapping[str, str]
) -> tuple[registration.Entry, ...]:
    """The claim's log, where it can be trusted: it is registered or withdrawn, and nothing was
    altered by hand.
    """
    said = unregistered[study.claim.id]
    if folders is None or (said and not said.startswith(registration.WITHDRAWN)):
        return ()
    found = registration.read(folders[study.claim.id], study.claim.id)
    return found.history if found else ()


def _sweep(
    wanted: Sequence[Request],
    settings: Settings,
    prior: sweep.Prior,
    progress: Callable[[Status], object],
) -> Sweep:
    store = Store(settings.store)
    if settings.replay:
        return _recorded_cells(wanted, store, progress)
    return sweep.run(
        wanted,
        store,
        engine=settings.engine,
        device=settings.device,
        workers=settings.workers,
        ray_address=settings.ray_address,
        gpus_per_cell=settings.gpus_per_cell,
        claims=settings.claims,
        prior=prior,
        progress=progress,
    )


def _recorded_cells(
    wanted: Sequence[Request], store: Store, progress: Callable[[Status], object]
) -> Sweep:
    if not store.path.is_dir():
        raise StoreError(
            f"There is no store at {store.path}, so there is nothing to replay. Name the folder "
            "that holds the "
            "recorded cells with --store, or compute them first: ntk-claims sweep, or pytest "
            "without --replay."
        )
    found = sweep.recorded(wanted, store)
    progress(
        Status(
            found.counts["planned"],
            found.counts["cached"],
            notices=found.notices,
            ended=True,
        )
    )
    return found


def _judged(
    study: Study,
    plan: Sequence[Request],
    outcomes: Mapping[str, Outcome],
    settings: Settings,
) -> tuple[ClaimVerdict, Sequence[Figure]]:
    """The verdict before the family, and the figures; a claim whose cells or code fail is BROKEN,
    the others go on.
    """
    if not plan:
        return not_run(
            study.claim, settings.tier, f"This claim has no {settings.tier} tier."
        ), ()
    found = Sweep(tuple(outcomes[request.digest] for request in plan))
    if settings.replay and not any(outcome.cell for outcome in found.outcomes):
        return not_run(
            study.claim,
            settings.tier,
            "No cell of this claim is recorded in the store.",
        ), ()
    try:
        measurements = _measurements(found, settings)
        verdict = judge(
            study, measurements, settings.tier, _replicates(study, settings.tier)
        )
        return verdict, tuple(study.figures(measurements))
    except DatasetUnavailable as error:
        return not_run(study.claim, settings.tier, str(error)), ()
    except ClaimsError as error:
        return broken(study.claim, settings.tier, str(error)), ()
    # A claim file is somebody's code: its fault is its own verdict, not the session's end.
    except Exception as error:
        reason = f"The claim's own code failed: {type(error).__name__}: {error}"
        return broken(study.claim, settings.tier, reason), ()


def _measurements(found: Sweep, settings: Settings) -> dict[str, Measurements]:
    """Per backend; raises SweepFailed if cells are missing, or replayed cells of a backend do not
    belong together.
    """
    measurements = {
        backend: found.measurements(backend) for backend in settings.backends
    }
    for backend in settings.backends if settings.replay else ():
        cells = [
            o.cell
            for o in found.outcomes
            if o.cell is not None and o.request.backend == backend
        ]
        kinds = {(cell.request.computation, str(cell.circumstances)) for cell in cells}
        if len(kinds) > len({cell.request.computation for cell in cells}):
            raise SweepFailed(
                f"The recorded cells of backend {backend!r} come from different devices, versions "
                "or code, so they "
                "make no one run. Name a store that holds one run."
            )
    return measurements


def _replicates(study: Study, tier: str) -> int:
    counts = {experiment.tier(tier).replicates for experiment in study.experiments}
    if len(counts) > 1:
        raise InvalidInput(
            f"The experiments of {study.claim.id!r} have different numbers of replicates: "
            f"{sorted(counts)}."
        )
    return counts.pop()
