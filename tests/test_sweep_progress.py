"""What a reader of the terminal or of a CI log sees, and the estimate of the time left."""

import pytest

from harness.experiment import Request
from harness.sweep.estimates import Estimates, likeness
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
    assert {len(text.strip("\r\n")) for text in written} == {78}, "a shorter line must cover a longer one"


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
    for notices in [(), ("a cell was set aside",), ("a cell was set aside", "another one")]:
        progress(Status(planned=1, cached=0, notices=notices))
    lines = "".join(written).replace("\r", "\n").split("\n")
    assert [line.strip() for line in lines if "cells:" not in line and line.strip()] == [
        "a cell was set aside",
        "another one",
    ]


def test_a_stream_that_is_no_terminal_gets_plain_lines(tmp_path):
    with open(tmp_path / "log", "w") as stream:
        on(stream)(Status(planned=1, cached=1, ended=True))
        assert (tmp_path / "log").read_text() == "cells: 1 of 1 done (1 cached), 0 failed\n", "written at once"


def request(width=64, backend="torch", computation="harness.x:f", replicates=(0, 1)):
    return Request(computation, {"width": width}, replicates, "registered", backend, "float32")


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
