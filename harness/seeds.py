"""Seeds derived from named axes by SHA-256, so that no two uses of randomness share a stream.

>>> seed = derive("init", stream="registered", replicate=3)
>>> seed == derive("init", stream="registered", replicate=3)
True
>>> seed == derive("data", stream="registered", replicate=3)
False
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import lru_cache

import numpy as np

FEW = 16
"""With fewer seeds than these NumPy seeds its generators one by one as fast as `generators` does at
once.
"""


def derive(purpose: str, **axes: int | str) -> int:
    """A 128-bit seed for one purpose ("init", "data", "batches" ...) at one point of the named
    axes.
    """
    fields = ", ".join([f"{_json(name)}: {_json(axes[name])}" for name in sorted(axes)])
    text = f"[{_json(purpose)}, {{{fields}}}]"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:16], "big")


def _json(value: int | str) -> str:
    return repr(value) if type(value) is int else _encoded(value)


@lru_cache(maxsize=1024, typed=True)
def _encoded(value: int | str) -> str:
    return json.dumps(value)


def generator(purpose: str, **axes: int | str) -> np.random.Generator:
    """A NumPy generator of its own for one purpose at one point of the named axes."""
    return np.random.default_rng(derive(purpose, **axes))


def generators(derived: Sequence[int]) -> Iterator[np.random.Generator]:
    """A generator for each of many derived seeds, in turn; it draws the numbers of `generator`, to
    the last bit.

    NumPy takes most of the time of a short draw to seed a generator. Here the states of all are
    computed at once, and one generator is set to each of them: draw from it before the next one is
    taken.

    Args:
        derived: what `derive` gave.

    >>> many = generators([derive("init", seed=seed) for seed in range(20)])
    >>> [float(one.random()) for one in many][4] == generator("init", seed=4).random()
    True
    """
    if len(derived) < FEW:
        yield from map(np.random.default_rng, derived)
        return
    shared = np.random.Generator(np.random.PCG64(0))
    for state in _pcg64_states(derived):
        shared.bit_generator.state = state
        yield shared


# What follows is how NumPy seeds a PCG64, for many seeds at once. NumPy keeps both algorithms as
# they are (NEP 19). Sources: M. E. O'Neill, "PCG" (2014) and "Developing a seed_seq alternative"
# (2015), as in numpy/random.

WORD, WHOLE = 2**32 - 1, 2**128 - 1
POOL = 4
FILL, FILL_STEP = 0x43B0D7E5, 0x931E8875
OUTPUT, OUTPUT_STEP = 0x8B51F9DD, 0x58F38DED
MIX_LEFT, MIX_RIGHT = np.uint32(0xCA01F9DD), np.uint32(0x4973F715)
HALF_WORD = np.uint32(16)
PCG_MULTIPLIER = 0x2360ED051FC65DA44385DF649FCCF645


class _Hash:
    """The hash of a seed sequence: its constant goes on by one step with every use."""

    def __init__(self, constant: int, step: int) -> None:
        self.constant, self.step = constant, step

    def __call__(self, words: np.ndarray) -> np.ndarray:
        hashed = words ^ np.uint32(self.constant)
        self.constant = self.constant * self.step & WORD
        return _folded(hashed * np.uint32(self.constant))


def _folded(words: np.ndarray) -> np.ndarray:
    return words ^ (words >> HALF_WORD)


def _pcg64_states(derived: Sequence[int]) -> Iterator[dict[str, object]]:
    """The state of `np.random.PCG64(number)` for each 128-bit number."""
    for words in _seed_sequences(derived).tolist():
        start, stream = words[0] << 64 | words[1], words[2] << 64 | words[3]
        increment = (stream << 1 | 1) & WHOLE
        state = ((increment + start) * PCG_MULTIPLIER + increment) & WHOLE
        yield {
            "bit_generator": "PCG64",
            "state": {"state": state, "inc": increment},
            "has_uint32": 0,
            "uinteger": 0,
        }


def _seed_sequences(derived: Sequence[int]) -> np.ndarray:
    """`np.random.SeedSequence(number).generate_state(4, np.uint64)` for each 128-bit number: (S,
    4).
    """
    entropy = np.frombuffer(
        b"".join(number.to_bytes(16, "little") for number in derived), "<u4"
    )
    words = entropy.reshape(-1, POOL).T.astype(np.uint32)
    filling = _Hash(FILL, FILL_STEP)
    pool = [filling(word) for word in words]
    for source in range(POOL):
        for target in range(POOL):
            if source != target:
                pool[target] = _folded(
                    MIX_LEFT * pool[target] - MIX_RIGHT * filling(pool[source])
                )
    output = _Hash(OUTPUT, OUTPUT_STEP)
    drawn = [output(pool[place % POOL]).astype(np.uint64) for place in range(2 * POOL)]
    low, high = np.array(drawn[::2]), np.array(drawn[1::2])
    return (low | high << np.uint64(32)).T
