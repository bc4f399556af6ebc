"""A session called directly: what it plans, what it refuses before anything is computed, and what
it replays.
"""

import errno
import os
import re
from dataclasses import replace

import numpy as np
import pytest

from harness import report, studies
from harness.errors import InvalidInput, StoreError
from harness.session import Settings, requests, verify
from harness.study import Superiority
from harness.sweep import Circumstances, Provenance, Store, code


@pytest.fixture
def toy(plant):
    """The study of a toy claim."""

    def load(name="toy", **constants):
        return studies.load(plant(name, **constants))

    return load


@pytest.fixture
def settings(pytester):
    """Quick, in numpy, unless told otherwise."""

    def make(tier="quick", backends=("numpy",), **options):
        return Settings(tier, backends, pytester.path / "store", **options)

    return make


@pytest.fixture
def statuses():
    """Takes the place of a progress line."""
    return []


@pytest.fixture
def run(settings, statuses):
    def verified(*toys, family_sizes=None, **options):
        return verify(
            toys,
            settings(**options),
            family_sizes=family_sizes,
            progress=statuses.append,
        )

    return verified


def with_hypothesis(study, **changes):
    (hypothesis,) = study.claim.hypotheses
    return replace(
        study, claim=replace(study.claim, hypotheses=(replace(hypothesis, **changes),))
    )


def elsewhere(study, settings, devices):
    """Puts an answer to each request into the store, as if from these devices in turn."""
    plan = requests(study, settings)
    origin = Provenance(
        "2026-01-01T00:00:00+00:00", 1.0, 8, "some machine", {}, "3.12.0"
    )
    for index, request in enumerate(plan):
        mean = {"effect": 0.3, "true": 0.3, "false": 0.0}[request.configuration["arm"]]
        present = code.code_digest(request.computation, request.backend)
        found = Circumstances(devices[index % len(devices)], present, {"numpy": "1.0"})
        values = mean + 0.05 * np.linspace(-1, 1, 10)[list(request.replicates)]
        Store(settings.store).put(request, found, origin, {"value": values})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"tier": "huge"}, "Unknown tier 'huge'. Allowed, with --tier: quick, full."),
        (
            {"backends": ("numpy", "tensorflow")},
            "Unknown backend 'tensorflow'. Available: jax, numpy, torch.",
        ),
        (
            {"backends": ()},
            "Name at least one backend, and each once, with --backend; got none. Available: jax, "
            "numpy, torch.",
        ),
        (
            {"backends": ("jax", "jax")},
            "Name at least one backend, and each once, with --backend; got jax, jax. Available: "
            "jax, numpy",
        ),
    ],
)
def test_settings_that_are_not_allowed_are_named(settings, options, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        settings(**options)


def test_the_backends_of_each_block_come_together(toy, settings):
    plan = requests(toy(BLOCK=5), settings(backends=("torch", "jax")))
    assert [(r.configuration["arm"], r.replicates[0], r.backend) for r in plan][:5] == [
        ("effect", 0, "torch"),
        ("effect", 0, "jax"),
        ("effect", 5, "torch"),
        ("effect", 5, "jax"),
        ("true", 0, "torch"),
    ]
    assert len(plan) == 3 * 2 * 2


def test_a_claim_without_the_tier_has_no_requests(toy, settings):
    assert requests(toy(), settings("full")) == []
    assert len(requests(toy(FULL=True), settings("full"))) == 3


def test_a_claim_without_experiments_is_named(toy, settings):
    with pytest.raises(
        InvalidInput,
        match=r"Claim 'toy/toy' has no experiment; a Claim\(...\) lists at least one",
    ):
        requests(replace(toy(), experiments=()), settings())


def test_experiments_must_share_their_seeds(toy, settings):
    study = toy()
    (experiment,) = study.experiments
    fewer = replace(
        experiment, quick=replace(experiment.quick, replicates=8), stream="another"
    )
    message = (
        "The experiments of 'toy/toy' have different numbers of replicates: [8, 10]."
    )
    with pytest.raises(InvalidInput, match=re.escape(message)):
        requests(replace(study, experiments=(experiment, fewer)), settings())


@pytest.mark.parametrize(
    "changes", [{"expected_sd": float("nan")}, {"rule": Superiority(np.float32(0.1))}]
)
def test_a_claim_that_cannot_be_registered_is_named_before_anything_is_computed(
    toy, run, pytester, changes
):
    with pytest.raises(
        InvalidInput,
        match=r"Claim 'toy/toy' cannot be registered: .* It must consist of text, finite",
    ):
        run(with_hypothesis(toy(), **changes))
    assert not (pytester.path / "calls").exists()


def test_two_claims_with_one_id_are_named_before_anything_is_computed(
    toy, run, pytester
):
    with pytest.raises(
        InvalidInput,
        match=r"Two of the claims to be verified have the id 'toy/toy'\. Each claim has",
    ):
        run(toy(), toy())
    assert not (pytester.path / "calls").exists()


def test_a_family_is_as_large_as_it_is_registered_and_never_smaller_than_what_is_judged(
    toy, run
):
    first, second = toy("first"), toy("second")
    p = run(first).verdicts["toy/first"].p
    for sizes, factor in ((None, 2), ({"toy": 1}, 2), ({"toy": 5}, 5)):
        verdict = run(first, second, family_sizes=sizes).verdicts["toy/first"]
        assert verdict.p_family == pytest.approx(factor * p)


def test_the_document_names_versions_and_device_but_no_place_or_time(
    toy, run, pytester, statuses
):
    session = run(toy())
    assert session.document["environment"] == {
        "numpy": {"device": "cpu", "dtype": "float64", "numpy": np.__version__},
    }
    text = report.as_text(session.document)
    assert str(pytester.path) not in text
    assert session.run["started"][:10] not in text
    assert (
        session.run["cells"]["computed"]
        == session.run["claims"]["toy/toy"]["computed"]
        == 3
    )
    assert statuses[-1].ended


def test_figures_that_fail_break_their_claim_alone(toy, run):
    def figures(measurements):
        raise KeyError("no such series")

    session = run(replace(toy("faulty"), figures=figures), toy("sound"))
    assert [str(verdict.kind) for verdict in session.verdicts.values()] == [
        "BROKEN",
        "SUPPORTED",
    ]
    assert session.verdicts["toy/faulty"].reason == (
        "At quick scale: The claim's own code failed: KeyError: 'no such series'"
    )


def test_cells_of_another_machine_are_replayed(toy, run, settings, statuses):
    study = toy()
    elsewhere(study, settings(), ["cuda"])
    session = run(study, replay=True)
    assert session.verdicts["toy/toy"].kind == "SUPPORTED"
    assert session.document["environment"]["numpy"] == {
        "device": "cuda",
        "dtype": "float64",
        "numpy": "1.0",
    }
    assert session.run["cells"]["cached"] == 3
    assert statuses[-1].describe() == "cells: 3 of 3 done (3 cached), 0 failed"


def test_cells_of_two_machines_make_no_one_run(toy, run, settings):
    study = toy()
    elsewhere(study, settings(), ["cuda", "cpu"])
    verdict = run(study, replay=True).verdicts["toy/toy"]
    assert verdict.kind == "BROKEN"
    assert verdict.reason == (
        "At quick scale: The recorded cells of backend 'numpy' come from different devices, "
        "versions or code, so they "
        "make no one run. Name a store that holds one run."
    )


def test_replay_names_a_damaged_cell_and_what_is_missing(toy, run, settings, statuses):
    study = toy()
    elsewhere(study, settings(), ["cuda"])
    damaged = sorted(settings().store.rglob("*.cell"))[0]
    damaged.write_bytes(damaged.read_bytes()[:-1])
    verdict = run(study, replay=True).verdicts["toy/toy"]
    assert verdict.kind == "BROKEN"
    assert re.search(
        r"1 of 3 cells of backend 'numpy' are missing.*\n .*: not computed$",
        verdict.reason,
    )
    (notice,) = statuses[-1].notices
    assert re.search(
        rf"{damaged.name}: expected content with SHA-256 .* It was set aside as .*\.corrupt",
        notice,
    )


@pytest.mark.parametrize("place", ["nowhere", "file", "file/below"])
def test_there_must_be_a_store_to_replay(toy, settings, pytester, statuses, place):
    (pytester.path / "file").touch()
    chosen = replace(settings(replay=True), store=pytester.path / place)
    message = (
        f"There is no store at {chosen.store}, so there is nothing to replay. "
        "Name the folder that holds the "
    )
    with pytest.raises(StoreError, match=re.escape(message)):
        verify([toy()], chosen, progress=statuses.append)


def test_an_empty_store_leaves_claims_unjudged(toy, run, settings):
    settings().store.mkdir()
    verdict = run(toy(), replay=True).verdicts["toy/toy"]
    assert (verdict.kind, verdict.reason) == (
        "NOT_RUN",
        "No cell of this claim is recorded in the store.",
    )


def test_a_read_only_store_is_judged_where_it_has_everything_and_named_where_not(
    toy, run, pytester, monkeypatch
):
    recorded, new = toy("recorded"), toy("new")
    before = run(recorded)

    def refuse(*paths):
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    monkeypatch.setattr(os, "replace", refuse)
    for options in ({}, {"replay": True}):
        assert report.as_text(run(recorded, **options).document) == report.as_text(
            before.document
        )
    message = (
        f"Cannot write the store at {pytester.path / 'store'}: "
        "Read-only file system. It is read-only: choose a "
    )
    with pytest.raises(StoreError, match=re.escape(message)):
        run(recorded, new)
    assert "new" not in (pytester.path / "calls").read_text()
