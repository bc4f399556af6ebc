"""What defects planted by `python -m tests.verify.mutants` showed to be untested: each test here
catches one that no other did.

The claims' effects are computed on planted worlds: measurements whose logarithms are known sums,
with noise that the arms of a seed share and that must cancel in every comparison.
"""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from harness import backends, measurements, studies, sweep
from harness.datasets import Dataset, load
from harness.errors import InvalidInput
from harness.experiment import Measured, Measurements, Request, Tier, grid
from harness.judge import judge
from harness.networks import mlp
from harness.statistics.slopes import loglog_slopes
from harness.sweep import Store, environment
from harness.verdict import Kind, Superiority, decide

ROOT = Path(__file__).parents[2]
SEEDS = 10
NOISE = np.random.default_rng(7).normal(size=SEEDS)
"""Shared by the arms of a seed."""


# Backends


def test_relu_is_flat_at_zero_in_every_backend(backend):
    """With zero inputs and biases every preactivation is 0, so of the kernel the last bias alone is
    left, 1.
    """
    net = mlp((2, 3, 3, 1), "relu", sigma_b=0.0, train_zero_biases=True)
    assert backend.empirical_ntk(net, net.init(0), np.zeros((1, 2))) == pytest.approx(
        1.0
    )


def test_the_kernel_of_two_sets_is_a_block_of_that_of_both(backend):
    """What the backends share cannot be found by comparing them: they would all be wrong alike."""
    net, (x1, x2) = (
        mlp((3, 5, 2), "tanh", sigma_b=0.3),
        np.split(np.random.default_rng(2).standard_normal((6, 3)), [4]),
    )
    whole = backend.empirical_ntk(net, net.init(range(2)), np.concatenate([x1, x2]))
    assert backend.empirical_ntk(net, net.init(range(2)), x1, x2) == pytest.approx(
        whole[:, :4, 4:]
    )


def test_no_reduced_precision_inside_a_session_of_torch():
    torch = pytest.importorskip("torch")
    operations = backends.get("torch", dtype="float32").operations
    cpu, gpu = torch.backends.mkldnn, torch.backends.cudnn
    with operations.session():
        products = torch.backends.cuda.matmul, gpu.conv, cpu.matmul, cpu.conv
        assert [product.fp32_precision for product in products] == ["ieee"] * 4
        assert not torch.is_autocast_enabled(operations.device)


def test_no_reduced_precision_inside_a_session_of_jax():
    jax = pytest.importorskip("jax")
    operations = backends.get("jax", dtype="float32").operations
    with jax.default_matmul_precision("bfloat16"), operations.session():
        assert jax.config.jax_default_matmul_precision == "highest"


# Data and what is measured on them


def test_no_sample_of_a_data_set_comes_twice():
    """Over several chunks of the generator; a repeated sample would be trained and tested on."""
    assert len(np.unique(load("digits-1d", n=2500, seed=3).x, axis=0)) == 2500


def test_classes_are_those_of_the_images(monkeypatch):
    pixels = np.random.default_rng(0).uniform(size=(10, 2, 2)).astype(np.float32)
    tiny = Dataset("tiny", pixels, np.arange(10), 10, "made here", "")
    monkeypatch.setattr(measurements.datasets, "load", lambda name: tiny)
    x, classes = measurements.images([0, 1, 2], "test", samples=6)
    centred = pixels.reshape(10, 4) - pixels.reshape(10, 4).mean(axis=0)
    directions = centred / np.linalg.norm(centred, axis=1, keepdims=True)
    np.testing.assert_allclose(x / 2, directions[classes], atol=1e-6)


CONFIGURATION = dict(
    width=4,
    depth=1,
    samples=3,
    activation="tanh",
    parametrization="ntk",
    sigma_w2=1.0,
    sigma_b2=0.1,
    labels="sign",
    label_scale=1.0,
    centred=False,
    target_loss=1e-9,
    edge_fraction=0.5,
    max_steps=2,
    lane=0,
)


@pytest.fixture
def measured(monkeypatch, oracle):
    """`kernel_change` of three replicates that see the same three tiny images."""
    x = np.random.default_rng(1).standard_normal((1, 3, 5)).repeat(3, axis=0)
    monkeypatch.setattr(
        measurements, "images", lambda *_: (x, np.array([[0, 7, 3]] * 3))
    )
    return measurements.kernel_change(oracle, CONFIGURATION, range(3), "test")


def test_replicates_differ_in_their_weights_alone_too(measured):
    assert len(np.unique(measured["initial_loss"].round(9))) == 3


def test_a_seed_that_ran_out_of_steps_has_not_reached_its_loss(measured):
    assert measured["reached"].tolist() == [0.0, 0.0, 0.0]
    assert (measured["final_loss"] > CONFIGURATION["target_loss"]).all()


# Experiments, cells and workers

REQUEST = Request(
    "harness.measurements:kernel_change",
    {"width": 4},
    (0, 1),
    "registered",
    "torch",
    "float32",
)


@pytest.mark.parametrize(
    "change",
    [
        {"computation": "harness.measurements:kernel_error_at_init"},
        {"configuration": {"width": 5}},
        {"replicates": (0, 2)},
        {"stream": "registered-2"},
        {"backend": "jax"},
        {"dtype": "float64"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_every_field_of_a_request_is_in_its_digest(change):
    assert replace(REQUEST, **change).digest != REQUEST.digest


@pytest.mark.parametrize("block", [None, 1, 3, 10, 40])
def test_blocks_are_the_replicates_once_each(block):
    blocks = list(Tier(grid(width=4), replicates=10, block=block).blocks())
    assert [replicate for block in blocks for replicate in block] == list(range(10))


def test_a_question_about_two_configurations_is_refused():
    cells = [
        (replace(REQUEST, configuration={"width": w, "depth": 2}), {"loss": np.ones(2)})
        for w in (4, 8)
    ]
    with pytest.raises(
        InvalidInput,
        match=r"'loss' of 'draw' at \{'depth': 2\} must name one configuration; 2 match",
    ):
        Measured("draw", cells)("loss", depth=2)


def test_one_slot_serves_two_backends_with_a_worker_of_each(tmp_path, monkeypatch):
    pytest.importorskip("torch")
    monkeypatch.chdir(tmp_path)
    file = tmp_path / "claims" / "toy" / "computations.py"
    file.parent.mkdir(parents=True)
    file.write_text(
        "import sys, numpy as np\n"
        "def frameworks(backend, configuration, replicates, stream):\n"
        "    there = [name in sys.modules for name in ('torch', 'jax')]\n"
        "    return {backend.name: np.array([there] * len(replicates))}\n"
    )
    wanted = [
        Request("toy/frameworks", {}, (0,), "test", name, "float64")
        for name in ("numpy", "torch", "numpy")
    ]
    wanted[2] = replace(wanted[2], replicates=(1,))
    result = sweep.run(wanted, Store(tmp_path / "store"), device="cpu", workers=1)
    assert result.counts["done"] == 3
    imported = {
        name: Measured("frameworks", result.measurements(name).cells)(name)
        for name in ("torch", "numpy")
    }
    assert imported["torch"].tolist() == [[True, False]]
    assert imported["numpy"].tolist() == [[False, False]] * 2


def test_workers_are_kept_from_reduced_precision():
    for device in ("cpu", "cuda", "auto"):
        assert environment.variables(device, threads=2)["NVIDIA_TF32_OVERRIDE"] == "0"


# Statistics


def test_each_seed_has_a_slope_of_its_own():
    assert loglog_slopes([1, 10, 100], [[1, 0.1, 0.01], [3, 3, 3]]) == pytest.approx(
        [-1, 0]
    )


def test_backends_agree_seed_by_seed_or_not_at_all():
    """The same effects in another order: equal means, equal spreads, and seeds that have nothing to
    do with another.
    """
    effects = np.linspace(0.1, 0.5, SEEDS)
    rule = Superiority(0.05)
    assert (
        decide({"torch": effects, "jax": effects}, rule, agreement=0.02).kind
        == Kind.SUPPORTED
    )
    shuffled = effects[np.random.default_rng(0).permutation(SEEDS)]
    assert (
        decide({"torch": effects, "jax": shuffled}, rule, agreement=0.02).kind
        == Kind.DISAGREE
    )


# Claims, on planted worlds


@pytest.fixture
def study(request, monkeypatch):
    """The study of the claim file that the test names."""
    monkeypatch.chdir(ROOT)
    return studies.load(ROOT / "claims" / request.param)


def of(path):
    return pytest.mark.parametrize("study", [path], indirect=True)


CHANGE = of("seleznova2020/test_kernel_change_in_chaotic_phase.py")
DISPERSION = of("seleznova2020/test_dispersion_by_phase.py")


def world(study, arrays_of):
    """Measurements of every cell of the quick tier but those of a map; `arrays_of` takes a
    configuration.
    """
    decided_on = [
        e for e in study.experiments if not e.measure.__name__.endswith("_map")
    ]
    requests = [request for e in decided_on for request in e.requests("quick", "torch")]
    return Measurements(
        tuple((request, arrays_of(request.configuration)) for request in requests)
    )


def changes(reached=1.0, strength=1.0):
    """ln Delta: shared noise, plus a part of its own for each axis of the grid, different from seed
    to seed.
    """
    seed = np.arange(SEEDS)

    def arrays(c):
        own = (
            c["sigma_w2"] * (1 + 0.05 * seed)
            + 0.2 * c["depth"] * (1 + 0.03 * seed)
            - 3.0 * c["centred"]
        )
        own = (
            own
            + np.log(c["label_scale"]) * (1 + 0.02 * seed)
            + 0.1 * (-1.0) ** seed * c["lane"]
        )
        change = {"kernel_change": np.exp(NOISE + strength * own)}
        if "flow_time" in c:
            return change | {"drift": np.ones((SEEDS, 1))}
        return change | {"reached": np.full(SEEDS, reached)}

    return arrays


@CHANGE
def test_effects_of_kernel_change_are_paired_log_ratios(study):
    seed, effects = np.arange(SEEDS), study.effects(world(study, changes()))
    phases, depths = 1.5 * (1 + 0.05 * seed), 1.4 * (1 + 0.03 * seed)
    wider, widest = (factor * (1 + 0.05 * seed) for factor in (2.5, 4.0))  # for tanh
    expected = {
        "chaotic_over_ordered[ReLU]": phases,
        "chaotic_over_ordered[tanh]": wider,
        "grows_with_depth[ReLU]": depths,
        "grows_with_depth[tanh]": depths,
        "centred_reversed[ReLU]": -phases,
        "centred_reversed[tanh]": -wider,
        "centred_reversed[tanh with sigma_b^2 = 1]": -widest,
        "centred_grows_with_depth[ReLU]": depths,
        "centred_grows_with_depth[tanh]": depths,
        "centred_grows_with_depth[tanh with sigma_b^2 = 1]": depths,
        "protocol_chaotic_over_ordered": phases,
        "protocol_grows_with_depth": depths,
        "large_targets_over_small": np.log(16) * (1 + 0.02 * seed),
        "one_net_over_another": 0.1 * (-1.0) ** seed,
    }
    assert effects.keys() == expected.keys()
    for name, values in expected.items():
        np.testing.assert_allclose(effects[name], values, rtol=1e-9, err_msg=name)


@CHANGE
def test_a_control_with_its_arms_swapped_breaks_the_claim(study):
    """In a world in which all of the claim is true it is supported, which takes controls that come
    out as planted.
    """
    verdict = judge(study, {"torch": world(study, changes())}, "quick", SEEDS)
    assert verdict.kind == Kind.SUPPORTED, verdict.reason


@CHANGE
def test_where_nothing_differs_no_superiority_is_supported(study):
    """Arms that differ by noise alone; a margin of the wrong sign would call that a gap."""
    rng = np.random.default_rng(3)

    def noise(c):
        changed = {"kernel_change": np.exp(0.01 * rng.normal(size=SEEDS))}
        return changed | (
            {"drift": np.ones((SEEDS, 1))}
            if "flow_time" in c
            else {"reached": np.ones(SEEDS)}
        )

    verdict = judge(study, {"torch": world(study, noise)}, "quick", SEEDS)
    assert {
        name: v.kind
        for name, v in verdict.hypotheses.items()
        if v.kind == Kind.SUPPORTED
    } == {}
    # the control that must be supported is not, in such a world
    assert verdict.kind == Kind.BROKEN


@CHANGE
def test_one_untrained_seed_fails_the_gate(study):
    assert study.gates(world(study, changes()))["trained"] == ""
    one_short = np.where(np.arange(SEEDS) == 4, 0.0, 1.0)
    assert (
        "reached fails for 1 of 10 seeds"
        in study.gates(world(study, changes(reached=one_short)))["trained"]
    )


def log_dispersion(width, depth, phase):
    """ln R of a seed's phase; phases share the seed's noise."""
    return (
        0.1 * NOISE
        + 0.01 * phase
        + depth / width * (1 + 0.1 * phase) * (1 + 0.02 * np.arange(SEEDS))
    )


@DISPERSION
def test_effects_of_dispersion_are_paired_log_ratios(study):
    def arrays(c):
        log_r = np.stack(
            [
                log_dispersion(c["width"], c["depth"], p)
                for p in range(len(c["phases"]))
            ],
            axis=1,
        )
        mean = np.exp(NOISE)[:, None] * np.ones_like(log_r)
        return {"mean": mean, "mean_square": mean**2 * np.exp(log_r)}

    effects = study.effects(world(study, arrays))
    phases = [tuple(phase) for phase in study.experiments[0].quick.grid[0]["phases"]]
    ordered, chaotic = (
        phases.index(("relu", 1.0, 1.0)),
        phases.index(("relu", 3.0, 1.0)),
    )
    expected = {
        "near_one[ordered relu]": log_dispersion(128, 26, ordered),
        "flat[ordered relu]": log_dispersion(128, 26, ordered)
        - log_dispersion(128, 13, ordered),
        "grows[chaotic relu]": log_dispersion(128, 26, chaotic)
        - log_dispersion(128, 13, chaotic),
        "wide_over_narrow[chaotic relu]": log_dispersion(128, 26, chaotic)
        - log_dispersion(64, 13, chaotic),
    }
    for name, values in expected.items():
        np.testing.assert_allclose(effects[name], values, rtol=1e-9, err_msg=name)
