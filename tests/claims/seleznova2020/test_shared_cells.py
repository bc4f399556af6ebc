"""Cells that two claims of the paper ask for are computed once: they agree to the letter."""

from pathlib import Path

import pytest

from claims.seleznova2020.training import training_map
from harness import studies

ROOT = Path(__file__).parents[3]


def requests(predicate, tier, measure=None):
    """Digests of the requests of a claim; of one computation, if given."""
    study = studies.load(ROOT / "claims" / "seleznova2020" / f"test_{predicate}.py")
    return {
        request.digest
        for experiment in study.experiments
        for request in experiment.requests(tier, "torch")
        if measure is None or request.computation.endswith(f"/{measure}")
    }


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_the_ordered_arm_of_the_chaotic_claim_is_computed_with_the_claim_on_constancy(
    tier,
):
    change, constancy = (requests(name, tier) for name in CHANGE_AND_CONSTANCY)
    protocol = (
        requests(CHANGE_AND_CONSTANCY[0], tier, "training_by_protocol") & constancy
    )
    blocks = {"quick": 1, "full": 2}[tier]
    assert len(protocol) == 2 * blocks  # 3 and 10 layers
    # and 3 and 10 layers of three kinds of networks at one loss, raw and centred
    assert len(change & constancy) == 14 * blocks


@pytest.mark.parametrize("tier", ["quick", "full"])
def test_the_claims_on_constancy_and_trainability_share_their_networks_and_maps(tier):
    constancy, trainability = (
        "kernel_constancy_in_ordered_phase",
        "ordered_phase_untrainable_with_depth",
    )
    shared = requests(constancy, tier) & requests(trainability, tier)
    maps = shared & requests(trainability, tier, training_map.__name__)
    blocks = {"quick": 1, "full": 2}[tier]
    assert len(maps) == {"quick": 3, "full": 6}[tier]
    # 3, 10 and 20 layers of ReLU in two phases and of tanh, and 10 of both at half the edge
    assert len(shared - maps) == 11 * blocks


CHANGE_AND_CONSTANCY = (
    "kernel_change_in_chaotic_phase",
    "kernel_constancy_in_ordered_phase",
)
