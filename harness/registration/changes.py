"""What changed between two records, as paths with old and new values."""

import json
from collections.abc import Iterator, Sequence
from typing import Any

from pydantic import JsonValue

from harness.registration.record import Strict, Text

MOST, LONGEST = 4, 60
NAMED = {"code": "the code of an effect, a control or a gate, or what it calls"}
"""What a path stands for, where a reader cannot tell."""


class Change(Strict):
    """One value that changed; null where there was none, or is none any more."""

    path: Text
    old: JsonValue
    new: JsonValue


def changes(old: Any, new: Any, path: str = "") -> Iterator[Change]:
    """Every value that differs between two records; hypotheses, controls and gates are told apart
    by name.

    >>> [
    ...     change.path
    ...     for change in changes({"gates": [{"name": "loss", "failure": 1}]}, {"gates": []})
    ... ]
    ['gates', 'gates[loss]']
    >>> next(changes({"tiers": [{"replicates": 10}]}, {"tiers": [{"replicates": 20}]})).path
    'tiers[0].replicates'
    """
    if isinstance(old, dict) and isinstance(new, dict):
        for key in sorted(old.keys() | new.keys()):
            yield from changes(
                old.get(key), new.get(key), f"{path}.{key}" if path else key
            )
    elif (before := _by_name(old)) is not None and (after := _by_name(new)) is not None:
        yield from _of_named(before, after, path)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for index, (a, b) in enumerate(zip(old, new, strict=True)):
            yield from changes(a, b, f"{path}[{index}]")
    elif old != new or type(old) is not type(new):
        yield Change(path=path or "record", old=old, new=new)


def _of_named(
    before: dict[str, Any], after: dict[str, Any], path: str
) -> Iterator[Change]:
    if list(before) != list(after):
        yield Change(path=path, old=list(before), new=list(after))
    for name in dict.fromkeys([*before, *after]):
        yield from changes(before.get(name), after.get(name), f"{path}[{name}]")


def _by_name(value: Any) -> dict[str, Any] | None:
    """Entries by their names, if they have names and no two the same."""
    if not isinstance(value, list) or not all(
        isinstance(entry, dict) and "name" in entry for entry in value
    ):
        return None
    named = {str(entry["name"]): entry for entry in value}
    return named if len(named) == len(value) else None


def fresh_seeds(found: Sequence[Change]) -> bool:
    """Whether some experiment has a stream of seeds that no experiment had before.

    >>> fresh_seeds([Change(path="experiments[0].stream", old="registered-1", new="registered-2")])
    True
    """
    old, new = set[str](), set[str]()
    for change in found:
        if change.path.startswith("experiments"):
            name = "stream" if change.path.endswith(".stream") else ""
            old |= set(_streams(change.old, name))
            new |= set(_streams(change.new, name))
    return bool(new - old) and bool(old)


def _streams(value: JsonValue, name: str = "") -> Iterator[str]:
    """Every stream that a part of a record names; `name` is the key under which it stands."""
    if isinstance(value, dict):
        for key, part in value.items():
            yield from _streams(part, key)
    elif isinstance(value, list):
        for part in value:
            yield from _streams(part, name)
    elif name == "stream":
        yield str(value)


def in_words(found: Sequence[Change]) -> str:
    """The first few changes, values shortened.

    >>> in_words([Change(path="claim.hypotheses[gap].rule.margin", old=0.1, new=0.05)])
    'claim.hypotheses[gap].rule.margin (0.1 -> 0.05)'
    """
    words = [
        f"{NAMED.get(change.path, change.path)} ({short(change.old)} -> {short(change.new)})"
        for change in found[:MOST]
    ]
    return ", ".join(words) + (
        f", and {len(found) - MOST} more" if len(found) > MOST else ""
    )


def short(value: JsonValue) -> str:
    """A value as JSON, its middle left out if it is long.

    >>> len(short("x" * 1000))
    60
    """
    text = json.dumps(value, ensure_ascii=False, sort_keys=True)
    half = (LONGEST - 5) // 2
    return (
        text
        if len(text) <= LONGEST
        else f"{text[: LONGEST - 5 - half]} ... {text[-half:]}"
    )
