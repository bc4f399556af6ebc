"""`python -m harness.sweep`: plans, exit codes, and what it says."""

import itertools
import json
import re
from dataclasses import asdict

import pytest

from harness.experiment import Request
from harness.sweep.__main__ import main

COMPUTATIONS = """
import time

import numpy as np


def draw(backend, configuration, replicates, stream):
    point = configuration["point"]
    time.sleep(configuration.get("seconds", point if point >= 60 else 0))
    return {"draw": 1 / np.array([point])} if point else 1 / 0
"""


@pytest.fixture
def run(tmp_path, monkeypatch, capsys):
    """Runs the command on requests for these points; exit code, stdout and stderr."""
    (tmp_path / "claims" / "toy").mkdir(parents=True)
    (tmp_path / "claims" / "toy" / "computations.py").write_text(COMPUTATIONS)
    monkeypatch.chdir(tmp_path)

    def call(points, *options, backends=("numpy",), **configuration):
        requests = [
            Request(
                "toy/draw",
                {"point": point, **configuration},
                (0,),
                "test",
                backend,
                "float64",
            )
            for backend in backends
            for point in points
        ]
        (tmp_path / "plan.json").write_text(
            json.dumps([asdict(request) for request in requests])
        )
        code = main(["plan.json", "--store", "store", *options])
        return code, *capsys.readouterr()

    return call


def test_a_plan_is_computed_and_then_cached(run):
    assert run([1, 2]) == (0, "cells: 2 of 2 done (0 cached), 0 failed\n", "")
    assert run([1, 2, 3]) == (0, "cells: 3 of 3 done (2 cached), 0 failed\n", "")


def test_failures_are_shown_and_make_the_exit_code_one(run):
    code, out, err = run([1, 0])
    assert (code, out) == (1, "cells: 1 of 2 done (0 cached), 1 failed\n")
    assert err.startswith("Failed (error):\nTraceback")
    assert "ZeroDivisionError: division by zero" in err


def test_a_cell_that_does_not_fit_into_the_time_is_no_reason_to_go_on(run):
    code, out, err = run([1, 2], "--minutes", "0.02", seconds=30)
    assert (code, out) == (4, "cells: 0 of 2 done (0 cached), 0 failed, 2 unfinished\n")
    assert (
        err
        == "No cell was finished in this time. A cell takes longer: allow more minutes.\n"
    )


def test_a_cell_that_is_longer_than_a_slice_does_not_keep_the_others_from_being_computed(
    run, tmp_path
):
    """It stands first in the plan; once it was cut, it comes last."""
    for _ in range(10):
        code, out, _ = run([60, 1, 2], "--workers", "1", "--minutes", "0.1")
        if (last := out.splitlines()[-1]).startswith("cells: 2 of 3 done"):
            break
    assert code == 3
    assert re.fullmatch(
        r"cells: 2 of 3 done \([01] cached\), 0 failed, 1 unfinished", last
    )
    failures = [
        json.loads(path.read_text())
        for path in (tmp_path / "store" / "failures").iterdir()
    ]
    assert {
        (record["kind"], record["request"]["configuration"]["point"])
        for record in failures
    } == {("cut", 60)}


def test_a_plan_is_computed_in_slices(run):
    """As many as it takes; what one slice finished, the next finds.

    On a busy machine one may finish nothing.
    """
    codes, done = [], [0]
    while not codes or (codes[-1] != 0 and len(codes) < 30):
        code, out, _ = run(
            range(1, 5), "--workers", "1", "--minutes", "0.05", seconds=0.9
        )
        codes.append(code)
        done.append(int(re.match(r"cells: (\d+) of 4 done", out.splitlines()[-1])[1]))
    assert codes[0] in (3, 4)
    assert done[-1] == 4
    assert codes[:-1] == [
        3 if after > before else 4 for before, after in itertools.pairwise(done[:-1])
    ]


def test_a_cell_beyond_its_own_limit_fails(run):
    code, _, err = run([1], "--cell-minutes", "0.01", seconds=30)
    assert code == 1
    assert err.startswith("Failed (timeout):\nNo answer within 0.6 s")


def test_shards_divide_a_plan_between_machines(run):
    points = [1, 2, 3, 4, 5]
    assert (
        run(points, "--shard", "2/2")[1] == "cells: 2 of 2 done (0 cached), 0 failed\n"
    )
    assert (
        run(points, "--shard", "1/2")[1] == "cells: 3 of 3 done (0 cached), 0 failed\n"
    )
    assert run(points)[1] == "cells: 5 of 5 done (5 cached), 0 failed\n"


def test_one_backend_of_a_plan_can_be_run_alone(run):
    assert run([1], "--backend", "numpy", backends=("nonesuch", "numpy"))[0] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            ["--shard", "3/2"],
            "--shard must read i/n with 1 <= i <= n, such as 2/8; got '3/2'.",
        ),
        (
            ["--shard", "two"],
            "--shard must read i/n with 1 <= i <= n, such as 2/8; got 'two'.",
        ),
        (
            ["--backend", "jax"],
            "plan.json has no requests for backend 'jax'; it has them for numpy.",
        ),
        (
            ["--minutes", "0"],
            "--minutes must be a positive number; got 0. Leave it out to go on to the end.",
        ),
        (
            ["--minutes", "nan"],
            "--minutes must be a positive number; got nan. Leave it out to go on to the end.",
        ),
        (
            ["--device", "cuda"],
            "The numpy backend runs on the cpu; device 'cuda' is not available.",
        ),
        (["--engine", "slurm"], "Unknown engine 'slurm'. Available: local"),
        (["--workers", "0"], "workers must be None or at least 1; got 0."),
    ],
)
def test_what_cannot_be_started_is_said(run, options, message):
    code, out, err = run([1], *options)
    assert (code, out) == (2, "")
    assert err.startswith(message)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            None,
            "The plan plan.json cannot be read: .*No such file.* It must be a JSON list of "
            "requests.",
        ),
        ("[", "The plan plan.json cannot be read: "),
        ("{}", "The plan plan.json must be a JSON list of requests; it is dict."),
        (
            "[{}]",
            "Request 0 of the plan plan.json: A request has the fields computation, .*; got none.",
        ),
    ],
)
def test_a_plan_that_is_none_is_named(tmp_path, monkeypatch, capsys, text, message):
    monkeypatch.chdir(tmp_path)
    if text is not None:
        (tmp_path / "plan.json").write_text(text)
    assert main(["plan.json", "--store", "store"]) == 2
    assert re.match(message, capsys.readouterr().err)


def test_help_teaches(capsys):
    with pytest.raises(SystemExit, match="0"):
        main(["--help"])
    text = capsys.readouterr().out
    for taught in (
        "A plan is a JSON list of requests",
        "Examples:",
        "Exit code: 0 all cells are there",
        "--shard I/N",
    ):
        assert taught in text
