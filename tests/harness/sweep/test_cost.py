"""What a run took, was expected to take, and was spared, in run.json, on the page and in the
summary.
"""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from harness import report, sweep
from harness.experiment import Request
from harness.provenance import run_record
from harness.sweep import Store

COMPUTATION = """
import time

import numpy as np


def wait(backend, configuration, replicates, stream):
    time.sleep(configuration["seconds"])
    return {"waited": np.zeros(1)}
"""


@pytest.fixture
def computed(tmp_path):
    """Computes cells that wait, and gives the record of a run of two claims; one needs the first
    cell alone.
    """
    paper = tmp_path / "claims" / "toy"
    paper.mkdir(parents=True)
    (paper / "computations.py").write_text(COMPUTATION)

    def run(waits):
        one = Request("toy/wait", {}, (0,), "test", "numpy", "float64")
        requests = [
            replace(one, configuration={"seconds": seconds}) for seconds in waits
        ]
        swept = sweep.run(
            requests,
            Store(tmp_path / "store"),
            device="cpu",
            workers=1,
            claims=tmp_path / "claims",
        )
        outcomes = {outcome.request.digest: outcome for outcome in swept.outcomes}
        return run_record(
            datetime.now(UTC), {"all": requests, "first": requests[:1]}, outcomes, swept
        )

    return run


def test_what_was_computed_expected_and_spared(computed):
    first = computed([0.3, 0.1])
    assert first["cost"]["estimate"] is None
    assert first["cost"]["seconds"] > 0.4
    assert first["cost"]["spared"] == first["claims"]["first"]["seconds"] > 0.3
    more = computed([0.3, 0.1, 0.2, 0.5])
    assert more["cells"]["cached"] == 2
    # two cells, as the two before
    assert more["cost"]["estimate"] == pytest.approx(first["cells"]["seconds"])
    assert more["cost"]["seconds"] > 0.7
    again = computed([0.3, 0.1])
    assert (again["cost"]["estimate"], again["cost"]["seconds"]) == (None, 0.0)


def test_cells_of_a_claim_are_counted_by_device_and_by_who_shares_them(computed):
    run = computed([0.3, 0.1])
    assert [run["claims"][claim]["shared"] for claim in ("all", "first")] == [1, 1]
    assert run["cells"]["shared"] == 1
    assert run["claims"]["first"]["devices"] == {
        "cpu": run["claims"]["first"]["seconds"]
    }
    assert run["cells"]["devices"] == {"cpu": run["cells"]["seconds"]}
    assert run["cells"]["seconds"] > 0.4


def test_what_is_not_known_is_left_out():
    assert "cost" not in run_record(datetime.now(UTC), {}, {})


@pytest.mark.parametrize(
    ("cost", "words"),
    [
        (
            report.Cost(380.0, 362.4, 0.0),
            "6 min 2 s, where 6 min 20 s had been expected",
        ),
        (
            report.Cost(None, 3.0, 40.0),
            "3 s, where an unknown time had been expected; cells that claims share spared 40 s",
        ),
        (report.Cost(None, 0.0, 0.0), "nothing had to be computed"),
    ],
)
def test_page_and_summary_say_it(cost, words):
    cells = report.Cells(
        computed=3, seconds=5.0, shared=2, devices={"cpu": 2.0, "cuda": 3.0}
    )
    now = datetime(2026, 1, 1, tzinfo=UTC)
    run = report.run_record(
        started=now,
        finished=now,
        command=["pytest"],
        platform={},
        claims={},
        total=cells,
        cost=cost,
    )
    document = report.document([], "quick", ["torch"], {})
    page = report.render(document, run)
    assert f"<dt>Computing</dt><dd>{words}" in page
    assert (
        "2 of them needed by more than one claim, 2 s of worker time on cpu, 3 s of worker time on "
        "cuda" in page
    )
    assert (
        report.summary_markdown(document, run)
        .splitlines()[-1]
        .startswith(f"Computing: {words}")
    )


def test_a_run_recorded_before_this_was_known_is_shown():
    now = datetime(2026, 1, 1, tzinfo=UTC)
    run = report.run_record(
        started=now,
        finished=now,
        command=["pytest"],
        platform={},
        claims={},
        total=report.Cells(),
    )
    for name in ("shared", "devices"):
        del run["cells"][name]
    document = report.document([], "quick", ["torch"], {})
    assert "Computing" not in report.render(document, run)
    assert "Computing" not in report.summary_markdown(document, run)
