"""What a reader of the terminal or of a CI log sees, and the estimate of the time left."""

import heapq
import random
from itertools import count
from pathlib import Path
from types import SimpleNamespace

import pytest

from harness.experiment import Request
from harness.shipped import CELLS, legible
from harness.sweep import ledger as ledgers
from harness.sweep.engines import Task
from harness.sweep.estimates import NOTHING_KNOWN, Estimates, Forecast, Prior, likeness
from harness.sweep.ledger import Ledger, Outcome
from harness.sweep.local_engine import Agenda
from harness.sweep.progress import Progress, Status, on

ROOT = Path(__file__).parents[3]
RECORDED = ROOT / "reports/recorded/quick"


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


def test_on_a_terminal_one_line_is_rewritten():
    written = []
    progress = Progress(written.append, live=True)
    progress(Status(planned=3, cached=1))
    progress(Status(planned=3, cached=1, done=2, ended=True))
    assert [text.rstrip(" ") for text in written] == [
        "\rcells: 1 of 3 done (1 cached), 0 failed, time left not known yet",
        f"\r{'cells: 3 of 3 done (1 cached), 0 failed':<78}\n",
    ]
    assert {len(text.strip("\r\n")) for text in written} == {78}, (
        "a shorter line must cover a longer one"
    )


def test_elsewhere_a_plain_line_comes_every_ten_seconds_and_at_the_end():
    written, clock = [], Clock()
    progress = Progress(written.append, live=False, clock=clock)
    for second in range(25):
        clock.now = float(second)
        progress(Status(planned=100, cached=0, done=second, left=100.0 - second))
    progress(Status(planned=100, cached=0, done=25, failed=1, ended=True))
    assert written == [
        "cells: 10 of 100 done (0 cached), 0 failed, about 90 s left\n",
        "cells: 20 of 100 done (0 cached), 0 failed, about 80 s left\n",
        "cells: 25 of 100 done (0 cached), 1 failed, 74 unfinished\n",
    ]


@pytest.mark.parametrize("live", [True, False])
def test_a_notice_is_shown_once_at_once(live):
    written = []
    progress = Progress(written.append, live, clock=Clock())
    for notices in [
        (),
        ("a cell was set aside",),
        ("a cell was set aside", "another one"),
    ]:
        progress(Status(planned=1, cached=0, notices=notices))
    lines = "".join(written).replace("\r", "\n").split("\n")
    assert [
        line.strip() for line in lines if "cells:" not in line and line.strip()
    ] == [
        "a cell was set aside",
        "another one",
    ]


def test_a_stream_that_is_no_terminal_gets_plain_lines(tmp_path):
    with open(tmp_path / "log", "w") as stream:
        on(stream)(Status(planned=1, cached=1, ended=True))
        assert (
            tmp_path / "log"
        ).read_text() == "cells: 1 of 1 done (1 cached), 0 failed\n", "written at once"


def request(width=64, backend="torch", computation="harness.x:f", replicates=(0, 1)):
    return Request(
        computation, {"width": width}, replicates, "registered", backend, "float32"
    )


def test_an_estimate_comes_from_the_closest_kind_that_is_known():
    estimates = Estimates()
    assert estimates.guess(likeness(request())) is None
    estimates.learn(likeness(request(width=128)), 8.0)
    assert estimates.guess(likeness(request())) == 8.0
    assert estimates.guess(likeness(request(computation="harness.x:g"))) is None
    estimates.learn(likeness(request(backend="jax")), 4.0)
    assert estimates.guess(likeness(request())) == 4.0
    estimates.learn(likeness(request()), 1.0)
    estimates.learn(likeness(request(replicates=(2, 3))), 2.0)
    assert estimates.guess(likeness(request())) == 1.5


def forecast_of(prior, **requests):
    recorded = [
        (other, prior[width])
        for width in prior
        for other in (request(width), request(width, backend="jax"))
    ]
    return Forecast(requests, Prior(recorded))


def test_what_was_recorded_is_scaled_by_the_pace_of_what_was_computed():
    forecast = forecast_of(
        {64: 8.0, 128: 80.0},
        short=request(64),
        long=request(128),
        long_jax=request(128, backend="jax"),
    )
    assert forecast.seconds("short") == 8.0
    forecast.learn("short", 24.0)
    assert forecast.seconds("long") == pytest.approx(80.0 * (24 + 80) / (8 + 80)), (
        "a short request counts no more than its seconds"
    )
    forecast.learn("long", 240.0)
    assert forecast.seconds("long_jax") == pytest.approx(80.0 * 344 / 168)
    forecast.learn("long_jax", 80.0)
    assert forecast.seconds("long_jax") < 120.0 < 180.0 < forecast.seconds("long"), (
        "each backend has its pace"
    )


def test_streams_and_seeds_play_no_part_in_what_was_recorded_and_precision_does():
    prior = Prior([(request(), 8.0)])
    fresh = Request("harness.x:f", {"width": 64}, (7, 8), "another", "torch", "float32")
    double = Request(
        "harness.x:f", {"width": 64}, (0, 1), "registered", "torch", "float64"
    )
    assert prior.same(fresh) == 8.0
    assert prior.same(double) is None
    assert prior.same(request(replicates=(0, 1, 2))) is None


def test_without_a_record_of_the_configuration_its_computation_or_all_stand_for_it():
    prior = Prior([(request(64), 2.0), (request(128), 4.0)])
    prior_of_two = Prior(
        [(request(64), 2.0), (request(64, computation="harness.x:g"), 8.0)]
    )
    assert prior.like(request(256)) == 3.0
    assert prior.like(request(256, backend="jax")) == 3.0
    assert prior_of_two.like(request(computation="harness.x:new")) == 5.0
    assert NOTHING_KNOWN.like(request()) is None


def test_a_recorded_answer_of_other_code_comes_before_the_recorded_run():
    forecast = forecast_of({64: 1.0, 128: 1.0}, a=request(64), b=request(128))
    forecast.remember("a", 5.0)
    assert forecast.seconds("a") == 5.0
    assert forecast.seconds("b") == 1.0
    forecast.remember("b", 7.0)
    forecast.learn("a", 15.0)
    assert 7.0 < forecast.seconds("b") < 21.0


MEDIANS = {"small": 0.4, "kernels": 1.3, "trained": 6.0, "curves": 12.0}
"""Seconds of a cell of each made-up computation; within one they are spread over a factor of about
forty.
"""


def made_up_run():
    """Requests with what each takes on this machine, and what it took on another one, twice as fast
    and otherwise.
    """
    draws = random.Random(0)
    run = []
    for computation, median in MEDIANS.items():
        for width in range(35):
            for backend in ("torch", "jax"):
                seconds = median * draws.lognormvariate(0.0, 0.9)
                recorded = 0.5 * seconds * draws.lognormvariate(0.0, 0.4)
                run.append(
                    (
                        request(width, backend, f"harness.x:{computation}"),
                        seconds,
                        recorded,
                    )
                )
    return run


def forecasts(run, prior):
    """Time left over the truth, whenever a cell is done between a tenth and nine tenths of the
    work.
    """
    ledger, ratios = Ledger({cell.digest: cell for cell, _, _ in run}, prior), []
    ledger.slots = 2
    total, done = sum(seconds for _, seconds, _ in run), 0.0
    for cell, seconds, _ in run:
        provenance = SimpleNamespace(seconds=seconds)
        ledger.enter(cell.digest, Outcome(cell, SimpleNamespace(provenance=provenance)))
        done += seconds
        if 0.1 <= done / total <= 0.9:
            ratios.append(ledger._time_left() / ((total - done) / 2))
    return ratios


@pytest.mark.parametrize("order", ["claim by claim", "backwards", "mixed"])
def test_with_recorded_seconds_the_time_left_is_within_a_factor_of_two_after_a_tenth_of_the_work(
    order,
):
    run = made_up_run()
    ordered = {
        "claim by claim": run,
        "backwards": run[::-1],
        "mixed": random.Random(1).sample(run, len(run)),
    }[order]
    known = [(cell, recorded) for cell, _, recorded in run]
    ratios = forecasts(ordered, Prior(known))
    assert len(ratios) > 50
    assert min(ratios) > 0.5
    assert max(ratios) < 2.0


def test_without_recorded_seconds_the_time_left_is_within_a_factor_of_two_in_a_mixed_order():
    run = made_up_run()
    ratios = forecasts(random.Random(1).sample(run, len(run)), NOTHING_KNOWN)
    assert min(ratios) > 0.5
    assert max(ratios) < 2.0


def recorded_run():
    """Requests and seconds of the recorded run, in the order in which they began."""
    read = legible(RECORDED)
    read.sort(key=lambda own: own.provenance.started_at)
    return [(own.request, own.provenance.seconds) for own in read]


def shown(run, prior, monkeypatch):
    """The time left that the line shows, and the truth, every 20 s of a run with two workers."""
    clock = Clock()
    monkeypatch.setattr(ledgers, "time", SimpleNamespace(monotonic=clock))
    seconds = {request.digest: took for request, took in run}
    ledger = Ledger({request.digest: request for request, _ in run}, prior)
    agenda = Agenda([Task(own, None) for own, _ in run], ledger, lambda: float("inf"))
    ledger.begin(2)
    running, lines, ticks = [], [], count(step=20.0)
    tick = next(ticks)

    def take(slot, backend):
        task = agenda.take(backend)
        if task is not None:
            end = clock.now + seconds[task.request.digest]
            heapq.heappush(running, (end, slot, task.request))

    take(0, "torch")
    take(1, "jax")
    while running:
        end, slot, request = heapq.heappop(running)
        while tick < end:
            clock.now, tick = tick, next(ticks)
            lines.append((clock.now, ledger.status(()).left))
        clock.now = end
        took = SimpleNamespace(seconds=seconds[request.digest])
        ledger.enter(request.digest, Outcome(request, SimpleNamespace(provenance=took)))
        take(slot, request.backend)
    return [(left, end - now, now / end) for now, left in lines]


def slower(run):
    """The run on a machine twice as slow, JAX three times, no two cells alike."""
    draws = random.Random(0)
    return [
        (
            own,
            took
            * (3.0 if own.backend == "jax" else 2.0)
            * draws.lognormvariate(0.0, 0.2),
        )
        for own, took in run
    ]


UNRECORDED = {
    "of all": (),
    "of all but a few computations": (
        "vyas2022/sphere_networks",
        "wenger2023/continual",
        "liu2025/common_training",
    ),
    "of all but the longest computation": ("vyas2022/network_curves",),
}


@pytest.mark.parametrize("records", UNRECORDED)
def test_the_recorded_run_again_on_a_slower_machine_has_its_time_left_within_a_factor_of_two(
    records, monkeypatch
):
    """It said 8 minutes with more than 20 left: fresh seeds had made strangers of the cells."""
    run = recorded_run()
    prior = Prior(
        [(own, took) for own, took in run if own.computation not in UNRECORDED[records]]
    )
    lines = shown(slower(run), prior, monkeypatch)
    assert all(left is None for left, _, part in lines if part < 0.03)
    ratios = [left / true for left, true, part in lines if 0.11 < part < 0.9]
    assert len(ratios) > 50
    assert min(ratios) > 0.5
    assert max(ratios) < 2.0


def test_a_run_that_goes_on_knows_its_time_left_at_once_and_counts_down(monkeypatch):
    """It said "about 10 min left" for 10 minutes: what ran counted as if it had not begun."""
    clock = Clock()
    monkeypatch.setattr(ledgers, "time", SimpleNamespace(monotonic=clock))
    cached, last = request(width=8), request(width=64)
    prior = Prior([(cached, 600.0), (last, 600.0)])
    ledger = Ledger({cached.digest: cached, last.digest: last}, prior)
    took = SimpleNamespace(provenance=SimpleNamespace(seconds=600.0))
    ledger.enter(cached.digest, Outcome(cached, took, cached=True))
    ledger.begin(2)
    ledger.started(last)
    shown = []
    for clock.now in (2.0, 302.0, 602.0):
        shown.append(ledger.status(()).left)
    assert shown == pytest.approx([598.0, 298.0, 150.5], rel=0.01)


def test_recorded_cells_that_are_missing_or_damaged_are_no_error_of_an_estimate(
    tmp_path,
):
    assert legible(tmp_path) == []
    (tmp_path / CELLS).write_bytes(b"no pack")
    assert legible(tmp_path) == []


def test_what_is_not_known_yet_counts_as_what_was_done_and_not_as_what_is_known_of_the_rest():
    """28,247 s were shown where 700 s were left: two long cells were known of 250, and stood for
    all.
    """
    run = [request(width, computation="harness.x:small") for width in range(100)]
    long = [request(width, computation="harness.x:long") for width in range(3)]
    unknown = [request(width, computation="harness.x:unknown") for width in range(250)]
    ledger = Ledger({cell.digest: cell for cell in (*run, *long, *unknown)})
    assert ledger.status(()).left is None
    for cell, seconds in [*((cell, 1.0) for cell in run), (long[0], 100.0)]:
        ledger.enter(
            cell.digest,
            Outcome(cell, SimpleNamespace(provenance=SimpleNamespace(seconds=seconds))),
        )
    assert ledger._time_left() == pytest.approx(2 * 100.0 + 250 * 200.0 / 101)
    for cell in long[1:]:
        ledger.enter(
            cell.digest,
            Outcome(cell, SimpleNamespace(provenance=SimpleNamespace(seconds=100.0))),
        )
    assert ledger._time_left() == pytest.approx(250 * 400.0 / 103), (
        "none of the rest is known: not 'unknown'"
    )
