"""An audit: what is drawn, how arrays are compared, and what the command says of sound, altered and
stale cells.
"""

import json
import re
from dataclasses import replace
from math import inf, nan

import numpy as np
import pytest

from harness import backends, studies, sweep
from harness.cli import main
from harness.errors import InvalidInput
from harness.experiment import Request
from harness.session import Settings, requests
from harness.sweep import Provenance, Store, cell, code
from harness.sweep.audit import TOLERANCES, Result, compare, draw, size

BASE = np.array([[1.0, 2.0], [3.0, 4.0]])
TOP_RIGHT, BOTTOM_RIGHT, TOP_LEFT = np.array(
    [[[0, 1], [0, 0]], [[0, 0], [0, 1]], [[1, 0], [0, 0]]]
)


@pytest.fixture
def call(pytester, capsys):
    """Runs a command in the test's folder; its exit code, standard output and standard error."""

    def run(*arguments):
        capsys.readouterr()
        return main(arguments), *capsys.readouterr()

    return run


@pytest.fixture
def recorded(plant, pytester):
    """A toy claim whose cells, three arms in blocks of five seeds, are in a store as if computed
    here; the store.
    """
    study = studies.load(plant("toy", BLOCK=5))
    store = Store(pytester.path / "store")
    origin = Provenance(
        "2026-01-01T00:00:00+00:00", 1.0, 1, "this machine", {}, "3.12.0"
    )
    for request in plan(pytester):
        measure = study.experiments[0].measure
        arrays = measure(
            backends.get("numpy"),
            request.configuration,
            request.replicates,
            request.stream,
        )
        store.put(
            request,
            code.circumstances(request.computation, "numpy", "cpu"),
            origin,
            arrays,
        )
    (pytester.path / "calls").unlink()
    return store


def plan(pytester):
    study = studies.load(pytester.path / "claims" / "toy" / "test_toy.py")
    return requests(study, Settings("quick", ("numpy",), pytester.path / "store"))


def rewritten(path, circumstances=None, provenance=None, change=lambda arrays: arrays):
    """Writes a cell again with something changed, under the name and checksum that belong to it."""
    old = cell.read(path)
    found = replace(old.circumstances, **circumstances or {})
    arrays = change({name: array.copy() for name, array in old.arrays.items()})
    content = b"".join(
        cell.encode(
            old.request, found, replace(old.provenance, **provenance or {}), arrays
        )
    )
    path.unlink()
    new = path.with_name(f"{cell.key(old.request, found)}.cell")
    new.write_bytes(content)
    return new


def only(store, request):
    (answer,) = store.answers(request)
    return answer.path


def toy_requests(count, backend="numpy"):
    return [
        Request("toy:toy", {"width": width}, (0,), "test", backend, "float64")
        for width in range(count)
    ]


@pytest.mark.parametrize(
    "sample", ["0", "0%", "-1", "101%", "nan%", "inf%", "five", "", "%", "2.5"]
)
def test_a_sample_that_makes_no_sense_is_named(sample):
    message = (
        "The sample must be 'all', a share such as '5%' (above 0, at most 100) "
        "or a number of cells such as '12' "
    )
    with pytest.raises(
        InvalidInput, match=re.escape(message) + f".*got {re.escape(repr(sample))}"
    ):
        size(sample, 100)


def test_the_draw_depends_on_the_seed_alone():
    cells = toy_requests(40)
    drawn = draw([cells], 10, seed=1)
    assert len(drawn) == len({request.digest for request in drawn}) == 10
    assert draw([cells[::-1]], 10, seed=1) == drawn
    assert draw([cells], 10, seed=2) != drawn
    assert set(map(str, drawn)) < set(map(str, draw([cells], 20, seed=1)))
    assert [
        request.configuration["width"] for request in draw([cells], 3, seed=20260101)
    ] == [15, 26, 17]


def test_every_claim_and_backend_is_drawn():
    torch, jax = toy_requests(50, "torch"), toy_requests(1, "jax")
    for seed in range(20):
        assert {request.backend for request in draw([torch, jax, []], 1, seed)} == {
            "torch",
            "jax",
        }
    assert len(draw([torch, torch[:3]], 2, seed=1)) == 2
    assert len(draw([torch, jax], 51, seed=1)) == 51


def test_each_cell_is_as_likely_as_any_other():
    cells = toy_requests(10)
    drawn = [
        request.configuration["width"]
        for seed in range(600)
        for request in draw([cells], 2, seed)
    ]
    # 4.6 sd of a binomial
    assert np.bincount(drawn, minlength=10) == pytest.approx(np.full(10, 120), abs=45)


@pytest.mark.parametrize(
    ("again", "result", "difference"),
    [
        (BASE, Result.IDENTICAL, 0.0),
        (BASE + 2e-6 * TOP_RIGHT, Result.CLOSE, 1e-6),
        (BASE + 4e-4 * BOTTOM_RIGHT, Result.DIFFERENT, 1e-4),
        (BASE * [[1 + 1e-4], [1]], Result.DIFFERENT, 1e-4),
        (BASE + 1e-7 * TOP_LEFT, Result.CLOSE, 5e-8),
    ],
)
def test_the_largest_difference_counts_relative_to_its_replicate(
    again, result, difference
):
    finding = compare({"loss": BASE, "same": BASE}, {"loss": again, "same": BASE}, 1e-5)
    assert (finding.result, finding.difference) == (
        result,
        pytest.approx(difference, rel=1e-6),
    )
    assert finding.reason == ("" if result is Result.IDENTICAL else "loss")


def test_a_small_replicate_is_not_hidden_by_a_large_one():
    recorded, again = np.array([[1e6, 1.0], [1e6, 1.001]])
    assert compare({"x": recorded}, {"x": again}, 1e-5).difference == pytest.approx(
        1e-3
    )


@pytest.mark.parametrize(
    ("recorded", "again", "reason"),
    [
        ({"a": BASE}, {"b": BASE}, "recorded a; recomputed b"),
        ({"a": BASE}, {"a": BASE, "b": BASE}, "recorded a; recomputed a, b"),
        (
            {"a": BASE},
            {"a": BASE.astype("f4")},
            "a: recorded float64(2, 2), recomputed float32(2, 2)",
        ),
        (
            {"a": BASE},
            {"a": BASE[:, :1]},
            "a: recorded float64(2, 2), recomputed float64(2, 1)",
        ),
        (
            {"a": np.array([1, 2])},
            {"a": np.array([1, 3])},
            "a: int64, of which all must be equal",
        ),
        (
            {"a": np.array([1.0, nan])},
            {"a": np.array([1.0, 2.0])},
            "a: infinities or NaN stand in other places",
        ),
        (
            {"a": np.array([nan, inf])},
            {"a": np.array([inf, nan])},
            "a: infinities or NaN stand in other places",
        ),
        (
            {"a": np.array([inf])},
            {"a": np.array([-inf])},
            "a: infinities or NaN stand in other places",
        ),
    ],
)
def test_what_cannot_be_subtracted_is_different(recorded, again, reason):
    finding = compare(recorded, again, 1e-5)
    assert (finding.result, finding.difference, finding.reason) == (
        Result.DIFFERENT,
        None,
        reason,
    )


@pytest.mark.parametrize(
    "array",
    [
        np.array([nan, 1.0, -inf]),
        np.array([True]),
        np.zeros((2, 0)),
        np.array([1 + 2j]),
        np.array([3e38], "f4"),
    ],
)
def test_any_array_is_identical_to_itself(array):
    assert compare({"x": array}, {"x": array.copy()}, 1e-5).result == Result.IDENTICAL


def test_signs_of_zero_and_zeros_that_became_numbers():
    assert (
        compare({"x": np.array([0.0])}, {"x": np.array([-0.0])}, 1e-5).result
        == Result.CLOSE
    )
    finding = compare({"x": np.array([0.0])}, {"x": np.array([1e-30])}, 1e-5)
    assert (finding.result, finding.difference) == (Result.DIFFERENT, inf)
    largest = np.array([3e38], "f4")
    assert compare({"x": largest}, {"x": -largest}, 1e-5).difference == pytest.approx(
        2.0
    )


def test_sound_cells_are_computed_again_and_agree(recorded, pytester, call):
    before = {
        path: path.read_bytes() for path in recorded.path.rglob("*") if path.is_file()
    }
    arguments = ("--backend", "numpy", "--store", "store", "--seed", "7")
    status, out, err = call(
        "audit", "--sample", "all", "--json", "audit.json", *arguments
    )
    assert status == 0, out + err
    assert out.startswith(
        "6 of 6 recorded cells, drawn with seed 7:\n\n    backend  configuration  seeds  age "
    )
    assert out.count("\ntoy/toy\n") == 1
    assert re.search(
        r"^    numpy    arm=false      5-9    \d+ d( \d+ h)? +identical  0\.0e\+00$",
        out,
        re.MULTILINE,
    )
    assert out.endswith("\n\n6 identical.\n")
    assert len((pytester.path / "calls").read_text().splitlines()) == 6
    assert {
        path: path.read_bytes() for path in recorded.path.rglob("*") if path.is_file()
    } == before
    document = json.loads((pytester.path / "audit.json").read_text())
    assert {
        name: document[name]
        for name in ("seed", "sample", "tier", "recorded", "drawn", "tolerances")
    } == {
        "seed": 7,
        "sample": "all",
        "tier": "quick",
        "recorded": 6,
        "drawn": 6,
        "tolerances": TOLERANCES,
    }
    first = document["cells"][0]
    assert (first["claims"], first["result"], first["difference"]) == (
        ["toy/toy"],
        "identical",
        0.0,
    )
    assert first["request"]["configuration"]["arm"] == "effect"
    assert (
        first["recorded"]["versions"]
        == first["recomputed"]["versions"]
        == {"numpy": np.__version__}
    )


def test_the_sample_goes_to_a_cluster_that_is_named_and_by_way_of_a_disk_that_its_nodes_mount(
    recorded, call, monkeypatch
):
    asked, run = [], sweep.run

    def cluster(wanted, store, **options):
        asked.append((store.path.parent, options))
        own = {name: options[name] for name in ("device", "workers")}
        return run(wanted, store, **own)

    monkeypatch.setattr(sweep, "run", cluster)
    options = (
        "--engine",
        "ray",
        "--ray-address",
        "head:6379",
        "--gpus-per-cell",
        "0.5",
        "--workers",
        "1",
    )
    status, out, _ = call(
        "audit", "--sample", "1", "--backend", "numpy", "--store", "store", *options
    )
    assert (status, out.splitlines()[-1]) == (0, "1 identical.")
    ((folder, options),) = asked
    assert folder == recorded.path.parent
    named = {
        name: options[name]
        for name in ("engine", "ray_address", "gpus_per_cell", "workers")
    }
    assert named == {
        "engine": "ray",
        "ray_address": "head:6379",
        "gpus_per_cell": 0.5,
        "workers": 1,
    }
    assert list(folder.glob("ntk-claims-audit-*")) == []


def test_a_planted_cell_that_the_store_takes_for_valid_is_found(
    recorded, pytester, call
):
    path = only(recorded, plan(pytester)[3])
    origin = {"threads": 1, "device_name": "another processor"}
    rewritten(
        path, provenance=origin, change=lambda arrays: {"value": arrays["value"] + 1e-6}
    )
    assert recorded.answers(plan(pytester)[3]), "the store must not detect it"
    arguments = ("--backend", "numpy", "--store", "store", "--json", "audit.json")
    status, out, _ = call("audit", "--sample", "all", *arguments)
    assert status == 1
    origins = r"value; recorded on another processor \(threads: 1\), here on .*\(threads: \d+\)"
    assert re.search(
        rf"^    numpy    arm=true +5-9 .* different  [\d.]+e-06 +{origins}$",
        out,
        re.MULTILINE,
    )
    assert out.endswith("\n\n5 identical, 1 different.\n")
    results = [
        entry["result"]
        for entry in json.loads((pytester.path / "audit.json").read_text())["cells"]
    ]
    assert results == ["identical"] * 3 + ["different"] + ["identical"] * 2


def test_cells_of_other_code_versions_or_devices_are_named_and_count_for_nothing(
    recorded, pytester, call
):
    asked = plan(pytester)
    rewritten(only(recorded, asked[0]), {"code": "0" * 64})
    rewritten(only(recorded, asked[1]), {"versions": {"numpy": "1.0"}})
    rewritten(
        only(recorded, asked[2]),
        {"device": "tpu"},
        change=lambda arrays: {"value": arrays["value"] + 1},
    )
    arguments = (
        "audit",
        "--sample",
        "all",
        "--backend",
        "numpy",
        "--store",
        "store",
        "--device",
        "cpu",
    )
    status, out, _ = call(*arguments)
    assert status == 0
    assert re.search(
        r"arm=effect +0-4 .* not comparable +the code has changed since$",
        out,
        re.MULTILINE,
    )
    versions = rf"recorded with numpy 1\.0; here numpy {re.escape(np.__version__)}"
    assert re.search(
        rf"arm=effect +5-9 .* not comparable +{versions}$", out, re.MULTILINE
    )
    assert re.search(
        r"arm=true +0-4 .* not comparable +recorded on tpu; asked for cpu$",
        out,
        re.MULTILINE,
    )
    assert out.endswith("\n\n3 identical, 3 not comparable.\n")
    for request in asked[3:]:
        rewritten(only(recorded, request), {"code": "0" * 64})
    status, out, _ = call(*arguments)
    assert (status, out.splitlines()[-1]) == (1, "6 not comparable.")
    assert len((pytester.path / "calls").read_text().splitlines()) == 3, (
        "what cannot be compared is not computed"
    )


def test_the_cell_that_a_run_here_would_take_is_audited(recorded, pytester, call):
    """Beside a newer answer of other code lies one of this code."""
    for request in plan(pytester):
        path = only(recorded, request)
        own = path.read_bytes()
        rewritten(path, {"code": "0" * 64}, {"started_at": "2999-01-01T00:00:00+00:00"})
        path.write_bytes(own)
    status, out, _ = call(
        "audit", "--sample", "3", "--backend", "numpy", "--store", "store"
    )
    assert (status, out.splitlines()[-1]) == (0, "3 identical.")


def test_no_cell_has_a_negative_age_though_the_clock_it_was_computed_by_was_ahead(
    recorded, pytester, call
):
    for request in plan(pytester):
        rewritten(
            only(recorded, request),
            provenance={"started_at": "2999-01-01T00:00:00+00:00"},
        )
    _, out, _ = call("audit", "--sample", "1", "--backend", "numpy", "--store", "store")
    assert re.search(r" 0 s +identical", out), out


def test_cells_of_a_gpu_are_not_comparable_without_one(
    recorded, pytester, call, monkeypatch
):
    monkeypatch.setattr("harness.sweep.devices.has_nvidia", lambda: False)
    for request in plan(pytester):
        rewritten(only(recorded, request), {"device": "cuda"})
    status, out, _ = call("audit", "--backend", "numpy", "--store", "store")
    assert status == 1
    assert re.search(
        r"not comparable +recorded on cuda; no GPU here$", out, re.MULTILINE
    )


def test_a_cell_that_can_no_longer_be_computed_is_named(recorded, pytester, call):
    (pytester.path / "calls").mkdir()
    status, out, _ = call(
        "audit", "--sample", "1", "--backend", "numpy", "--store", "store"
    )
    assert status == 1
    assert re.search(
        r"not recomputed +IsADirectoryError: .*'calls'$", out, re.MULTILINE
    )
    assert out.endswith("\n\n1 not recomputed.\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--store", "nowhere"],
            "There is no store at nowhere, so there is nothing to audit. Name one with --store.",
        ),
        (
            ["--store", "claims"],
            "The store at claims has no cell of these claims at the quick tier, so there is noth",
        ),
        (
            ["--store", "claims", "dog"],
            "No claim below claims has an id that contains 'dog'. There: toy/toy.",
        ),
    ],
)
def test_without_cells_there_is_nothing_to_audit(plant, call, arguments, message):
    plant("toy")
    status, out, err = call("audit", "--backend", "numpy", *arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"ntk-claims: {message}")
