"""What a reader of the terminal or of a CI log sees, and the estimate of the time left."""

import random
from types import SimpleNamespace

import pytest

from harness.experiment import Request
from harness.sweep.estimates import Estimates, Forecast, likeness, nothing_known
from harness.sweep.ledger import Ledger, Outcome
from harness.sweep.progress import Progress, Status, on


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
        "\rcells: 1 of 3 done (1 cached), 0 failed, time left unknown",
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
    return Forecast(requests, lambda request: prior.get(request.configuration["width"]))


def test_what_was_expected_is_scaled_by_the_pace_of_the_most_alike():
    forecast = forecast_of(
        {64: 8.0, 128: 20.0, 256: 40.0},
        narrow=request(64),
        wide=request(128),
        wide_jax=request(128, backend="jax"),
        widest=request(256),
        other=request(256, computation="harness.x:g"),
        odd=request(8, computation="harness.x:g"),
    )
    assert forecast.seconds("narrow") == 8.0
    assert forecast.seconds("odd") is None
    forecast.learn("narrow", 24.0)
    assert forecast.seconds("wide") == 60.0
    assert forecast.seconds("other") == 120.0
    assert forecast.seconds("odd") == 24.0, "nothing is known: as the others"
    forecast.learn("wide_jax", 10.0)
    assert forecast.seconds("wide") == 10.0
    assert forecast.seconds("widest") == 40.0 * ((24.0 + 10.0) / (8.0 + 20.0))


def test_a_recorded_answer_of_other_code_comes_before_the_prior():
    forecast = forecast_of(
        {64: 1.0, 128: 1.0, 256: 1.0}, a=request(64), b=request(128), c=request(256)
    )
    forecast.remember("a", 5.0)
    assert forecast.seconds("a") == 5.0
    assert forecast.seconds("b") == 1.0
    forecast.remember("b", 7.0)
    forecast.learn("a", 15.0)
    assert forecast.seconds("b") == 21.0
    assert forecast.seconds("c") == 15.0


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
    known = {cell.digest: recorded for cell, _, recorded in run}
    ratios = forecasts(ordered, lambda request: known[request.digest])
    assert len(ratios) > 50
    assert min(ratios) > 0.5
    assert max(ratios) < 2.0


def test_without_recorded_seconds_the_time_left_is_within_a_factor_of_two_in_a_mixed_order():
    run = made_up_run()
    ratios = forecasts(random.Random(1).sample(run, len(run)), nothing_known)
    assert min(ratios) > 0.5
    assert max(ratios) < 2.0


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
