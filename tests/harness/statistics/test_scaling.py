"""Scaling laws and the gates on them: planted laws are found."""

import numpy as np
import pytest

from harness.errors import InvalidInput
from harness.statistics import curve_gates
from harness.statistics.intervals import t_interval
from harness.statistics.scaling import fit, fit_per_seed
from harness.statistics.scaling_forms import Form
from harness.statistics.slopes import loglog_slopes

SIZES = np.array([64.0, 128.0, 256.0, 512.0, 1024.0, 2048.0])
SEEDS = 10


def planted(form: Form, b: np.ndarray | float) -> np.ndarray:
    """A law of that form with exponent b, and a floor far from nothing."""
    return (0.02 if form == "power+floor" else 0.0) + 1.5 * SIZES**-b


def seeds(form: Form, noise: float, count: int = SEEDS, seed: int = 0) -> np.ndarray:
    """Curves of `count` seeds with exponents N(0.3, 0.03^2) and lognormal noise."""
    rng = np.random.default_rng(seed)
    b = 0.3 + 0.03 * rng.normal(size=(count, 1))
    return planted(form, b) * np.exp(noise * rng.normal(size=(count, len(SIZES))))


def law(found: dict[str, float]) -> np.ndarray:
    return found["c"] + found["a"] * SIZES ** -found["b"]


@pytest.mark.parametrize("b", [0.1, 0.7])
def test_a_planted_law_is_found_to_rounding(b: float) -> None:
    curve = planted("power+floor", b)
    found = fit(SIZES, curve)
    assert found["b"] == pytest.approx(b, abs=1e-6)
    assert law(found) == pytest.approx(curve, rel=1e-8)
    (power,) = fit_per_seed(SIZES, [planted("power", b)], "power")
    assert power == pytest.approx(b, abs=1e-12)


def test_parameters_have_their_names_and_values() -> None:
    found = fit(SIZES, planted("power+floor", 0.4))
    assert found == pytest.approx({"a": 1.5, "b": 0.4, "c": 0.02}, rel=1e-5)


def test_power_is_the_straight_line_of_the_slopes() -> None:
    curves = seeds("power", 0.05)
    expected = -loglog_slopes(SIZES, curves)
    assert fit_per_seed(SIZES, curves, "power") == pytest.approx(expected, rel=1e-12)


def test_no_neighbouring_parameters_are_better() -> None:
    curve = seeds("power+floor", 0.02, count=1, seed=3)[0]
    found = fit(SIZES, curve)

    def loss(parameters: dict[str, float]) -> float:
        return float(np.mean(np.log(law(parameters) / curve) ** 2))

    for name, value in found.items():
        # A floor of 0 can only rise.
        neighbours = (0.999 * value, 1.001 * value) if value else (0.001 * curve.min(),)
        for neighbour in neighbours:
            assert loss({**found, name: neighbour}) > loss(found) * (1 + 1e-9)


def test_units_of_error_and_size_do_not_matter() -> None:
    curve = seeds("power+floor", 0.02, count=1)[0]
    found, scaled = fit(SIZES, curve), fit(1e3 * SIZES, 1e-4 * curve)
    assert scaled["b"] == pytest.approx(found["b"], rel=1e-6)
    assert scaled["c"] == pytest.approx(1e-4 * found["c"], rel=1e-5)


def test_without_a_floor_none_is_found() -> None:
    bent_down = SIZES**-0.4 * np.exp(-0.02 * np.log(SIZES / 64) ** 2)
    found = fit(SIZES, bent_down)
    assert found["c"] == 0.0
    (power,) = fit_per_seed(SIZES, [bent_down], "power")
    assert found["b"] == pytest.approx(power, rel=1e-6)


@pytest.mark.parametrize(("form", "count"), [("power", 400), ("power+floor", 200)])
def test_exponents_of_seeds_are_unbiased_and_their_t_interval_covers(
    form: Form, count: int
) -> None:
    """Groups of 5 seeds: with 40 to 80 of them the Monte Carlo error of the coverage is 2.4 to 3.4
    %.
    """
    curves = seeds(form, 0.003, count)
    exponents = fit_per_seed(SIZES, curves, form)
    assert abs(exponents.mean() - 0.3) < 3 * exponents.std() / np.sqrt(count)
    low, high = t_interval(exponents.reshape(-1, 5), 0.025)
    assert np.mean((low < 0.3) & (high > 0.3)) >= 0.87


def test_a_floor_corrupts_the_exponent_of_a_power_law_silently() -> None:
    _, high = t_interval(
        fit_per_seed(SIZES, seeds("power+floor", 0.003), "power"), 0.025
    )
    assert high < 0.3


@pytest.mark.parametrize(
    ("sizes", "errors", "form", "message"),
    [
        (SIZES[:2], [1.0, 0.5], "power", r"at least 3 sizes; got 2: \[64.0, 128.0\]"),
        (SIZES[:3], [1.0, 0.5, 0.2], "power+floor", "at least 4 sizes; got 3"),
        (
            SIZES[:3],
            [1.0, 0.0, 0.2],
            "power",
            r"got 0.0 at index \(0, 1\) \(size 128\)",
        ),
        (SIZES[:3], [1.0, float("nan"), 0.2], "power", "got nan at index"),
        ([64, 64, 128], [1.0, 0.9, 0.5], "power", "strictly increasing"),
        (
            SIZES[:3],
            [1.0, 0.5, 0.2],
            "exponential",
            "Unknown form 'exponential'. Forms: power, power.floor",
        ),
    ],
)
def test_what_cannot_be_fitted_is_refused(
    sizes: list, errors: list, form: Form, message: str
) -> None:
    with pytest.raises(InvalidInput, match=message):
        fit_per_seed(sizes, [errors], form)


def test_curves_of_seeds_have_two_axes() -> None:
    with pytest.raises(InvalidInput, match=r"have shape \(S, K\); got \(6,\)"):
        fit_per_seed(SIZES, SIZES**-0.3, "power")
    with pytest.raises(InvalidInput, match=r"takes one curve, .* got shape \(1, 6\)"):
        fit(SIZES, [SIZES**-0.3])
    with pytest.raises(
        InvalidInput,
        match=r"takes curves of 2 seeds or more, shape \(S, K\); got \(6,\)",
    ):
        curve_gates.floor(SIZES, SIZES**-0.3, 0.1)


def test_gates_are_silent_on_power_laws() -> None:
    curves = seeds("power", 0.02)
    assert curve_gates.floor(SIZES, curves, 0.05) == ""


def test_gates_speak_where_a_floor_bends_the_curve() -> None:
    curves = seeds("power+floor", 0.003) + 0.08
    assert "The curve flattens (curvature above 0.0" in curve_gates.floor(
        SIZES, curves, 0.05
    )


def test_a_floor_that_does_not_matter_passes() -> None:
    curves = seeds("power", 0.0003) + 1e-3
    assert curve_gates.floor(SIZES, curves, 0.05) == ""
    assert "The curve flattens" in curve_gates.floor(SIZES, curves, 0.001)


def test_a_floor_that_is_not_established_passes() -> None:
    curves = seeds("power", 0.1)
    assert (
        fit_per_seed(SIZES, curves, "power+floor").mean()
        > fit_per_seed(SIZES, curves, "power").mean() + 0.01
    )
    assert curve_gates.floor(SIZES, curves, 0.01) == ""


@pytest.mark.parametrize("tolerance", [0.0, -0.1, float("nan")])
def test_tolerances_are_positive(tolerance: float) -> None:
    with pytest.raises(
        InvalidInput,
        match="tolerance must be a positive number of exponent units; got",
    ):
        curve_gates.floor(SIZES, seeds("power", 0.01), tolerance)
    with pytest.raises(
        InvalidInput, match="tolerance must be a positive number of exponent units; got"
    ):
        curve_gates.biased([0.0, 0.1], tolerance)


def test_a_network_is_trained_by_its_loss_or_by_flat_validation() -> None:
    loss, gain = (
        np.array([[0.01, 0.5], [0.5, 0.01]]),
        np.array([[0.5, 0.01], [0.01, 0.5]]),
    )
    assert curve_gates.untrained([64, 128], loss, gain, 0.1, 0.05) == ""
    said = curve_gates.untrained([64, 128], loss, gain + 0.1, 0.1, 0.05)
    assert said == (
        "1 of 2 networks are not trained at n = 64, 1 of 2 networks are not trained at n = 128; "
        "allowed: 0"
    )
    assert (
        curve_gates.untrained([64, 128], loss, gain + 0.1, 0.1, 0.05, spare=0.5) == ""
    )


def test_flat_validation_of_a_network_that_learnt_nothing_is_no_training() -> None:
    """Kept at its first step it gains nothing for the rest of training, and predicts nothing."""
    flat = np.zeros((10, 2))
    kept = np.where(np.arange(10)[:, None] < [3, 1], 1.0, 0.4)
    said = curve_gates.untrained([128, 512], kept, flat, 0.1, 0.1, spare=0.2)
    assert (
        said
        == "3 of 10 networks are not trained at n = 128 (3 learnt nothing); allowed: 2"
    )
    assert curve_gates.untrained([128, 512], kept, flat, 0.1, 0.1, spare=0.3) == ""


@pytest.mark.parametrize(
    ("loss", "trained"), [(0.89, True), (0.9, False), (1.02, False)]
)
def test_nine_tenths_of_the_loss_of_predicting_zero_is_nothing_learnt(
    loss: float, trained: bool
) -> None:
    assert (curve_gates.untrained([64], [[loss]], [[0.0]], 0.1, 0.05) == "") is trained
    # by its loss alone
    assert curve_gates.untrained([64], [[loss]], [[1.0]], 1.1, 0.05) == ""


def test_untrained_networks_of_one_size_are_enough() -> None:
    loss, gain = np.array([[0.01, 0.5], [0.01, 0.5]]), np.full((2, 2), 0.5)
    said = curve_gates.untrained([64, 128], loss, gain, 0.1, 0.05, spare=0.5)
    assert said == "2 of 2 networks are not trained at n = 128; allowed: 1"


def test_a_diverged_network_is_not_trained() -> None:
    loss, gain = np.array([[np.nan], [0.01]]), np.array([[np.nan], [0.01]])
    assert "1 of 2 networks are not trained at n = 64" in curve_gates.untrained(
        [64], loss, gain, 0.1, 0.05
    )


def test_a_null_that_may_be_as_large_as_the_margin_is_biased() -> None:
    # its one-sided limits are its mean ± 0.0195
    around_zero = np.linspace(-0.05, 0.05, 10)
    assert curve_gates.biased(around_zero + 0.03, 0.05) == ""
    said = curve_gates.biased(around_zero + 0.0306, 0.05)
    assert said.startswith(
        "Where the truth is 0, the difference of exponents is 0.0306 (90 % t interval [0.0111, 0.05"
    )
    assert "not surely below the margin 0.05: the instrument may be biased" in said
    # against the claim: no help to it
    assert curve_gates.biased(around_zero - 1.0, 0.05) == ""
    assert "nan" in curve_gates.biased(around_zero * np.nan, 0.05)


def test_losses_of_networks_are_one_per_seed_and_size() -> None:
    with pytest.raises(
        InvalidInput, match=r"shape \(S, 2\); got \(3, 1\) and \(3, 2\)"
    ):
        curve_gates.untrained([64, 128], np.ones((3, 1)), np.ones((3, 2)), 0.1, 0.05)
