"""Derived seeds and their generators: the numbers that recorded cells rest on, one at a time and
many at once.
"""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from harness import seeds
from harness.networks import mlp

AXES = st.dictionaries(
    st.text(max_size=8), st.integers() | st.booleans() | st.text(max_size=8), max_size=4
)


@settings(max_examples=60, deadline=None)
@given(purpose=st.text(max_size=8), axes=AXES)
def test_a_seed_is_the_hash_of_its_axes_as_sorted_json(purpose, axes):
    axes = {f"axis {name}": value for name, value in axes.items()}
    text = json.dumps([purpose, axes], sort_keys=True)
    digest = hashlib.sha256(text.encode()).digest()
    assert seeds.derive(purpose, **axes) == int.from_bytes(digest[:16], "big")


EDGES = (0, 1, 2**32 - 1, 2**32, 2**64, 2**96, 2**127, 2**128 - 1)


@settings(max_examples=20, deadline=None)
@given(st.lists(st.integers(0, 2**128 - 1), min_size=seeds.FEW, max_size=3 * seeds.FEW))
def test_many_generators_are_in_the_states_of_numpys_own(drawn):
    derived = [*EDGES, *drawn]
    states = [generator.bit_generator.state for generator in seeds.generators(derived)]
    assert states == [
        np.random.default_rng(number).bit_generator.state for number in derived
    ]


@pytest.mark.parametrize("count", [1, seeds.FEW - 1, seeds.FEW, seeds.FEW + 1, 100])
def test_each_generator_starts_anew(count):
    """Half a word that one draw leaves over is not the start of the next one's."""
    derived = [seeds.derive("weights", seed=seed) for seed in range(count)]
    many = [
        generator.integers(0, 2**31, 3, dtype=np.uint32).tolist()
        for generator in seeds.generators(derived)
    ]
    own = [
        np.random.default_rng(number).integers(0, 2**31, 3, dtype=np.uint32).tolist()
        for number in derived
    ]
    assert many == own


@pytest.mark.parametrize("count", [1, 5, 100])
def test_networks_drawn_together_are_those_drawn_one_by_one(count):
    """Below and above the number of seeds from which the states are computed at once."""
    net = mlp((3, 5, 2), sigma_w=1.3, sigma_b=0.4)
    many = net.init(range(count))
    for name, shape in net.shapes.items():
        normals = seeds.generator("weights", seed=count - 1, name=name).standard_normal(
            shape
        )
        assert many[name][-1].tobytes() == net.init(count - 1)[name].tobytes()
        assert many[name][-1].tobytes() == (net._stds()[name] * normals).tobytes()


def test_many_networks_take_no_seed_sequence_each(monkeypatch):
    """What makes a thousand draws of a small network fast: NumPy seeds no generator for each of
    them.
    """
    seeded = []
    own = np.random.default_rng
    monkeypatch.setattr(
        np.random, "default_rng", lambda number: seeded.append(number) or own(number)
    )
    mlp((3, 5, 2)).init(range(100))
    assert not seeded
