"""JSON from files that others may have written: refused unless plain, finite and small enough.

`json` accepts more than the format: the literals NaN and Infinity, numbers that become infinite, a
name given twice of which the last one counts. It fails by RecursionError where nesting is deep, and
reads devices and pipes without end.
"""

import json
import math
import stat
from pathlib import Path
from typing import Any

LARGEST = 2**26
"""Bytes of a file: some fifty times those of the largest report so far."""
DEPTH = 64
"""Levels of nesting."""
DIGITS = 300
"""Of an integer, so that it can become a float."""


def load(path: Path, largest: int = LARGEST) -> Any:
    """The value in a file.

    Raises:
        ValueError: if it is no regular file, is larger than `largest` bytes, or `parse` refuses it.
        OSError: if it cannot be read.
    """
    status = path.stat()
    if not stat.S_ISREG(status.st_mode):
        raise ValueError("it is no regular file")
    if status.st_size > largest:
        raise ValueError(f"it has {status.st_size} bytes, and {largest} are allowed")
    return parse(path.read_bytes())


def parse(text: str | bytes) -> Any:
    """The value that a JSON text describes, UTF-8 if it is bytes.

    Raises:
        ValueError: if it is no JSON, names a member twice, holds a number that is not finite or an
            integer of more than `DIGITS` digits, is nested deeper than `DEPTH`, or has text that no
            file can hold (half a surrogate pair).

    >>> parse('{"width": 64, "width": 128}')
    Traceback (most recent call last):
    ValueError: the name 'width' is given twice
    """
    try:
        value = json.loads(
            text.decode("utf-8") if isinstance(text, bytes) else text,
            object_pairs_hook=_members,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except RecursionError:
        raise ValueError(f"it is nested deeper than {DEPTH} levels") from None
    _check_depth(value)
    # UnicodeEncodeError is a ValueError
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _members(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members: dict[str, Any] = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"the name {name[:80]!r} is given twice")
        members[name] = value
    return members


def _constant(literal: str) -> float:
    raise ValueError(f"{literal} is not JSON")


def _float(literal: str) -> float:
    if not math.isfinite(value := float(literal)):
        raise ValueError(f"the number {literal[:80]} is not finite")
    return value


def _integer(literal: str) -> int:
    if len(literal) > DIGITS:
        raise ValueError(
            f"an integer has {len(literal)} digits, and {DIGITS} are allowed"
        )
    return int(literal)


def _check_depth(value: Any) -> None:
    level = [value]
    for _ in range(DEPTH):
        level = [inner for outer in level for inner in _inside(outer)]
        if not level:
            return
    raise ValueError(f"it is nested deeper than {DEPTH} levels")


def _inside(value: Any) -> list[Any]:
    if isinstance(value, dict):
        return list(value.values())
    return value if isinstance(value, list) else []
