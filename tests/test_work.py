"""Work counted from shapes, rates fitted to cells, and what cells cost by them."""

import math
from dataclasses import astuple, replace
from pathlib import Path

import numpy as np
import pytest

from harness import backends, networks, studies
from harness.errors import InvalidInput
from harness.experiment import TIERS, Request, reference
from harness.workload import computations, operations, rates
from harness.workload.costs import Cost, Costs, Device, counted_beside
from harness.workload.operations import Work
from harness.workload.rates import Ran

ROOT = Path(__file__).parents[1]
NET = networks.mlp((3, 4, 2), sigma_b=0.1)
COST = {"start": 0.5, "macs": 1e-9, "numbers": 2e-9, "calls": 1e-5, "host": 4e-9, "draws": 3e-8}


@pytest.fixture(scope="module")
def claims():
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        return {study.claim.id: study for study in studies.discover(Path("claims")).values()}, counted_beside(
            Path("claims")
        )


def experiments(found):
    return [experiment for study in found.values() for experiment in study.experiments]


def test_a_forward_pass_multiplies_every_weight_once():
    assert operations.forward(NET, 5).macs == 5 * (3 * 4 + 4 * 2)
    assert operations.parameters(NET) == 3 * 4 + 4 + 4 * 2 + 2


def test_training_takes_three_passes_but_for_signals_to_the_inputs():
    ten = operations.training(NET, 5, 10, "sgd")
    assert ten.macs == 10 * (3 * 5 * 20 - 5 * 12)
    assert ten.by_seed(7).macs == 7 * ten.macs
    assert ten.by_seed(7).calls == ten.calls  # seeds share them


def test_kernels_and_factors_by_hand():
    net = networks.mlp((100, 1), sigma_b=None)
    assert operations.empirical_ntk(net, 6, 4).macs == 6 * 4 * (100 + 1) + 10 * 100  # f, and a Gram matrix
    assert operations.ladder([30], others=0).macs == 2 * 14 * 30**3 / 6
    assert operations.infinite_ntk(networks.mlp((7, 9, 1)), 5).macs == 25 * 7


SMALL = {"steps": 16, "max_steps": 16, "checks": 4, "validation": 20, "test": 30, "tests": 40, "inits": 2}
MEASURED = [
    ("seleznova2020/kernel_change_in_chaotic_phase", "kernel_change", {}),
    ("seleznova2020/kernel_constancy_in_ordered_phase", "training_map", {}),
    ("vyas2022/gap_across_width", "curves_and_drift", {"sizes": (64, 128), "probe": 16}),
    ("vyas2022/network_outscales_its_kernels", "network_curves", {"sizes": (64, 128)}),
    ("vyas2022/kernel_keeps_evolving", "kernel_evolution", {"size": 64, "checkpoints": (0, 8, 16)}),
    ("vyas2022/kernel_keeps_evolving", "unrelated_kernels", {"size": 64, "checkpoints": (0, 8)}),
    ("wenger2023/forgetting_against_width", "continual", {"stop": {"epochs": 2}}),
    ("wenger2023/kernel_regime_needs_extreme_width", "kernel_error_at_init", {}),
    ("wenger2023/ngd_conditions_at_practical_width", "natural_gradient", {"steps": 8}),
]


@pytest.mark.parametrize(("claim", "computation", "change"), MEASURED, ids=[" ".join(row[:2]) for row in MEASURED])
def test_what_is_counted_is_what_pytorch_multiplies(claims, claim, computation, change):
    """PyTorch counts the products of a computation as it runs; its Cholesky factors it does not."""
    pytest.importorskip("torch")
    from torch.utils.flop_counter import FlopCounterMode

    found, own = claims
    experiment = next(e for e in found[claim].experiments if e.measure.__name__ == computation)
    configuration = dict(experiment.quick.grid[0])
    configuration |= {name: value for name, value in SMALL.items() if name in configuration} | change
    if configuration.get("target_loss") is not None:
        configuration["target_loss"] = 1e-12
    with FlopCounterMode(display=False) as counter:
        experiment.measure(backends.get("torch", dtype=experiment.dtype), configuration, (0, 1), "doc")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        request = Request(reference(experiment.measure), configuration, (0, 1), "doc", "torch", "float32")
    assert computations.work(request, own).macs == pytest.approx(counter.get_total_flops() / 2, rel=0.3)


def test_every_computation_of_the_claims_is_counted_in_both_tiers(claims):
    found, own = claims
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(ROOT)
        requests = [
            Request(reference(e.measure), configuration, (0, 1), e.stream, "torch", e.dtype)
            for e in experiments(found)
            for tier in TIERS
            for configuration in e.tier(tier).grid
        ]
    works = [computations.work(request, own) for request in requests]
    assert [request.computation for request, done in zip(requests, works, strict=True) if done is None] == []
    assert all(math.isfinite(sum(astuple(done))) and sum(astuple(done)) > 0 for done in works)


def test_float64_counts_double():
    request = Request("toy:f", {}, (0,), "doc", "torch", "float32")
    own = {"toy:f": lambda configuration, replicates: Work(macs=3.0 * replicates, numbers=1.0, host=5.0)}
    assert computations.work(request, own) == Work(macs=3.0, numbers=1.0, host=5.0)
    assert computations.work(replace(request, dtype="float64"), own) == Work(macs=6.0, numbers=2.0, host=5.0)
    assert computations.work(replace(request, computation="toy:g"), own) is None


def seconds(work, factor=1.0):
    return factor * sum(COST[name] * value for name, value in zip(COST, (1.0, *astuple(work)), strict=True))


def ran(count=60):
    """Cells at the rates of COST, some that stop early, and six of a computation that is three times as slow."""
    rng, cells = np.random.default_rng(0), []
    for _ in range(count):
        work = Work(*(10 ** rng.uniform((7, 7, 2, 7, 4), (10, 10, 6, 10, 8))).tolist())
        cells.append(Ran(("fast", ""), work, seconds(work)))
    stopped = [Ran(("fast", rule), cells[n].work, part * cells[n].seconds) for n, rule, part in STOPS]
    return cells + stopped + [replace(cell, kind=("slow", ""), seconds=3 * cell.seconds) for cell in cells[5:11]]


STOPS = [(0, "early", 0.01), (1, "early", 0.02), (2, "early", 0.03), (3, "late", 0.5), (4, "late", 0.5)]


def test_planted_rates_are_found():
    fitted = rates.fit([cell for cell in ran() if cell.kind[0] == "fast"], "here")
    unit = fitted.factors["fast"][""]
    found = {name: unit * value / COST[name] for name, value in fitted.cost.items()}
    assert found == pytest.approx(dict.fromkeys(COST, 1.0), rel=0.01)
    assert fitted.checks["free"].cells == 60
    assert fitted.checks["free"].most == pytest.approx(1.0, abs=0.01)
    assert fitted.machine == "here"


def test_a_computation_has_a_factor_of_its_own():
    fitted = rates.fit(ran(), "")
    assert fitted.factors["slow"][""] / fitted.factors["fast"][""] == pytest.approx(3.0, rel=0.05)
    assert fitted.checks["free"].most == pytest.approx(1.0, abs=0.1)


def test_each_stopping_rule_has_a_part_of_the_steps_and_an_unknown_one_that_of_all():
    fitted, work = rates.fit(ran(), ""), Work(macs=1e9)
    full = fitted.seconds(("fast", ""), work)
    shares = {rule: fitted.seconds(("fast", rule), work) / full for rule in ("early", "late", "another")}
    assert shares == pytest.approx({"early": 0.02, "late": 0.5, "another": 0.03}, rel=0.05)
    assert fitted.seconds(("slow", "early"), work) is None
    assert fitted.seconds(("unseen", ""), work) == fitted.at_rates(work)


def test_a_cell_that_was_held_up_hardly_moves_the_rates():
    cells = ran()
    cells[0] = replace(cells[0], seconds=100 * cells[0].seconds)
    held, free = rates.fit(cells, ""), rates.fit(ran(), "")
    work = Work(macs=1e10, numbers=1e9, calls=1e4, host=1e9, draws=1e6)
    assert held.seconds(("fast", ""), work) == pytest.approx(free.seconds(("fast", ""), work), rel=0.03)


def test_the_check_leaves_each_cell_out():
    """The only cell of a computation is off by all of its own factor, which is known from that cell alone."""
    lonely = [replace(cell, kind=(f"lonely {n}", ""), seconds=50 * cell.seconds) for n, cell in enumerate(ran()[:9])]
    fitted = rates.fit([*ran(), *lonely], "")
    assert fitted.factors["lonely 0"][""] > 20
    assert fitted.checks["free"].most > 20


def test_rates_need_cells():
    with pytest.raises(
        InvalidInput, match=r"Rates are fitted to 20 cells at least, .* of one backend there are 19\. Run"
    ):
        rates.fit(ran(13), "")


def test_rates_come_back_from_their_file(tmp_path):
    fitted = {"torch": rates.fit(ran(), "here")}
    rates.write(tmp_path / "rates.json", fitted)
    assert rates.read(tmp_path / "rates.json") == fitted
    assert rates.read(tmp_path / "none.json") == {}


@pytest.mark.parametrize("text", ["{", "[]", '{"torch": {}}', '{"torch": {"checks": {"free": 1}}}'])
def test_a_file_of_something_else_is_refused(tmp_path, text):
    (tmp_path / "rates.json").write_text(text)
    with pytest.raises(InvalidInput, match=r"rates\.json holds no rates: .*\. Make it anew: ntk-claims plan --fit"):
        rates.read(tmp_path / "rates.json")


def test_rates_that_cannot_be_written(tmp_path):
    with pytest.raises(
        InvalidInput, match=r"none/rates\.json cannot be written: No such file or directory\. Name anoth"
    ):
        rates.write(tmp_path / "none" / "rates.json", {})


OWN = {"toy:f": lambda configuration, replicates: Work(1e12, 1e9, 1e5, 1e9, 1e6)}


def costs_of(configuration, computation="toy:f", device=None):
    fitted = replace(rates.fit(ran(), ""), cost=COST, factors={"toy:f": {"": 2.0, rates.ANY: 0.1}})
    costs = Costs({"torch": fitted}, OWN, device)
    return costs.of(Request(computation, configuration, (0,), "doc", "torch", "float32"))


def test_what_a_cell_costs_by_rates():
    at_rates = seconds(OWN["toy:f"]({}, 1))
    assert costs_of({}) == Cost(pytest.approx(2 * at_rates), pytest.approx(2 * at_rates))
    stopped = costs_of({"target_loss": 0.1})
    assert (stopped.estimate, stopped.at_most) == pytest.approx((0.1 * at_rates, at_rates))
    assert costs_of({}, "toy:uncounted") is None


def test_what_a_cell_costs_by_the_data_sheet_of_a_gpu():
    """A quarter of 40 TFLOP/s: 2e12 operations take 0.2 s; of 0.04 TB/s: 4e9 bytes take 0.4 s, which is more."""
    by_arithmetic, by_memory = (costs_of({}, device=Device(40.0, bandwidth)) for bandwidth in (4.0, 0.04))
    assert by_arithmetic.arithmetic == pytest.approx(0.2)
    assert by_memory.arithmetic == pytest.approx(0.4)
    assert by_arithmetic.launches == pytest.approx(1.0)
    assert by_arithmetic.host == pytest.approx(COST["start"] + 1e9 * COST["host"] + 1e6 * COST["draws"])
    assert by_arithmetic.device == pytest.approx(0.2 + 1.0 + by_arithmetic.host)
    stopped = costs_of({"target_loss": 0.1}, device=Device(40.0, 4.0))
    assert (stopped.arithmetic, stopped.launches) == pytest.approx((0.02, 0.1))


def test_a_device_has_a_peak():
    with pytest.raises(InvalidInput, match=r"A device has a peak and a bandwidth above zero, .*; got 0 and 3\.35\."):
        Device(0, 3.35)


def test_claims_may_count_nothing_or_wrongly(tmp_path):
    assert counted_beside(tmp_path) == {}
    (tmp_path / "work.py").write_text("COUNT = 1")
    with pytest.raises(
        InvalidInput, match=r"work\.py cannot be loaded: AttributeError: .*COUNTED = \{computation: fun"
    ):
        counted_beside(tmp_path)
