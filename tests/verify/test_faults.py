"""The planted faults: a sample of them is survived; what is lost or computed twice is noticed; the
page is whole.
"""

import json
import random
from dataclasses import asdict, replace

import numpy as np
import pytest

from harness.experiment import Request
from harness.sweep import Circumstances, Provenance
from tests.verify.faults import disks, kills
from tests.verify.faults.__main__ import PAGE, main, plant
from tests.verify.faults.bench import (
    PROGRAMS,
    Bench,
    NotSurvived,
    copy,
    expect,
    furnish,
    name_of,
)
from tests.verify.faults.catalogue import CATALOGUE
from tests.verify.faults.fault import Fault, Outcome, Skipped
from tests.verify.faults.page import BLOCK, line, table, updated

HERE = Circumstances("cpu", "code", {"numpy": "2"})
ORIGIN = Provenance("2026-01-01T00:00:00+00:00", 0.1, 1, "a processor", {}, "3.12.0")
NAMES = [f"toy effect numpy {seed}" for seed in range(4)]


@pytest.fixture
def bench(tmp_path):
    """A plan of four cells; nothing has run."""
    plan = [
        Request("toy/draw", {"arm": "effect"}, (seed,), "test", "numpy", "float64")
        for seed in range(4)
    ]
    (tmp_path / "plan.json").write_text(
        json.dumps([asdict(request) for request in plan])
    )
    return Bench(tmp_path)


@pytest.fixture
def run(bench):
    """Does to the folder what a run does that begins these cells, and finishes these."""

    def run(begun, finished=None):
        with (bench.folder / "calls").open("a") as calls:
            calls.writelines(f"{NAMES[seed]}\n" for seed in begun)
        for seed in begun if finished is None else finished:
            bench.store.put(bench.requests[seed], HERE, ORIGIN, {"value": np.zeros(1)})

    return run


def counts(bench):
    return bench.lost, bench.twice


def test_cells_in_flight_may_be_computed_again_and_finished_ones_not(bench, run):
    run(begun=[0, 1, 2], finished=[0])
    bench.take_stock()
    run(begun=[1, 2, 3])
    bench.take_stock()
    assert counts(bench) == (0, 0)
    assert bench.finished == set(NAMES)
    run(begun=[3])
    bench.take_stock()
    assert counts(bench) == (0, 1)


def test_a_cell_that_is_gone_is_lost(bench, run):
    run(begun=[0, 1])
    bench.take_stock()
    sorted(bench.files())[0].unlink()
    bench.take_stock()
    assert counts(bench) == (1, 0)


@pytest.mark.parametrize(("deaths", "twice"), [(0, 2), (1, 1), (2, 0)])
def test_within_a_run_a_cell_begins_again_only_for_a_dead_worker(
    bench, run, deaths, twice
):
    run(begun=[0, 1, 0, 1, 2])
    bench.take_stock(deaths=deaths)
    assert counts(bench) == (0, twice)


def test_a_damaged_cell_after_a_fault_is_not_survived(bench, run):
    run(begun=[0])
    (file,) = bench.files()
    file.write_bytes(file.read_bytes()[:-1])
    with pytest.raises(
        NotSurvived, match=r"a damaged cell is in the store: .*\.cell: expected"
    ):
        bench.take_stock()


def finishing(bench, monkeypatch, verdicts):
    """A rerun that does nothing but write these verdicts."""
    (bench.folder / "report").mkdir()
    (bench.folder / "report" / "verdicts.json").write_bytes(verdicts)
    monkeypatch.setitem(PROGRAMS, "pytest", "this")
    bench.undisturbed = b"undisturbed"
    bench.finish()


def test_a_rerun_must_have_every_cell(bench, run, monkeypatch):
    run(begun=[0, 1, 2])
    with pytest.raises(NotSurvived, match="after the rerun 1 cells are missing"):
        finishing(bench, monkeypatch, b"undisturbed")


def test_a_reruns_verdicts_must_be_those_of_an_undisturbed_run(bench, run, monkeypatch):
    run(begun=range(4))
    with pytest.raises(
        NotSurvived, match=r"verdicts.json is not that of an undisturbed run"
    ):
        finishing(bench, monkeypatch, b"disturbed")


def test_a_run_that_fails_is_not_survived(bench, monkeypatch):
    monkeypatch.setitem(PROGRAMS, "sweep", "harness.sweep none.json --store=store")
    with pytest.raises(
        NotSurvived,
        match=r"exit code 2 instead of 0: The plan none\.json cannot be read",
    ):
        bench.end(bench.start("sweep"))


def trial(what):
    """A fault that is planted twice at once, and then goes as told."""

    def plant(bench, dice):
        if what == "loses":
            bench.lost, bench.twice = 1, 2
        if what == "skips":
            raise Skipped("there is no such disk")
        expect(what != "breaks", "it broke")
        return 2

    return Fault(f"it {what}", "in a test", plant)


@pytest.mark.parametrize(
    ("what", "expected", "sound"),
    [
        ("goes well", {"times": 4, "survived": 4}, True),
        ("loses", {"times": 4, "survived": 4, "lost": 2, "twice": 4}, False),
        ("breaks", {"times": 3, "notes": ("it broke",) * 3}, False),
        ("skips", {"skipped": "there is no such disk"}, False),
    ],
)
def test_outcomes_are_counted_over_trials(bench, what, expected, sound):
    fault = trial(what)
    outcome = plant(fault, Bench(bench.folder), 3)
    assert outcome == replace(Outcome(fault), **expected)
    assert outcome.sound == sound


def test_the_page_tells_what_was_not_survived_or_not_planted():
    lost = Outcome(trial("loses"), 4, 3, 2, 1, notes=("it broke",))
    skipped = Outcome(trial("skips"), skipped="there is no such disk")
    text = table([lost, skipped])
    assert "3 of 4 are survived." in text
    assert "| it loses | in a test | 4 | 3 | 2 | 1 |" in text
    assert "- it loses: it broke\n" in text
    assert "- it skips: not planted: there is no such disk.\n" in text
    assert (
        line(lost, 10)
        == "it loses      3 of   4 survived, 2 lost, 1 computed twice\n    it broke"
    )


def test_the_table_alone_is_written_into_the_page():
    text = "Before.\n<!-- faults: made -->\nold\n<!-- end of faults -->\nAfter.\n"
    outcome = Outcome(trial("loses"), 4, 4)
    written = updated(text, [outcome])
    assert (
        written
        == f"Before.\n<!-- faults: made -->\n\n{table([outcome])}\n<!-- end of faults -->\nAfter.\n"
    )
    assert updated(written, [outcome]) == written


def test_the_page_shows_every_fault_and_each_was_survived():
    (block,) = BLOCK.finditer(PAGE.read_text(encoding="utf-8"))
    rows = [row.split(" | ") for row in block[0].splitlines() if row.startswith("| ")][
        1:
    ]
    assert [row[0].removeprefix("| ") for row in rows] == [
        fault.name for fault in CATALOGUE
    ], "run: python -m tests.verify.faults --write"
    for name, _, times, survived, lost, twice in rows:
        assert 0 < int(times) == int(survived), name
        assert (lost, twice.rstrip(" |")) == ("0", "0"), name
    assert sum(int(row[2]) for row in rows[: len(kills.FAULTS)]) >= 50


@pytest.mark.parametrize(
    "options",
    [["-k", "none"], ["--times", "0"], ["--jobs", "0"], ["--write", "-k", "killed"]],
)
def test_calls_that_would_do_nothing_are_refused(options, capsys):
    assert main(options) == 2
    assert capsys.readouterr().out.startswith("Nothing to do: -k must name a fault")


def test_a_sample_of_the_faults_is_survived(tmp_path):
    """The others take minutes: `python -m tests.verify.faults`."""
    template = furnish(tmp_path / "template")
    for number, fault in enumerate([kills.kill_both, disks.fill_disk]):
        bench = copy(template, tmp_path / f"bench{number}")
        try:
            assert fault(bench, random.Random(number)) >= 1
        except Skipped:
            continue
        assert counts(bench) == (0, 0)
        assert bench.finished == {name_of(request) for request in bench.requests}
