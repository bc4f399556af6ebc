"""The runs of claims on Experiment B: which networks are trained, and how; see `settings`."""

from collections.abc import Mapping
from dataclasses import dataclass

from claims.seleznova2020 import phase_maps, settings
from claims.seleznova2020.settings import (
    BIASED,
    DEEP,
    DEEPEST,
    DEPTHS,
    RELU,
    SETTINGS,
    SHALLOW,
    TANH,
)
from harness.claim import Claim
from harness.experiment import Experiment

ByNet = Mapping[str, Experiment]
"""An experiment for each network of SETTINGS, by its name."""


@dataclass(frozen=True)
class Trainability:
    """Training in the ordered phase by the paper's flow time.

    Args:
        slow: at the paper's fixed rate.
        faster: at half of each network's edge 2 / lambda_max.
        more_ordered, silent: ReLU at the fixed rate at sigma_w^2 = 0.5, and at 0.01, where all
            inputs have one output.
        again: another initialisation of ReLU networks with 3 layers, at the fixed rate.
        map_slow, map_faster: maps of ReLU at either rate.
    """

    slow: ByNet
    faster: ByNet
    more_ordered: Experiment
    silent: Experiment
    again: Experiment
    map_slow: Experiment
    map_faster: Experiment

    @property
    def trained(self) -> list[Experiment]:
        """All of them but the maps."""
        by_net = [*self.slow.values(), *self.faster.values()]
        return [*by_net, self.more_ordered, self.silent, self.again]


def add_trainability(claim: Claim) -> Trainability:
    """Adds them to a claim."""
    slow, faster = {}, {}
    for net in (RELU, TANH):
        slow[net] = settings.at_fixed_rate(claim, DEPTHS, net=net)
    for net in (RELU, TANH):
        faster[net] = settings.at_half_the_edge(claim, DEPTHS, net)
    faster[BIASED] = settings.at_half_the_edge(claim, (DEEPEST,), BIASED)
    more_ordered, silent = settings.more_ordered(claim), settings.silent(claim)
    again = settings.at_fixed_rate(claim, (SHALLOW,), lane=1)
    edges = dict(sigma_w2=[1.5, 2.0], depth=(3, 10))
    deep_slow = dict(sigma_w2=[1.5], depth=DEEPEST)
    deep_faster = dict(sigma_w2=[2.0], depth=DEEPEST)
    return Trainability(
        slow,
        faster,
        more_ordered,
        silent,
        again,
        phase_maps.experiment(claim, "fixed rate", edges, deep_slow, centred=False),
        phase_maps.experiment(
            claim, "half the edge", edges, deep_faster, centred=False
        ),
    )


@dataclass(frozen=True)
class Change:
    """Training in both phases.

    Args:
        matched: to loss 0.05, 3 and 10 layers, raw and centred.
        two_networks: two initialisations of ReLU networks near the edge of chaos.
        scaled: centred ReLU networks near the edge, with targets of 1/4 and of 4.
        chaotic, ordered: ReLU by the paper's protocol.
        mapped: map of ReLU at a matched loss.
    """

    matched: ByNet
    two_networks: Experiment
    scaled: Experiment
    chaotic: Experiment
    ordered: Experiment
    mapped: Experiment

    @property
    def to_a_loss(self) -> list[Experiment]:
        """Those that are trained to a registered loss; the maps are not among them."""
        return [*self.matched.values(), self.two_networks, self.scaled]


def add_change(claim: Claim) -> Change:
    """Adds them to a claim."""
    matched = {}
    for net, setting in SETTINGS.items():
        phases = (setting.ordered, setting.chaotic)
        matched[net] = settings.at_matched_loss(claim, net, phases)
    edges = dict(sigma_w2=[1.5, 2.0], depth=(SHALLOW, DEEP))
    between = dict(sigma_w2=[1.0, 2.5], depth=6)
    return Change(
        matched,
        settings.two_networks(claim),
        settings.two_label_scales(claim),
        settings.chaotic_by_protocol(claim),
        settings.at_fixed_rate(claim, (SHALLOW, DEEP), steps=(600, 2_000)),
        phase_maps.experiment(claim, "matched loss", edges, between),
    )


@dataclass(frozen=True)
class Constancy:
    """Training in the ordered phase.

    Args:
        raw: by the paper's flow time at one fixed rate.
        at_edge: for as long at half of each network's edge 2 / lambda_max, 10 layers.
        matched: to loss 0.05, 3 and 10 layers, raw and centred.
        more_ordered: ReLU at the fixed rate at sigma_w^2 = 0.5.
        scaled: centred ReLU networks at the fixed rate, with targets of 1/20 and of 8.
        mapped: map of ReLU at the fixed rate.
    """

    raw: ByNet
    at_edge: ByNet
    matched: ByNet
    more_ordered: Experiment
    scaled: Experiment
    mapped: Experiment

    @property
    def by_protocol(self) -> list[Experiment]:
        """Those that are trained for a flow time; the maps are not among them."""
        by_net = [*self.raw.values(), *self.at_edge.values()]
        return [*by_net, self.more_ordered, self.scaled]


def add_constancy(claim: Claim) -> Constancy:
    """Adds them to a claim."""
    both, every = (RELU, TANH), (RELU, TANH, BIASED)
    edges = dict(sigma_w2=[1.5, 2.0], depth=(3, 10))
    deepest = dict(sigma_w2=[1.5], depth=DEEPEST)
    return Constancy(
        {net: settings.at_fixed_rate(claim, DEPTHS, net=net) for net in both},
        {net: settings.at_half_the_edge(claim, (DEEP,), net) for net in both},
        {net: settings.at_matched_loss(claim, net, [1.0]) for net in every},
        settings.more_ordered(claim),
        settings.scaled_by_protocol(claim),
        phase_maps.experiment(claim, "fixed rate", edges, deepest, centred=False),
    )
