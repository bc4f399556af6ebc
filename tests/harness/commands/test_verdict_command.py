"""`ntk-claims verdict`: verdicts again from a store, held against the recorded ones, with no
framework at hand.
"""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from harness import backends, studies
from harness.cli import main
from harness.session import Settings, requests
from harness.sweep import Circumstances, Provenance, Store, code

RECORD = '["toy/{}"]\nquick = {{ verdict = "{}", reason = "so" }}\n'
# In the place of each framework, as a folder that comes first on the path: whoever imports it is
# told off.
TRAP = "raise ImportError('this command needs no framework')"


@pytest.fixture
def call(pytester, capsys):
    """Runs the command in the test's folder on what was recorded in numpy; exit code, standard
    output and error.
    """

    def run(*arguments, backend="numpy"):
        capsys.readouterr()
        return main(
            ("verdict", "--backend", backend, "--store", "store", *arguments)
        ), *capsys.readouterr()

    return run


@pytest.fixture
def record(plant, pytester):
    """Plants toy claims, puts their cells into a store as if from another machine, and writes
    verdicts.toml.
    """
    origin = Provenance(
        "2026-01-01T00:00:00+00:00", 1.0, 8, "some machine", {}, "3.12.0"
    )

    def write(verdicts=(), **toys):
        for name, constants in toys.items():
            study = studies.load(plant(name, **constants))
            for request in requests(
                study, Settings("quick", ("numpy",), Path("store"))
            ):
                measure = study.experiments[0].measure
                arrays = measure(
                    backends.get("numpy"),
                    request.configuration,
                    request.replicates,
                    request.stream,
                )
                present = code.code_digest(request.computation, request.backend)
                Store("store").put(
                    request,
                    Circumstances("cuda", present, {"numpy": "1.0"}),
                    origin,
                    arrays,
                )
        text = "".join(RECORD.format(*entry) for entry in dict(verdicts).items())
        (pytester.path / "claims" / "verdicts.toml").write_text(text)

    return write


def test_verdicts_are_printed_with_what_they_rest_on(record, pytester, call):
    record({"holds": "SUPPORTED", "fails": "REFUTED"}, holds={}, fails={"EFFECT": 0.0})
    computed = (pytester.path / "calls").read_text()
    code, out, err = call("--json", "verdicts.json")
    assert (code, out) == (
        0,
        "REFUTED             toy/fails (quick)\n"
        "    The gap is 0.000 [−0.020, 0.020] (90 % interval; needs > 0.1)\n"
        "    But: It is a toy.\n"
        "    p 1.000, in its family 1.000\n"
        "SUPPORTED           toy/holds (quick)\n"
        "    The gap is 0.300 [0.280, 0.320] (90 % interval; needs > 0.1)\n"
        "    But: It is a toy.\n"
        "    p < 0.001, in its family < 0.001\n"
        "\n"
        "2 of 2 verdicts are as recorded.\n",
    )
    assert err == "cells: 6 of 6 done (6 cached), 0 failed\n"
    assert (pytester.path / "calls").read_text() == computed
    document = json.loads((pytester.path / "verdicts.json").read_text())
    assert [
        (claim["id"], claim["verdict"]["kind"]) for claim in document["claims"]
    ] == [
        ("toy/fails", "REFUTED"),
        ("toy/holds", "SUPPORTED"),
    ]


@pytest.mark.parametrize(
    ("planted", "verdicts", "change"),
    [
        (
            {"EFFECT": 0.0},
            {"toy": "SUPPORTED"},
            "toy/toy: REFUTED, and SUPPORTED is recorded",
        ),
        (
            {},
            {"toy": "INCONCLUSIVE"},
            "toy/toy: SUPPORTED, and INCONCLUSIVE is recorded",
        ),
        ({"EFFECT": 0.0}, {}, "toy/toy: REFUTED, and none is recorded"),
        (
            {"UNTRAINED": "8 of 10"},
            {"toy": "SUPPORTED"},
            "toy/toy: INCONCLUSIVE, and SUPPORTED is recorded",
        ),
        ({"FAULT": "effects"}, {}, "toy/toy: BROKEN, and none is recorded"),
    ],
)
def test_a_verdict_other_than_the_recorded_one_is_named(
    record, call, planted, verdicts, change
):
    record(verdicts, toy=planted)
    code, out, _ = call()
    assert code == 1
    tally = (
        "0 of 1 verdict is as recorded." if verdicts else "1 verdict, none recorded."
    )
    assert out.endswith(f"\n{tally}\n    {change}\n")


def test_a_verdict_that_decides_nothing_says_why(record, call):
    record({"toy": "INCONCLUSIVE"}, toy={"UNTRAINED": "8 of 10 toys were trained"})
    code, out, _ = call()
    assert code == 0
    assert re.search(
        r"^GATE FAILED         toy/toy \(quick\)\n(    .*\n)+?    .*8 of 10 toys were trained",
        out,
    )


def test_a_claim_that_is_not_what_was_registered_is_broken(record, pytester, call):
    record({"toy": "SUPPORTED"}, toy={})
    file = pytester.path / "claims" / "toy" / "test_toy.py"
    file.write_text(file.read_text().replace("above=0.1", "above=0.01"))
    status, out, _ = call()
    assert status == 1
    assert out.endswith(
        "\n0 of 1 verdict is as recorded.\n    toy/toy: BROKEN, and SUPPORTED is recorded\n"
    )


def test_what_the_store_lacks_is_not_run(record, plant, call):
    record({"toy": "SUPPORTED"}, toy={})
    plant("later")
    code, out, _ = call()
    assert (code, out.splitlines()[:2]) == (
        0,
        [
            "NOT RUN             toy/later (quick)",
            "    No cell of this claim is recorded in the store.",
        ],
    )
    code, out, _ = call(backend="torch")
    assert code == 1
    assert out.endswith(
        "0 of 1 verdict is as recorded; of 1 more none is recorded.\n    toy/toy: NOT_RUN, and "
        "SUPPORTED is recorded\n"
    )


def test_claims_are_chosen_by_id_and_judged_in_their_whole_family(record, call):
    record(holds={}, other={}, third={})
    code, out, _ = call("hold", "third", "--json", "chosen.json")
    assert code == 0
    assert re.findall(r"^SUPPORTED +(\S+)", out, re.MULTILINE) == [
        "toy/holds",
        "toy/third",
    ]
    verdict = json.loads(Path("chosen.json").read_text())["claims"][0]["verdict"]
    assert verdict["p_family"] == pytest.approx(3 * verdict["p"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["toy", "dog"],
            "No claim below claims has an id that contains 'dog'. There: toy/toy.",
        ),
        (
            ["--claims", "store"],
            "There is no claim below store. Name another folder with --claims DIR.",
        ),
        (
            ["--store", "nowhere"],
            "There is no store at nowhere, so there is nothing to replay. Name the folder that",
        ),
        (
            ["--json", "nowhere/v.json"],
            "nowhere/v.json cannot be written: No such file or directory. Name another f",
        ),
    ],
)
def test_a_bad_call_is_named(record, call, arguments, message):
    record(toy={})
    code, _, err = call(*arguments)
    assert code == 2
    assert err.splitlines()[-1].startswith(f"ntk-claims: {message}")


def test_it_needs_no_framework(record, pytester):
    """The toy's cells, judged by a fresh interpreter that cannot import PyTorch and JAX."""
    record({"toy": "SUPPORTED"}, toy={})
    for framework in ("torch", "jax", "jaxlib"):
        (pytester.path / "trap" / framework).mkdir(parents=True)
        (pytester.path / "trap" / framework / "__init__.py").write_text(TRAP)
    code = "import sys; from harness.cli import main; sys.exit(main(sys.argv[1:]))"
    command = [
        sys.executable,
        "-c",
        code,
        "verdict",
        "--backend",
        "numpy",
        "--store",
        "store",
    ]
    environment = {**os.environ, "PYTHONPATH": str(pytester.path / "trap")}
    done = subprocess.run(
        command, env=environment, capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith("1 of 1 verdict is as recorded.\n")
