"""Runs requests against a store: what is there is taken, what is missing is computed."""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from harness.backends import DEVICES
from harness.errors import InvalidInput, SweepFailed
from harness.experiment import Measurements, Request, canonical
from harness.papers import CLAIMS
from harness.sweep import cell, code, devices, engines
from harness.sweep.cell import Cell, Circumstances
from harness.sweep.engines import Engine, Result, Settings, Task
from harness.sweep.estimates import NOTHING_KNOWN, Prior
from harness.sweep.ledger import Ledger, Outcome
from harness.sweep.progress import Status, silent
from harness.sweep.store import CUT, Store


@dataclass(frozen=True)
class Sweep:
    """The outcomes of a run.

    Args:
        outcomes: one per request, in their order.
        notices: about cells that were set aside.
        estimate: seconds that computing what was missing was expected to take when it began; None
            if nothing like it was known, or nothing was missing.
        seconds: that it took.
    """

    outcomes: tuple[Outcome, ...]
    notices: tuple[str, ...] = ()
    estimate: float | None = None
    seconds: float = 0.0

    @property
    def counts(self) -> dict[str, int]:
        """How many different cells were planned, cached, done, failed and unfinished."""
        outcomes = {
            outcome.request.digest: outcome for outcome in self.outcomes
        }.values()
        kinds = Counter(outcome.kind for outcome in outcomes)
        return {"planned": len(outcomes)} | {
            kind: kinds[kind] for kind in ("cached", "done", "failed", "unfinished")
        }

    def measurements(self, backend: str) -> Measurements:
        """The measured arrays of one backend; what lacks its data set is named as absent, all its
        replicates together.

        Raises:
            SweepFailed: naming them, if other cells are missing.
        """
        outcomes = [
            outcome for outcome in self.outcomes if outcome.request.backend == backend
        ]
        absent = {
            canonical(o.request.configuration): (o.request.configuration, o.lacks)
            for o in outcomes
            if o.lacks
        }
        outcomes = [
            outcome
            for outcome in outcomes
            if canonical(outcome.request.configuration) not in absent
        ]
        missing = [outcome for outcome in outcomes if outcome.cell is None]
        if missing:
            listed = "\n  ".join(_describe(outcome) for outcome in missing[:10])
            raise SweepFailed(
                f"{len(missing)} of {len(outcomes)} cells of backend {backend!r} are missing; "
                f"run the sweep again when the cause is gone. The first:\n  {listed}"
            )
        cells = tuple(
            (outcome.request, outcome.cell.arrays)
            for outcome in outcomes
            if outcome.cell
        )
        return Measurements(cells, tuple(absent.values()))


def _describe(outcome: Outcome) -> str:
    request, failure = outcome.request, outcome.failure
    cause = (
        f"{failure.kind}: {failure.traceback.strip().splitlines()[-1]}"
        if failure
        else "not computed"
    )
    return f"{request.computation} {request.configuration} replicates {request.replicates}: {cause}"


def recorded(requests: Iterable[Request], store: Store) -> Sweep:
    """What the store holds of these requests, computed on whatever machine; the newest answer to
    each. Runs nothing.
    """
    notices: list[str] = []
    store = replace(store, notify=notices.append)
    outcomes, lacking = [], store.lacking()
    for request in requests:
        answers = store.answers(request)
        failure = None if answers else lacking.get(request.digest)
        outcomes.append(
            Outcome(
                request, answers[-1] if answers else None, failure, cached=bool(answers)
            )
        )
    return Sweep(tuple(outcomes), tuple(notices))


def run(  # noqa: PLR0913 -- public; what is optional is given by name
    requests: Iterable[Request],
    store: Store,
    *,
    engine: str = "local",
    device: str = "auto",
    workers: int | None = None,
    time_limit: float = 3600.0,
    deadline: float | None = None,
    memory_limit: int | None = None,
    ray_address: str | None = None,
    gpus_per_cell: float | None = None,
    claims: Path = CLAIMS,
    prior: Prior = NOTHING_KNOWN,
    progress: Callable[[Status], object] = silent,
) -> Sweep:
    """Answers requests from the store, and computes those that it lacks, each once.

    Args:
        requests: in the order in which they should be computed if there is a deadline; without one
            those that are expected to take longest come first. Backends run side by side where
            there is room.
        store: where cells are, and go.
        engine: name of the engine, see `engines`.
        device: "cpu", "cuda", or "auto": a GPU for each backend that sees one.
        workers: cells at a time; None lets the engine choose.
        time_limit: seconds a cell may take; beyond, it fails with kind "timeout".
        deadline: POSIX time at which the run ends; cells not done by then are unfinished, and none
            is started that is expected not to be done.
        memory_limit: bytes of data that a worker on the CPU may hold.
        ray_address: HOST:PORT of the cluster of engine "ray"; None for RAY_ADDRESS, or one of this
            machine's own.
        gpus_per_cell: of each cell of engine "ray", fractions too; None for 1 where there are GPUs.
        claims: folder that holds the papers' folders, where computations of papers are found.
        prior: what a recorded run took on some machine, for the time left and the order; by
            nothing else.
        progress: called with a Status after each cell and about once a second.

    Raises:
        InvalidInput: an argument or a request that is not allowed.
        BackendUnavailable: before anything is computed, if a backend or the device is not there.
        StoreError: if the store cannot be read or written.
    """
    _check(device, workers, time_limit, memory_limit)
    _check_ray(engine, ray_address, gpus_per_cell)
    plan = [(request.digest, request) for request in _checked(requests)]
    notices: list[str] = []
    store = replace(store, notify=notices.append)
    if device == "auto" and engine == "local" and not devices.has_nvidia():
        device = "cpu"
    limits = (time_limit, deadline, memory_limit)
    settings = Settings(
        store.path.absolute(),
        device,
        workers,
        *limits,
        ray_address,
        gpus_per_cell,
        claims.absolute(),
    )
    ledger = Ledger(dict(plan), prior)
    with engines.get(engine)(settings) as running:
        tasks = _look_up(dict(plan), store, running, settings=settings, ledger=ledger)
        if tasks:
            _compute(
                tasks,
                store,
                running,
                ledger=ledger,
                show=lambda: progress(ledger.status(tuple(notices))),
                longest_first=deadline is None,
            )
    progress(ledger.status(tuple(notices), ended=True))
    outcomes = (
        replace(ledger.outcomes.get(name, Outcome(request)), request=request)
        for name, request in plan
    )
    return Sweep(tuple(outcomes), tuple(notices), ledger.estimate, ledger.seconds)


def _look_up(
    requests: Mapping[str, Request],
    store: Store,
    engine: Engine,
    *,
    settings: Settings,
    ledger: Ledger,
) -> list[Task]:
    """Books what the store has; the tasks for what it lacks.

    Device "auto" is decided here: by the store if it has all of a backend from a GPU, else by a
    worker.
    """
    places = dict.fromkeys(
        (request.backend for request in requests.values()), settings.device
    )
    if settings.device == "auto":
        places = dict.fromkeys(places, "cuda")
        missing = [
            task
            for task, answer in _answers(requests, store, places, settings.claims)
            if answer is None
        ]
        places |= engine.start(_backends(missing))
    tasks = []
    for (name, request), (task, answer) in zip(
        requests.items(),
        _answers(requests, store, places, settings.claims),
        strict=True,
    ):
        if answer is None:
            tasks.append(task)
        else:
            ledger.enter(name, Outcome(request, answer, cached=True))
    return tasks


def _answers(
    requests: Mapping[str, Request],
    store: Store,
    places: Mapping[str, str],
    claims: Path,
) -> Iterator[tuple[Task, Cell | None]]:
    """Each request as a task on its backend's device class, with the store's answer."""
    known: dict[tuple[str, str], Circumstances] = {}
    for request in requests.values():
        kind = (request.computation, request.backend)
        if kind not in known:
            known[kind] = code.circumstances(*kind, places[request.backend], claims)
        yield Task(request, known[kind]), store.find(request, known[kind])


def _compute(
    tasks: Sequence[Task],
    store: Store,
    engine: Engine,
    *,
    ledger: Ledger,
    show: Callable[[], object],
    longest_first: bool,
) -> None:
    store.prepare()
    for task in tasks:
        for earlier in store.answers(task.request):
            ledger.remember(task.request, earlier.provenance.seconds)
    if longest_first:
        # Or a long cell that begins last would leave the other slots without work.
        tasks = sorted(tasks, key=lambda task: -ledger.foreseen(task.request))
    # What the end of an earlier run's time cut short comes last, or it would keep the others from
    # ever being computed.
    tasks = sorted(tasks, key=lambda task: _cuts(task, store))
    engine.start(_backends(tasks))
    ledger.begin(engine.slots())
    show()
    for result in engine.compute(tasks, ledger):
        if result is not None:
            _book(result, store, ledger)
        show()


def _cuts(task: Task, store: Store) -> int:
    return sum(
        failure.kind == CUT
        for failure in store.failures(task.request, task.circumstances)
    )


def _book(result: Result, store: Store, ledger: Ledger) -> None:
    request, circumstances = result.task.request, result.task.circumstances
    if result.failure is None:
        ledger.enter(
            request.digest, Outcome(request, store.find(request, circumstances))
        )
        return
    store.put_failure(request, circumstances, result.failure)
    if not result.again and result.failure.kind != CUT:
        ledger.enter(request.digest, Outcome(request, failure=result.failure))


def _backends(tasks: Iterable[Task]) -> list[str]:
    return list(dict.fromkeys(task.request.backend for task in tasks))


def _checked(requests: Iterable[Request]) -> Iterator[Request]:
    for request in requests:
        cell.request_of(asdict(request))
        yield request


def _check(
    device: str, workers: int | None, time_limit: float, memory_limit: int | None
) -> None:
    if device not in DEVICES:
        raise InvalidInput(f"Unknown device {device!r}. Allowed: {', '.join(DEVICES)}.")
    if workers is not None and workers < 1:
        raise InvalidInput(f"workers must be None or at least 1; got {workers!r}.")
    if not time_limit > 0:
        raise InvalidInput(
            f"time_limit must be a positive number of seconds; got {time_limit!r}."
        )
    if memory_limit is not None and memory_limit < 1:
        raise InvalidInput(
            f"memory_limit must be None or a positive number of bytes; got {memory_limit!r}."
        )


def _check_ray(
    engine: str, ray_address: str | None, gpus_per_cell: float | None
) -> None:
    if engine != "ray" and not (ray_address is None and gpus_per_cell is None):
        raise InvalidInput(
            f"ray_address and gpus_per_cell are for engine 'ray'; got them ({ray_address!r}, "
            f"{gpus_per_cell!r}) "
            f"with engine {engine!r}. Ask for engine 'ray' (--engine ray), or leave them out "
            "(--ray-address, "
            "--gpus-per-cell)."
        )
