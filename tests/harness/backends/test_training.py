"""Descent: update rules against the oracle and PyTorch's optimisers, who stops when, what is kept,
what is refused.
"""

from dataclasses import fields

import numpy as np
import pytest

from harness import backends
from harness.backends import SGD, Adam, Stop
from harness.backends.training import accuracy
from harness.errors import InvalidInput
from harness.networks import mlp

NET = mlp((3, 5, 2), "tanh", sigma_b=0.3)
SEEDS = range(3)


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


X, Y = normal(6, 3), normal(6, 2)
THETA = NET.init(SEEDS)


def train(backend, theta=THETA, x=X, y=Y, net=NET, **options):
    return backend.train(
        net, theta, x, y, **{"optimizer": SGD(0.2), "steps": 12, **options}
    )


def close(one, other, tolerance):
    """Two trees of arrays: same shapes, NaN in the same places, equal to a relative tolerance."""
    if isinstance(one, dict):
        assert one.keys() == other.keys()
        for key in one:
            close(one[key], other[key], tolerance)
    elif one.dtype.kind in "fc":
        assert one.shape == other.shape
        np.testing.assert_allclose(one, other, rtol=tolerance, atol=tolerance)
    else:
        assert np.array_equal(one, other)


def same(one, other, tolerance=1e-9):
    """Every field of two Trained."""
    for field in fields(one):
        close(getattr(one, field.name), getattr(other, field.name), tolerance)


def at(theta, seed):
    return {name: array[seed] for name, array in theta.items()}


def loss_of(backend, theta, x=X, y=Y, net=NET):
    return ((backend.forward(net, theta, x) - y) ** 2).mean(axis=(-2, -1))


OPTIMIZERS = [
    pytest.param(SGD(0.2), id="sgd"),
    pytest.param(SGD(0.2, momentum=0.9), id="momentum"),
    pytest.param(Adam(0.05), id="adam"),
    pytest.param(
        Adam(0.05, beta1=0.0, beta2=0.9, epsilon=1e-3), id="adam-without-momentum"
    ),
]


@pytest.mark.parametrize("batch_size", [None, 4], ids=["full", "minibatch"])
@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_update_rules_agree_with_the_oracle(fast, oracle, optimizer, batch_size):
    options = {
        "optimizer": optimizer,
        "batch_size": batch_size,
        "batch_seed": 5,
        "checkpoints": (0, 7, 12),
    }
    same(train(fast, **options), train(oracle, **options))


@pytest.mark.parametrize(
    "optimizer",
    [*OPTIMIZERS, pytest.param(Adam(0.05, beta2=0.9999), id="adam-long-memory")],
)
def test_update_rules_in_float32(fast, oracle, optimizer):
    backend = backends.get(fast.name, dtype="float32")
    trained, reference = (
        train(b, optimizer=optimizer, steps=3) for b in (backend, oracle)
    )
    for name, start in THETA.items():
        travelled = np.linalg.norm(reference.theta[name] - start)
        error = np.linalg.norm(trained.theta[name] - reference.theta[name])
        # Weights are rounded to the dtype before and after; beyond that the way travelled is
        # accurate.
        assert error < 1e-5 * travelled + np.finfo("float32").eps * np.linalg.norm(
            start
        )


@pytest.mark.parametrize("rule", ["sgd", "momentum", "adam", "adam-without-momentum"])
def test_update_rules_are_those_of_pytorchs_optimisers(backend, rule):
    torch = pytest.importorskip("torch")
    ours, theirs = {
        "sgd": (SGD(0.2), lambda p: torch.optim.SGD(p, lr=0.2)),
        "momentum": (
            SGD(0.2, momentum=0.9),
            lambda p: torch.optim.SGD(p, lr=0.2, momentum=0.9),
        ),
        "adam": (Adam(0.05), lambda p: torch.optim.Adam(p, lr=0.05)),
        "adam-without-momentum": (
            Adam(0.05, beta1=0.0, beta2=0.9, epsilon=1e-3),
            lambda p: torch.optim.Adam(p, lr=0.05, betas=(0.0, 0.9), eps=1e-3),
        ),
    }[rule]
    theta = {
        name: torch.tensor(array, requires_grad=True)
        for name, array in NET.init(0).items()
    }
    x, y = torch.tensor(X), torch.tensor(Y)
    optimizer, losses = theirs(list(theta.values())), []
    for _ in range(12):
        optimizer.zero_grad()
        h = torch.tanh(2**0.5 / 3**0.5 * x @ theta["W1"].T + 0.3 * theta["b1"])
        f = 2**0.5 / 5**0.5 * h @ theta["W2"].T + 0.3 * theta["b2"]
        loss = torch.nn.functional.mse_loss(f, y)
        losses.append(loss.item())
        loss.backward()
        optimizer.step()
    trained = train(backend, NET.init(0), optimizer=ours)
    close(
        trained.theta,
        {name: tensor.detach().numpy() for name, tensor in theta.items()},
        1e-12,
    )
    np.testing.assert_allclose(trained.losses, losses, rtol=1e-12)


def test_schedule_scales_the_rate_of_each_step(backend):
    """Half the rate for half the time, then none, is what the schedule says."""
    schedule = np.repeat([1.0, 0.5, 0.0], 4)
    trained = train(backend, schedule=schedule, checkpoints=(4, 8))
    first = train(backend, steps=4)
    second = train(backend, first.theta, optimizer=SGD(0.1), steps=4)
    close(trained.checkpoints[4], first.theta, 1e-12)
    close(trained.checkpoints[8], second.theta, 1e-12)
    close(trained.theta, second.theta, 1e-12)


def test_each_seed_has_its_learning_rate(backend):
    rates = np.array([0.05, 0.2, 0.4])
    together = train(backend, optimizer=SGD(rates, momentum=0.5))
    for s, rate in enumerate(rates):
        alone = train(backend, at(THETA, s), optimizer=SGD(rate, momentum=0.5))
        close(at(together.theta, s), alone.theta, 1e-12)


def test_linear_net_follows_the_closed_form(backend):
    """One linear layer: the residual after t steps is (I - eta H)^t of that at the start, H = 2
    Theta / (N O).
    """
    net = mlp((3, 2), sigma_b=0.4)
    theta, rate, steps = net.init(1), 0.3, 40
    kernel = (
        backend.empirical_ntk(net, theta, X, outputs="full")
        .transpose(0, 2, 1, 3)
        .reshape(12, 12)
    )
    residual = (backend.forward(net, theta, X) - Y).ravel()
    trained = train(backend, theta, net=net, optimizer=SGD(rate), steps=steps)
    expected = (
        np.linalg.matrix_power(np.eye(12) - rate * 2 * kernel / 12, steps) @ residual
    )
    np.testing.assert_allclose(
        (backend.forward(net, trained.theta, X) - Y).ravel(), expected, atol=1e-12
    )


def test_wide_nets_follow_kernel_gradient_flow(fast):
    """f_t = y + exp(-H t) (f_0 - y) up to O(width^-1/2): at 16 times the width about a quarter of
    the error.
    """
    time, steps, errors = 2.0, 40, []
    for width in (32, 512):
        net = mlp((3, width, width, 1), "tanh", sigma_b=0.1)
        theta, y = net.init(range(6)), Y[:, :1]
        kernels, start = fast.empirical_ntk(net, theta, X), fast.forward(net, theta, X)
        rates, vectors = np.linalg.eigh(2 * kernels / len(X))
        decay = vectors * np.exp(-rates * time)[:, None, :] @ vectors.swapaxes(1, 2)
        flow = y + decay @ (start - y)
        trained = train(
            fast, theta, y=y, net=net, optimizer=SGD(time / steps), steps=steps
        )
        f = fast.forward(net, trained.theta, X)
        errors.append(
            np.median(
                np.linalg.norm(f - flow, axis=(1, 2))
                / np.linalg.norm(start - flow, axis=(1, 2))
            )
        )
    assert errors[1] < 0.01
    assert errors[0] / errors[1] > 2.5


@pytest.mark.parametrize("optimizer", OPTIMIZERS)
def test_seeds_trained_at_once_are_seeds_trained_alone(backend, optimizer):
    together = train(backend, optimizer=optimizer)
    for s in SEEDS:
        alone = train(backend, at(THETA, s), optimizer=optimizer)
        close(at(together.theta, s), alone.theta, 1e-12)
        close(together.losses[s], alone.losses, 1e-12)


def test_minibatches_belong_to_the_place_of_a_seed_not_to_its_weights(backend):
    """Lane 2 sees the same batches whoever trains beside it; another lane, or another batch_seed,
    sees others.
    """
    options = {"batch_size": 2, "batch_seed": 4}
    together = train(backend, **options)
    same_weights = {name: np.stack([array[2]] * 3) for name, array in THETA.items()}
    beside = train(backend, same_weights, **options)
    close(at(beside.theta, 2), at(together.theta, 2), 1e-12)
    assert np.abs(beside.theta["W1"][0] - beside.theta["W1"][2]).max() > 1e-3
    other = train(backend, **{**options, "batch_seed": 5})
    assert np.abs(other.theta["W1"] - together.theta["W1"]).max() > 1e-3
    close(at(together.theta, 0), train(backend, at(THETA, 0), **options).theta, 1e-12)


def test_a_batch_seed_of_its_own_goes_with_a_seed_wherever_it_trains(backend):
    together = train(backend, batch_size=2, batch_seed=[11, 12, 13])
    reordered = train(
        backend,
        {n: a[[2, 0, 1]] for n, a in THETA.items()},
        batch_size=2,
        batch_seed=[13, 11, 12],
    )
    close(at(reordered.theta, 0), at(together.theta, 2), 1e-12)
    alone = train(backend, at(THETA, 2), batch_size=2, batch_seed=13)
    close(alone.theta, at(together.theta, 2), 1e-12)
    with pytest.raises(
        InvalidInput,
        match=r"batch_seed must be one integer, or one per seed \(3\); got 2",
    ):
        train(backend, batch_size=2, batch_seed=[1, 2])


def test_epochs_are_permutations_each_of_its_own(backend):
    """With a vanishing rate the losses tell the batches: their mean over an epoch is that of all
    samples.
    """
    options = {"optimizer": SGD(1e-12), "steps": 6, "batch_size": 2, "batch_seed": 1}
    losses = train(backend, **options).losses
    everything = np.repeat(loss_of(backend, THETA)[:, None], 2, axis=1)
    np.testing.assert_allclose(
        losses.reshape(3, 2, 3).mean(axis=2), everything, rtol=1e-9
    )
    assert (np.abs(losses[:, :3] - losses[:, 3:]).max(axis=1) > 0.01).all()
    uneven = train(
        backend, **{**options, "batch_size": 4}
    ).losses  # two samples are left over, others each epoch
    assert len(np.unique(np.round(uneven[0], 9))) > 3


def test_data_of_their_own(backend):
    x, y = normal(3, 6, 3), normal(3, 6, 2)
    together = train(backend, x=x, y=y, batch_size=6)
    for s in SEEDS:
        alone = train(backend, at(THETA, s), x[s], y[s])
        # one batch of all samples is the full batch
        close(at(together.theta, s), alone.theta, 1e-12)
    assert train(backend, at(THETA, 0), x, y).theta["W1"].shape == (3, 5, 3)


@pytest.mark.parametrize("own", [True, False], ids=["own-data", "shared-data"])
@pytest.mark.parametrize("batch_size", [None, 3])
@pytest.mark.parametrize("momentum", [0.0, 0.5])
def test_a_seed_that_is_done_leaves_the_others_on_their_way(
    backend, momentum, batch_size, own
):
    """Whether a seed is trained beside others that stop before it, or alone, it takes the same
    steps.
    """
    x, y = (
        np.stack([array * (1 + s / 9) for s in SEEDS]) if own else array
        for array in (X, Y)
    )
    rates, options = (
        np.array([0.3, 0.05, 0.1]),
        {"steps": 140, "batch_size": batch_size},
    )
    options["stop"] = Stop(loss=0.35 * float((Y**2).mean()), every=5)
    together = train(
        backend,
        x=x,
        y=y,
        optimizer=SGD(rates, momentum),
        batch_seed=[4, 5, 6],
        **options,
    )
    assert together.steps[0] < together.steps[2] - 5 < together.steps[1] - 10
    for s in SEEDS:
        data = (x[s], y[s]) if own else (x, y)
        alone = train(
            backend,
            at(THETA, s),
            *data,
            optimizer=SGD(rates[s], momentum),
            batch_seed=[4 + s],
            **options,
        )
        close(at(together.theta, s), alone.theta, 1e-9)
        taken = alone.steps
        assert (together.steps[s], together.reason[s]) == (taken, alone.reason)
        close(together.losses[s, :taken], alone.losses[:taken], 1e-9)


def test_centred_training_is_training_towards_shifted_targets(backend):
    """f - f_0 trained towards y starts at the loss of y itself and obeys the same kernel."""
    start = backend.forward(NET, THETA, X)
    trained = train(backend, y=Y + start)
    assert trained.losses[:, 0] == pytest.approx([(Y**2).mean()] * 3)
    assert (trained.loss < trained.losses[:, 0]).all()


def test_loss_before_each_step_and_at_the_end(backend):
    trained = train(backend, checkpoints=tuple(range(13)))
    assert trained.losses.shape == (3, 12)
    for step in range(12):
        close(
            trained.losses[:, step], loss_of(backend, trained.checkpoints[step]), 1e-12
        )
    close(trained.loss, loss_of(backend, trained.theta), 1e-12)
    close(trained.checkpoints[0], THETA, 1e-15)
    close(trained.checkpoints[12], trained.theta, 0)
    assert list(trained.reason) == ["steps"] * 3
    assert list(trained.steps) == [12] * 3


@pytest.mark.parametrize("step", [0, 1, 60, 99, 100])
def test_stops_at_the_very_step_at_which_the_loss_is_reached(backend, step):
    """Each seed on its own, though the device is looked at every fifty steps only."""
    free = train(backend, steps=100, checkpoints=(0, 1, 60, 99, 100))
    losses = np.concatenate([free.losses, free.loss[:, None]], axis=1)
    target = losses[1, step] * (1 + 1e-9)
    expected = [np.flatnonzero([*(losses[s] <= target), True])[0] for s in SEEDS]
    assert expected[1] == step
    trained = train(backend, steps=100, stop=Stop(loss=target), checkpoints=(100,))
    for s in SEEDS:
        taken = min(expected[s], 100)
        assert trained.steps[s] == taken
        assert trained.reason[s] == ("loss" if expected[s] <= 100 else "steps")
        assert np.isfinite(trained.losses[s, : taken + 1]).all()
        assert np.isnan(trained.losses[s, taken + 1 :]).all()
        close(trained.loss[s], losses[s, taken], 1e-12)
    close(at(trained.theta, 1), at(free.checkpoints[step], 1), 1e-12)
    close(trained.checkpoints[100], trained.theta, 0)


def test_a_target_that_is_no_float32_stops_device_and_record_alike(precise):
    backend, _ = precise
    losses = train(backend, at(THETA, 0), steps=60).losses
    target = np.nextafter(losses[30], 0)  # in float32 this is losses[30] again
    trained = train(backend, at(THETA, 0), steps=60, stop=Stop(loss=target))
    assert trained.reason == "loss"
    assert trained.steps == (30 if backend.dtype == "float32" else 31)


def test_stop_by_loss_with_minibatches_is_seen_at_checks(backend):
    options = {"steps": 60, "batch_size": 2, "checkpoints": tuple(range(0, 61, 4))}
    free = train(backend, **options)
    checks = {step: loss_of(backend, theta) for step, theta in free.checkpoints.items()}
    target = checks[20][0] * (1 + 1e-9)
    trained = train(backend, **options, stop=Stop(loss=target, every=4))
    for s in SEEDS:
        expected = next(
            (step for step, losses in checks.items() if losses[s] <= target), 60
        )
        assert trained.steps[s] == expected
        close(at(trained.theta, s), at(free.checkpoints[expected], s), 1e-12)
    assert trained.reason[0] == "loss"


@pytest.mark.parametrize("outputs", [1, 2])
def test_stops_at_the_first_check_with_the_accuracy(backend, outputs):
    """Fraction of right arg max, or sign if there is one output."""
    net, y = mlp((3, 5, outputs), "tanh", sigma_b=0.3), np.sign(Y[:, :outputs])
    # no ties between two outputs: (1, -1) or (-1, 1) ...
    y[:, -1] *= -1 if outputs == 2 else 1
    y[:, 0] = -y[:, -1] if outputs == 2 else y[:, 0]
    theta = net.init(SEEDS)
    free = train(
        backend, theta, y=y, net=net, steps=60, checkpoints=tuple(range(0, 61, 3))
    )
    accuracies = {}
    for step, weights in free.checkpoints.items():
        f = backend.forward(net, weights, X)
        right = (
            np.sign(f[..., 0]) == y[:, 0]
            if outputs == 1
            else f.argmax(-1) == y.argmax(-1)
        )
        accuracies[step] = right.mean(axis=-1)
    trained = train(
        backend, theta, y=y, net=net, steps=60, stop=Stop(accuracy=5 / 6, every=3)
    )
    expected = [
        next(step for step, a in accuracies.items() if a[s] >= 5 / 6) for s in SEEDS
    ]
    assert len(set(expected)) > 1
    assert list(trained.steps) == expected
    assert list(trained.reason) == ["accuracy"] * 3
    for s in SEEDS:
        close(at(trained.theta, s), at(free.checkpoints[expected[s]], s), 1e-12)


VALIDATION = normal(5, 3, seed=3), normal(5, 2, seed=4)


def validation_losses(backend, checkpoints):
    return np.stack(
        [loss_of(backend, theta, *VALIDATION) for theta in checkpoints.values()], axis=1
    )


def test_validation_returns_the_best_weights(backend):
    free = train(backend, steps=61, checkpoints=(*range(0, 61, 5), 61))
    losses = validation_losses(backend, free.checkpoints)
    trained = train(backend, steps=61, stop=Stop(validation=VALIDATION, every=5))
    # the last step is checked too
    assert list(trained.validation_steps) == list(free.checkpoints)
    close(trained.validation, losses, 1e-12)
    assert list(trained.reason) == ["steps"] * 3
    best = losses.argmin(axis=1)
    assert (best > 0).any()
    assert (best < losses.shape[1] - 1).any()
    for s in SEEDS:
        close(
            at(trained.theta, s), at(list(free.checkpoints.values())[best[s]], s), 1e-12
        )
    close(trained.loss, loss_of(backend, trained.theta), 1e-12)


def test_patience_stops_a_seed_after_checks_without_a_new_best(backend):
    free = train(backend, steps=200, checkpoints=tuple(range(0, 201, 5)))
    losses = validation_losses(backend, free.checkpoints)
    trained = train(
        backend, steps=200, stop=Stop(validation=VALIDATION, patience=2, every=5)
    )
    for s in SEEDS:
        check = best = 0
        while check - best < 2:
            check += 1
            best = check if losses[s, check] < losses[s, best] else best
        assert trained.reason[s] == "validation"
        assert trained.steps[s] == 5 * check
        assert np.isfinite(trained.validation[s, : check + 1]).all()
        assert np.isnan(trained.validation[s, check + 1 :]).all()
        close(at(trained.theta, s), at(free.checkpoints[5 * best], s), 1e-12)
    assert len(set(trained.steps)) > 1


def test_validation_data_of_each_seed(backend):
    x, y = (np.stack([a, a + 1, a - 1]) for a in VALIDATION)
    together = train(backend, stop=Stop(validation=(x, y), every=4))
    for s in SEEDS:
        alone = train(
            backend, at(THETA, s), stop=Stop(validation=(x[s], y[s]), every=4)
        )
        close(together.validation[s], alone.validation, 1e-12)
        close(at(together.theta, s), alone.theta, 1e-12)


@pytest.mark.parametrize("criterion", ["loss", "accuracy", "validation"])
def test_stopping_rules_agree_with_the_oracle(fast, oracle, criterion):
    stop = {
        "loss": Stop(loss=0.8),
        "accuracy": Stop(accuracy=0.8, every=3),
        "validation": Stop(validation=VALIDATION, patience=1, every=2),
    }[criterion]
    options = {"steps": 30, "stop": stop, "checkpoints": (0, 5, 30)}
    same(train(fast, **options), train(oracle, **options))


@pytest.mark.parametrize("rate", [1e3, 1e20])
def test_a_seed_that_diverges_is_told_apart_and_leaves_the_others_alone(backend, rate):
    optimizer = SGD(np.array([0.2, rate, 0.1]))
    net = mlp((3, 5, 2), "relu", sigma_b=0.0, train_zero_biases=True)
    theta = net.init(SEEDS)
    trained = train(
        backend, theta, net=net, optimizer=optimizer, steps=60, checkpoints=(60,)
    )
    assert list(trained.reason) == ["steps", "diverged", "steps"]
    assert trained.steps[1] < 60
    assert not np.isfinite(trained.loss[1])
    assert all(np.isfinite(array).all() for array in trained.theta.values())
    for s, own in ((0, 0.2), (2, 0.1)):
        alone = train(backend, at(theta, s), net=net, optimizer=SGD(own), steps=60)
        close(at(trained.theta, s), alone.theta, 1e-12)
    assert all(np.isfinite(array).all() for array in trained.checkpoints[60].values())


def test_divergence_at_the_last_step_is_seen(backend):
    net = mlp((3, 5, 2), "relu", sigma_b=0.0, train_zero_biases=True)
    steps = train(backend, net.init(0), net=net, optimizer=SGD(1e20), steps=60).steps
    trained = train(
        backend, net.init(0), net=net, optimizer=SGD(1e20), steps=int(steps)
    )
    assert trained.reason == "diverged"


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("outputs", [1, 3])
def test_outputs_that_are_not_finite_are_never_right(outputs, bad):
    """NaN > 0 is False and arg max of NaN is 0: every sample of the negative class, or of class 0,
    would be right.
    """
    y = np.tile(-np.ones(1) if outputs == 1 else np.eye(3)[0], (3, 4, 1))
    f = y.copy()
    f[1] = bad
    f[2, 0, 0] = bad
    np.testing.assert_array_equal(accuracy(f, y), [1.0, np.nan, np.nan])


OVERFLOWS = SGD(np.array([0.1, 1e308, 1e308]))


def never_right_at_the_start(outputs):
    """A ReLU network, and labels of its seeds that its first outputs miss and that NaN would hit,
    in part at least.
    """
    net = mlp((3, 5, outputs), "relu", "standard", sigma_b=0.0)
    theta = net.init(SEEDS)
    f = backends.get("numpy").forward(net, theta, X)
    if outputs == 1:
        return net, theta, np.where(f > 0, -1.0, 1.0)
    return net, theta, np.eye(outputs)[np.where(f.argmax(axis=2) == 0, 1, 0)]


@pytest.mark.parametrize("batch_size", [None, 2], ids=["full", "minibatch"])
@pytest.mark.parametrize("outputs", [1, 3])
def test_a_network_that_diverged_has_not_reached_its_accuracy(
    fast, oracle, outputs, batch_size
):
    net, theta, y = never_right_at_the_start(outputs)
    options = {
        "net": net,
        "optimizer": OVERFLOWS,
        "batch_size": batch_size,
        "stop": Stop(accuracy=0.1, every=1),
    }
    ours, theirs = (
        train(backend, theta, y=y, steps=8, **options) for backend in (fast, oracle)
    )
    assert list(ours.reason[1:]) == ["diverged", "diverged"]
    assert list(ours.reason) == list(theirs.reason)
    assert list(ours.steps) == list(theirs.steps)
    assert not np.isfinite(ours.loss[1:]).any()


@pytest.mark.parametrize("steps", [1, 8], ids=["at the last step", "before"])
def test_a_network_that_diverged_has_not_lost_patience_nor_used_up_its_steps(
    backend, steps
):
    net, theta, y = never_right_at_the_start(1)
    stop = Stop(validation=(X, y), patience=1, every=1)
    trained = train(
        backend, theta, y=y, net=net, optimizer=OVERFLOWS, steps=steps, stop=stop
    )
    assert list(trained.reason[1:]) == ["diverged", "diverged"]
    assert trained.reason[0] != "diverged"
    # those of the best validation loss
    assert all(np.isfinite(array).all() for array in trained.theta.values())


@pytest.mark.parametrize("batch_size", [None, 2], ids=["full", "minibatch"])
@pytest.mark.parametrize(
    ("own", "loss"), [(False, 0.72), (True, 0.4)], ids=["shared", "own"]
)
def test_training_on_the_first_samples_is_training_on_them_alone(
    backend, batch_size, own, loss
):
    """Losses, checkpoints, validation, and the stop by loss are those of the four samples."""
    x, y = (normal(3, 6, 3), normal(3, 6, 2)) if own else (X, Y)
    stop = Stop(loss=loss, validation=VALIDATION, every=4)
    options = {
        "batch_size": batch_size,
        "batch_seed": 3,
        "checkpoints": (4, 28),
        "steps": 28,
        "stop": stop,
    }
    alone = train(backend, x=x[..., :4, :], y=y[..., :4, :], **options)
    same(train(backend, x=x, y=y, samples=4, **options), alone, 1e-12)
    assert set(alone.reason) == {"loss", "steps"}
    assert (
        np.abs(
            train(backend, x=x, y=y, **options).checkpoints[4]["W1"]
            - alone.checkpoints[4]["W1"]
        ).max()
        > 1e-3
    )


def test_one_seed_without_an_axis(backend):
    options = {"checkpoints": (0, 6), "stop": Stop(validation=VALIDATION, every=4)}
    one, many = (
        train(backend, at(THETA, 0), **options),
        train(backend, NET.init([0]), **options),
    )
    assert one.theta["W1"].shape == (5, 3)
    assert one.checkpoints[6]["b2"].shape == (2,)
    assert (one.losses.shape, one.validation.shape) == ((12,), (4,))
    assert (one.steps, one.reason) == (12, "steps")
    same(one, many.single(), 1e-15)


def test_no_steps_at_all(backend):
    trained = train(backend, steps=0, checkpoints=(0,))
    close(trained.theta, THETA, 1e-15)
    close(trained.checkpoints[0], THETA, 1e-15)
    assert trained.losses.shape == (3, 0)
    assert list(trained.reason) == ["steps"] * 3
    close(trained.loss, loss_of(backend, THETA), 1e-12)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"batch_size": 0},
            r"batch_size must lie in 1\.\.6, the number of samples; got 0\.",
        ),
        (
            {"batch_size": 7},
            r"batch_size must lie in 1\.\.6, the number of samples; got 7\.",
        ),
        (
            {"samples": 0},
            r"samples must lie in 1\.\.6, the number of samples given; got 0\.",
        ),
        (
            {"samples": 7},
            r"samples must lie in 1\.\.6, the number of samples given; got 7\.",
        ),
        (
            {"samples": 4, "batch_size": 5},
            r"batch_size must lie in 1\.\.4, the number of samples; got 5\.",
        ),
        (
            {"checkpoints": (0, 13)},
            r"checkpoints must lie in 0\.\.12, the number of steps; got \(0, 13\)\.",
        ),
        (
            {"checkpoints": (-1,)},
            r"checkpoints must lie in 0\.\.12, the number of steps; got \(-1,\)\.",
        ),
        (
            {"schedule": np.ones(11)},
            r"one finite factor >= 0 per step, shape \(12,\); got \(11,\)\.",
        ),
        (
            {"schedule": np.full(12, np.nan)},
            r"one finite factor >= 0 per step, shape \(12,\); got \[nan",
        ),
        (
            {"schedule": -np.ones(12)},
            r"one finite factor >= 0 per step, shape \(12,\); got \[-1\.",
        ),
        (
            {"optimizer": 0.1},
            r"optimizer must be SGD\(\.\.\.\) or Adam\(\.\.\.\); got 0\.1\.",
        ),
        (
            {"optimizer": SGD(-0.1)},
            r"learning_rate must be positive, a number or one per seed \(3\); got -0\.1\.",
        ),
        (
            {"optimizer": Adam(0.0)},
            r"learning_rate must be positive, a number or one per seed \(3\); got 0\.0\.",
        ),
        ({"optimizer": SGD(np.nan)}, r"learning_rate must be positive, .*; got nan\."),
        (
            {"optimizer": SGD(np.ones(2))},
            r"learning_rate must be positive, .* \(3\); got \[1\. 1\.\]\.",
        ),
        (
            {"loss": "hinge"},
            r"Unknown loss 'hinge'\. Allowed: squared, cross-entropy\.",
        ),
        (
            {"loss": "cross-entropy"},
            r"Cross-entropy needs probabilities: y >= 0 with the sum 1 in every row; row \(0,\) "
            r"is \[.*\]\. Of class labels take np\.eye\(2\)\[labels\]\.",
        ),
        (
            {"loss": "cross-entropy", "y": np.tile([1.5, -0.5], (6, 1))},
            r"row \(0,\) is \[ 1\.5 -0\.5\]",
        ),
        (
            {"loss": "cross-entropy", "y": np.arange(6) % 2},
            r"y must have shape \(N, 2\) or \(S, N, 2\).*; got \(6,\)\.",
        ),
        (
            {
                "loss": "cross-entropy",
                "y": np.eye(2)[[0, 1, 0, 1, 0, 1]],
                "stop": Stop(validation=(X, Y)),
            },
            r"Cross-entropy needs probabilities: validation y >= 0",
        ),
        ({"steps": -1}, r"steps must be at least 0; got -1\."),
        ({"y": Y[:5]}, r"Arguments must have equally many samples; x has 6, y has 5\."),
        ({"y": Y * np.nan}, r"y must be finite; entry \(0, 0\) is nan\."),
        (
            {"y": normal(2, 6, 2)},
            r"equally many seeds; got \{'data y': 2, 'weights': 3\}\.",
        ),
        (
            {"stop": Stop(validation=(X, Y[:5]))},
            r"validation x and y .* equally many samples.*\(6, 3\) and \(5, 2\)\.",
        ),
        (
            {"stop": Stop(validation=(normal(2, 6, 3), Y))},
            r"and 3 seeds or no seed axis; got \(2, 6, 3\) and \(6, 2\)\.",
        ),
        (
            {"stop": Stop(validation=(X * np.nan, Y))},
            r"validation x must be finite; entry \(0, 0\) is nan",
        ),
        (
            {"stop": Stop(validation=(X, Y[:, :1]))},
            r"validation y must have shape \(N, 2\) .*; got \(6, 1\)\.",
        ),
    ],
)
def test_wrong_arguments_are_named(backend, options, message):
    with pytest.raises(InvalidInput, match=message):
        train(backend, **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (
            {"patience": 3},
            r"patience counts checks on validation data; give validation=\(x, y\) too\.",
        ),
        (
            {"loss": float("nan")},
            r"loss must be a number or None \(no such criterion\); got nan\.",
        ),
        (
            {"accuracy": np.nan},
            r"accuracy must be a number or None \(no such criterion\); got nan\.",
        ),
        ({"every": 0}, r"every and patience must be at least 1; got 0 and None\."),
        (
            {"patience": 0, "validation": VALIDATION},
            r"every and patience must be at least 1; got 10 and 0\.",
        ),
    ],
)
def test_wrong_stopping_rules_are_named(options, message):
    with pytest.raises(InvalidInput, match=message):
        backends.Stop(**options)
