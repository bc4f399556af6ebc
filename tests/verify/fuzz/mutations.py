"""How samples are altered: bytes, numbers in headers, and the values inside of JSON."""

import json
import random
import struct
from collections.abc import Callable
from typing import Any

NUMBERS = (
    0,
    1,
    7,
    127,
    128,
    255,
    256,
    2**15,
    2**16 - 1,
    2**24,
    2**31 - 1,
    2**31,
    2**32 - 1,
)
WORDS = (
    b"\0",
    b"\xff" * 8,
    b"\n",
    b'"',
    b"{",
    b"[" * 100,
    b"}",
    b"NaN",
    b"1e999",
    b"-1",
    b"../",
    b"|O",
    b'{"a":' * 50,
)
VALUES: tuple[Any, ...] = (
    None,
    True,
    False,
    0,
    -1,
    1,
    2**31,
    2**63,
    10**299,
    0.5,
    -0.0,
    1e308,
    "",
    "a",
    "..",
    "../../etc",
    "/dev/zero",
    "\0",
    "\ud800",
    "|O",
    "<f8",
    "NaN",
    "SUPPORTED",
    "<script>",
    "x" * 5000,
    [],
    {},
    [[]],
    {"": None},
    [1],
    ["a"],
)


def altered(draws: random.Random, content: bytes) -> bytes:
    """The content after one to four changes of its bytes."""
    changed = bytearray(content)
    for _ in range(draws.choice((1, 1, 1, 2, 4))):
        draws.choice(CHANGES)(draws, changed)
    return bytes(changed)


def _place(draws: random.Random, content: bytearray) -> int:
    """Anywhere, but often near the beginning, where the headers are."""
    return draws.randrange(
        min(len(content), draws.choice((16, 64, 512, len(content) + 1)) or 1) or 1
    )


def _flip(draws: random.Random, content: bytearray) -> None:
    if content:
        content[_place(draws, content)] ^= 1 << draws.randrange(8)


def _overwrite(draws: random.Random, content: bytearray) -> None:
    at = _place(draws, content)
    form = draws.choice(("<I", ">I", "<H", ">H", "<Q"))
    content[at : at + struct.calcsize(form)] = struct.pack(
        form, draws.choice(NUMBERS) % 2 ** (8 * struct.calcsize(form))
    )


def _insert(draws: random.Random, content: bytearray) -> None:
    at = _place(draws, content)
    content[at:at] = draws.choice(WORDS)


def _delete(draws: random.Random, content: bytearray) -> None:
    at = _place(draws, content)
    del content[at : at + draws.choice((1, 2, 4, 16, 200))]


def _repeat(draws: random.Random, content: bytearray) -> None:
    at, to = _place(draws, content), _place(draws, content)
    content[to:to] = content[at : at + draws.choice((1, 8, 64, 512))]


def _truncate(draws: random.Random, content: bytearray) -> None:
    del content[_place(draws, content) :]


CHANGES: tuple[Callable[[random.Random, bytearray], None], ...] = (
    _flip,
    _flip,
    _flip,
    _overwrite,
    _overwrite,
    _insert,
    _delete,
    _repeat,
    _truncate,
)


def altered_json(draws: random.Random, content: bytes) -> bytes:
    """A JSON text with other values, members or nesting; one time in four its bytes are altered
    instead.
    """
    if draws.random() < 0.25:
        return altered(draws, content)
    value = json.loads(content)
    for _ in range(draws.choice((1, 1, 2))):
        value = altered_value(draws, value)
    return json.dumps(value, sort_keys=True, separators=(",", ":")).encode()


def altered_value(draws: random.Random, value: Any) -> Any:
    """A copy of a JSON value in which one value, somewhere, is another."""
    if isinstance(value, dict | list) and value and draws.random() < 0.9:
        items = (
            list(value.items()) if isinstance(value, dict) else list(enumerate(value))
        )
        at = draws.randrange(len(items))
        name, inner = items[at]
        match draws.randrange(12):
            case 0:
                del items[at]
            case 1:
                items.append((str(name) + draws.choice("xé\0"), inner))
            case 2:
                items.insert(0, (str(name), items[draws.randrange(len(items))][1]))
            case _:
                items[at] = (name, altered_value(draws, inner))
        return dict(items) if isinstance(value, dict) else [inner for _, inner in items]
    if draws.random() < 0.03:
        return json.loads("[" * 70 + "]" * 70)
    return draws.choice(VALUES)
