"""Engine "ray": the same worker processes on a Ray cluster's nodes, each kept by an actor.

The cluster is at `Settings.ray_address`, else at the environment variable RAY_ADDRESS; without
either, one is started on this machine, and stopped at the end. Python, the packages, the store and
the current folder must be the same on each node.
"""

import math
import time
import uuid
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from harness.errors import BackendUnavailable, InvalidInput, StoreError
from harness.sweep import ray_cluster, ray_keeper
from harness.sweep.engines import Books, Result, Settings, Task
from harness.sweep.local_engine import RETRIES, TICK, Agenda, failed
from harness.sweep.store import CUT, Store
from harness.sweep.worker_process import Place

ARRIVAL_LIMIT = 300.0
ENDING = 10.0


@dataclass
class Slot:
    """A keeper, and what it was asked last: to arrive, or a task; nothing while it is idle."""

    keeper: Any
    answer: Any
    backend: str | None = None
    task: Task | None = None
    cut: bool = False
    arrived: bool = False
    losses: int = 0


class Engine:
    """Computes tasks on a Ray cluster; see `engines.Engine`.

    Slots: `gpus_per_cell` of a GPU each (1 where the cluster has any, unless the device is "cpu"),
    else one per core, at most 8 on a node; the cores are shared among them as threads. A slot whose
    node is lost gets another keeper, wherever there is room.

    Raises:
        BackendUnavailable: if Ray is not installed.
        InvalidInput: for a share of GPUs that Ray cannot give.
    """

    def __init__(self, settings: Settings) -> None:
        share = settings.gpus_per_cell
        if share is not None and not (
            0 < share <= 1 or (share > 1 and share == math.floor(share))
        ):
            raise InvalidInput(
                f"gpus_per_cell must be in (0, 1] or a whole number; got {share!r}."
            )
        self.settings, self.ray = settings, ray_cluster.package()
        self._slots: list[Slot] = []
        self._devices: dict[str, str] = {}
        self._threads, self._share = 1, 0.0
        self._folder: Path | None = None
        self._probe = f".probe-{uuid.uuid4().hex}"
        self._waiting_since = time.monotonic()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        ends = [slot.keeper.end.remote() for slot in self._slots if slot.arrived]
        if ends:
            self.ray.wait(ends, num_returns=len(ends), timeout=ENDING)
        for slot in self._slots:
            self.ray.kill(slot.keeper)
        ray_cluster.leave(self.ray, self._folder)
        for leaving in self.settings.store.glob(f"{self._probe}*"):
            leaving.unlink(missing_ok=True)

    def start(self, backends: Sequence[str]) -> dict[str, str]:
        """Proves that a node sees the store, and that each backend is there by starting a worker on
        it.
        """
        if not self._slots:
            self._folder = ray_cluster.connect(self.ray, self.settings.ray_address)
            self._prepare_slots()
        while not any(slot.arrived for slot in self._slots):
            self._listen()
            if self.settings.left() <= 0:
                raise self._no_room()
        self._prove(backends)
        return {backend: self._devices[backend] for backend in backends}

    def _prove(self, backends: Sequence[str]) -> None:
        there = [slot for slot in self._slots if slot.arrived]
        new = [backend for backend in backends if backend not in self._devices]
        for index, backend in enumerate(new):
            slot = there[index % len(there)]
            try:
                greeting = self.ray.get(slot.keeper.greet.remote(backend))
            except self.ray.exceptions.RayError as error:
                raise BackendUnavailable(
                    f"Backend {backend!r}: the node that was to prove it is lost. {error}"
                ) from error
            if greeting["event"] != "ready":
                raise BackendUnavailable(greeting["message"])
            self._devices[backend], slot.backend = greeting["device"], backend

    def slots(self) -> int:
        """How many tasks run at a time."""
        return len(self._slots)

    def compute(self, tasks: Sequence[Task], books: Books) -> Iterator[Result | None]:
        """Results as they come, and None about once a second."""
        agenda = Agenda(tasks, books, self.settings.left)
        names = list(agenda.queues)
        for index, slot in enumerate(self._slots):
            slot.backend = slot.backend or names[index % len(names)]
        self._waiting_since = time.monotonic()
        self._hand_out(agenda)
        while self._underway(agenda):
            results = self._listen()
            for result in results:
                if result.again:
                    agenda.put_back(
                        Task(
                            result.task.request,
                            result.task.circumstances,
                            result.task.attempt + 1,
                        )
                    )
            yield from results
            if not results:
                yield None
            self._hand_out(agenda)
        silent = "The time was up, and the node that computed it did not say so."
        yield from (
            failed(slot.task, CUT, silent)
            for slot in self._slots
            if slot.task is not None
        )

    def _underway(self, agenda: Agenda) -> bool:
        """Whether results may come; a keeper has a while after the deadline to say that it ended
        its worker.
        """
        left, running = self.settings.left(), any(slot.task for slot in self._slots)
        return (running and left > -ENDING) or (
            left > 0 and any(agenda.queues.values())
        )

    def _hand_out(self, agenda: Agenda) -> None:
        for slot in self._slots:
            if slot.arrived and slot.task is None:
                assert slot.backend is not None
                slot.task = agenda.take(slot.backend)
                if slot.task is not None:
                    slot.backend = slot.task.request.backend
                    left = self.settings.left()
                    slot.cut = left < self.settings.time_limit
                    slot.answer = slot.keeper.attempt.remote(
                        slot.task, min(left, self.settings.time_limit)
                    )

    def _listen(self) -> list[Result]:
        """Waits up to a second; the results that came.

        Keepers that arrive, or are lost, are seen to.
        """
        asked = {slot.answer: slot for slot in self._slots if slot.answer is not None}
        left = self.settings.left()
        # a deadline does not wait for a tick
        patience = left if 0 < left < TICK else TICK
        answered, _ = self.ray.wait(list(asked), num_returns=1, timeout=patience)
        if any(slot.arrived for slot in self._slots):
            self._waiting_since = time.monotonic()
        elif time.monotonic() - self._waiting_since > ARRIVAL_LIMIT:
            raise self._no_room()
        results = [self._heard(asked[answer]) for answer in answered]
        return [result for result in results if result is not None]

    def _no_room(self) -> BackendUnavailable:
        return BackendUnavailable(
            "No node of the Ray cluster had room for a worker in "
            f"{time.monotonic() - self._waiting_since:.0f} s; it "
            f"needs {self._threads} CPUs and {self._share:g} GPUs. See what runs there (ray "
            "status), or ask for less."
        )

    def _heard(self, slot: Slot) -> Result | None:
        task, answer, slot.task, slot.answer = slot.task, slot.answer, None, None
        try:
            said = self.ray.get(answer)
        except self.ray.exceptions.RayError as error:
            self._replace(slot, error)
            short = isinstance(error, self.ray.exceptions.OutOfMemoryError)
            return (
                failed(
                    task, "memory" if short else "death", f"A node was lost: {error}"
                )
                if task
                else None
            )
        slot.losses = 0
        if task is not None:
            return _judged(task, said, late=CUT if slot.cut else "timeout")
        if said:
            raise StoreError(
                f"A node of the Ray cluster is of no use: {said}. The store and the current folder "
                "must be on a "
                "disk that every node mounts at the same path."
            )
        slot.arrived = True
        return None

    def _replace(self, slot: Slot, error: Exception) -> None:
        """Another keeper in place of one that was lost; its worker, should it live on, is ended
        with it.
        """
        if slot.losses > RETRIES and not slot.arrived:
            raise BackendUnavailable(
                f"Ray could not start a worker, {slot.losses} times in a row: {error}"
            ) from error
        self.ray.kill(slot.keeper)
        slot.losses, slot.arrived = slot.losses + 1, False
        slot.keeper, slot.answer = self._keeper()

    def _prepare_slots(self) -> None:
        resources = ray_cluster.resources(self.ray)
        share = self.settings.gpus_per_cell
        if share is None:
            share = (
                1.0
                if self.settings.device != "cpu" and any(gpus for _, gpus in resources)
                else 0.0
            )
        self._share = share
        count, self._threads = ray_cluster.layout(
            resources, share, self.settings.workers
        )
        if not count:
            raise InvalidInput(
                f"No node of the Ray cluster has a CPU and {share:g} GPUs, which a cell needs; "
                "they have "
                f"{', '.join(f'{cpus:g} CPUs and {gpus:g} GPUs' for cpus, gpus in resources)}."
            )
        store = Store(self.settings.store)
        store.prepare()
        (store.path / self._probe).write_text("Can you read this?", encoding="utf-8")
        self._slots = [Slot(*self._keeper()) for _ in range(count)]

    def _keeper(self) -> tuple[Any, Any]:
        """A new keeper, and its arrival."""
        place = Place(
            self.settings.device, self._threads, None, self.settings.memory_limit
        )
        keeper = self.ray.remote(ray_keeper.Keeper).options(
            num_cpus=self._threads,
            num_gpus=self._share,
            max_concurrency=2,
            scheduling_strategy="SPREAD",
        )
        keeper = keeper.remote(
            *ray_keeper.arguments(self.settings.store, self.settings.claims, place)
        )
        return keeper, keeper.arrive.remote(self._probe)


def _judged(task: Task, answer: dict[str, Any], late: str) -> Result:
    """The end of one attempt."""
    if answer["event"] == "done":
        return Result(task)
    if answer["event"] == "late":
        return failed(task, late, answer["traceback"])
    if answer["event"] == "died":
        return failed(task, "death", answer["traceback"])
    if answer["kind"] == "store":
        raise StoreError(answer["traceback"])
    return failed(task, answer["kind"], answer["traceback"])
