"""Any value as plain JSON values: no NaN, no NumPy scalar, no character that a terminal or a
browser would act on.
"""

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import fields, is_dataclass
from typing import Any

import numpy as np

from harness.errors import InvalidInput

NOT_FINITE = {math.inf: "Infinity", -math.inf: "-Infinity"}

# Colours of a terminal, as tracebacks have them; then control characters, overrides of the writing
# direction (they can make a sentence read as another one), lone surrogates (not encodable),
# non-characters (not allowed in XML).
ANSI = re.compile(r"\x1b\[[0-9;?]*[ -/]*[@-~]")
UNSAFE = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]"
)


def clean(text: str) -> str:
    """The text without terminal colours; what else is unsafe to show becomes U+FFFD.

    >>> clean("\\x1b[31mfailed\\x1b[0m at 3\\r\\n")
    'failed at 3\\n'
    """
    return UNSAFE.sub("\ufffd", ANSI.sub("", text).replace("\r\n", "\n"))


def plain(value: Any, not_finite: dict[str, str], pointer: str = "") -> Any:
    """The value as JSON values; numbers that JSON lacks become None and are noted by their JSON
    pointer (RFC 6901).

    Raises:
        InvalidInput: for a value that is neither text, number, mapping, sequence, dataclass nor
            None.

    >>> notes = {}
    >>> plain({"p": float("nan"), "effects": np.array([1.0, 2.5])}, notes), notes
    ({'p': None, 'effects': [1.0, 2.5]}, {'/p': 'NaN'})
    """
    if isinstance(value, np.ndarray | np.generic):
        value = value.tolist()
    if value is None or isinstance(value, bool | int):
        return value
    if isinstance(value, str):
        return clean(str(value))
    if isinstance(value, float):
        return _finite(value, not_finite, pointer)
    if is_dataclass(value) and not isinstance(value, type):
        value = {part.name: getattr(value, part.name) for part in fields(value)}
    if isinstance(value, Mapping):
        return {
            clean(str(key)): plain(part, not_finite, f"{pointer}/{_token(key)}")
            for key, part in value.items()
        }
    if isinstance(value, Sequence):
        return [
            plain(part, not_finite, f"{pointer}/{index}")
            for index, part in enumerate(value)
        ]
    raise InvalidInput(
        f"The report cannot hold {pointer or 'the value'}: {value!r} is a {type(value).__name__}. "
        "Allowed: text, numbers, None, mappings, sequences, dataclasses, NumPy arrays."
    )


def _token(key: object) -> str:
    return clean(str(key)).replace("~", "~0").replace("/", "~1")


def _finite(value: float, not_finite: dict[str, str], pointer: str) -> float | None:
    """The number; None, and a note, where JSON lacks it."""
    if math.isfinite(value):
        return value
    not_finite[pointer] = NOT_FINITE.get(value, "NaN")
    return None
