"""The kernel in the course of training, against the definitions; effects of the claim on planted
kernels.
"""

from pathlib import Path

import numpy as np
import pytest

from claims.vyas2022 import evolution
from claims.vyas2022.evolution import (
    alignment,
    kernel_evolution,
    told_kernel,
    unrelated_kernels,
)
from claims.vyas2022.regression import RIDGES
from claims.vyas2022.tasks import samples
from harness import backends, networks, seeds, studies
from harness.backends import SGD, Adam
from harness.errors import InvalidInput
from harness.experiment import Measurements, Request, reference
from harness.measurements import edge

TASK = {"name": "parity", "inputs": 6, "order": 2}
NET = networks.mlp((6, 4, 1), sigma_b=0.1)
PLAIN = {
    "family": "mlp",
    "width": 4,
    "depth": 1,
    "sigma_b": 0.1,
    "label_scale": 2.0,
    "centred": False,
}
CONFIGURATION = {
    "task": TASK,
    **{
        "size": 12,
        "validation": 7,
        "test": 20,
        "net": PLAIN,
        "optimizer": "adam",
        "rate": 0.02,
    },
    **{
        "batch_size": 4,
        "steps": 9,
        "checkpoints": [0, 4, 9],
        "schedule": "constant",
        "regime": "fixed",
    },
}
ONE_PASS = {**CONFIGURATION, "regime": "one-pass"}
REPLICATES = (0, 3)
CLAIM = (
    Path(__file__).parents[3] / "claims" / "vyas2022" / "test_kernel_keeps_evolving.py"
)


@pytest.fixture(params=["numpy", "torch"])
def backend(request):
    if request.param == "torch":
        pytest.importorskip("torch")
    return backends.get(request.param, dtype="float64")


def drawn(count):
    return samples(
        TASK,
        REPLICATES,
        "test",
        (count, CONFIGURATION["validation"], CONFIGURATION["test"]),
    )


def start(member=0):
    return NET.init(
        seeds.derive("init", stream="test", replicate=r, member=member)
        for r in REPLICATES
    )


def trained(backend, x, y, optimizer=None, schedule=None):
    """Weights at the checkpoints, after training on these samples and targets."""
    return backend.train(
        NET,
        start(),
        x,
        y,
        optimizer=optimizer or Adam(0.02),
        steps=9,
        batch_size=4,
        batch_seed=[
            seeds.derive("batches", stream="test", replicate=r) for r in REPLICATES
        ],
        schedule=schedule,
        checkpoints=(0, 4, 9),
    ).checkpoints.values()


def test_a_network_that_diverged_has_no_kernel_and_no_error(backend):
    wild = {**CONFIGURATION, "optimizer": "sgd", "rate": 1e308}
    found = kernel_evolution(backend, wild, REPLICATES, "test")
    assert set(found) == {"cka", "error", "network_error", "train_error"}
    assert all(np.isnan(values).all() for values in found.values())


def written_out(grams):
    """CKA with H = I - 1/N as a matrix and the inner product as a trace."""
    n = len(grams[0])
    h = np.eye(n) - 1 / n
    inner = [[np.trace(h @ k @ h @ l) for l in grams] for k in grams]  # noqa: E741
    norms = np.sqrt(np.diag(inner))
    return inner / np.outer(norms, norms)


def regression_error(gram, cross, known, validation, test, r):
    """Wrong signs on test samples, with the ridge of the lowest squared error on validation
    samples.
    """
    held, errors = validation.y.shape[1], []
    for ridge in RIDGES * np.trace(gram) / len(gram):
        f = cross @ np.linalg.solve(gram + ridge * np.eye(len(gram)), known.y[r])
        errors.append(
            (
                ((f[:held] - validation.y[r]) ** 2).mean(),
                ((f[held:] > 0) != (test.y[r] > 0)).mean(),
            )
        )
    return min(errors)[1]


def test_alignment_is_that_of_kornblith_for_every_replicate():
    factors = np.random.default_rng(0).standard_normal((3, 2, 6, 4))
    grams = factors @ factors.swapaxes(2, 3)
    found = alignment(list(grams))
    assert found.shape == (2, 3, 3)
    for r in range(2):
        np.testing.assert_allclose(found[r], written_out(grams[:, r]), rtol=1e-12)


@pytest.mark.parametrize(
    "configuration", [CONFIGURATION, ONE_PASS], ids=["fixed", "one-pass"]
)
def test_kernels_at_checkpoints_and_what_they_predict(backend, configuration):
    everything, validation, test = drawn(12 + 36 * (configuration is ONE_PASS))
    known, training = (
        everything[:12],
        everything[12:] if configuration is ONE_PASS else everything,
    )
    found = kernel_evolution(backend, configuration, REPLICATES, "test")
    thetas = list(trained(backend, training.x, 2 * training.y))
    x = np.concatenate([validation.x, test.x], axis=1)
    grams = np.array([backend.empirical_ntk(NET, theta, known.x) for theta in thetas])
    crosses = np.array(
        [backend.empirical_ntk(NET, theta, x, known.x) for theta in thetas]
    )
    outputs = np.array([backend.forward(NET, theta, test.x) for theta in thetas])
    for r in range(2):
        np.testing.assert_allclose(found["cka"][r], written_out(grams[:, r]), rtol=1e-9)
        errors = [
            regression_error(*pair, known, validation, test, r)
            for pair in zip(grams[:, r], crosses[:, r], strict=True)
        ]
        np.testing.assert_array_equal(found["error"][r], errors)
    np.testing.assert_array_equal(
        found["network_error"], ((outputs > 0) != (test.y > 0)).mean(axis=(2, 3)).T
    )
    fit = (backend.forward(NET, thetas[-1], known.x) > 0) != (known.y > 0)
    np.testing.assert_array_equal(found["train_error"], fit.mean(axis=(1, 2)))
    assert (found["cka"][:, 0, 2] < 0.9999).all()


def test_one_pass_sees_every_sample_once_and_none_that_is_regressed_on(
    backend, monkeypatch
):
    seen = {}
    train = type(backend).train

    def spy(self, net, theta, x, y, **options):
        seen.update(x=x, batch_size=options["batch_size"], steps=options["steps"])
        return train(self, net, theta, x, y, **options)

    monkeypatch.setattr(type(backend), "train", spy)
    task = {"name": "digits-1d"}  # no two samples are alike
    kernel_evolution(backend, {**ONE_PASS, "task": task}, REPLICATES, "test")
    known, _, _ = samples(task, REPLICATES, "test", (12, 7, 20))
    assert seen["x"].shape[1] == seen["batch_size"] * seen["steps"]
    for r in range(2):
        assert not (seen["x"][r][:, None] == known.x[r]).all(axis=2).any()


def test_a_cosine_takes_the_rate_to_zero(backend):
    everything, _, _ = drawn(12)
    factors = np.cos(np.pi * np.arange(9) / 18) ** 2
    thetas = trained(backend, everything.x, 2 * everything.y, schedule=factors)
    grams = np.array(
        [backend.empirical_ntk(NET, theta, everything.x) for theta in thetas]
    )
    found = kernel_evolution(
        backend, {**CONFIGURATION, "schedule": "cosine"}, REPLICATES, "test"
    )["cka"]
    np.testing.assert_allclose(found[0], written_out(grams[:, 0]), rtol=1e-9)


CENTRED = {**CONFIGURATION, "net": {**PLAIN, "label_scale": 0.5, "centred": True}}


def test_centred_networks_start_from_nothing(backend):
    _, _, test = drawn(12)
    found = kernel_evolution(backend, CENTRED, REPLICATES, "test")
    # f - f_0 = 0 is no +1
    np.testing.assert_array_equal(
        found["network_error"][:, 0], (test.y > 0).mean(axis=(1, 2))
    )


def test_centred_networks_are_trained_from_where_they_are(backend, monkeypatch):
    # does not divide the number of samples
    monkeypatch.setattr(evolution, "AT_ONCE", 5)
    everything, _, test = drawn(12)
    found = kernel_evolution(
        backend, {**CENTRED, "optimizer": "momentum", "rate": 0.1}, REPLICATES, "test"
    )
    rate = 0.1 * edge(backend.empirical_ntk(NET, start(), everything.x, outputs="full"))
    y = 0.5 * everything.y + backend.forward(NET, start(), everything.x)
    *_, end = thetas = list(trained(backend, everything.x, y, SGD(rate, momentum=0.9)))
    grams = np.array(
        [backend.empirical_ntk(NET, theta, everything.x) for theta in thetas]
    )
    np.testing.assert_allclose(found["cka"][0], written_out(grams[:, 0]), rtol=1e-9)
    for data, error in (
        (test, found["network_error"][:, -1]),
        (everything, found["train_error"]),
    ):
        f = backend.forward(NET, end, data.x) - backend.forward(NET, start(), data.x)
        np.testing.assert_array_equal(
            error, ((f > 0) != (data.y > 0)).mean(axis=(1, 2))
        )


def test_the_told_kernel_turns_from_noise_to_the_labels(backend):
    known, validation, test = drawn(12)
    found = told_kernel(backend, CONFIGURATION, REPLICATES, "test")
    x = np.concatenate([known.x, validation.x, test.x], axis=1)
    kernel = backend.empirical_ntk(NET, start(), x)
    for r, replicate in enumerate(REPLICATES):
        noise = seeds.generator(
            "hint", stream="test", replicate=replicate
        ).standard_normal((39, 1))
        labels = np.concatenate([known.y[r], validation.y[r], test.y[r]])
        own = kernel[r] / np.trace(kernel[r, :12, :12]) * 12
        hints = [
            noise,
            (4 / 9 * labels + noise / 2) / np.hypot(4 / 9, 0.5),
            (labels + noise / 2) / np.hypot(1, 0.5),
        ]
        told = [own + hint @ hint.T for hint in hints]
        np.testing.assert_allclose(
            found["cka"][r], written_out([k[:12, :12] for k in told]), rtol=1e-9
        )
        errors = [
            regression_error(k[:12, :12], k[12:, :12], known, validation, test, r)
            for k in told
        ]
        np.testing.assert_array_equal(found["error"][r], errors)
    assert (found["error"][:, -1] < found["error"][:, 0]).all()


def test_unrelated_kernels_begin_with_that_of_the_trained_network(backend):
    known, _, _ = drawn(12)
    grams = np.array(
        [backend.empirical_ntk(NET, start(member), known.x) for member in range(3)]
    )
    found = unrelated_kernels(backend, CONFIGURATION, REPLICATES, "test")["cka"]
    np.testing.assert_allclose(found[1], written_out(grams[:, 1]), rtol=1e-9)


@pytest.mark.parametrize(
    ("key", "message"),
    [
        ("regime", "Unknown regime 'twice'. Allowed: fixed, one-pass."),
        ("schedule", "Unknown schedule 'twice'. Allowed: constant, cosine."),
    ],
)
def test_what_is_not_known_is_refused(key, message):
    with pytest.raises(InvalidInput, match=message):
        kernel_evolution(
            backends.get("numpy"), {**CONFIGURATION, key: "twice"}, REPLICATES, "test"
        )


def planted(study, cka, error, wrong=0.0):
    """Measurements of the claim's grid with an alignment and an error that are functions of the
    parts of the steps; networks have the error rate `wrong`.
    """
    cells = []
    for experiment in study.experiments:
        for c in experiment.quick.grid:
            parts = np.array(c["checkpoints"]) / c["steps"]
            arrays = {
                "cka": cka(c["arm"], parts[:, None], parts)[None],
                "error": error(parts)[None],
                "train_error": np.array([wrong]),
                "network_error": np.full((1, len(parts)), wrong),
            }
            named = (
                reference(experiment.measure),
                c,
                (0,),
                experiment.stream,
                "numpy",
                experiment.dtype,
            )
            cells.append((Request(*named), arrays))
    return Measurements(cells)


def test_effects_of_a_kernel_that_turns_steadily_and_improves_as_a_power():
    study = studies.load(CLAIM)

    def steady(arm, s, t):
        apart = np.where(s == t, 1.0, 0.5)  # strangers, all equally far from each other
        # one radian from start to end
        return apart if "strangers" in arm else np.cos(abs(s - t))

    found = study.effects(
        planted(study, steady, lambda parts: 0.1 * np.maximum(parts, 0.01) ** -0.4)
    )
    drift = (np.cos(0.2) - np.cos(0.8)) / 0.5
    expected = {
        **{name: 0.4 for name in found if name.startswith("improves")},
        **{name: drift for name in found if name.startswith("moves")},
        "moves_at_rest[strangers]": 0.0,
    }
    assert found.keys() == expected.keys()
    for name, value in expected.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


def test_a_kernel_that_jitters_about_a_resting_one_does_not_move():
    study = studies.load(CLAIM)
    found = study.effects(
        planted(
            study,
            lambda arm, s, t: np.where(s == t, 1.0, 0.7),
            lambda parts: 0.2 - 0.1 * parts,
        )
    )
    assert found["moves[fixed]"] == pytest.approx(0.0, abs=1e-12)


def test_networks_that_do_not_fit_or_learn_are_told():
    study = studies.load(CLAIM)

    def gates(wrong):
        def resting(arm, s, t):
            return np.where(s == t, 1.0, 0.7)

        return study.gates(planted(study, resting, lambda parts: 0.2 + parts, wrong))

    assert not any(gates(0.05).values())
    assert gates(0.3) == {
        "fitted": "1 of 1 networks, Fixed samples, end with more than 5 % of their samples wrong; "
        "allowed: 0",
        "learnt": "largest test error at the end: One pass: 0.3, allowed: 0.25",
        "finite": "",
    }
