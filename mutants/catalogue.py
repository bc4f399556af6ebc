"""The catalogue: every planted defect, layer by layer."""

from mutants import (
    backends,
    data,
    devices,
    evidence,
    exchange,
    gates,
    inference,
    judgement,
    kernels,
    learning,
    networks,
    reporting,
    seeding,
    sweeping,
    training,
)
from mutants.mutant import Mutant

LAYERS = (
    *(networks, backends, training, kernels, data, seeding, learning),
    *(sweeping, devices, exchange, inference, gates, judgement, evidence, reporting),
)
CATALOGUE: tuple[Mutant, ...] = tuple(mutant for layer in LAYERS for mutant in layer.MUTANTS)
