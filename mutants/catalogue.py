"""The catalogue: every planted defect, layer by layer."""

from mutants import backends, data, evidence, inference, judgement, kernels, networks, sweeping, training
from mutants.mutant import Mutant

LAYERS = (networks, backends, training, kernels, data, sweeping, inference, judgement, evidence)
CATALOGUE: tuple[Mutant, ...] = tuple(mutant for layer in LAYERS for mutant in layer.MUTANTS)
