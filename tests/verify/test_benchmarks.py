import copy
import json

import numpy as np
import pytest

from benchmarks import page
from benchmarks.cases import Case, cases, convolutional, perceptron
from benchmarks.contestant import COPY, OURS, PRODUCT, Contestant
from benchmarks.field import entry
from benchmarks.floor import multiply_adds
from benchmarks.race import Race

MLP, CNN = "mlp N1024", "cnn N64"


def facts(kind, samples, **rest):
    known = {
        "subject": "empirical",
        "outputs": 1,
        "kernel": "trace",
        "dtype": "float32",
        "seeds": 1,
        "ladder": None,
    }
    costs = {"floor_flops": 2e9, "floor_bytes": 1e6, "result_bytes": 4e6}
    return known | costs | {"kind": kind, "samples": samples, "architecture": {}} | rest


def raced(framework, case, contestant, *times, error=1e-7):
    timed = {"first": 1.0, "second": times[0], "times": list(times)}
    return row(framework, case, contestant, "raced") | timed | {"error": error}


def row(framework, case, contestant, status, reason=""):
    names = {
        "framework": framework,
        "case": case,
        "contestant": contestant,
        "status": status,
        "reason": reason,
    }
    return names | {"error": None, "first": None, "second": None, "times": []}


@pytest.fixture
def record():
    """Two cases. Matrix products run at 100 GFLOP/s, so that the floor of both is 20 ms."""
    yardsticks = [
        raced(f, c, name, 0.02)
        for f in ("torch", "jax")
        for c in (MLP, CNN)
        for name in (PRODUCT, COPY)
    ]
    return {
        "format": 1,
        "reduced": True,
        "date": "2026-01-02",
        "device": "cpu",
        "clock": "process CPU time",
        "machine": {"name": "A Processor", "cores": 2},
        "revision": "1234567-dirty",
        "versions": {"python": "3.11.1", "torch": "2.13.0", "jax": None},
        "yardstick": {"flops": 2e9, "bytes": {"float32": 1e9, "float64": 2e9}},
        "cases": {MLP: facts("mlp", 1024), CNN: facts("cnn", 64)},
        "entries": [
            raced("torch", MLP, OURS, 0.025, 0.020, 0.030),
            raced("torch", MLP, "nngeometry", 0.100, 0.090, 0.110),
            raced("jax", MLP, OURS, 0.040),
            raced("jax", MLP, "NT STRUCTURED_DERIVATIVES", 0.050),
            raced("torch", CNN, OURS, 0.040),
            raced("torch", CNN, "torch.func", 0.060),
            row("torch", CNN, "asdfghjkl", "wrong", "relative error 0.9"),
            row("torch", CNN, "nngeometry", "failed", "RuntimeError: no"),
            *yardsticks,
        ],
        "memory": [
            {
                "framework": "torch",
                "contestant": OURS,
                "case": MLP,
                "peak_bytes": 304_000_000,
            }
        ],
    }


def lines(text, *fragments):
    return [
        line
        for line in text.splitlines()
        if all(fragment in line for fragment in fragments)
    ]


def test_the_table_shows_medians_and_ratios_to_the_best_correct_peer(record):
    (line,) = lines(page.empirical(Race(record)), MLP)
    cells = [cell.strip() for cell in line.strip("|").split("|")]
    # ours in both frameworks, NT structured; ms
    assert cells[1:4] == ["25", "40", "50"]
    # 50 / 25, 50 / 40, 20 / 25, 20 / 40
    assert cells[-4:] == ["2.00", "1.25", "0.80", "0.50"]


def test_a_goal_met_and_a_goal_missed_are_told_apart(record):
    text = page.goals(Race(record))
    (met,) = lines(text, "MLP, trace", "fraction", "torch")
    assert "0.8 (mlp N1024)" in met
    assert met.endswith("| met |")
    (missed,) = lines(text, "MLP, trace", "fraction", "jax")
    assert "0.5 (mlp N1024)" in missed
    assert missed.endswith("| **missed** |")
    (memory,) = lines(text, "peak memory", "torch")
    assert "300 (mlp N1024)" in memory
    assert memory.endswith("| **missed** |")
    assert lines(text, "infinite width", "torch")[0].endswith("| not measured |")


def test_a_party_that_died_in_the_measurement_of_memory_is_shown_and_not_judged(record):
    record["memory"][0]["peak_bytes"] = None
    assert lines(page.memory(Race(record)), MLP, "| died |")
    assert lines(page.goals(Race(record)), "peak memory", "torch")[0].endswith(
        "| not measured |"
    )


def test_a_goal_is_judged_by_its_worst_case(record):
    record["cases"]["cnn N128"] = facts("cnn", 128)
    record["entries"] += [
        raced("torch", "cnn N128", OURS, 0.1),
        raced("torch", "cnn N128", "torch.func", 0.4),
    ]
    (line,) = lines(page.goals(Race(record)), "CNN, 1 output", "torch.func | torch")
    assert "1.5 (cnn N64)" in line
    assert line.endswith("| **missed** |")


def test_a_wrong_peer_and_one_that_failed_are_named_and_not_raced(record):
    race = Race(record)
    assert race.best_peer(CNN) == ("torch", "torch.func")
    (line,) = lines(page.empirical(race), CNN)
    assert "wrong" in line
    assert "failed" in line
    text = page.left_out(race)
    assert f"- asdfghjkl, {CNN}: wrong: relative error 0.9." in text
    assert f"- nngeometry, {CNN}: failed: RuntimeError: no." in text


def test_refusals_of_a_party_are_counted_by_their_kind_of_reason(record):
    (template,) = (
        row
        for row in record["entries"]
        if row["contestant"] == "nngeometry" and row["case"] == CNN
    )
    reasons = [
        "it takes 58 times the floor",
        "it takes 365 times the floor",
        "its Jacobian takes 3.8 GB",
        "no kernel",
    ]
    record["entries"] += [
        template | {"contestant": "peer", "status": "refused", "reason": why}
        for why in reasons
    ]
    refused = [
        line
        for line in page.left_out(Race(record)).splitlines()
        if "peer does not enter" in line
    ]
    assert refused == [
        "- peer does not enter 2 cases: it takes 58 to 365 times the floor.",
        "- peer does not enter 1 case: its Jacobian takes 3.8 GB.",
        "- peer does not enter 1 case: no kernel.",
    ]


def test_the_floor_is_memory_where_that_is_slower(record):
    record["cases"][CNN]["floor_bytes"] = 2e9  # at 1e9 bytes in 20 ms: 40 ms
    assert Race(record).fraction(CNN, "torch") == pytest.approx(1.0)


def test_exponents_are_slopes_of_logarithms_and_ladders_stay_out_of_the_tables(record):
    for value in (1, 2, 4):
        name = f"ladder: {value}"
        record["cases"][name] = facts(
            "mlp", 256, ladder=["mlp3", "width", value], floor_flops=1e6 * value**2
        )
        record["entries"].append(raced("torch", name, OURS, 0.01 * value**1.5))
    race = Race(record)
    assert lines(
        page.exponents(race), "mlp3", "width", "1 to 4", "torch", "1.50", "2.00"
    )
    assert "ladder" not in page.empirical(race)


def test_the_page_is_written_from_the_file_alone_and_says_where_it_comes_from(
    record, tmp_path
):
    source = tmp_path / "machine.json"
    source.write_text(json.dumps(record), encoding="utf-8")
    written = page.write(source, tmp_path)
    text = written.read_text(encoding="utf-8")
    assert "machine.json" in text
    assert "reduced run" in text
    assert "This project at 1234567-dirty; python 3.11.1, torch 2.13.0." in text
    assert "A Processor, 2026-01-02" in text
    assert (
        (tmp_path / "performance.svg")
        .read_text(encoding="utf-8")
        .startswith("<svg xmlns=")
    )
    full = copy.deepcopy(record) | {"reduced": False}
    assert "reduced run" not in page.text(Race(full), "x.json")


TINY = Case("tiny", perceptron(3, 4, 1), 2)


def entered(result, refusal=None):
    def prepare(case, device):
        if isinstance(result, Exception):
            raise result
        return lambda: result

    party = Contestant("peer", prepare, lambda case: refusal)
    return entry(party, TINY, np.eye(2), device="cpu", clock=lambda: 0.0)


def test_a_peer_is_raced_only_if_it_agrees_with_us():
    assert entered(np.eye(2)).status == "raced"
    wrong = entered(1.1 * np.eye(2))
    assert (wrong.status, wrong.reason) == ("wrong", "relative error 0.1")
    assert entered(np.full((2, 2), np.nan)).status == "wrong"
    assert entered(np.eye(3)).reason == "shape (3, 3) instead of (2, 2)"
    failed = entered(RuntimeError("out of memory"))
    assert (failed.status, failed.reason) == ("failed", "RuntimeError: out of memory")
    refused = entered(np.eye(2), "no CNNs")
    assert (refused.status, refused.reason, refused.run) == ("refused", "no CNNs", None)


def test_the_floor_of_a_network_by_hand():
    # 3 - 4 - 1, N = 2: forward 2 * 16, backward 2 * 4, Grams 3 * (3 + 4) and 3 * (4 + 1)
    net = TINY.net
    assert multiply_adds(net, 2, "trace") == 32 + 8 + 21 + 15
    conv = Case(
        "", convolutional((4, 1), (1,), 2, 1), 1
    ).net  # 4 positions, fan-in 3, 2 channels; readout of 2
    # forward 4 * 6 + 2, backward 2, the convolution's cheaper form: gradients, 4 * 6 + 6 = 30 < 10
    # * (3 + 2); dense 3
    assert multiply_adds(conv, 1, "trace") == 26 + 2 + 30 + 3


def test_cases_have_names_of_their_own_and_the_reduced_run_is_a_part():
    assert cases(quick=True).items() <= cases().items()
    assert all(case.ladder is None for case in cases(quick=True).values())
    x, theta = TINY.x, TINY.theta
    assert x.dtype == np.float32
    assert x.shape == (2, 3)
    assert {array.dtype for array in theta.values()} == {np.dtype("float32")}
