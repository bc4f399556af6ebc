import re
from pathlib import Path

import numpy as np
import pytest

from claims.wenger2023 import bandit_problems, bandits, posterior
from claims.wenger2023.policies import Policy
from harness import backends, datasets, kernels, networks, seeds, studies
from harness.errors import InvalidInput
from harness.experiment import Measurements

TINY = dict(bandit="imbalanced", rounds=18, panel=9, width=3, block=3)
ROOT = Path(__file__).parents[3]
GAMMAS = ("theory", "theory without S", "constant 0", "constant 1")


@pytest.fixture(params=["numpy", "torch"])
def backend(request):
    if request.param != "numpy":
        pytest.importorskip(request.param)
    return backends.get(request.param, dtype="float64")


# Bandits


@pytest.mark.parametrize(
    "name", ["wheel", "imbalanced", "fashion", "shuffled imbalanced"]
)
def test_contexts_have_blocks_of_one_length_and_fewer_rounds_begin_more(name):
    few, many = (bandit_problems.draw(name, rounds, 3, "test") for rounds in (20, 50))
    for short, long in (
        (few.x, many.x),
        (few.means, many.means),
        (few.rewards, many.rewards),
    ):
        np.testing.assert_array_equal(short, long[:20])
    rounds, arms, inputs = many.x.shape
    np.testing.assert_allclose((many.x**2).sum(axis=2), inputs)
    parts = many.x.reshape(rounds, arms, arms, inputs // arms)
    assert (parts[:, ~np.eye(arms, dtype=bool)] == 0).all()
    np.testing.assert_array_equal(parts[:, 0, 0], parts[:, 1, 1])
    assert (bandit_problems.draw(name, 20, 4, "test").x != few.x).any()
    np.testing.assert_array_equal(
        many.gaps, many.means.max(axis=1)[:, None] - many.means
    )


def test_the_wheel_pays_by_radius_and_quadrant():
    bandit = bandit_problems.draw("wheel", 4000, 0, "test")
    u, v, height = bandit.x[:, 0, :3].T / 15**0.5
    outside = u**2 + v**2 > 0.8**2
    assert outside.mean() == pytest.approx(0.36, abs=0.03)
    np.testing.assert_allclose(height, np.sqrt(1 - u**2 - v**2), atol=1e-7)
    assert (bandit.means[:, 0] == 0.2).all()
    quadrant = {(True, True): 1, (False, True): 2, (False, False): 3, (True, False): 4}
    for n in np.flatnonzero(outside)[:200]:
        paid = [0.1] * 4
        paid[quadrant[u[n] > 0, v[n] > 0] - 1] = 1.0
        np.testing.assert_array_equal(bandit.means[n, 1:], paid)
    assert (bandit.means[~outside, 1:] == 0.1).all()
    assert (bandit.rewards - bandit.means).std() == pytest.approx(0.05, rel=0.05)


def test_classes_pay_one_and_have_the_shares_of_shuttle():
    bandit = bandit_problems.draw("imbalanced", 5000, 0, "test")
    assert ((bandit.rewards == 1).sum(axis=1) == 1).all()
    assert (bandit.rewards.sum(axis=1) == 1).all()
    np.testing.assert_allclose(
        bandit.rewards.mean(axis=0), bandit_problems.SHUTTLE, atol=0.02
    )


def test_fashion_is_the_principal_components_of_the_images():
    features, labels = bandit_problems.images()
    data = datasets.load("fashion-mnist")
    x = data.x.reshape(len(data), -1).astype(float)
    values = np.linalg.eigvalsh(np.cov(x.T, bias=True))[::-1][:20]
    np.testing.assert_allclose(
        np.cov(features.T, bias=True), np.diag(values), atol=1e-8
    )
    np.testing.assert_array_equal(labels, data.labels)


def test_shuffled_rewards_have_nothing_to_do_with_the_arm():
    plain, dealt = (
        bandit_problems.draw(name, 3000, 0, "test")
        for name in ("imbalanced", "shuffled imbalanced")
    )
    np.testing.assert_array_equal(np.sort(plain.rewards), np.sort(dealt.rewards))
    np.testing.assert_allclose(dealt.means.mean(axis=0), np.full(7, 1 / 7), atol=0.03)
    np.testing.assert_array_equal(dealt.means, dealt.rewards)


@pytest.mark.parametrize(
    ("name", "rounds", "message"),
    [
        (
            "slots",
            10,
            "Unknown bandit 'slots'. Known: fashion, imbalanced, letter, shuttle, wheel.",
        ),
        (
            "fashion",
            10_001,
            "Bandit 'fashion' has 10000 rows; 10001 rounds were asked for.",
        ),
    ],
)
def test_bandits_that_there_are_not_are_named(name, rounds, message):
    with pytest.raises(InvalidInput, match=re.escape(message)):
        bandit_problems.draw(name, rounds, 0, "test")


# Posterior and evidence


def gram_and_rewards(n=12):
    rng = np.random.default_rng(5)
    g = rng.standard_normal((n + 3, 6))
    return g @ g.T, rng.standard_normal(n)


def test_the_posterior_is_that_of_ridge_regression_however_it_grew():
    k, r = gram_and_rewards()
    grown = posterior.Posterior(2, 12, ridge=0.5)
    for part in (slice(0, 5), slice(5, 6), slice(6, 12)):
        seen = slice(part.start)
        stack = [np.stack([a, a]) for a in (k[part, seen], k[part, part], r[part])]
        grown.extend(*stack)
    mean, covariance = grown.predict(np.stack([k[12:, :12]] * 2), k[12:, 12:])
    solved = np.linalg.solve(k[:12, :12] + 0.5 * np.eye(12), k[:12, 12:])
    np.testing.assert_allclose(mean, [r @ solved] * 2, atol=1e-10)
    np.testing.assert_allclose(
        covariance, [k[12:, 12:] - k[12:, :12] @ solved] * 2, atol=1e-10
    )


def test_evidence_is_the_gaussian_likelihood_at_its_best_scale():
    k, r = gram_and_rewards()
    values, vectors = np.linalg.eigh(k[:12, :12])
    levels, scales = posterior.evidence(values, vectors.T @ r)
    for place in (3, 20):
        for factor in (1.0, 0.9, 1.1):
            c = (
                factor
                * scales[place]
                * (k[:12, :12] + posterior.RIDGES[place] * np.eye(12))
            )
            by_hand = -0.5 * (
                r @ np.linalg.solve(c, r) + np.linalg.slogdet(2 * np.pi * c)[1]
            )
            if factor == 1.0:
                assert levels[place] == pytest.approx(by_hand, rel=1e-6)
            else:
                assert by_hand < levels[place]


def test_tuning_takes_the_ridge_of_most_evidence_and_refits_with_it():
    k, r = gram_and_rewards()
    tuned = posterior.Posterior(2, 12, ridge=0.5)
    tuned.extend(np.zeros((2, 12, 0)), np.stack([k[:12, :12]] * 2), np.stack([r, r]))
    tuned.tune(1)
    values, vectors = np.linalg.eigh(k[:12, :12])
    best = int(np.argmax(posterior.evidence(values, vectors.T @ r)[0]))
    assert (tuned.ridge[0], tuned.ridge[1]) == (0.5, posterior.RIDGES[best])
    mean, _ = tuned.predict(np.stack([k[12:, :12]] * 2), k[12:, 12:])
    for policy in (0, 1):
        by_hand = k[12:, :12] @ np.linalg.solve(
            k[:12, :12] + tuned.ridge[policy] * np.eye(12), r
        )
        np.testing.assert_allclose(mean[policy], by_hand, rtol=1e-8)


# Policies


def test_gamma_of_theory_is_the_formula_of_the_theorem():
    by_hand = 0.5 * (3.0 - 2 * np.log(0.1)) ** 0.5
    assert Policy.of("theory").gamma(3.0, 7.0, 1.0) == pytest.approx(by_hand + 7)
    assert Policy.of("theory without S").gamma(3.0, 7.0, 1.0) == pytest.approx(by_hand)
    assert Policy.of("evidence").gamma(3.0, 7.0, 0.25) == 0.5
    assert Policy.of("constant 0.3, diagonal Z").gamma(3.0, 7.0, 0.25) == 0.3


@pytest.mark.parametrize(
    "name", ["greed", "constant", "constant -1", "evidence, half Z"]
)
def test_unknown_policies_are_named(name):
    with pytest.raises(
        InvalidInput,
        match=re.escape(f"Unknown policy {name!r}. Known: theory, theory without S,"),
    ):
        Policy.of(name)


# The game, against NeuralUCB in the space of the weights


def jacobian(net, theta, x):
    """df/dtheta of v.relu(W x / n_0^1/2) / m^1/2, (N, weights), by hand."""
    w, v = (theta[name] for name in net.shapes)
    m = len(w)
    before = x @ w.T / x.shape[1] ** 0.5
    by_v = np.maximum(before, 0) / m**0.5
    by_w = (
        ((before > 0) * v.ravel() / m**0.5)[:, :, None] * x[:, None] / x.shape[1] ** 0.5
    )
    return np.concatenate([by_w.reshape(len(x), -1), by_v], axis=1)


def by_hand(bandit, net, theta, policy, norm, ties, tunes_after=()):
    """Cumulative regret of NeuralUCB with Z itself, one policy at a time, and ridge and scale as
    tuned last.
    """
    rounds, arms = bandit.means.shape
    g = jacobian(net, theta, bandit.x.reshape(rounds * arms, -1)).reshape(
        rounds, arms, -1
    )
    ridge, scale, seen, targets, regret = 1.0, 1.0, [], [], []
    for n in range(rounds):
        past = np.array(seen).reshape(-1, g.shape[2])
        if n in tunes_after:
            values, vectors = np.linalg.eigh(past @ past.T)
            levels, scales = posterior.evidence(values, vectors.T @ np.array(targets))
            ridge, scale = posterior.RIDGES[levels.argmax()], scales[levels.argmax()]
        z = ridge * np.eye(g.shape[2]) + past.T @ past
        weights = (
            np.linalg.solve(z, past.T @ np.array(targets))
            if seen
            else np.zeros(g.shape[2])
        )
        z_bonus = np.diag(np.diag(z)) if policy.diagonal else z
        log_det = np.linalg.slogdet(z_bonus / ridge)[1]
        bonus = np.sqrt(np.einsum("ap,pa->a", g[n], np.linalg.solve(z_bonus, g[n].T)))
        arm = int(
            np.argmax(
                g[n] @ weights
                + policy.gamma(log_det, norm, scale * ridge) * bonus
                + 1e-9 * ties[n]
            )
        )
        seen.append(g[n, arm])
        targets.append(bandit.rewards[n, arm])
        regret.append(bandit.gaps[n, arm])
    return np.cumsum(regret), ridge, scale


@pytest.mark.parametrize("name", ["imbalanced", "wheel"])
def test_regret_is_that_of_neural_ucb_with_its_matrix_z(backend, name):
    names = (*GAMMAS, "theory, diagonal Z", "constant 1, diagonal Z")
    c = dict(TINY, bandit=name, policies=names)
    found = bandits.regrets(backend, c, [0, 2], "test")
    assert found["regret"].shape == (2, 6, 6)
    for place, replicate in enumerate((0, 2)):
        bandit = bandit_problems.draw(name, 18, replicate, "test")
        net = networks.mlp((bandit.x.shape[2], 3, 1), sigma_w=1.0, sigma_b=None)
        theta = net.init(seeds.derive("init", stream="test", replicate=replicate))
        ties = seeds.generator("ties", stream="test", replicate=replicate).random(
            bandit.means.shape
        )
        h, x = bandit.means.ravel(), bandit.x.reshape(-1, bandit.x.shape[2])
        norm = float(np.sqrt(2 * h @ np.linalg.solve(kernels.ntk(net, x), h)))
        assert found["norm"][place] == pytest.approx(norm, rel=1e-6)
        for number, policy in enumerate(names):
            expected, *_ = by_hand(bandit, net, theta, Policy.of(policy), norm, ties)
            np.testing.assert_allclose(
                found["regret"][place, number],
                expected[2::3],
                atol=1e-9,
                err_msg=policy,
            )
        np.testing.assert_allclose(
            found["random"][place][-1],
            bandit.gaps[range(18), ties.argmax(axis=1)].sum(),
        )
        assert found["chance"][place] == pytest.approx(bandit.gaps.mean(axis=1).sum())


def test_evidence_tunes_when_the_rounds_have_doubled(backend):
    """After 3, 6 and 12 of 18 rounds, with blocks of 3."""
    names, replicates = ("evidence", "evidence, diagonal Z"), (0, 1, 2, 3)
    found = bandits.regrets(
        backend, dict(TINY, bandit="wheel", policies=names), replicates, "test"
    )
    for place, replicate in enumerate(replicates):
        bandit = bandit_problems.draw("wheel", 18, replicate, "test")
        net = networks.mlp((bandit.x.shape[2], 3, 1), sigma_w=1.0, sigma_b=None)
        theta = net.init(seeds.derive("init", stream="test", replicate=replicate))
        ties = seeds.generator("ties", stream="test", replicate=replicate).random(
            bandit.means.shape
        )
        for number, name in enumerate(names):
            expected, ridge, scale = by_hand(
                bandit, net, theta, Policy.of(name), 0.0, ties, (3, 6, 12)
            )
            np.testing.assert_allclose(
                found["regret"][place, number], expected[2::3], atol=1e-9, err_msg=name
            )
            assert found["ridge"][place, number] == ridge
            assert found["gamma"][place, number] == pytest.approx(
                (ridge * scale) ** 0.5, rel=1e-6
            )


def test_evidence_tunes_no_more_beyond_the_longest(backend, monkeypatch):
    """After 3 and 6 of 18 rounds, and not after 12."""
    monkeypatch.setattr(bandits, "LONGEST_TUNED", 11)
    tuned = []
    tune = posterior.Posterior.tune
    monkeypatch.setattr(
        posterior.Posterior,
        "tune",
        lambda self, number: (tuned.append(self.count), tune(self, number)),
    )
    bandits.regrets(
        backend, dict(TINY, policies=("evidence", "constant 1")), [0], "test"
    )
    assert tuned == [3, 6]


def test_panels_and_blocks_do_not_matter_without_evidence(backend):
    c = dict(TINY, policies=(*GAMMAS, "theory, diagonal Z"))
    regret = [
        bandits.regrets(backend, dict(c, panel=panel, block=block), [0], "test")[
            "regret"
        ][0, :, -1]
        for panel, block in ((18, 18), (9, 3), (2, 1))
    ]
    np.testing.assert_allclose(regret[1:], [regret[0]] * 2, atol=1e-9)


def test_infinite_width_takes_the_kernel_at_infinite_width(backend):
    c = dict(TINY, width="infinite", policies=("constant 1",))
    found = bandits.regrets(backend, c, [0], "test")["regret"][0, 0, -1]
    bandit = bandit_problems.draw("imbalanced", 18, 0, "test")
    ties = seeds.generator("ties", stream="test", replicate=0).random(
        bandit.means.shape
    )
    net = networks.mlp((70, 1, 1), sigma_w=1.0, sigma_b=None)
    x, pulled = bandit.x.reshape(-1, 70), []
    k = kernels.ntk(net, x)
    np.testing.assert_allclose(np.diag(k), 1, rtol=1e-9)
    for n in range(18):
        arms = range(7 * n, 7 * n + 7)
        solved = np.linalg.solve(
            k[np.ix_(pulled, pulled)] + np.eye(n), k[np.ix_(pulled, arms)]
        )
        mean = bandit.rewards.ravel()[pulled] @ solved
        bonus = np.sqrt(1 - np.einsum("na,na->a", k[np.ix_(pulled, arms)], solved))
        pulled.append(7 * n + int(np.argmax(mean + bonus + 1e-9 * ties[n])))
    assert found == pytest.approx(bandit.gaps.ravel()[pulled].sum())


def test_what_cannot_be_played_is_named(backend):
    with pytest.raises(
        InvalidInput,
        match="block must divide panel, and panel rounds; got block 5, panel 9, rounds",
    ):
        bandits.regrets(backend, dict(TINY, block=5, policies=GAMMAS), [0], "test")
    diagonal = dict(TINY, width="infinite", policies=("constant 1, diagonal Z",))
    with pytest.raises(
        InvalidInput,
        match="A network of infinite width has no diagonal of Z; ask for policies with",
    ):
        bandits.regrets(backend, diagonal, [0], "test")


# The claim


@pytest.fixture(scope="module")
def study():
    return studies.load(ROOT / "claims/wenger2023/test_ntk_exploration_in_bandits.py")


LAST = {
    "theory": 90.0,
    "theory without S": 70.0,
    "evidence": 20.0,
    "constant 0": 45.0,
    "constant 1": 25.0,
}


def last_regret(policy):
    """LAST, others 60; evidence with a diagonal of Z has 10 less."""
    name, _, diagonal = policy.partition(", ")
    return LAST.get(name, 60.0) - 10 * (name == "evidence" and bool(diagonal))


def planted(study, tier="quick", **changed):
    """Measurements in which the last regrets are those of `last_regret`, at a chance of 100."""
    cells = []
    for experiment in study.experiments:
        for request in experiment.requests(tier, "torch"):
            arrays = regrets_of(request)
            arrays |= {
                name: value * np.ones_like(arrays[name])
                for name, value in changed.items()
            }
            cells.append((request, arrays))
    return Measurements(cells)


def regrets_of(request):
    c = request.configuration
    points = c["rounds"] // c["block"]
    ones = np.ones((len(request.replicates), len(c["policies"])))
    last = ones * [last_regret(policy) for policy in c["policies"]]
    return dict(
        regret=last[:, :, None] * np.linspace(1 / points, 1, points),
        random=ones[:, :1] * np.linspace(1, 98, points),
        chance=ones[:, 0] * 100,
        norm=ones[:, 0],
        gamma=ones * 12,
        ridge=ones * 0.1,
    )


EFFECTS = {
    "theory_worse": 0.7,
    "without_norm": 0.5,
    "evidence_keeps_up": 0.05,
    "needs_exploring": 0.25,
}


def test_effects_of_planted_regrets(study):
    effects = study.effects(planted(study))
    expected = {
        f"{name}[{b}]": v
        for name, v in EFFECTS.items()
        for b in ("wheel", "imbalanced", "fashion")
    }
    for bandit in ("wheel", "imbalanced"):
        expected[f"theory_worse_with[{bandit}-diagonal Z]"] = 0.8
        expected[f"theory_worse_with[{bandit}-infinite width]"] = 0.7
    expected |= {"random_arms": 0.78, "greedy_on_wheel": 0.2, "shuffled": 0.7}
    assert effects.keys() == expected.keys()
    for name, value in expected.items():
        np.testing.assert_allclose(effects[name], [value] * 16, err_msg=name)


def test_each_control_has_the_rule_of_its_bandit(study):
    ruled = {control.name: control.hypothesis for control in study.claim.controls}
    assert ruled == {
        "random_arms": "theory_worse[imbalanced]",
        "greedy_on_wheel": "theory_worse[wheel]",
        "shuffled": "theory_worse[imbalanced]",
    }


@pytest.mark.parametrize(
    ("gate", "changed", "says"),
    [
        (
            "learnable",
            dict(regret=80.0),
            "no constant learns enough: wheel, imbalanced, fashion",
        ),
        (
            "ladder",
            dict(ridge=100.0),
            "evidence took all rewards for noise: wheel, imbalanced",
        ),
        (
            "chance",
            dict(random=89.0),
            "random arms have another regret than expected: wheel, imbalanced, fashion",
        ),
        (
            "finite",
            dict(gamma=np.nan),
            "a regret, S or gamma is not finite: wheel, width 64",
        ),
    ],
)
def test_each_gate_closes_on_what_it_guards_against(study, gate, changed, says):
    failures = study.gates(planted(study, **changed))
    assert {name for name, failure in failures.items() if failure} == {gate}
    assert says in failures[gate]
    assert not any(study.gates(planted(study)).values())


def test_no_gate_holds_of_what_is_no_number(study):
    no_numbers = dict.fromkeys(("regret", "random", "norm", "gamma", "ridge"), np.nan)
    assert all(study.gates(planted(study, **no_numbers)).values())


def figures_of(study, measurements):
    return {figure.title: figure for figure in study.figures({"torch": measurements})}


def test_figures_show_every_bandit_with_theory_and_evidence(study):
    figures = figures_of(study, planted(study))
    titles = [
        (f"Regret, {label}", f"Last regret against exploration, {label}")
        for label in ("wheel", "imbalanced clusters", "Fashion-MNIST")
    ]
    assert set(figures) == set(sum(titles, ()))
    wheel = {series.label: series for series in figures["Regret, wheel"].series}
    assert (wheel["NTK theory"].x[-1], wheel["NTK theory"].y[-1]) == (
        400,
        pytest.approx(90),
    )
    assert wheel["random arms"].y[-1] == pytest.approx(98)
    last = {
        series.label: series
        for series in figures["Last regret against exploration, wheel"].series
    }
    assert (last["NTK theory"].x, last["NTK theory"].y) == (
        (12,),
        pytest.approx((0.9,)),
    )
    assert last["constants"].x == (0.1, 0.3, 1, 3, 10)
    assert last["constants"].y == pytest.approx((0.6, 0.6, 0.25, 0.6, 0.6))
    assert (last["greedy"].y, last["evidence"].x) == (
        pytest.approx((0.45, 0.45)),
        (0.1, 12),
    )


def test_the_full_tier_has_the_real_tables_and_the_long_horizon(study):
    measurements = planted(study, "full")
    figures = figures_of(study, measurements)
    assert {"Regret, Shuttle", "Regret, Letters"} <= figures.keys()
    far = {
        series.label: series
        for series in figures["Regret, Shuttle, to 15,000 rounds"].series
    }
    assert set(far) == {"NTK theory", "evidence", "greedy", "constant 1"}
    assert (far["evidence"].x[-1], far["evidence"].y[-1]) == (15_000, pytest.approx(20))
    assert study.effects(measurements)["theory_worse[wheel]"] == pytest.approx(
        [0.7] * 20
    )


def test_tables_that_are_not_there_cost_their_figures_and_nothing_else(study):
    whole = planted(study, "full")
    tables = [
        (r.configuration, f"No {r.configuration['bandit']}.")
        for r, _ in whole.cells
        if is_table(r)
    ]
    part = Measurements([cell for cell in whole.cells if not is_table(cell[0])], tables)
    assert not any(study.gates(part).values())
    for name, effect in study.effects(whole).items():
        np.testing.assert_array_equal(study.effects(part)[name], effect)
    assert figures_of(study, part).keys() == figures_of(study, planted(study)).keys()


def is_table(request):
    return request.configuration["bandit"] in ("shuttle", "letter")


def test_a_score_that_is_no_number_pulls_no_arm():
    """Arg max of NaN is the first arm, whatever the others promise."""
    bandit = bandit_problems.draw("imbalanced", 6, 0, "test")
    game = bandits.Game(
        [Policy.of("constant 1")], bandit, np.zeros(bandit.means.shape), norm=1.0
    )
    contexts = 3 * bandit.means.shape[1]
    kernel = np.eye(contexts)
    kernel[1] = kernel[:, 1] = np.nan
    with pytest.raises(
        InvalidInput,
        match=r"score is NaN for Policy\(kind='constant'.*its kernel is not finite",
    ):
        game.advance(kernel, None)
