"""A run that has every verdict once, as the report sees it."""

import hashlib
import json
from dataclasses import replace
from datetime import datetime, timedelta
from importlib.resources import files

import numpy as np
import pytest

from harness import report
from harness.plots import Figure, Series
from harness.reason import stands_beside
from harness.study import (
    Control,
    Equivalence,
    Gate,
    Hypothesis,
    Paper,
    Published,
    Statement,
    Study,
    Superiority,
)
from harness.verdict import ClaimVerdict, Kind, decide

BACKENDS = ("torch", "jax")
HOSTILE = (
    "</title></style></script><script>alert(1)</script>"
    """<img src=x onerror="alert(2)">'"{{ 7*7 }}`|\x1b[31m\x00&amp;"""
)
SIZES = (64.0, 128.0, 256.0, 512.0, 1024.0)

SCALING = Statement(
    id="vyas2022/network-outscales-its-kernels",
    paper=Paper(
        authors="Vyas, Bansal, Nakkiran",
        year=2022,
        title="Limitations of the NTK for Understanding Generalization in Deep Learning",
        locus="section 3, figure 1",
        read="The arXiv version, text and figures; no number is taken from the figure.",
    ),
    title="Networks gain more from data than their kernels do",
    statement="With growing training sets the test error of a network falls with a larger exponent "
    "than that of "
    "kernel regression with its empirical NTK at initialisation or with the infinite-width NTK.",
    operationalised="Per seed, the exponent of the excess test error over n is fitted for each arm "
    "over the registered "
    "window; the effect is the exponent of the network minus that of the kernel, paired by seed.",
    departs="One-dimensional digits instead of CIFAR-5m; a convolutional network of 4 layers; "
    "squared loss.",
    family="data-scaling",
    hypotheses=(
        Hypothesis(
            "exponent beats eNTK",
            "Exponent of the network minus exponent of kernel regression with the empirical NTK at "
            "initialisation.",
            Superiority(margin=0.05),
            "Half of the spread between seeds of one arm; a smaller gap would not change which "
            "method one would use.",
            expected_effect=0.18,
            expected_sd=0.08,
            published=Published(0.2, "Table 2", "read"),
        ),
        Hypothesis(
            "exponent beats NTK",
            "Exponent of the network minus exponent of kernel regression with the infinite-width "
            "NTK.",
            Superiority(margin=0.05),
            "As above.",
            expected_effect=0.15,
            expected_sd=0.08,
        ),
        Hypothesis(
            "kernels alike",
            "Exponent with the eNTK averaged over 16 initialisations minus exponent with the "
            "infinite-width NTK.",
            Equivalence(margin=0.08),
            "Twice the standard error of either exponent in exploration.",
            expected_effect=0.0,
            expected_sd=0.06,
            role="secondary",
        ),
    ),
    controls=(
        Control(
            "planted gap",
            "exponent beats eNTK",
            "SUPPORTED",
            "Synthetic curves with exponents 0.6 and 0.3.",
        ),
        Control(
            "GP target",
            "exponent beats eNTK",
            "not SUPPORTED",
            "No method can beat regression with the GP's kernel.",
        ),
    ),
    gates=(
        Gate("trained", "Every network reaches training loss 1e-3."),
        Gate(
            "held-out size",
            "The largest n lies inside the prediction interval of the fit.",
            "INCONCLUSIVE",
        ),
        Gate("finite", "Every error and every weight is finite.", "BROKEN"),
    ),
    limits="Tests the mechanism on a proxy data set, not the paper's data.",
)


def effects(centre, spread=0.08, seeds=12, shift=0.0):
    """One effect per seed and backend; the backends share seeds and differ by `shift`."""
    shared = np.random.default_rng(int(1000 * abs(centre)) + seeds).normal(
        centre, spread, seeds
    )
    return {"torch": shared, "jax": shared + shift + 0.001 * np.cos(np.arange(seeds))}


def verdict(claim, kind, reason, centre=0.2, shift=0.0, controls=(0.4, 0.0)):
    """A claim's verdict with real decisions on its hypotheses and controls."""
    centres = [centre, 0.75 * centre, 0.01][: len(claim.hypotheses)]
    samples = {
        h.name: effects(c, shift=shift)
        for h, c in zip(claim.hypotheses, centres, strict=True)
    }
    samples |= {
        c.name: effects(value)
        for c, value in zip(claim.controls, controls, strict=True)
    }
    hypotheses = {h.name: decide(samples[h.name], h.rule) for h in claim.hypotheses}
    p = max(hypotheses[h.name].p for h in claim.primary)
    return ClaimVerdict(
        claim=claim.id,
        tier="quick",
        kind=kind,
        reason=reason,
        p=p,
        p_family=min(1.0, 2 * p),
        alone=kind,
        beside=stands_beside(claim, hypotheses, kind),
        hypotheses=hypotheses,
        controls={
            c.name: decide(samples[c.name], claim.hypothesis(c.hypothesis).rule)
            for c in claim.controls
        },
        gates={gate.name: {"torch": "", "jax": ""} for gate in claim.gates},
        effects={
            b: {name: tuple(by[b]) for name, by in samples.items()} for b in BACKENDS
        },
    )


def with_failed_gate(outcome, gate, text):
    """The same verdict with a gate that failed in jax."""
    return replace(outcome, gates=outcome.gates | {gate: {"torch": "", "jax": text}})


def learning_curves(backend, jitter):
    exponents = {
        "network": 0.55,
        "eNTK at initialisation": 0.34,
        "infinite-width NTK": 0.38,
    }
    series = []
    for label, exponent in exponents.items():
        y = tuple((n / 32) ** -exponent * (1 + jitter) for n in SIZES)
        series.append(
            Series(
                label, SIZES, y, tuple(0.9 * v for v in y), tuple(1.1 * v for v in y)
            )
        )
    return Figure(
        title=f"Learning curves, {backend}",
        description="Excess test error, mean over 12 seeds; bands hold the middle 80 % of the "
        "seeds.",
        x_label="training samples n",
        y_label="excess test error",
        series=tuple(series),
        log_x=True,
        log_y=True,
    )


def drift():
    epochs = tuple(float(epoch) for epoch in range(0, 101, 5))
    line = tuple(0.35 * (1 - np.exp(-epoch / 25)) for epoch in epochs)
    return Figure(
        "Distance of the kernel from its start",
        "Relative Frobenius distance of the empirical NTK from its value at initialisation.",
        "epoch",
        "relative distance",
        (
            Series("torch", epochs, line),
            Series("jax", epochs, tuple(0.99 * value for value in line)),
        ),
        reference_y=0.1,
    )


def variant(name, title, **changes):
    return replace(
        SCALING, id=f"{SCALING.id.split('/')[0]}/{name}", title=title, **changes
    )


def entries():
    refuted = variant(
        "constant-sample",
        "Pre-training the kernel on few samples does not help",
        family="after-kernel",
    )
    disagree = variant(
        "keeps-evolving", "The kernel evolves through most of training", family="drift"
    )
    undecided = variant(
        "across-width",
        "The gap to the kernel stays when networks get wider",
        hypotheses=SCALING.hypotheses[:1],
    )
    missing = variant(
        "hyperparameters", "The gap survives a change of hyperparameters", gates=()
    )
    broken = variant(
        "label-noise", "Label noise does not close the gap", departs="", limits=""
    )
    verdicts = [
        (
            SCALING,
            verdict(
                SCALING,
                Kind.SUPPORTED,
                "Both primary hypotheses hold in torch and jax.",
            ),
            "SUPPORTED",
        ),
        (
            refuted,
            verdict(
                refuted,
                Kind.REFUTED,
                "Exponent beats eNTK: below the margin in both.",
                -0.1,
            ),
            "REFUTED",
        ),
        (
            undecided,
            verdict(
                undecided, Kind.INCONCLUSIVE, "On neither side of the margin.", 0.06
            ),
            None,
        ),
        (
            disagree,
            verdict(
                disagree,
                Kind.DISAGREE,
                "jax is higher than torch by more than 0.025.",
                shift=0.2,
            ),
            "SUPPORTED",
        ),
        (
            missing,
            ClaimVerdict(
                missing.id,
                "quick",
                Kind.NOT_RUN,
                "3 of 24 cells ran out of memory (jax).",
            ),
            None,
        ),
        (
            broken,
            with_failed_gate(
                verdict(
                    broken,
                    Kind.BROKEN,
                    "Control “GP target” came out SUPPORTED; gate “finite” failed in jax.",
                    controls=(0.4, 0.4),
                ),
                "finite",
                "seed 3: weights are NaN from step 210 on",
            ),
            None,
        ),
    ]
    pictures = {
        SCALING.id: [learning_curves("torch", 0), learning_curves("jax", 0.01)],
        disagree.id: [drift()],
    }
    return [
        report.Entry(
            study=Study(
                claim,
                (),
                effects=dict,
                tier_note={"quick": "n up to 1024; the paper goes further."},
            ),
            verdict=outcome,
            registration=hashlib.sha256(claim.id.encode()).hexdigest(),
            replicates=12,
            figures=pictures.get(claim.id, ()),
            cells=24,
            recorded=recorded,
            calibration={
                "exponent beats eNTK": report.Calibration(0.049, 0.99, 10_000)
            },
            history=[
                report.Amendment(
                    "2026-11-01", "Registered before the first run.", False, "0" * 64
                ),
                report.Amendment(
                    "2026-11-02",
                    "After a pilot.",
                    True,
                    "1" * 64,
                    ["margin (0.05 -> 0.08)"],
                ),
            ],
        )
        for claim, outcome, recorded in verdicts
    ]


def example_document(listed=None):
    environment = {
        "torch": {
            "python": "3.12.4",
            "numpy": "2.4.6",
            "torch": "2.13.0",
            "device": "cpu",
            "precision": "float32",
        },
        "jax": {
            "python": "3.12.4",
            "numpy": "2.4.6",
            "jax": "0.10.2",
            "device": "cpu",
            "precision": "float32",
        },
    }
    return report.document(listed or entries(), "quick", BACKENDS, environment)


def example_run(**changes):
    finished = datetime(2026, 11, 21, 14, 30)
    cells = report.Cells(
        10, 14, 0, 512.5, finished - timedelta(days=3, hours=4), finished
    )
    record = {
        "started": finished - timedelta(minutes=8, seconds=3),
        "finished": finished,
        "command": ["pytest", "claims", "--tier", "quick"],
        "platform": {"machine": "x86_64", "processors": 2, "host": "worker-7"},
        "claims": {SCALING.id: cells},
        "total": replace(cells, computed=60, cached=84, failed=3),
    }
    return report.run_record(**(record | changes))


def hostile_entry():
    claim = replace(
        SCALING,
        id=HOSTILE,
        title=HOSTILE,
        statement=HOSTILE,
        operationalised=HOSTILE,
        departs=HOSTILE,
        limits=HOSTILE,
        family=HOSTILE,
        paper=Paper(HOSTILE, 2022, HOSTILE, HOSTILE, HOSTILE),
        hypotheses=tuple(
            replace(h, name=f"{h.name}{HOSTILE}", statement=HOSTILE, why_margin=HOSTILE)
            for h in SCALING.hypotheses
        ),
        controls=tuple(
            replace(
                c,
                name=f"{c.name}{HOSTILE}",
                hypothesis=f"{c.hypothesis}{HOSTILE}",
                why=HOSTILE,
            )
            for c in SCALING.controls
        ),
        gates=(Gate(HOSTILE, HOSTILE),),
    )
    outcome = with_failed_gate(verdict(claim, Kind.BROKEN, HOSTILE), HOSTILE, HOSTILE)
    series = (Series(HOSTILE, SIZES, SIZES), Series("kernel", SIZES, SIZES))
    return report.Entry(
        study=Study(claim, (), effects=dict, tier_note={"quick": HOSTILE}),
        verdict=outcome,
        registration=HOSTILE,
        replicates=12,
        figures=(Figure(HOSTILE, HOSTILE, HOSTILE, HOSTILE, series),),
        history=(report.Amendment(HOSTILE, HOSTILE, True, HOSTILE, (HOSTILE,)),),
    )


@pytest.fixture(scope="session")
def build_document():
    return example_document


@pytest.fixture(scope="session")
def build_run():
    return example_run


@pytest.fixture(scope="session")
def scaling():
    """The claim that is supported, and its verdict."""
    return SCALING, entries()[0].verdict


@pytest.fixture(scope="session")
def document():
    return example_document()


@pytest.fixture(scope="session")
def hostile_document():
    return report.document(
        [hostile_entry()], "quick", BACKENDS, {HOSTILE: {HOSTILE: HOSTILE}}
    )


@pytest.fixture(scope="session")
def hostile_run(hostile_document):
    cells = {hostile_document["claims"][0]["id"]: report.Cells()}
    return example_run(command=[HOSTILE], platform={"host": HOSTILE}, claims=cells)


@pytest.fixture(scope="session")
def schema():
    return json.loads((files("harness.report") / "verdicts.schema.json").read_text())
